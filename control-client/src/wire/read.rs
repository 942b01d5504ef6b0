//! Messages out of lines.
//!
//! One pass reads a line that is as it should be. Only where that fails a second one finds out how far the damage goes:
//! to a resource, which can be refused by name, or to the stream.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Ack, Begin, Change, Digests, End, Farewell, Heartbeat, Hello, Kind, LineError, Nack, Name, Resource,
    RetryAfter, Status, ToClient, ToServer, Version, Want, Welcome,
};

impl ToClient {
    /// Reads a line; `None` if it is a message or a resource of a kind that isn't known here.
    ///
    /// # Errors
    /// A line that isn't one JSON object, or isn't what its keys promise. [`LineError::Resource`] concerns one resource
    /// alone, everything else the stream.
    pub fn read(line: &[u8]) -> Result<Option<Self>, LineError> {
        let any: AnyLineToClient = match serde_json::from_slice(line) {
            Ok(any) => any,
            Err(error) => return damaged(line, error),
        };
        if let (Some(kind), Some(name)) = (any.kind, any.name.clone()) {
            let wrong = |expected: &str| LineError::Resource {
                kind,
                name: name.clone(),
                expected: expected.to_owned(),
            };
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

impl ToServer {
    /// Reads a line; `None` if it is a message of a kind that isn't known here.
    ///
    /// # Errors
    /// A line that isn't one JSON object, or isn't what its key promises.
    pub fn read(line: &[u8]) -> Result<Option<Self>, LineError> {
        let any: AnyLineToServer = serde_json::from_slice(line)?;
        let message = None
            .or(any.hello.map(Self::Hello))
            .or(any.digests.map(Self::Digests))
            .or(any.ack.map(Self::Ack))
            .or(any.nack.map(Self::Nack))
            .or(any.status.map(Self::Status))
            .or(any.heartbeat.map(Self::Heartbeat));
        Ok(message)
    }
}

/// Everything that a line to a server may have.
#[derive(Deserialize)]
struct AnyLineToServer {
    hello: Option<Hello>,
    digests: Option<Digests>,
    ack: Option<Ack>,
    nack: Option<Nack>,
    status: Option<Status>,
    heartbeat: Option<Heartbeat>,
}

/// Everything that a line to a client may have. Specs stay as they are written.
#[derive(Deserialize)]
struct AnyLineToClient {
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

impl AnyLineToClient {
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

/// What can be said of a line that isn't what its keys promise.
fn damaged(line: &[u8], error: serde_json::Error) -> Result<Option<ToClient>, LineError> {
    #[derive(Deserialize)]
    struct Title<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<&'a RawValue>,
        #[serde(borrow)]
        name: Option<&'a RawValue>,
        #[serde(borrow)]
        want: Option<&'a RawValue>,
    }

    // What isn't UTF-8 stands inside a spec, if the line is anything.
    let text = String::from_utf8_lossy(line);
    let Ok(title) = serde_json::from_str::<Title<'_>>(&text) else { return Err(error.into()) };
    let (Some(kind), Some(name)) = (title.kind, title.name) else {
        let asks = title.want.is_some_and(|want| serde_json::from_str::<Want>(want.get()).is_err());
        return if asks { Ok(None) } else { Err(error.into()) };
    };
    let Ok(kind) = serde_json::from_str::<Kind>(kind.get()) else { return Ok(None) };
    let name = match serde_json::from_str::<Cow<'_, str>>(name.get()) {
        Ok(name) => Name::near(&name),
        Err(_) => Name::near(name.get()),
    };
    Err(LineError::Resource { kind, name, expected: error.to_string() })
}
