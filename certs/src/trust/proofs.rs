//! Chains that one trust store has verified, so that the next handshake with the same chain need not do it again.
//!
//! A success is kept for the span of time in which verifying anew would say the very same: all that verification
//! asks of the clock is whether some certificate or list has begun or ended, so between two such turns its answer
//! cannot change. What it asks besides is the chain, whose hash is the key, and the store, whose own these proofs are:
//! another store has none of them. Refusals are not kept, so that nothing is ever refused from memory.
//!
//! Whoever has many chains that are believed can push out those of others, which then cost what they cost before
//! there was a memory; nobody can make it grow.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;

use super::{CertId, Role, Svid};
use crate::leaf;
use crate::source::sha256;

/// Locked one at a time and for a look-up, so that workers hardly ever meet.
const SHARDS: usize = 16;
/// Chains in one shard: 4096 in all.
const CHAINS_MOST: usize = 256;
/// Bytes in one shard, as [`Proof::size`] counts them: 4 MiB in all.
const BYTES_MOST: usize = 256 * 1024;

/// What a proof costs beside what is in it: the allocator's share of its parts, and free places of the tables.
const OVERHEAD: usize = 256;

/// SHA-256 of all that a peer presents, certificate by certificate with its length, and of its role.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Chain([u8; 32]);

/// The seconds since 1970 from `from` on and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    from: u64,
    until: u64,
}

/// What was verified, and when verifying it anew would say the same.
struct Proof {
    svid: Svid,
    span: Span,
}

/// What a store has verified.
pub(super) struct Proofs {
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    known: HashMap<Chain, Proof>,
    /// The keys of `known`, oldest first.
    order: VecDeque<Chain>,
    /// The sizes of `known`, added up.
    bytes: usize,
}

impl Proofs {
    /// Whom `chain` was verified to be, where verifying it `now` would say the same.
    pub(super) fn recall(&self, chain: &Chain, now: UnixTime) -> Option<Svid> {
        let shard = self.shard(chain);
        let proof = shard.known.get(chain)?;
        proof.span.holds(now).then(|| proof.svid.clone())
    }

    /// Keeps what was just verified; the oldest make room.
    pub(super) fn keep(&self, chain: Chain, svid: Svid, span: Span) {
        self.shard(&chain).keep(chain, Proof { svid, span });
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            *lock(shard) = Shard::default();
        }
    }

    fn shard(&self, chain: &Chain) -> MutexGuard<'_, Shard> {
        let [first, ..] = chain.0;
        let shard = self.shards.get(usize::from(first) % SHARDS);
        lock(shard.unwrap_or_else(|| unreachable!("the index is below the number of shards")))
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).known.len()).sum()
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes).sum()
    }
}

impl Default for Proofs {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Chain {
    pub(super) fn of(leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], role: Role) -> Self {
        let all = || std::iter::once(leaf).chain(intermediates);
        let mut bytes = Vec::with_capacity(1 + all().map(|der| 8 + der.len()).sum::<usize>());
        bytes.push(role as u8);
        for der in all() {
            bytes.extend_from_slice(&(der.len() as u64).to_be_bytes());
            bytes.extend_from_slice(der);
        }
        Self(sha256(&bytes))
    }
}

impl Span {
    /// The longest span that has `now` in it and no turn after its first second.
    pub(super) fn around(now: UnixTime, turns: impl IntoIterator<Item = u64>) -> Self {
        let now = now.as_secs();
        let mut span = Self { from: 0, until: u64::MAX };
        for turn in turns {
            if turn <= now {
                span.from = span.from.max(turn);
            } else {
                span.until = span.until.min(turn);
            }
        }
        span
    }

    fn holds(&self, now: UnixTime) -> bool {
        (self.from..self.until).contains(&now.as_secs())
    }
}

/// When a validity turns: its first second, and the first one after its last.
pub(super) fn turns(not_before: UnixTime, not_after: UnixTime) -> [u64; 2] {
    [not_before.as_secs(), not_after.as_secs().saturating_add(1)]
}

/// The same of a certificate; `None` of what is none.
pub(super) fn turns_of(der: &CertificateDer<'_>) -> Option<[u64; 2]> {
    let certificate: X509Certificate<'_> = leaf::parse(der).ok()?;
    Some(turns(leaf::start_of(&certificate), leaf::end_of(&certificate)))
}

impl Shard {
    fn keep(&mut self, chain: Chain, proof: Proof) {
        self.bytes += proof.size();
        match self.known.insert(chain, proof) {
            Some(former) => self.bytes = self.bytes.saturating_sub(former.size()),
            None => self.order.push_back(chain),
        }
        while self.known.len() > CHAINS_MOST || self.bytes > BYTES_MOST {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(former) = self.known.remove(&oldest) {
                self.bytes = self.bytes.saturating_sub(former.size());
            }
        }
    }
}

impl Proof {
    /// What it takes up; the anchor is the store's own.
    fn size(&self) -> usize {
        let path = self.svid.path.iter();
        let names: usize = path.map(|id| size_of::<CertId>() + id.issuer.len() + id.serial.len()).sum();
        OVERHEAD + 2 * size_of::<Chain>() + size_of::<Self>() + self.svid.identity.id.as_str().len() + names
    }
}

/// A panic while it was locked leaves at worst a proof that no later one pushes out.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
