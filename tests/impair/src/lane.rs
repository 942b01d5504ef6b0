//! One direction of a link: which packets arrive, when, and in what state. No I/O, and no clock of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

use crate::chance::Chance;
use crate::faults::Faults;
use crate::packet;

/// How long a packet is held back that others should overtake.
const HELD_BACK: Duration = Duration::from_millis(5);
/// How long the queue before a limited rate may be.
const QUEUE: Duration = Duration::from_millis(500);

/// One direction.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) faults: Faults,
    chance: Chance,
    /// By the time they arrive, and by their number among those that arrive together.
    on_the_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    taken: u64,
    /// When the last byte that was let through is past a limited rate.
    free_at: Option<Instant>,
    pub(crate) swallowed: u64,
    pub(crate) delivered: u64,
}

impl Lane {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            faults: Faults::default(),
            chance: Chance::seeded(seed),
            on_the_way: BinaryHeap::new(),
            taken: 0,
            free_at: None,
            swallowed: 0,
            delivered: 0,
        }
    }

    /// Takes a packet that was sent.
    pub(crate) fn take(&mut self, mut packet: Vec<u8>, now: Instant) {
        let too_large = self.faults.mtu.is_some_and(|mtu| packet.len() > mtu);
        // Lost before it is looked at further, so that a seed means the same whatever else is set.
        let lost = self.chance.strikes(self.faults.loss);
        if self.faults.black_hole || too_large || lost {
            self.swallowed += 1;
            return;
        }
        let Some(mut at) = self.past_the_rate(packet.len(), now) else {
            self.swallowed += 1;
            return;
        };
        if self.chance.strikes(self.faults.corrupt) {
            packet::corrupt(&mut packet, &mut self.chance);
        }
        if self.chance.strikes(self.faults.reset) {
            packet::make_reset(&mut packet);
        }
        at += self.takes();
        if self.chance.strikes(self.faults.reorder) {
            at += HELD_BACK;
        }
        if self.chance.strikes(self.faults.duplicate) {
            self.put(at, packet.clone());
        }
        self.put(at, packet);
    }

    /// The next packet that has arrived by now.
    pub(crate) fn arrived(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.next().filter(|at| *at <= now)?;
        let Reverse((_, _, packet)) = self.on_the_way.pop()?;
        // What was under way when the hole opened falls into it.
        if self.faults.black_hole {
            self.swallowed += 1;
            return self.arrived(now);
        }
        self.delivered += 1;
        Some(packet)
    }

    /// When the next packet arrives.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.on_the_way.peek().map(|Reverse((at, ..))| *at)
    }

    fn put(&mut self, at: Instant, packet: Vec<u8>) {
        self.on_the_way.push(Reverse((at, self.taken, packet)));
        self.taken += 1;
    }

    /// When so many bytes are past a limited rate; `None` where the queue before it is full.
    fn past_the_rate(&mut self, length: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = self.faults.rate else { return Some(now) };
        let begins = self.free_at.map_or(now, |free| free.max(now));
        if begins - now > QUEUE {
            return None;
        }
        let length = u32::try_from(length).unwrap();
        let past = begins + Duration::from_secs(1) * length / rate;
        self.free_at = Some(past);
        Some(past)
    }

    fn takes(&mut self) -> Duration {
        let jitter = u64::try_from(self.faults.jitter.as_micros()).unwrap();
        if jitter == 0 {
            return self.faults.delay;
        }
        let more = Duration::from_micros(self.chance.below(2 * jitter));
        (self.faults.delay + more).saturating_sub(self.faults.jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(faults: Faults) -> (Lane, Instant) {
        (Lane { faults, ..Lane::new(1) }, Instant::now())
    }

    fn all(lane: &mut Lane, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| lane.arrived(now)).map(|packet| packet[0]).collect()
    }

    #[test]
    fn a_good_network_delivers_everything_at_once_and_in_order() {
        let (mut lane, now) = lane(Faults::default());
        (0..100).for_each(|number| lane.take(vec![number], now));
        assert_eq!(all(&mut lane, now), (0..100).collect::<Vec<u8>>());
        assert_eq!((lane.delivered, lane.swallowed), (100, 0));
    }

    #[test]
    fn a_delayed_packet_is_not_there_before_its_time() {
        let delay = Duration::from_millis(200);
        let (mut lane, now) = lane(Faults { delay, jitter: delay / 2, ..Faults::default() });
        (0..100).for_each(|number| lane.take(vec![number], now));
        assert!(lane.next().unwrap() >= now + delay / 2);
        assert_eq!(all(&mut lane, now + Duration::from_millis(99)), []);
        let mut late = all(&mut lane, now + Duration::from_millis(300));
        assert_ne!(late, (0..100).collect::<Vec<u8>>(), "jitter changes the order");
        late.sort_unstable();
        assert_eq!(late, (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn packets_are_lost_doubled_and_overtaken_as_often_as_they_should_be() {
        let (mut losing, now) = lane(Faults::loss(20));
        (0..200).for_each(|number| losing.take(vec![number], now));
        assert!((20..60).contains(&losing.swallowed), "{}", losing.swallowed);
        assert_eq!(all(&mut losing, now).len() as u64 + losing.swallowed, 200);

        let (mut doubling, now) = lane(Faults { duplicate: 100, ..Faults::default() });
        doubling.take(vec![1], now);
        assert_eq!(all(&mut doubling, now), [1, 1]);

        let (mut shuffling, now) = lane(Faults { reorder: 25, ..Faults::default() });
        (0..100).for_each(|number| shuffling.take(vec![number], now));
        let first = all(&mut shuffling, now);
        let held = all(&mut shuffling, now + HELD_BACK);
        assert!((10..40).contains(&held.len()) && first.len() + held.len() == 100, "{held:?}");
    }

    #[test]
    fn a_limited_rate_spreads_packets_out_and_drops_what_would_wait_too_long() {
        let (mut lane, now) = lane(Faults { rate: Some(8000), ..Faults::default() });
        (0..10).for_each(|_| lane.take(vec![7; 1000], now));
        assert_eq!(lane.swallowed, 5);
        assert_eq!(all(&mut lane, now + Duration::from_millis(124)).len(), 0);
        assert_eq!(all(&mut lane, now + Duration::from_millis(125)).len(), 1);
        assert_eq!(all(&mut lane, now + Duration::from_millis(625)).len(), 4);
    }

    #[test]
    fn what_is_too_large_or_meets_a_black_hole_vanishes() {
        let (mut narrow, now) = lane(Faults { mtu: Some(576), ..Faults::default() });
        narrow.take(vec![1; 576], now);
        narrow.take(vec![2; 577], now);
        assert_eq!((all(&mut narrow, now), narrow.swallowed), (vec![1], 1));

        let (mut holed, now) = lane(Faults::default());
        holed.take(vec![1], now);
        holed.faults = Faults::black_hole();
        holed.take(vec![2], now);
        assert_eq!((all(&mut holed, now), holed.swallowed), (vec![], 2));
    }
}
