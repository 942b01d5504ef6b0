//! The thread that writes the lines.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use tracing::warn;

use super::Shared;
use crate::lines::{Lost, PAUSE, Target, Work, lock};

/// How often a second's suppressed refusals, or lost lines, are looked after while there are any.
const TICK: Duration = Duration::from_secs(1);
/// How often lost lines are told of, at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Writes until the queue is closed, and tells what was lost.
pub(super) fn run(shared: &Shared, mut target: Target) {
    let mut losses = Losses::default();
    let mut work = Work::default();
    while !work.last {
        let open = lock(&shared.flood).is_open() || losses.told < shared.dropped.load(Ordering::Relaxed);
        work = shared.queue.next(work, open.then_some(TICK));
        let (before, after) =
            work.lines.split_at_checked(work.reopen.unwrap_or(0)).unwrap_or((&work.lines, &[]));
        write(shared, &mut target, before, &mut losses);
        if work.reopen.is_some()
            && let Err(error) = target.reopen()
        {
            warn!(%error, "the access log can't be opened anew; the old file stays in use");
        }
        write(shared, &mut target, after, &mut losses);
        shared.queue.settle(&work);
        shared.turn_flood();
        if work.last {
            losses.told_at = None;
        }
        if let Some(lines) = losses.due(shared.dropped.load(Ordering::Relaxed), (shared.clock)()) {
            let error = losses.error.take().map(tracing::field::display);
            warn!(error, "dropped {lines} lines of the access log");
        }
    }
    drop(target);
    shared.queue.finish();
}

fn write(shared: &Shared, target: &mut Target, lines: &[u8], losses: &mut Losses) {
    if let Err(Lost { lines, error }) = target.write(lines, || shared.queue.pause(PAUSE)) {
        shared.dropped.fetch_add(lines, Ordering::Relaxed);
        losses.error = Some(error);
    }
}

/// What has been told of lost lines.
#[derive(Debug, Default)]
struct Losses {
    told: u64,
    told_at: Option<SystemTime>,
    error: Option<io::Error>,
}

impl Losses {
    /// How many lines were lost since it was last told, if it is time to tell.
    fn due(&mut self, total: u64, now: SystemTime) -> Option<u64> {
        let lines = total.saturating_sub(self.told);
        let lately =
            self.told_at.and_then(|at| now.duration_since(at).ok()).is_some_and(|ago| ago < TOLD_EVERY);
        if lines == 0 || lately {
            return None;
        }
        self.told = total;
        self.told_at = Some(now);
        Some(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_lines_are_told_of_once_in_ten_seconds() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut losses = Losses::default();
        assert_eq!(losses.due(0, at(100)), None);
        assert_eq!(losses.due(3, at(100)), Some(3));
        assert_eq!(losses.due(8, at(109)), None);
        assert_eq!(losses.due(9, at(110)), Some(6));
        assert_eq!(losses.due(9, at(130)), None);
        // After a step back of the clock nothing can be said of the time between.
        assert_eq!(losses.due(10, at(50)), Some(1));
    }
}
