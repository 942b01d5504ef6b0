//! An update while it comes in, within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::delta;
use super::update::{RemovedResource, SetResource, Update};
use super::{Limits, code};
use crate::held::Held;
use crate::wire::{
    Begin, Change, Kind, LONGEST_LINE, Name, Refused, RefusedUpdate, Resource, Restates, Version, bucket,
};

/// What was said between `update` and `end` so far.
#[derive(Debug)]
pub(super) struct Collecting {
    begin: Begin,
    said: BTreeMap<(Kind, Name), Said>,
    /// What `said` takes, about.
    bytes: usize,
    /// Why nothing of it will be applied: then nothing is kept of it.
    refused: Option<RefusedUpdate>,
}

/// What an update said of a resource; the last word counts.
#[derive(Debug)]
enum Said {
    /// It is what is held.
    Same,
    Set {
        version: Version,
        spec: Arc<str>,
    },
    Removed,
    Refused(Box<Refused>),
}

/// What an entry takes besides the bytes of its name and spec.
const ENTRY: usize = 128;

impl Collecting {
    pub(super) fn new(begin: Begin, held: &Held) -> Self {
        let refused = held.has_left(&begin.epoch, begin.seq).then(|| RefusedUpdate {
            code: code::STALE.to_owned(),
            text: format!(
                "expected an epoch that was not left for another, or a number that does not fall; begin a new epoch \
                 instead of {:?}, {}",
                begin.epoch, begin.seq.0
            ),
        });
        Self { begin, said: BTreeMap::new(), bytes: 0, refused }
    }

    pub(super) fn nonce(&self) -> &str {
        &self.begin.nonce
    }

    pub(super) fn resource(&mut self, resource: Resource, held: &Held, limits: &Limits) {
        let Resource { kind, name, change } = resource;
        if self.refused.is_none() {
            let said = judge(kind, &name, change, held);
            self.keep(kind, name, said, limits);
        }
    }

    /// Notes a resource that couldn't be read.
    pub(super) fn unreadable(&mut self, kind: Kind, name: Name, expected: String, limits: &Limits) {
        if self.refused.is_none() {
            let said = refused(kind, &name, None, (code::INVALID, expected));
            self.keep(kind, name, said, limits);
        }
    }

    /// What it comes to, and whether it said all that there is to say.
    pub(super) fn finish(self, held: &Held) -> Result<(Update, Restates), RefusedUpdate> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let mut update = Update {
            epoch: self.begin.epoch,
            seq: self.begin.seq,
            sent_at: self.begin.sent_at,
            set: Vec::new(),
            removed: vanished(&self.begin.restates, &self.said, held),
            refused: Vec::new(),
        };
        for ((kind, name), said) in self.said {
            match said {
                Said::Same => {}
                Said::Set { version, spec } => update.set.push(SetResource { kind, name, version, spec }),
                Said::Removed => update.removed.push(RemovedResource { kind, name }),
                Said::Refused(refused) => update.refused.push(*refused),
            }
        }
        update.removed.sort_unstable();
        Ok((update, self.begin.restates))
    }

    fn keep(&mut self, kind: Kind, name: Name, said: Said, limits: &Limits) {
        let name_bytes = name.as_str().len();
        self.bytes += said.bytes() + name_bytes + ENTRY;
        if let Some(before) = self.said.insert((kind, name), said) {
            self.bytes -= before.bytes() + name_bytes + ENTRY;
        }
        if self.bytes > limits.update_bytes || self.said.len() > limits.update_resources {
            self.said = BTreeMap::new();
            self.refused = Some(RefusedUpdate {
                code: code::TOO_LARGE.to_owned(),
                text: format!(
                    "expected an update of at most {} bytes and {} resources; send it in parts",
                    limits.update_bytes, limits.update_resources
                ),
            });
        }
    }
}

impl Said {
    fn bytes(&self) -> usize {
        match self {
            Self::Same | Self::Removed => 0,
            Self::Set { spec, .. } => spec.len(),
            Self::Refused(refused) => size_of::<Refused>() + refused.text.len(),
        }
    }
}

fn judge(kind: Kind, name: &Name, change: Change, held: &Held) -> Said {
    let before = held.resource(kind, name.as_str());
    let same = |version| before.is_some_and(|before| before.version == version);
    match change {
        Change::Removed if before.is_some() => Said::Removed,
        Change::Removed => Said::Same,
        Change::Set { version, spec } if Version::of(spec.get().as_bytes()) != version => {
            let expected = "expected the version of the spec's bytes as they stand on the line".to_owned();
            refused(kind, name, Some(version), (code::VERSION_MISMATCH, expected))
        }
        Change::Set { version, .. } | Change::Delta { version, .. } if same(version) => Said::Same,
        Change::Set { version, spec } => Said::Set { version, spec: spec.get().into() },
        Change::Delta { version, .. } if kind != Kind::Endpoints => {
            let expected = format!("expected a whole {kind}; only endpoints are sent by what changed inside");
            refused(kind, name, Some(version), (code::INVALID, expected))
        }
        Change::Delta { base, version, set, remove } => {
            let base = before.filter(|before| before.version == base);
            let spec = base.and_then(|base| delta::resolve(base.spec, &set, &remove));
            match spec.filter(|spec| Version::of(spec.as_bytes()) == version) {
                Some(spec) if spec.len() <= LONGEST_LINE => Said::Set { version, spec: spec.into() },
                Some(_) => {
                    let expected = format!("expected endpoints of at most {LONGEST_LINE} bytes");
                    refused(kind, name, Some(version), (code::INVALID, expected))
                }
                None => {
                    let expected =
                        "expected a change of what is held, and that it leads to its version; send it whole";
                    refused(kind, name, Some(version), (code::BASE_MISMATCH, expected.to_owned()))
                }
            }
        }
    }
}

fn refused(kind: Kind, name: &Name, version: Option<Version>, (code, text): (&str, String)) -> Said {
    let (name, field, code) = (name.clone(), String::new(), code.to_owned());
    Said::Refused(Box::new(Refused { kind, name, version, field, code, text }))
}

/// What is held of what is restated, and wasn't named.
fn vanished(restates: &Restates, said: &BTreeMap<(Kind, Name), Said>, held: &Held) -> Vec<RemovedResource> {
    let unnamed = |kind: Kind, within: &dyn Fn(&str) -> bool| -> Vec<RemovedResource> {
        let all = held.of(kind).filter(|held| within(held.name.as_str()));
        let gone = all.filter(|held| !said.contains_key(&(kind, held.name.clone())));
        gone.map(|held| RemovedResource { kind, name: held.name.clone() }).collect()
    };
    match restates {
        Restates::Nothing => Vec::new(),
        Restates::All => Kind::ALL.into_iter().flat_map(|kind| unnamed(kind, &|_| true)).collect(),
        Restates::Buckets(buckets) => {
            let gone = buckets.iter().flat_map(|(kind, buckets)| {
                let buckets: BTreeSet<u8> = buckets.iter().copied().collect();
                unnamed(*kind, &|name| buckets.contains(&bucket(*kind, name)))
            });
            gone.collect()
        }
    }
}
