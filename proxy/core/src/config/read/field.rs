//! A value with its place in the file.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::config::findings::Place;

/// A value that stands in the file, or stood there and could not be read.
///
/// Only this module's reader can make one: it offers the number of the place and then the value, and
/// notes what is wrong with the value instead of failing.
#[derive(Debug, Clone)]
pub(in crate::config) struct Field<T> {
    /// Where it stands.
    pub(in crate::config) place: Place,
    /// The value; `None` if it was refused, which is noted already.
    pub(in crate::config) value: Option<T>,
}

/// The name by which the reader knows that a field is asked for.
pub(super) const FIELD: &str = "$landbridge::Field";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(FIELD, FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Field<T>, A::Error> {
        let number: Option<u32> = parts.next_element()?;
        let number = number.ok_or_else(|| A::Error::custom("a value without a place"))?;
        Ok(Field { place: Place::from_number(number), value: parts.next_element()? })
    }
}
