//! What is inside a value: the parts of a field, the items of a list, the entries of a table.

use std::iter::Enumerate;
use std::{slice, vec};

use serde::de::value::{BorrowedStrDeserializer, U32Deserializer};
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::fault::Fault;
use super::reader::Reader;
use super::tree::Node;
use crate::config::findings::{Complaint, Step};

/// What a [`Field`](super::Field) is made of: the number of its place, then its value unless that is refused.
pub(super) struct FieldParts<'de, 'f> {
    reader: Reader<'de, 'f>,
    place_told: bool,
}

impl<'de, 'f> FieldParts<'de, 'f> {
    pub(super) fn of(reader: Reader<'de, 'f>) -> Self {
        Self { reader, place_told: false }
    }
}

impl<'de> SeqAccess<'de> for FieldParts<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.place_told {
            Ok(self.reader.or_noted(seed.deserialize(self.reader)))
        } else {
            self.place_told = true;
            let number: U32Deserializer<Fault> = self.reader.place().number().into_deserializer();
            seed.deserialize(number).map(Some)
        }
    }
}

/// The items of a list.
pub(super) struct Items<'de, 'f> {
    list: Reader<'de, 'f>,
    items: Enumerate<slice::Iter<'de, Node<'de>>>,
}

impl<'de, 'f> Items<'de, 'f> {
    pub(super) fn of(list: Reader<'de, 'f>, items: &'de [Node<'de>]) -> Self {
        Self { list, items: items.iter().enumerate() }
    }
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.items.next() else {
            return Ok(None);
        };
        self.list.child(Step::Index(index), value).read(seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// A key, how one steps to its value, and the value.
pub(super) type Entry<'de> = (&'de str, Step, &'de Node<'de>);

/// The entries of a table.
pub(super) struct Entries<'de, 'f> {
    table: Reader<'de, 'f>,
    rest: vec::IntoIter<Entry<'de>>,
    next: Option<(Step, &'de Node<'de>)>,
}

impl<'de, 'f> Entries<'de, 'f> {
    pub(super) fn of(table: Reader<'de, 'f>, entries: Vec<Entry<'de>>) -> Self {
        Self { table, rest: entries.into_iter(), next: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, step, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.next = Some((step, value));
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((step, value)) = self.next.take() else {
            return Err(Fault::Said(Complaint::new("a value was asked for before its key")));
        };
        self.table.child(step, value).read(seed)
    }
}
