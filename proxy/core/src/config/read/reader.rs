//! The serde deserializer over a parsed document that notes mistakes and goes on.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Expected, Visitor};
use serde::forward_to_deserialize_any;

use super::fault::Fault;
use super::field::{FIELD, Field};
use super::inside::{Entries, FieldParts, Items};
use super::shown;
use super::tree::{Entry, Node, Value};
use crate::config::findings::{Complaint, Findings, Place, Step};

/// One value of the document, with its place.
#[derive(Clone, Copy)]
pub(super) struct Reader<'de, 'f> {
    node: &'de Node<'de>,
    place: Place,
    /// Keys that may be here beside those that are read.
    beside: &'static [&'static str],
    found: &'f RefCell<Findings>,
}

impl<'de, 'f> Reader<'de, 'f> {
    pub(super) fn new(
        node: &'de Node<'de>,
        place: Place,
        beside: &'static [&'static str],
        found: &'f RefCell<Findings>,
    ) -> Self {
        Self { node, place, beside, found }
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
                let (place, complaint) = fault.at(self.place, &self.node.value);
                self.found.borrow_mut().error(place, complaint);
            })
            .ok()
    }

    /// The value that `step` leads to.
    pub(super) fn child(self, step: Step, node: &'de Node<'de>) -> Self {
        let place = self.found.borrow_mut().inside(self.place, step, node.offset);
        Self { node, place, beside: &[], ..self }
    }

    /// Reads a value inside; an error that has no place yet is that value's.
    pub(super) fn read<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self).map_err(|fault| {
            let (place, complaint) = fault.at(self.place, &self.node.value);
            Fault::Placed(place, complaint)
        })
    }

    fn note_unknown(self, entry: &Entry<'_>, known: &'static [&'static str]) {
        let all = || known.iter().chain(self.beside).copied();
        let complaint = Complaint::new("there is no such key").nearest(&entry.key, all());
        let complaint = if complaint.help.is_some() {
            complaint
        } else {
            let keys: Vec<&str> = all().collect();
            complaint.help(format!("the keys here are: {}", keys.join(", ")))
        };
        self.note(entry, complaint);
    }

    /// Notes what is wrong with a key.
    fn note(self, entry: &Entry<'_>, complaint: Complaint) {
        let mut found = self.found.borrow_mut();
        let place = found.inside(self.place, step(&entry.key), entry.offset);
        found.error(place, complaint);
    }

    /// TOML's parser refuses this itself.
    fn note_twice(self, entry: &Entry<'_>) {
        let complaint = Complaint::new(format!("`{}` is written twice", shown::shortened(&entry.key)));
        self.note(entry, complaint.help("keep one of the two"));
    }

    fn table<V: Visitor<'de>>(self, table: &'de [Entry<'de>], visitor: V) -> Result<V::Value, Fault> {
        let mut seen = BTreeSet::new();
        let mut entries = Vec::with_capacity(table.len());
        for entry in table {
            if !seen.insert(&*entry.key) {
                self.note_twice(entry);
            } else if !matches!(entry.node.value, Value::Null) {
                entries.push((&*entry.key, step(&entry.key), &entry.node));
            }
        }
        visitor.visit_map(Entries::of(self, entries))
    }
}

fn step(key: &str) -> Step {
    Step::Key(Cow::Owned(key.to_owned()))
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number, _) => visitor.visit_i64(*number),
            Value::Flag(flag) => visitor.visit_bool(*flag),
            Value::Number(_) | Value::Date(_) | Value::Null => {
                Err(Fault::expected(&visitor as &dyn Expected))
            }
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Table(table) => self.table(table, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Flag(flag) => visitor.visit_bool(*flag),
            _ => Err(Fault::expected("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            _ => Err(Fault::expected(shown::TEXT)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::List(list) => visitor.visit_seq(Items::of(self, list)),
            _ => Err(Fault::expected(shown::LIST)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Table(table) => self.table(table, visitor),
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
        let table = match &self.node.value {
            Value::Table(table) => table,
            // Some structs may be written as one text.
            Value::Text(text) => return visitor.visit_borrowed_str(text),
            _ => return Err(Fault::expected(&visitor as &dyn Expected)),
        };
        let mut entries: Vec<(&str, Step, &Node<'_>)> = Vec::with_capacity(table.len().min(known.len()));
        let mut beside = BTreeSet::new();
        for entry in table {
            if let Some(key) = known.iter().find(|key| **key == entry.key) {
                if entries.iter().any(|(seen, ..)| seen == key) {
                    self.note_twice(entry);
                } else {
                    entries.push((key, Step::Key(Cow::Borrowed(key)), &entry.node));
                }
            } else if !self.beside.contains(&&*entry.key) {
                self.note_unknown(entry, known);
            } else if !beside.insert(&*entry.key) {
                self.note_twice(entry);
            }
        }
        entries.retain(|(.., node)| !matches!(node.value, Value::Null));
        visitor.visit_map(Entries::of(self, entries))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(text) if variants.contains(&&**text) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(text))
            }
            Value::Text(text) => {
                let found = shown::value(&self.node.value);
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
