//! What an update has come to, for the session's owner.

use std::sync::Arc;

use crate::wire::{Kind, Name, Refused, Seq, Version};

/// A complete update: what changes against what is held.
///
/// A name stands in it once at most. What is held already in the version that the update says isn't here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Whose numbers `seq` counts in.
    pub epoch: String,
    /// Where it stands among them.
    pub seq: Seq,
    /// When the server sent it, as it says: RFC 3339.
    pub sent_at: String,
    /// New resources and new versions, by type and name.
    pub set: Vec<SetResource>,
    /// What is no more, because the update says so or restates all that there is, by type and name.
    pub removed: Vec<RemovedResource>,
    /// What the session refuses already: what can't be read, and what isn't what its version says. The server is told of it
    /// with the owner's answer.
    pub refused: Vec<Refused>,
}

/// A resource as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetResource {
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// The version of its spec.
    pub version: Version,
    /// The spec's bytes, JSON that nobody has looked into yet.
    pub spec: Arc<str>,
}

/// A resource that is to be no more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemovedResource {
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
}
