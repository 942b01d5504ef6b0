//! Values that may be written in more than one way, or within bounds.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

use crate::config::read::Field;

/// A whole number within bounds.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Number<const LEAST: u32, const MOST: u32>(pub(in crate::config) u32);

/// `"auto"` (`None`), or a number.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct AutoOr<const LEAST: u32, const MOST: u32>(pub(in crate::config) Option<u32>);

/// `"off"` (`None`), or a number.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct OffOr<const LEAST: u32, const MOST: u32>(pub(in crate::config) Option<u32>);

/// A duration as written: `"250ms"`, `"5s"`, `"1h"` or `"off"`.
#[derive(Debug, Clone)]
pub(in crate::config) struct DurationText(pub(in crate::config) String);

/// One text, or a list of them.
#[derive(Debug, Clone)]
pub(in crate::config) enum OneOrMany {
    /// One.
    One(String),
    /// A list.
    Many(Vec<Field<String>>),
}

/// Reads a number within bounds, or a word that stands for none.
struct Bounded<const LEAST: u32, const MOST: u32> {
    word: Option<&'static str>,
}

impl<const LEAST: u32, const MOST: u32> Bounded<LEAST, MOST> {
    const fn without_word() -> Self {
        Self { word: None }
    }

    const fn or(word: &'static str) -> Self {
        Self { word: Some(word) }
    }
}

impl<const LEAST: u32, const MOST: u32> Visitor<'_> for Bounded<LEAST, MOST> {
    type Value = Option<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(word) = self.word {
            write!(f, "\"{word}\" or ")?;
        }
        if MOST == u32::MAX {
            write!(f, "a number of at least {LEAST}")
        } else {
            write!(f, "a number from {LEAST} to {MOST}")
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<u32>, E> {
        match u32::try_from(number) {
            Ok(number) if (LEAST..=MOST).contains(&number) => Ok(Some(number)),
            _ => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<u32>, E> {
        if self.word == Some(text) { Ok(None) } else { Err(E::invalid_value(Unexpected::Str(text), &self)) }
    }
}

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for Number<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(Bounded::<LEAST, MOST>::without_word())?;
        Ok(Self(number.unwrap_or(LEAST)))
    }
}

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for AutoOr<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Bounded::<LEAST, MOST>::or("auto")).map(Self)
    }
}

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for OffOr<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Bounded::<LEAST, MOST>::or("off")).map(Self)
    }
}

impl DurationText {
    /// What is expected of a duration.
    pub(in crate::config) const EXPECTED: &str = "a duration such as \"250ms\", \"5s\", \"1h\" or \"off\"";
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = DurationText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(DurationText::EXPECTED)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<DurationText, E> {
                Ok(DurationText(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for Either<'de> {
            type Value = OneOrMany;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes, or a list of them")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
                let mut many = Vec::new();
                while let Some(item) = items.next_element()? {
                    many.push(item);
                }
                Ok(OneOrMany::Many(many))
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}
