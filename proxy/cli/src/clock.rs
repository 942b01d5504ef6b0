//! The wall clock, watched for jumps: certificates are judged by it, and nothing else here is.
//!
//! The monotonic clock has no steps, so what the two move against each other is a step of the wall clock: by NTP, by
//! hand, or by as much as the machine slept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::time::{MissedTickBehavior, interval};

/// How often both clocks are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// By how much they may move against each other. Clocks that are kept do not step by that much.
const SLACK: Duration = Duration::from_secs(10);

/// The watch over the wall clock.
pub(crate) struct Clock {
    /// Both clocks, as they were at the last jump.
    since: (Instant, SystemTime),
    jumps: Arc<AtomicU64>,
}

/// What the wall clock did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jump {
    Ahead(Duration),
    Back(Duration),
}

impl Clock {
    /// Watches from now on.
    pub(crate) fn new() -> Self {
        Self { since: (Instant::now(), SystemTime::now()), jumps: Arc::default() }
    }

    /// How often it has jumped, from now on.
    pub(crate) fn jumps(&self) -> Arc<AtomicU64> {
        self.jumps.clone()
    }

    /// Watches until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            let Some(jump) = self.look(Instant::now(), SystemTime::now()) else { continue };
            self.jumps.fetch_add(1, Ordering::Relaxed);
            let (ahead_s, back_s) = match jump {
                Jump::Ahead(by) => (Some(by.as_secs()), None),
                Jump::Back(by) => (None, Some(by.as_secs())),
            };
            tracing::warn!(
                ahead_s,
                back_s,
                "clock_jump: the wall clock has jumped; certificates of new connections are judged by it, and no open one is cut"
            );
        }
    }

    /// What the wall clock has done since the last jump, if that is too much.
    fn look(&mut self, now: Instant, wall: SystemTime) -> Option<Jump> {
        let (then, wall_then) = self.since;
        let expected = wall_then + now.duration_since(then);
        let jump = match wall.duration_since(expected) {
            Ok(by) => Jump::Ahead(by),
            Err(error) => Jump::Back(error.duration()),
        };
        let (Jump::Ahead(by) | Jump::Back(by)) = jump;
        (by > SLACK).then(|| {
            self.since = (now, wall);
            jump
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn a_jump_is_told_once_whichever_way_and_small_steps_add_up_to_one() {
        let mut clock = Clock::new();
        let (mut now, mut wall) = clock.since;
        // Both go on, however long nobody looked.
        for passed in [Duration::ZERO, SECOND, DAY] {
            (now, wall) = (now + passed, wall + passed);
            assert_eq!(clock.look(now, wall), None);
        }
        wall -= 2 * DAY;
        assert_eq!(clock.look(now, wall), Some(Jump::Back(2 * DAY)));
        assert_eq!(clock.look(now, wall), None, "told once");
        wall += 4000 * DAY;
        assert_eq!(clock.look(now, wall), Some(Jump::Ahead(4000 * DAY)));
        for _ in 0..10 {
            wall += SECOND;
            assert_eq!(clock.look(now, wall), None);
        }
        wall += SECOND;
        assert_eq!(clock.look(now, wall), Some(Jump::Ahead(11 * SECOND)));
    }

    #[test]
    fn a_wall_clock_that_stands_still_falls_back() {
        let mut clock = Clock::new();
        let (start, wall) = clock.since;
        let told =
            (0..=60).filter_map(|second| clock.look(start + SECOND * second, wall)).collect::<Vec<_>>();
        assert_eq!(told, [Jump::Back(11 * SECOND); 5]);
    }
}
