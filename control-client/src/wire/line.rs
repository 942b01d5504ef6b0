//! Lines out of bytes, however they are cut, and lines out of messages.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Change, Kind, LONGEST_LINE, Name, Resource, ToClient, ToServer};

/// Collects bytes into lines.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
}

/// Why a line can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It never ends.
    #[error("a line is longer than {LONGEST_LINE} bytes")]
    TooLong,
    /// It isn't JSON, or not what its key promises.
    #[error("a line that is no message: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A resource that can't be read; it alone is concerned.
    #[error("the line of {kind} {name}: {expected}")]
    Resource {
        /// Its type.
        kind: Kind,
        /// Its name, or what comes near.
        name: Name,
        /// What was expected.
        expected: String,
    },
}

impl Lines {
    /// Takes bytes, and gives each line that they complete to `line`, without its newline. Empty lines are passed over.
    ///
    /// # Errors
    /// A line that is too long, and the first error of `line`; what follows is lost then, and so is the stream.
    pub fn feed<E: From<LineError>>(
        &mut self,
        mut bytes: &[u8],
        mut line: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (head, rest) = bytes.split_at(end);
            bytes = rest.split_first().map_or(&[], |(_newline, rest)| rest);
            if self.partial.len() + head.len() > LONGEST_LINE {
                return Err(LineError::TooLong.into());
            }
            let whole = if self.partial.is_empty() {
                head
            } else {
                self.partial.extend_from_slice(head);
                &self.partial
            };
            if !whole.trim_ascii().is_empty() {
                line(whole)?;
            }
            self.partial.clear();
            // A large line was an exception.
            self.partial.shrink_to(64 * 1024);
        }
        if self.partial.len() + bytes.len() > LONGEST_LINE {
            return Err(LineError::TooLong.into());
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes of an unfinished line there are.
    pub fn unfinished(&self) -> usize {
        self.partial.len()
    }
}

impl ToServer {
    /// The line, with its newline.
    pub fn to_line(&self) -> Vec<u8> {
        to_line(self)
    }
}

impl ToClient {
    /// The line, with its newline.
    pub fn to_line(&self) -> Vec<u8> {
        to_line(self)
    }
}

fn to_line(message: &impl Serialize) -> Vec<u8> {
    // Nothing here can fail to be written: keys are strings, and no number is a float.
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

impl Serialize for ToClient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Welcome(welcome) => map.serialize_entry("welcome", welcome)?,
            Self::Want(want) => map.serialize_entry("want", want)?,
            Self::Update(begin) => map.serialize_entry("update", begin)?,
            Self::End(end) => map.serialize_entry("end", end)?,
            Self::Heartbeat(heartbeat) => map.serialize_entry("heartbeat", heartbeat)?,
            Self::RetryAfter(retry_after) => map.serialize_entry("retry_after", retry_after)?,
            Self::Error(farewell) => map.serialize_entry("error", farewell)?,
            Self::Resource(Resource { kind, name, change }) => {
                map.serialize_entry("type", kind)?;
                map.serialize_entry("name", name)?;
                match change {
                    Change::Set { version, spec } => {
                        map.serialize_entry("version", version)?;
                        map.serialize_entry("spec", spec)?;
                    }
                    Change::Removed => map.serialize_entry("removed", &true)?,
                    Change::Delta { base, version, set, remove } => {
                        map.serialize_entry("base", base)?;
                        map.serialize_entry("version", version)?;
                        map.serialize_entry("set", set)?;
                        map.serialize_entry("remove", remove)?;
                    }
                }
            }
        }
        map.end()
    }
}
