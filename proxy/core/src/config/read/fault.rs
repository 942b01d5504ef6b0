//! Why a value is not what it should be.

use std::fmt;

use serde::de::{Expected, Unexpected};

use super::shown;
use super::tree::Value;
use crate::config::findings::{Complaint, Place};

/// The error of the reader.
#[derive(Debug)]
pub(super) enum Fault {
    /// A value is of another kind; what was found is added with the place.
    Expected(String),
    /// What is wrong is said in full.
    Said(Complaint),
    /// What is wrong, and where.
    Placed(Place, Complaint),
}

impl Fault {
    pub(super) fn expected(what: impl fmt::Display) -> Self {
        Self::Expected(what.to_string())
    }

    /// Adds the place and what stands there, unless a place further inside is known.
    pub(super) fn at(self, place: Place, value: &Value<'_>) -> (Place, Complaint) {
        match self {
            Self::Placed(place, complaint) => (place, complaint),
            Self::Said(complaint) => (place, complaint),
            Self::Expected(what) => {
                let complaint = Complaint::new(format!("expected {what}, found {}", shown::value(value)));
                let help = shown::help(value, &what);
                (place, Complaint { help, ..complaint })
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::Said(complaint) | Self::Placed(_, complaint) => f.write_str(&complaint.message),
        }
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Said(Complaint::new(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }
}
