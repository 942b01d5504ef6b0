//! Lines out of bytes, however they are cut, and messages out of lines.

use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::{
    Begin, Change, End, Farewell, Heartbeat, Kind, LONGEST_LINE, Name, Resource, RetryAfter, ToClient,
    ToServer, Version, Want, Welcome,
};

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
    /// A resource that says too much or too little.
    #[error("the line of {kind} {name}: {expected}")]
    Resource {
        /// Its type.
        kind: Kind,
        /// Its name.
        name: Name,
        /// What was expected.
        expected: &'static str,
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

/// Everything that a line may have. One pass finds out which it is, and specs stay as they are written.
#[derive(Deserialize)]
struct AnyLine {
    #[serde(rename = "type")]
    kind: Option<Kind>,
    name: Option<Name>,
    version: Option<Version>,
    spec: Option<Box<RawValue>>,
    #[serde(default)]
    removed: bool,
    base: Option<Version>,
    set: Option<Vec<Box<RawValue>>>,
    remove: Option<Vec<String>>,
    welcome: Option<Welcome>,
    want: Option<Want>,
    update: Option<Begin>,
    end: Option<End>,
    heartbeat: Option<Heartbeat>,
    retry_after: Option<RetryAfter>,
    error: Option<Farewell>,
}

impl ToClient {
    /// Reads a line; `None` if it is a message of a kind that isn't known here.
    ///
    /// # Errors
    /// A line that isn't one JSON object, or isn't what its keys promise.
    pub fn read(line: &[u8]) -> Result<Option<Self>, LineError> {
        let any: AnyLine = serde_json::from_slice(line)?;
        if let (Some(kind), Some(name)) = (any.kind, any.name.clone()) {
            let wrong = |expected| LineError::Resource { kind, name: name.clone(), expected };
            let change = any.change().map_err(wrong)?;
            return Ok(Some(Self::Resource(Resource { kind, name, change })));
        }
        let message = None
            .or(any.welcome.map(Self::Welcome))
            .or(any.want.map(Self::Want))
            .or(any.update.map(Self::Update))
            .or(any.end.map(Self::End))
            .or(any.heartbeat.map(Self::Heartbeat))
            .or(any.retry_after.map(Self::RetryAfter))
            .or(any.error.map(Self::Error));
        Ok(message)
    }
}

impl AnyLine {
    fn change(self) -> Result<Change, &'static str> {
        match self {
            Self { removed: true, spec: None, base: None, set: None, remove: None, .. } => {
                Ok(Change::Removed)
            }
            Self {
                removed: false,
                spec: Some(spec),
                version: Some(version),
                base: None,
                set: None,
                remove: None,
                ..
            } => Ok(Change::Set { version, spec }),
            Self {
                removed: false,
                spec: None,
                version: Some(version),
                base: Some(base),
                set,
                remove,
                ..
            } => Ok(Change::Delta {
                base,
                version,
                set: set.unwrap_or_default(),
                remove: remove.unwrap_or_default(),
            }),
            _ => Err(
                "expected `version` and `spec`, or `removed`, or `base` and `version` with `set` and `remove`",
            ),
        }
    }
}

impl ToServer {
    /// Reads a line; `None` if it is a message of a kind that isn't known here.
    ///
    /// # Errors
    /// A line that isn't one JSON object, or isn't what its key promises.
    pub fn read(line: &[u8]) -> Result<Option<Self>, LineError> {
        match serde_json::from_slice(line) {
            Ok(message) => Ok(Some(message)),
            Err(error) => {
                // Only a key that nobody knows is passed over.
                let object: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_slice(line)?;
                let known = ["hello", "digests", "ack", "nack", "status", "heartbeat"];
                if object.keys().any(|key| known.contains(&key.as_str())) {
                    Err(error.into())
                } else {
                    Ok(None)
                }
            }
        }
    }

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
