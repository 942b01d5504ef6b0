//! Which refusals get a line of their own, and what is told of the others.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use landbridge_core::Reason;
use landbridge_core::access_log::Suppressed;

/// Refusals of one second that get a line of their own.
pub(super) const LINES_PER_SECOND: u32 = 1000;

/// The refusals of the current second.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// Since 1970.
    second: u64,
    admitted: u32,
    suppressed: BTreeMap<Reason, u64>,
}

impl Flood {
    /// Whether a refusal, in the second that [`turn`](Self::turn) was last told of, gets its own line.
    pub(super) fn admit(&mut self, reason: Reason) -> bool {
        let admitted = self.admitted < LINES_PER_SECOND;
        if admitted {
            self.admitted += 1;
        } else {
            *self.suppressed.entry(reason).or_default() += 1;
        }
        admitted
    }

    /// Turns to the second of `now`; returns what was suppressed in the one before, if that is over.
    pub(super) fn turn(&mut self, now: SystemTime) -> Vec<Suppressed> {
        let second = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        if second == self.second {
            return Vec::new();
        }
        let over = self.end();
        self.second = second;
        self.admitted = 0;
        over
    }

    /// Returns what was suppressed so far.
    pub(super) fn end(&mut self) -> Vec<Suppressed> {
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(self.second);
        let suppressed = std::mem::take(&mut self.suppressed);
        let lines = suppressed.into_iter().map(|(reason, count)| Suppressed { reason, count, second });
        lines.collect()
    }

    /// Whether there may be something to tell when the second is over.
    pub(super) fn is_open(&self) -> bool {
        self.admitted > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn refusals_above_a_thousand_a_second_are_counted_by_reason() {
        let mut flood = Flood::default();
        assert_eq!(flood.turn(at(7_000)), []);
        let admitted = (0..1500).filter(|_| flood.admit(Reason::SniUnknown)).count();
        assert_eq!(admitted, 1000);
        assert!(!flood.admit(Reason::NotTls));
        assert_eq!(flood.turn(at(7_999)), []);
        let second = at(7_000);
        let many = |reason, count| Suppressed { reason, count, second };
        assert_eq!(flood.turn(at(8_000)), [many(Reason::NotTls, 1), many(Reason::SniUnknown, 500)]);
        assert!(flood.admit(Reason::NotTls));
        assert_eq!(flood.turn(at(9_000)), []);
        assert!(!flood.is_open());
    }

    #[test]
    fn a_clock_that_goes_back_begins_a_second_too() {
        let mut flood = Flood::default();
        flood.turn(at(9_000));
        for _ in 0..1001 {
            flood.admit(Reason::NoSni);
        }
        assert_eq!(flood.turn(at(5_000)).len(), 1);
        assert!(flood.admit(Reason::NoSni));
    }
}
