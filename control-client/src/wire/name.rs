//! The name of a resource.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The name of a resource among those of its type.
///
/// 1 to 512 bytes of printable ASCII without spaces. A service's is by custom `host:port`; its `endpoints` resource has
/// the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a resource is 1 to {} bytes of printable ASCII without spaces", Name::LONGEST)]
pub struct NameError;

impl Name {
    /// The most bytes that a name has.
    pub const LONGEST: usize = 512;

    /// Reads a name.
    ///
    /// # Errors
    /// A text that is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fits = (1..=Self::LONGEST).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.into()))
        } else {
            Err(NameError)
        }
    }

    /// A name that comes near a text which may be none, to tell of it.
    pub fn near(text: &str) -> Self {
        let graphic = |byte: u8| if byte.is_ascii_graphic() { char::from(byte) } else { '?' };
        let name: String = text.bytes().take(Self::LONGEST).map(graphic).collect();
        Self(if name.is_empty() { "?".into() } else { name.into() })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}
