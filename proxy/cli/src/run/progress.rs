//! How far a drain is, told in the event log: when that changes, and not too often.

use std::time::{Duration, Instant};

use landbridge::Draining;

/// How far apart two lines are at least.
const EVERY: Duration = Duration::from_secs(5);

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Progress {
    told: Option<(Instant, Draining)>,
}

impl Progress {
    /// Tells how far the drain is, if it is time.
    pub(super) fn tell(&mut self, draining: &Draining) {
        if self.is_due(Instant::now(), draining) {
            tracing::info!(
                open = draining.open,
                ended = draining.ended,
                cut = draining.cut,
                left_s = draining.deadline_left.map(|left| left.as_secs()),
                "still draining"
            );
        }
    }

    /// The start of the drain was told already, so the first look tells nothing.
    fn is_due(&mut self, now: Instant, draining: &Draining) -> bool {
        let due = match &self.told {
            None => false,
            Some((at, told)) => {
                let same = (told.open, told.ended, told.cut) == (draining.open, draining.ended, draining.cut);
                if same || now.duration_since(*at) < EVERY {
                    return false;
                }
                true
            }
        };
        self.told = Some((now, *draining));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(open: u64) -> Draining {
        Draining {
            lag_left: Duration::ZERO,
            deadline_left: None,
            open_at_start: 9,
            open,
            ended: 9 - open,
            cut: 0,
        }
    }

    #[test]
    fn it_is_told_when_something_changed_and_at_most_every_five_seconds() {
        let start = Instant::now();
        let mut progress = Progress::default();
        let mut is_due = |second, open| progress.is_due(start + Duration::from_secs(second), &with(open));
        assert!(!is_due(0, 9), "its start is told by others");
        assert!(!is_due(60, 9), "nothing changed");
        assert!(is_due(61, 8));
        assert!(!is_due(62, 7) && !is_due(65, 6), "too soon");
        assert!(is_due(66, 6));
        assert!(!is_due(600, 6));
    }
}
