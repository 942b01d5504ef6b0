//! The serde deserializer over a parsed document that notes mistakes and goes on.

use std::cell::RefCell;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Expected, Visitor};
use serde::forward_to_deserialize_any;
use serde_spanned::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::fault::Fault;
use super::field::{FIELD, Field};
use super::inside::{Entries, FieldParts, Items};
use super::shown;
use crate::config::findings::{Complaint, Findings, Place, Step};

/// One value of the document, with its place.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de, 'f> {
    value: &'de Spanned<DeValue<'de>>,
    place: Place,
    found: &'f RefCell<Findings>,
}

impl<'de, 'f> Reader<'de, 'f> {
    pub(super) fn new(value: &'de Spanned<DeValue<'de>>, place: Place, found: &'f RefCell<Findings>) -> Self {
        Self { value, place, found }
    }

    /// The value as a field; what is wrong with it is noted.
    pub(super) fn field<T: Deserialize<'de>>(self) -> Field<T> {
        Field { place: self.place, value: self.or_noted(T::deserialize(self)) }
    }

    pub(super) fn place(self) -> Place {
        self.place
    }

    /// What could be read; what could not is noted.
    pub(super) fn or_noted<T>(self, result: Result<T, Fault>) -> Option<T> {
        result
            .map_err(|fault| {
                let (place, complaint) = fault.at(self.place, self.value);
                self.found.borrow_mut().error(place, complaint);
            })
            .ok()
    }

    /// The value that `step` leads to.
    pub(super) fn child(self, step: Step, value: &'de Spanned<DeValue<'de>>) -> Self {
        let place = self.found.borrow_mut().inside(self.place, step, value.span().start);
        Self { value, place, ..self }
    }

    /// Reads a value inside; an error that has no place yet is that value's.
    pub(super) fn read<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self).map_err(|fault| {
            let (place, complaint) = fault.at(self.place, self.value);
            Fault::Placed(place, complaint)
        })
    }

    fn note_unknown(self, key: &'de Spanned<std::borrow::Cow<'de, str>>, known: &'static [&'static str]) {
        let name: &str = key.get_ref();
        let mut found = self.found.borrow_mut();
        let place = found.inside(self.place, Step::Key(name.into()), key.span().start);
        let complaint = Complaint::new("there is no such key").nearest(name, known.iter().copied());
        let complaint = match complaint.help {
            Some(_) => complaint,
            None => complaint.help(format!("the keys here are: {}", known.join(", "))),
        };
        found.error(place, complaint);
    }

    fn table<V: Visitor<'de>>(self, table: &'de DeTable<'de>, visitor: V) -> Result<V::Value, Fault> {
        let entries = table.iter().map(|(key, value)| (&**key.get_ref(), value));
        visitor.visit_map(Entries::of(self, entries.collect()))
    }
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            DeValue::Integer(number) => integer(number, visitor),
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Fault::expected(&visitor as &dyn Expected)),
            },
            DeValue::Boolean(flag) => visitor.visit_bool(*flag),
            DeValue::Datetime(_) => Err(Fault::expected(&visitor as &dyn Expected)),
            DeValue::Array(_) => self.deserialize_seq(visitor),
            DeValue::Table(table) => self.table(table, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::Boolean(flag) => visitor.visit_bool(*flag),
            _ => Err(Fault::expected("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) => visitor.visit_borrowed_str(text),
            _ => Err(Fault::expected(shown::TEXT)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::Array(list) => visitor.visit_seq(Items::of(self, list)),
            _ => Err(Fault::expected(shown::LIST)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::Table(table) => self.table(table, visitor),
            _ => Err(Fault::expected(shown::TABLE)),
        }
    }

    /// Keys that the struct does not have are noted and passed over.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let table = match self.value.get_ref() {
            DeValue::Table(table) => table,
            // Some structs may be written as one text.
            DeValue::String(text) => return visitor.visit_borrowed_str(text),
            _ => return Err(Fault::expected(&visitor as &dyn Expected)),
        };
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            if known.contains(&&**key.get_ref()) {
                entries.push((&**key.get_ref(), value));
            } else {
                self.note_unknown(key, known);
            }
        }
        visitor.visit_map(Entries::of(self, entries))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value.get_ref() {
            DeValue::String(text) if variants.contains(&&**text) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(text))
            }
            DeValue::String(text) => {
                let found = shown::value(self.value.get_ref());
                let message = format!("expected {}, found {found}", shown::one_of(variants));
                Err(Fault::Said(Complaint::new(message).nearest(text, variants.iter().copied())))
            }
            _ => Err(Fault::expected(shown::one_of(variants))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == FIELD {
            visitor.visit_seq(FieldParts::of(self))
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct identifier ignored_any
    }
}

fn integer<'de, V: Visitor<'de>>(number: &DeInteger<'_>, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(number) = i64::from_str_radix(number.as_str(), number.radix()) {
        visitor.visit_i64(number)
    } else if let Ok(number) = u64::from_str_radix(number.as_str(), number.radix()) {
        visitor.visit_u64(number)
    } else {
        Err(Fault::expected(&visitor as &dyn Expected))
    }
}
