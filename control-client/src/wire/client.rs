//! What a client says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BucketDigests, Digest, Heartbeat, Kind, Name, Seq, Version, kinds};

/// A line from the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToServer {
    /// The first line.
    Hello(Hello),
    /// What it holds, where the server asked for that.
    Digests(Digests),
    /// An update was applied as a whole.
    Ack(Ack),
    /// An update was applied but for some of it.
    Nack(Nack),
    /// How it goes.
    Status(Status),
    /// Nothing new.
    Heartbeat(Heartbeat),
}

/// Who asks, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol.
    pub protocol: u32,
    /// What it can do beyond that.
    #[serde(default)]
    pub features: Vec<String>,
    /// How it is called. For display only: what it may see follows from the identity that it proved.
    pub node: Node,
    /// The epoch of the last update that it applied; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The number of that update; absent as well if something up to there was refused, so that numbers can't tell what it
    /// lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
}

/// How a client is called.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub id: String,
    /// The cluster that it serves.
    #[serde(default)]
    pub cluster: String,
    /// The network that it stands in.
    #[serde(default)]
    pub network: String,
    /// The version of its program.
    #[serde(default)]
    pub version: String,
    /// Anything else.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Digests of what a client holds; a type of which it holds nothing may be absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digests(#[serde(deserialize_with = "kinds::map")] pub BTreeMap<Kind, BucketDigests>);

/// An update was applied as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Which update.
    pub nonce: String,
    /// What is in force now.
    pub digest: Digest,
}

/// An update was applied, but for what is named here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nack {
    /// Which update.
    pub nonce: String,
    /// What is in force now.
    pub digest: Digest,
    /// What was not applied; the last good version of each stays in force.
    #[serde(default, deserialize_with = "kinds::refused")]
    pub refused: Vec<Refused>,
    /// How many more were refused than fit into the line.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// Why nothing of the update was applied at all, where that is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<RefusedUpdate>,
}

/// Why an update was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedUpdate {
    /// One word, of those listed in docs/xds-lite.md.
    pub code: String,
    /// What was expected, and what to do.
    pub text: String,
}

/// A resource that was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// The version that was refused; absent for a removal, and where none could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Where in its spec, such as `endpoints[0].address`; empty for the whole.
    #[serde(default)]
    pub field: String,
    /// One word, of those listed in docs/xds-lite.md.
    pub code: String,
    /// What was expected, and what to do.
    pub text: String,
}

/// How a client is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// Whether it drains.
    pub draining: bool,
    /// Its open connections.
    pub active: u64,
    /// What is in force.
    pub digest: Digest,
    /// The services whose endpoints changed their state since the last status, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, ReadyEndpoints>,
}

/// How many endpoints of a service can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadyEndpoints {
    /// Those that connections go to.
    pub ready: u32,
    /// All of them.
    pub total: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
