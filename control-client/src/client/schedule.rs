//! Which server is next, and when. Pure: the time and a random number are arguments.

use std::time::Duration;

use crate::backoff::Backoff;

/// Goes through the servers in their order, and waits between rounds.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Before when each asked not to come back.
    not_before: Vec<Duration>,
    at: usize,
    backoff: Backoff,
}

/// How it went with a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// How long it was, the attempt included.
    pub(super) held: Duration,
    /// When it asked to come back.
    pub(super) retry_after: Option<Duration>,
}

/// Nobody is told to stay away for longer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

impl Schedule {
    pub(super) fn new(servers: usize) -> Self {
        Self { not_before: vec![Duration::ZERO; servers], at: 0, backoff: Backoff::default() }
    }

    /// The number of the server to try now.
    pub(super) fn server(&self) -> usize {
        self.at
    }

    /// Moves on to the next server, and says how long to wait before it is tried.
    ///
    /// After a failure the next one in order is tried at once, and after the last one the first, when the back-off is
    /// over. A stream that was healthy begins from the first again. Whom a server asked to stay away for a while tries
    /// the others meanwhile.
    pub(super) fn next(&mut self, now: Duration, ended: Ended, random: u32) -> Duration {
        self.backoff.connection_ended(ended.held);
        if let (Some(after), Some(not_before)) = (ended.retry_after, self.not_before.get_mut(self.at)) {
            let after = after.min(LONGEST_RETRY_AFTER);
            // They were all told the same: a fifth more, spread.
            *not_before = now + after + after.mul_f64(0.2 * f64::from(random) / f64::from(u32::MAX));
        }
        let anew = ended.held >= Backoff::HEALTHY && ended.retry_after.is_none();
        let mut rest = self.not_before.iter().enumerate().skip(self.at + 1);
        if !anew && let Some((next, _)) = rest.find(|(_, not_before)| **not_before <= now) {
            self.at = next;
            return Duration::ZERO;
        }
        let wait = self.backoff.next_wait(random);
        let earliest = |not_before: &Duration| (*not_before).max(now + wait);
        let round = self.not_before.iter().enumerate();
        let first = round.min_by_key(|(_, not_before)| earliest(not_before));
        self.at = first.map_or(0, |(next, _)| next);
        first.map_or(wait, |(_, not_before)| earliest(not_before).saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Ended = Ended { held: Duration::from_secs(1), retry_after: None };
    const NOW: Duration = Duration::from_secs(1000);

    fn steps(schedule: &mut Schedule, all: &[Ended]) -> Vec<(usize, u128)> {
        all.iter()
            .map(|ended| {
                let wait = schedule.next(NOW, *ended, u32::MAX).as_millis();
                (schedule.server(), wait)
            })
            .collect()
    }

    #[test]
    fn all_servers_are_tried_in_their_order_before_the_back_off() {
        let mut schedule = Schedule::new(3);
        assert_eq!(
            steps(&mut schedule, &[FAILED; 7]),
            [(1, 0), (2, 0), (0, 100), (1, 0), (2, 0), (0, 200), (1, 0)]
        );
        assert_eq!(steps(&mut Schedule::new(1), &[FAILED; 3]), [(0, 100), (0, 200), (0, 400)]);
    }

    #[test]
    fn after_a_healthy_minute_the_first_server_is_tried_after_the_first_wait() {
        let mut schedule = Schedule::new(2);
        let healthy = Ended { held: Duration::from_secs(60), retry_after: None };
        let all = [FAILED, FAILED, FAILED, FAILED, FAILED, healthy];
        assert_eq!(steps(&mut schedule, &all), [(1, 0), (0, 100), (1, 0), (0, 200), (1, 0), (0, 100)]);
    }

    #[test]
    fn a_server_that_asks_to_come_back_later_is_left_alone_until_then() {
        let later = |seconds| Ended { retry_after: Some(Duration::from_secs(seconds)), ..FAILED };
        // A fifth more, as the random number is the largest.
        assert_eq!(steps(&mut Schedule::new(1), &[later(10)]), [(0, 12_000)]);
        assert_eq!(steps(&mut Schedule::new(1), &[later(100_000)]), [(0, 360_000)]);
        // The other one is tried meanwhile, over and over, and never the one that asked.
        let mut schedule = Schedule::new(2);
        assert_eq!(
            steps(&mut schedule, &[later(10), FAILED, FAILED, later(5)]),
            [(1, 0), (1, 100), (1, 200), (1, 6000)]
        );
    }

    #[test]
    fn without_servers_there_is_nothing_to_try() {
        assert_eq!(steps(&mut Schedule::new(0), &[FAILED]), [(0, 100)]);
    }
}
