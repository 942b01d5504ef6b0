//! The tree of a JSON text.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::tree::{Entry, Node, Value};

/// So many lists and tables may stand inside one another. No spec needs half of them.
const DEEPEST: usize = 16;
/// So many values may be in one text, so that it takes no more memory than a large one that is meant.
const MOST: usize = 1 << 19;

/// The tree of one JSON value; places in it are not told apart, as a spec stands on one line.
///
/// # Errors
/// What is not JSON, and what is deeper or has more values than any spec.
pub(super) fn tree(text: &str) -> Result<Node<'_>, serde_json::Error> {
    let left = Cell::new(MOST);
    let mut json = serde_json::Deserializer::from_str(text);
    let node = Reading { left: &left, deeper: DEEPEST }.deserialize(&mut json)?;
    json.end()?;
    Ok(node)
}

/// How one value is read, by what may still come.
#[derive(Clone, Copy)]
struct Reading<'c> {
    left: &'c Cell<usize>,
    deeper: usize,
}

impl Reading<'_> {
    /// How a value inside this one is read.
    fn inside<E: Error>(self) -> Result<Self, E> {
        let too_deep = || E::custom(format_args!("lists and tables stand more than {DEEPEST} deep"));
        Ok(Self { deeper: self.deeper.checked_sub(1).ok_or_else(too_deep)?, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Node<'de>, D::Error> {
        let too_many = || D::Error::custom(format_args!("there are more than {MOST} values"));
        self.left.set(self.left.get().checked_sub(1).ok_or_else(too_many)?);
        Ok(Node { offset: 0, value: json.deserialize_any(self)? })
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(number, None))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(match i64::try_from(number) {
            Ok(number) => Value::Integer(number, None),
            Err(_) => Value::Number(number.to_string().into()),
        })
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.to_string().into()))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(node) = items.next_element_seed(inside)? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value<'de>, A::Error> {
        let inside = self.inside()?;
        let mut table = Vec::new();
        while let Some(Key(key)) = entries.next_key()? {
            table.push(Entry { key, offset: 0, node: entries.next_value_seed(inside)? });
        }
        Ok(Value::Table(table))
    }
}

/// A key, borrowed where it has no escapes: `Cow` alone would copy it.
#[derive(serde::Deserialize)]
struct Key<'t>(#[serde(borrow)] Cow<'t, str>);
