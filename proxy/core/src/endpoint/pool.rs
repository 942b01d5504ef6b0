//! The choice of an endpoint: weights, priorities, failures and the four ways of balancing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Asking, Endpoint};
use crate::service::Balance;

/// The endpoints of one service or subset.
#[derive(Debug)]
pub struct Pool {
    members: Box<[Member]>,
    balance: Balance,
    /// How often round robin has chosen; shared with the pool's successors, so that a change of
    /// configuration does not begin the round anew. No other way of balancing counts.
    turns: Option<Arc<AtomicU64>>,
}

/// One endpoint as a member of a pool.
#[derive(Debug, Clone)]
pub struct Member {
    /// What is known of it.
    pub endpoint: Arc<Endpoint>,
    /// Its share relative to the others; at least 1.
    pub weight: u32,
    /// Lower numbers come first.
    pub priority: u32,
}

/// Which endpoints are worth choosing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Only those that did not fail a moment ago.
    Usable,
    /// Any, since none of the usable ones is left.
    Any,
}

/// `least_request` looks at all members of a pool up to this size, and at this many neighbours from a
/// random place on in a larger one.
const LOOK_AT: usize = 64;

impl Pool {
    /// A pool of `members`; `turns` is that of the pool it replaces, if any.
    pub fn new(members: Vec<Member>, balance: Balance, turns: Option<Arc<AtomicU64>>) -> Self {
        let turns = (balance == Balance::RoundRobin).then(|| turns.unwrap_or_default());
        Self { members: members.into(), balance, turns }
    }

    /// The members.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// What round robin's successor carries on with.
    pub fn turns(&self) -> Option<&Arc<AtomicU64>> {
        self.turns.as_ref()
    }

    /// Whether any endpoint is worth trying now.
    pub fn has_usable(&self, now: Duration) -> bool {
        self.members.iter().any(|member| member.endpoint.usable(now))
    }

    /// Chooses an endpoint that is not among `tried`: first among the usable ones of the lowest
    /// priority number that has one, then, with [`Choice::Any`], among those that failed a moment ago.
    pub fn choose(&self, asking: &Asking, tried: &[SocketAddr], choice: Choice) -> Option<&Arc<Endpoint>> {
        let open = |member: &&Member| !tried.contains(&member.endpoint.address());
        let usable = |member: &&Member| open(member) && member.endpoint.usable(asking.now);
        if let Some(priority) = self.members.iter().filter(usable).map(|member| member.priority).min() {
            return self.balance(asking, |member| usable(&member) && member.priority == priority);
        }
        if choice == Choice::Usable {
            return None;
        }
        let priority = self.members.iter().filter(open).map(|member| member.priority).min()?;
        self.balance(asking, |member| open(&member) && member.priority == priority)
    }

    fn balance(&self, asking: &Asking, eligible: impl Fn(&Member) -> bool) -> Option<&Arc<Endpoint>> {
        let chosen = match self.balance {
            Balance::LeastRequest => self.least_request(asking, eligible),
            Balance::RoundRobin => self.round_robin(eligible),
            Balance::Random => self.by_weight(asking.random, eligible),
            Balance::SourceHash => self.rendezvous(asking, eligible),
        };
        chosen.map(|member| &member.endpoint)
    }

    /// The fewest connections for its weight; among equals, the first from a random place on.
    fn least_request(&self, asking: &Asking, eligible: impl Fn(&Member) -> bool) -> Option<&Member> {
        let eligible = |member: &&Member| eligible(member);
        let count = self.members.iter().filter(eligible).count();
        let start = scale(asking.random, count);
        self.members.iter().filter(eligible).cycle().skip(start).take(count.min(LOOK_AT)).min_by(|a, b| {
            // (active + 1) / weight, compared without division.
            let load_a = (u64::from(a.endpoint.active()) + 1) * u64::from(b.weight);
            let load_b = (u64::from(b.endpoint.active()) + 1) * u64::from(a.weight);
            load_a.cmp(&load_b)
        })
    }

    /// The member whose turn it is.
    ///
    /// Weights, without their common divisor, are laid out as so many slots. Turns walk over the slots
    /// in steps near the golden section of their number and coprime to it: every slot comes up exactly
    /// once a round, and any short run of turns is spread over the members in proportion.
    fn round_robin(&self, eligible: impl Fn(&Member) -> bool) -> Option<&Member> {
        let eligible = |member: &&Member| eligible(member);
        let weights = || self.members.iter().filter(eligible).map(|member| u64::from(member.weight));
        let common = weights().fold(0, divisor).max(1);
        let slots = weights().sum::<u64>() / common;
        let step = (slots * 5 / 8..=slots).find(|step| divisor(*step, slots) == 1).unwrap_or(1);
        let turn =
            self.turns.as_ref().map_or(0, |turns| turns.fetch_add(1, Ordering::Relaxed)) % slots.max(1);
        let mut slot = u128::from(turn) * u128::from(step) % u128::from(slots.max(1));
        for member in self.members.iter().filter(eligible) {
            let share = u128::from(u64::from(member.weight) / common);
            if slot < share {
                return Some(member);
            }
            slot -= share;
        }
        None
    }

    /// The member into whose share of the total weight `point` (of the whole of u64) falls.
    fn by_weight(&self, point: u64, eligible: impl Fn(&Member) -> bool) -> Option<&Member> {
        let eligible = |member: &&Member| eligible(member);
        let total: u64 = self.members.iter().filter(eligible).map(|member| u64::from(member.weight)).sum();
        let mut left = (u128::from(point) * u128::from(total)) >> 64;
        for member in self.members.iter().filter(eligible) {
            let weight = u128::from(member.weight);
            if left < weight {
                return Some(member);
            }
            left -= weight;
        }
        None
    }

    /// The highest score of weight and hash(source, address): when a member leaves, only its own
    /// clients move (Thaler and Ravishankar, 1998; weights after Schindelhauer and Schomaker, 2005).
    fn rendezvous(&self, asking: &Asking, eligible: impl Fn(&Member) -> bool) -> Option<&Member> {
        let score = |member: &Member| {
            let mut hasher = DefaultHasher::new();
            (asking.source.to_canonical(), member.endpoint.address()).hash(&mut hasher);
            // 53 bits make an exact f64 in (0, 1).
            #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
            let unit = ((hasher.finish() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            f64::from(member.weight) / -unit.ln()
        };
        self.members.iter().filter(|member| eligible(member)).max_by(|a, b| score(a).total_cmp(&score(b)))
    }
}

/// A number below `count`, in proportion to where `point` falls in the whole of u64.
fn scale(point: u64, count: usize) -> usize {
    usize::try_from((u128::from(point) * count as u128) >> 64).unwrap_or(0)
}

/// The greatest common divisor.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Active;
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    fn pool(balance: Balance, weights_and_priorities: &[(u32, u32)]) -> Pool {
        let members = weights_and_priorities
            .iter()
            .zip(1..)
            .map(|(&(weight, priority), last)| {
                let address = SocketAddr::from(([192, 0, 2, last], 80));
                Member { endpoint: Arc::new(Endpoint::new(address)), weight, priority }
            })
            .collect();
        Pool::new(members, balance, None)
    }

    fn asking(turn: u64) -> Asking {
        let mut hasher = DefaultHasher::new();
        turn.hash(&mut hasher);
        let low = u8::try_from(turn % 250).unwrap();
        Asking {
            now: Duration::from_secs(1),
            random: hasher.finish(),
            source: IpAddr::from([198, 51, 100, low]),
        }
    }

    /// Chooses `count` times, holding every connection, and counts by address.
    fn spread(pool: &Pool, count: u64) -> BTreeMap<SocketAddr, u64> {
        let mut held: Vec<Active> = Vec::new();
        let mut counts = BTreeMap::new();
        for turn in 0..count {
            let endpoint = pool.choose(&asking(turn), &[], Choice::Usable).unwrap();
            *counts.entry(endpoint.address()).or_default() += 1;
            held.push(endpoint.begin());
        }
        counts
    }

    #[test]
    fn least_request_spreads_held_connections_exactly_by_weight() {
        let even = spread(&pool(Balance::LeastRequest, &[(1, 0); 10]), 1000);
        assert!(even.values().all(|count| *count == 100), "{even:?}");
        let weighted = spread(&pool(Balance::LeastRequest, &[(3, 0), (1, 0)]), 1000);
        assert_eq!(weighted.values().copied().collect::<Vec<_>>(), [750, 250]);
    }

    #[test]
    fn round_robin_keeps_weights_over_short_runs() {
        let even = spread(&pool(Balance::RoundRobin, &[(1, 0); 4]), 40);
        assert!(even.values().all(|count| (9..=11).contains(count)), "{even:?}");
        let weighted = spread(&pool(Balance::RoundRobin, &[(3, 0), (1, 0)]), 100);
        assert!((74..=76).contains(weighted.values().next().unwrap()), "{weighted:?}");
    }

    #[test]
    fn random_follows_weights_in_the_long_run() {
        let weighted = spread(&pool(Balance::Random, &[(3, 0), (1, 0)]), 10_000);
        assert!((7200..=7800).contains(weighted.values().next().unwrap()), "{weighted:?}");
    }

    #[test]
    fn source_hash_keeps_a_client_and_moves_only_those_of_a_failed_endpoint() {
        let pool = pool(Balance::SourceHash, &[(1, 0); 5]);
        let before: Vec<SocketAddr> =
            (0..250).map(|turn| pool.choose(&asking(turn), &[], Choice::Usable).unwrap().address()).collect();
        let failed = pool.members()[2].endpoint.clone();
        failed.failed(Duration::from_secs(1));
        for (turn, was) in (0..250).zip(before) {
            let is = pool.choose(&asking(turn), &[], Choice::Usable).unwrap().address();
            assert!(is == was || was == failed.address());
            assert_ne!(is, failed.address());
        }
    }

    #[test]
    fn a_lower_priority_number_is_used_while_it_has_a_usable_endpoint() {
        let pool = pool(Balance::LeastRequest, &[(1, 1), (1, 0)]);
        let [second, first] = pool.members() else { panic!() };
        assert_eq!(pool.choose(&asking(0), &[], Choice::Usable).unwrap().address(), first.endpoint.address());
        first.endpoint.failed(Duration::from_secs(1));
        assert_eq!(
            pool.choose(&asking(0), &[], Choice::Usable).unwrap().address(),
            second.endpoint.address()
        );
    }

    #[test]
    fn a_tried_endpoint_is_not_chosen_again_and_a_failed_one_only_when_nothing_else_is_left() {
        let pool = pool(Balance::LeastRequest, &[(1, 0), (1, 0)]);
        let [first, second] = pool.members() else { panic!() };
        second.endpoint.failed(Duration::from_secs(1));
        let tried = [first.endpoint.address()];
        assert!(pool.choose(&asking(0), &tried, Choice::Usable).is_none());
        let last = pool.choose(&asking(0), &tried, Choice::Any).unwrap();
        assert_eq!(last.address(), second.endpoint.address());
        let both = [first.endpoint.address(), second.endpoint.address()];
        assert!(pool.choose(&asking(0), &both, Choice::Any).is_none());
        assert!(pool.has_usable(Duration::from_secs(1)));
        first.endpoint.failed(Duration::from_secs(1));
        assert!(!pool.has_usable(Duration::from_secs(1)));
    }

    #[test]
    fn an_empty_pool_offers_nothing() {
        for balance in [Balance::LeastRequest, Balance::RoundRobin, Balance::Random, Balance::SourceHash] {
            assert!(pool(balance, &[]).choose(&asking(0), &[], Choice::Any).is_none());
        }
    }
}
