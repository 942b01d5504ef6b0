//! What a gateway holds of the stream: what is in force, and where in the server's history that stands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::wire::{BucketDigests, Digest, Digests, Kind, Name, Seq, Version};

/// The resources that are in force, each with the bytes of its spec, and the digests over them.
///
/// A [`Session`](crate::session::Session) alone changes it, once its owner has said what of an update is in force. Before
/// the first session it may be filled from what was kept on disk, by [`Held::insert`] and [`Held::resume`].
///
/// Names and specs are shared: who keeps a clone of one keeps no second copy. Besides them a resource takes about 150
/// bytes here.
#[derive(Debug, Default)]
pub struct Held {
    tables: [Table; Kind::ALL.len()],
    digest: Digest,
    position: Option<Position>,
    left: VecDeque<String>,
}

/// Where in a server's history something stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Whose numbers `seq` counts in.
    pub epoch: String,
    /// The last update that is in force.
    pub seq: Seq,
    /// Whether all of it is in force up to there. If not, `seq` isn't said to a server, so that it compares digests.
    pub whole: bool,
}

/// A resource that is held.
#[derive(Debug, Clone, Copy)]
pub struct HeldResource<'a> {
    /// Its type.
    pub kind: Kind,
    /// Its name.
    pub name: &'a Name,
    /// The version of its spec.
    pub version: Version,
    /// The spec's bytes as they came.
    pub spec: &'a Arc<str>,
}

#[derive(Debug, Default)]
struct Table {
    resources: BTreeMap<Name, (Version, Arc<str>)>,
    buckets: BucketDigests,
}

impl Held {
    /// How many epochs that were left are remembered.
    pub const LEFT: usize = 16;

    /// Puts a resource in, in the place of the one that had its name, and returns its version.
    pub fn insert(&mut self, kind: Kind, name: Name, spec: Arc<str>) -> Version {
        let version = Version::of(spec.as_bytes());
        self.put(kind, name, version, spec);
        version
    }

    /// Says where what was inserted stands, and which epochs were left before, oldest first.
    pub fn resume(&mut self, position: Position, left: impl IntoIterator<Item = String>) {
        self.left = left.into_iter().filter(|epoch| *epoch != position.epoch).collect();
        self.position = Some(position);
        self.bound_left();
    }

    /// Where it stands; `None` before the first update.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Epochs that were left for others, oldest first: what they say is of the past.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(String::as_str)
    }

    /// The resource of a name.
    pub fn resource(&self, kind: Kind, name: &str) -> Option<HeldResource<'_>> {
        let (name, (version, spec)) = self.table(kind).resources.get_key_value(name)?;
        Some(HeldResource { kind, name, version: *version, spec })
    }

    /// All resources, by type and name.
    pub fn resources(&self) -> impl Iterator<Item = HeldResource<'_>> {
        Kind::ALL.into_iter().flat_map(|kind| self.of(kind))
    }

    /// The resources of a type, by name.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = HeldResource<'_>> {
        let all = self.table(kind).resources.iter();
        all.map(move |(name, (version, spec))| HeldResource { kind, name, version: *version, spec })
    }

    /// How many resources of a type there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.table(kind).resources.len()
    }

    /// The digest over everything.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The digests of the buckets of each type of which something is held.
    pub fn digests(&self) -> Digests {
        let kinds = Kind::ALL.into_iter().map(|kind| (kind, self.table(kind)));
        let filled = kinds.filter(|(_, table)| !table.resources.is_empty());
        Digests(filled.map(|(kind, table)| (kind, table.buckets.clone())).collect())
    }

    pub(crate) fn put(&mut self, kind: Kind, name: Name, version: Version, spec: Arc<str>) {
        self.take(kind, name.as_str());
        self.digest.toggle(kind, name.as_str(), version);
        let table = self.table_mut(kind);
        table.buckets.toggle(kind, name.as_str(), version);
        table.resources.insert(name, (version, spec));
    }

    pub(crate) fn take(&mut self, kind: Kind, name: &str) {
        let table = self.table_mut(kind);
        if let Some((version, _spec)) = table.resources.remove(name) {
            table.buckets.toggle(kind, name, version);
            self.digest.toggle(kind, name, version);
        }
    }

    /// Moves on to where an update stands.
    pub(crate) fn advance(&mut self, position: Position) {
        let before = self.position.replace(position);
        let epoch = self.position.as_ref().map(|position| &position.epoch);
        if let Some(before) = before.filter(|before| Some(&before.epoch) != epoch) {
            self.left.push_back(before.epoch);
            self.bound_left();
        }
    }

    /// Whether something that stands there is of the past.
    pub(crate) fn has_left(&self, epoch: &str, seq: Seq) -> bool {
        match &self.position {
            Some(position) if position.epoch == epoch => seq < position.seq,
            _ => self.left.iter().any(|left| left == epoch),
        }
    }

    fn bound_left(&mut self) {
        let surplus = self.left.len().saturating_sub(Self::LEFT);
        self.left.drain(..surplus);
    }

    fn table(&self, kind: Kind) -> &Table {
        let [service, endpoints, policy, trust_bundle, peer] = &self.tables;
        match kind {
            Kind::Service => service,
            Kind::Endpoints => endpoints,
            Kind::Policy => policy,
            Kind::TrustBundle => trust_bundle,
            Kind::Peer => peer,
        }
    }

    fn table_mut(&mut self, kind: Kind) -> &mut Table {
        let [service, endpoints, policy, trust_bundle, peer] = &mut self.tables;
        match kind {
            Kind::Service => service,
            Kind::Endpoints => endpoints,
            Kind::Policy => policy,
            Kind::TrustBundle => trust_bundle,
            Kind::Peer => peer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn digests_follow_what_is_put_in_replaced_and_taken_out() {
        let mut held = Held::default();
        held.insert(Kind::Service, name("a"), "1".into());
        held.insert(Kind::Service, name("b"), "2".into());
        held.insert(Kind::Service, name("a"), "3".into());
        held.take(Kind::Service, "b");
        held.take(Kind::Service, "never there");

        let mut same = Held::default();
        same.insert(Kind::Service, name("a"), "3".into());
        assert_eq!((held.digest(), held.digests()), (same.digest(), same.digests()));
        held.take(Kind::Service, "a");
        assert_eq!((held.digest(), held.digests()), (Digest::default(), Digests::default()));
    }

    #[test]
    fn an_epoch_is_of_the_past_once_it_was_left_and_a_lower_number_always() {
        let at = |epoch: &str, seq| Position { epoch: epoch.to_owned(), seq: Seq(seq), whole: true };
        let mut held = Held::default();
        assert!(!held.has_left("a", Seq(0)));
        held.advance(at("a", 5));
        assert!(held.has_left("a", Seq(4)) && !held.has_left("a", Seq(5)) && !held.has_left("b", Seq(0)));
        held.advance(at("b", 0));
        assert!(held.has_left("a", Seq(6)) && !held.has_left("b", Seq(0)));
        for number in 0..100 {
            held.advance(at(&format!("e{number}"), 1));
        }
        assert_eq!(held.left().count(), Held::LEFT);
        assert_eq!(held.left().last(), Some("e98"));

        let mut resumed = Held::default();
        resumed.resume(at("e99", 1), held.left().map(str::to_owned));
        assert!(resumed.has_left("e98", Seq(9)) && resumed.has_left("e99", Seq(0)));
    }
}
