//! Failures to reach a server, told without repeating what was just told.

use std::time::Duration;

use tokio::time::Instant;

/// The same failure is told again after so long.
const AGAIN: Duration = Duration::from_secs(60);

/// What was told last of servers that can't be reached.
#[derive(Debug, Default)]
pub(super) struct Failing {
    told: Vec<(String, String, Instant)>,
}

impl Failing {
    /// Tells why there is no stream from `server`: the first time, when the reason is another, and every minute.
    pub(super) fn tell(&mut self, server: &str, error: &str, now: Instant) {
        if self.is_due(server, error, now) {
            tracing::warn!(
                server,
                error,
                "no stream from the control server; what it sent before stays in force"
            );
        }
    }

    /// A server was reached: the next failure is news.
    pub(super) fn is_over(&mut self) {
        self.told.clear();
    }

    fn is_due(&mut self, server: &str, error: &str, now: Instant) -> bool {
        if let Some((_, told, at)) = self.told.iter_mut().find(|(of, _, _)| of == server) {
            if told == error && now.duration_since(*at) < AGAIN {
                return false;
            }
            (*told, *at) = (error.to_owned(), now);
        } else {
            // One for each server of the file.
            self.told.push((server.to_owned(), error.to_owned(), now));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_and_again_after_a_minute_or_when_it_is_another() {
        let mut failing = Failing::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(failing.is_due("a:1", "refused", at(0)));
        assert!(!failing.is_due("a:1", "refused", at(59)));
        assert!(failing.is_due("b:1", "refused", at(59)), "another server");
        assert!(failing.is_due("a:1", "timed out", at(59)), "another reason");
        assert!(!failing.is_due("a:1", "timed out", at(118)));
        assert!(failing.is_due("a:1", "timed out", at(119)));
        failing.is_over();
        assert!(failing.is_due("a:1", "timed out", at(120)), "it was reached in between");
    }
}
