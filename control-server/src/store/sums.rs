//! Everything that a view is shown at one time, and digests over it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use landbridge_control_client::wire::{BucketDigests, Digest, Digests, Kind};

use crate::resource::Entry;

/// What a view is shown.
#[derive(Debug)]
pub(crate) struct Sums {
    seq: u64,
    entries: Arc<[Arc<Entry>]>,
    digest: OnceLock<Digest>,
    buckets: OnceLock<Digests>,
}

impl Sums {
    pub(super) fn new(seq: u64, mut entries: Vec<Arc<Entry>>) -> Self {
        entries.sort_unstable_by(|one, other| one.key().cmp(other.key()));
        Self { seq, entries: entries.into(), digest: OnceLock::new(), buckets: OnceLock::new() }
    }

    /// The number of the last change in it.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    pub(crate) fn entries(&self) -> &Arc<[Arc<Entry>]> {
        &self.entries
    }

    /// What a gateway has in force that holds exactly this.
    pub(crate) fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| {
            let mut digest = Digest::default();
            for entry in &*self.entries {
                digest.toggle(entry.key().kind, entry.key().name.as_str(), entry.version());
            }
            digest
        })
    }

    /// The buckets in which somebody with these digests holds something else.
    pub(crate) fn differing(&self, held: &Digests) -> BTreeMap<Kind, Vec<u8>> {
        let (ours, none) = (self.buckets(), BucketDigests::default());
        let of = |digests: &Digests, kind| digests.0.get(&kind).unwrap_or(&none).clone();
        let differing = Kind::ALL.into_iter().map(|kind| (kind, of(ours, kind).differing(&of(held, kind))));
        differing.filter(|(_, buckets)| !buckets.is_empty()).collect()
    }

    fn buckets(&self) -> &Digests {
        self.buckets.get_or_init(|| {
            let mut digests = Digests::default();
            for entry in &*self.entries {
                let key = entry.key();
                digests.0.entry(key.kind).or_default().toggle(key.kind, key.name.as_str(), entry.version());
            }
            digests
        })
    }
}
