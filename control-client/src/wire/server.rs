//! What a server says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Heartbeat, Kind, Resource, kinds};

/// A line from the server.
#[derive(Debug, Clone)]
pub enum ToClient {
    /// The answer to hello.
    Welcome(Welcome),
    /// Something it needs to know before it can send an update.
    Want(Want),
    /// An update begins.
    Update(Begin),
    /// A part of the update.
    Resource(Resource),
    /// The update is complete.
    End(End),
    /// Nothing new.
    Heartbeat(Heartbeat),
    /// It is about to go: come back later, or go to another.
    RetryAfter(RetryAfter),
    /// Why it ends the stream.
    Error(Farewell),
}

/// The answer to hello.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the protocol that is spoken from now on.
    pub protocol: u32,
    /// What of the client's features it will use.
    #[serde(default)]
    pub features: Vec<String>,
    /// What the server is called.
    #[serde(default)]
    pub server: String,
}

/// What the server needs to know first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// The digests of what the client holds.
    Digests,
}

/// The beginning of an update.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Begin {
    /// Comes back in the answer.
    pub nonce: String,
    /// Whose numbers `seq` counts in. An epoch that the client left is refused.
    pub epoch: String,
    /// Where the client stands once it has applied this; comes back in its next hello. It never falls within an epoch.
    pub seq: Seq,
    /// When it was sent, RFC 3339.
    #[serde(default)]
    pub sent_at: String,
    /// Of what it says everything. What the client holds of that and isn't in the update is removed at its end.
    #[serde(default, skip_serializing_if = "Restates::is_nothing")]
    pub restates: Restates,
}

/// The number of an update, a decimal number in a string.
///
/// It says where in the epoch's history an update stands, so that a lower one is known to be of the past. Two updates may
/// have the same: the second says something anew, such as what was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seq(pub u64);

impl TryFrom<String> for Seq {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.map(Self).ok_or("the number of an update is a decimal number of at most 64 bits, in a string")
    }
}

impl From<Seq> for String {
    fn from(Seq(number): Seq) -> Self {
        number.to_string()
    }
}

/// What an update says all of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restates {
    /// Of nothing: it has changes only.
    #[default]
    Nothing,
    /// Of everything: it is a snapshot.
    All,
    /// Of these buckets.
    Buckets(#[serde(deserialize_with = "kinds::map")] BTreeMap<Kind, Vec<u8>>),
}

impl Restates {
    /// Whether the update has changes only.
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// The end of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Of which update.
    pub nonce: String,
}

/// When to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryAfter {
    /// In so many milliseconds, or at once to another server.
    pub milliseconds: u64,
}

/// Why the server ends the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Farewell {
    /// One word, of those listed in docs/xds-lite.md.
    pub code: String,
    /// What was expected, and what to do.
    pub text: String,
}
