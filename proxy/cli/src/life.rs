//! How long a certificate lasts.

use rustls_pki_types::UnixTime;

/// From the first to the last second of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) start: UnixTime,
    pub(crate) end: UnixTime,
}

impl Life {
    pub(crate) fn left(&self, now: UnixTime) -> u64 {
        self.end.as_secs().saturating_sub(now.as_secs())
    }

    pub(crate) fn percent_left(&self, now: UnixTime) -> u64 {
        let whole = self.end.as_secs().saturating_sub(self.start.as_secs()).max(1);
        u64::try_from(u128::from(self.left(now)) * 100 / u128::from(whole)).unwrap_or(u64::MAX)
    }

    pub(crate) fn told(&self, now: UnixTime) -> String {
        let left = self.left(now);
        // In the unit that matters, whole ones.
        let units = [(86_400, "days"), (3600, "hours"), (60, "minutes")];
        let (size, unit) = units.into_iter().find(|(size, _)| left >= 2 * size).unwrap_or((1, "seconds"));
        format!("expires in {} {unit} ({} % of its life)", left / size, self.percent_left(now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_life_tells_what_is_left_of_it() {
        let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        let life = Life { start: at(1000), end: at(1000 + 86_400) };
        assert_eq!(life.told(at(1000)), "expires in 24 hours (100 % of its life)");
        assert_eq!(life.told(at(1000 + 86_400 - 3700)), "expires in 61 minutes (4 % of its life)");
        assert_eq!(life.percent_left(at(1000 + 86_400 / 2)), 50);
        assert_eq!(life.percent_left(at(1_000_000)), 0);
    }
}
