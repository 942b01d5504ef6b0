//! What an update means for the services in force: lowered, checked, guarded and put together, without doing anything.
//!
//! A [`Effective`] knows what the gateway's own file says and what follows from the stream. [`Effective::judge`] takes an update
//! and says what would be in force after it ([`Verdict`]): the owner puts that in force, as one change, and tells the
//! server. Of what is judged nothing is kept but what can't be read again from [`Held`]: policies, peers, trust, and what
//! waits.
//!
//! A resource is refused alone. What it replaces stays in force, and all the others are as the update says.

mod assembled;
mod change;
mod guarded;
mod overlay;
mod trust;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use landbridge_core::config::resource::{PeerSpec, PolicySpec, Scope, TrustSpec};
use landbridge_core::spiffe::{TrustDomain, TrustName};
use landbridge_core::{Snapshot, service::Service};

pub use guarded::{Confirmation, HeldBack};
pub use trust::{TrustChange, TrustCheck};

use crate::guard::Guard;
use crate::held::Held;
use crate::session::{SetResource, Update};
use crate::wire::{Kind, Name, Refused};

/// What the gateway's own file says.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its services. The stream may not touch them.
    pub services: Snapshot,
    /// Its trust entries.
    pub trust: Vec<(TrustName, TrustDomain)>,
    /// Whether the gateway has a certificate of its own.
    pub has_identity: bool,
    /// What resources may refer to, and what the stream may decide.
    pub scope: Scope,
}

/// The stream's part in what is in force.
#[derive(Debug)]
pub struct Effective {
    base: Base,
    /// What is in force: the file's services and the stream's.
    snapshot: Snapshot,
    /// How many endpoints the stream's services have.
    endpoints: usize,
    facts: Facts,
    services_guard: Guard,
    endpoints_guard: Guard,
    /// Removals that wait for somebody to confirm them.
    held_back: BTreeMap<(Kind, Name), HeldBack>,
    /// What was refused for something else's sake, and may be right later.
    waiting: BTreeMap<(Kind, Name), SetResource>,
}

/// What services are assembled with, and can't be asked of a spec alone.
///
/// Each is copied only where an update changes it.
#[derive(Debug, Clone, Default)]
struct Facts {
    policies: Arc<BTreeMap<Name, PolicySpec>>,
    peers: Arc<BTreeMap<Name, PeerSpec>>,
    trust: Arc<BTreeMap<Name, TrustSpec>>,
    /// Trust entries that are no more, which grants in force may still be bound to.
    gone_trust: Arc<BTreeMap<TrustName, TrustDomain>>,
    /// By service: the policies that name it.
    granting: Arc<BTreeMap<Box<str>, BTreeSet<Name>>>,
    /// Services that are exposed to some peers only.
    exposed: Arc<BTreeSet<Name>>,
    /// Services with the endpoints that their own specs have left out, and that stay until somebody confirms it.
    kept_endpoints: Arc<BTreeMap<Name, Arc<Service>>>,
}

/// What would be in force after an update.
#[derive(Debug)]
pub struct Verdict {
    /// All services, the file's included.
    pub snapshot: Snapshot,
    /// Trust entries that are new, changed or gone, in this order.
    pub trust: Vec<TrustChange>,
    /// What is refused, beside what the session refused already.
    pub refused: Vec<Refused>,
    /// What was refused before and is in force with this update.
    pub late: Vec<SetResource>,
    /// Whether somebody could call, or was believed, who could not be or isn't afterwards. It must never come back: what
    /// is on disk is removed before this is put in force.
    pub shrinks: bool,
    /// How many services are new or changed, and how many gone.
    pub changed: Count,
    endpoints: usize,
    facts: Facts,
    services_guard: Guard,
    endpoints_guard: Guard,
    held_back: BTreeMap<(Kind, Name), HeldBack>,
    waiting: BTreeMap<(Kind, Name), SetResource>,
}

/// How much changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Services that are new or changed.
    pub put: usize,
    /// Services that are gone.
    pub removed: usize,
}

impl Effective {
    /// A gateway that holds nothing of the stream yet; `share` of what is held may vanish within [`Guard::WINDOW`].
    pub fn new(base: Base, share: f64) -> Self {
        Self {
            snapshot: base.services.clone(),
            base,
            endpoints: 0,
            facts: Facts::default(),
            services_guard: Guard::new(share),
            endpoints_guard: Guard::new(share),
            held_back: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// All services in force, the file's included.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The trust entries that the stream has brought.
    pub fn trust(&self) -> impl Iterator<Item = (&Name, &TrustSpec)> {
        self.facts.trust.iter()
    }

    /// The remote clusters that the stream tells of.
    pub fn peers(&self) -> impl Iterator<Item = (&Name, &PeerSpec)> {
        self.facts.peers.iter()
    }

    /// What waits for somebody to confirm it.
    pub fn held_back(&self) -> impl Iterator<Item = (&(Kind, Name), &HeldBack)> {
        self.held_back.iter()
    }

    /// What was refused for something else's sake, and is judged again with each update.
    pub fn waiting(&self) -> impl Iterator<Item = &(Kind, Name)> {
        self.waiting.keys()
    }

    /// Says what would be in force after `update`, at `now` on a clock that never goes back.
    ///
    /// `held` is what is held before it, and `check` says whether a trust entry can be used.
    pub fn judge(&self, update: &Update, held: &Held, now: Duration, check: &TrustCheck<'_>) -> Verdict {
        change::judge(self, update, held, Some(now), check)
    }

    /// A service that the stream has brought.
    fn stream_service(&self, name: &str) -> Option<&Arc<Service>> {
        self.snapshot.service(name).filter(|_| self.base.services.service(name).is_none())
    }

    /// Says what would be in force if everything that waits were confirmed.
    pub fn confirm(&self, held: &Held, check: &TrustCheck<'_>) -> Confirmation {
        guarded::confirm(self, held, check)
    }

    /// Puts a verdict in the place of what was known before.
    pub fn accept(&mut self, verdict: Verdict) -> Snapshot {
        let Verdict {
            snapshot, endpoints, facts, services_guard, endpoints_guard, held_back, waiting, ..
        } = verdict;
        self.snapshot = snapshot;
        self.endpoints = endpoints;
        self.facts = facts;
        (self.services_guard, self.endpoints_guard) = (services_guard, endpoints_guard);
        self.held_back = held_back;
        self.waiting = waiting;
        self.snapshot.clone()
    }

    /// What follows from `held` under another file, or at the start from what was kept on disk.
    ///
    /// What the file forbids now, or has itself, is refused; it stays in `held`.
    pub fn rebase(&self, base: Base, held: &Held, check: &TrustCheck<'_>) -> (Self, Verdict) {
        let mut anew = Self::new(base, self.services_guard.share());
        anew.held_back = self.held_back.clone();
        anew.waiting = self.waiting.clone();
        let verdict = change::judge_all(&anew, held, check);
        (anew, verdict)
    }
}
