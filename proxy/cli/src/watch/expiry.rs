//! Certificates that will end soon, told step by step.

use std::collections::BTreeMap;

use landbridge::Credentials;
use rustls_pki_types::UnixTime;

use crate::life::Life;

/// How much of its life a certificate has left, coarsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Less than 33 %: it should have been renewed, since renewal is due at half or at a third.
    Late,
    /// Less than 10 %.
    Soon,
    /// Less than 3 %.
    Urgent,
    /// Nothing.
    Expired,
}

/// What has been told of which certificate.
#[derive(Debug, Default)]
pub(super) struct Reminders {
    told: BTreeMap<(String, Life), Step>,
}

impl Reminders {
    /// What is to be told now: each certificate once for each step that it takes.
    pub(super) fn due(&mut self, credentials: &Credentials, now: UnixTime) -> Vec<String> {
        self.tell(lives(credentials), now)
    }

    fn tell(&mut self, lives: Vec<(String, Life)>, now: UnixTime) -> Vec<String> {
        let mut told = BTreeMap::new();
        let mut due = Vec::new();
        for (what, life) in lives {
            let Some(step) = step(life, now) else { continue };
            let known = self.told.get(&(what.clone(), life));
            if known.is_none_or(|known| *known < step) {
                due.push(match step {
                    Step::Expired => format!("{what} expired {} s ago", now.as_secs() - life.end.as_secs()),
                    Step::Late | Step::Soon | Step::Urgent => format!("{what} {}", life.told(now)),
                });
            }
            // A clock that goes back does not make it tell twice.
            let step = known.map_or(step, |known| step.max(*known));
            told.insert((what, life), step);
        }
        // What is not in use any more is forgotten.
        self.told = told;
        due
    }
}

fn step(life: Life, now: UnixTime) -> Option<Step> {
    if now > life.end {
        return Some(Step::Expired);
    }
    match life.percent_left(now) {
        0..3 => Some(Step::Urgent),
        3..10 => Some(Step::Soon),
        10..33 => Some(Step::Late),
        _ => None,
    }
}

fn lives(credentials: &Credentials) -> Vec<(String, Life)> {
    let own = credentials.own().map(|pair| ("the certificate of identity".to_owned(), pair));
    let named =
        credentials.all_named().map(|(name, pair)| (format!("the certificate of identities.{name}"), pair));
    let pairs = own.into_iter().chain(named);
    let pairs = pairs.map(|(what, pair)| (what, Life { start: pair.not_before(), end: pair.not_after() }));
    let entries = credentials.trust().entries();
    let roots = entries.flat_map(|entry| {
        entry
            .validities()
            .map(|(start, end)| (format!("a root of trust.{}", entry.name()), Life { start, end }))
    });
    pairs.chain(roots).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(secs: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(secs))
    }

    #[test]
    fn each_step_of_a_life_has_its_bound() {
        let life = Life { start: at(1000), end: at(2000) };
        let cases = [
            (0, None),
            (1000, None),
            (1670, None),
            (1671, Some(Step::Late)),
            (1900, Some(Step::Late)),
            (1901, Some(Step::Soon)),
            (1970, Some(Step::Soon)),
            (1971, Some(Step::Urgent)),
            (2000, Some(Step::Urgent)),
            (2001, Some(Step::Expired)),
        ];
        for (now, expected) in cases {
            assert_eq!(step(life, at(now)), expected, "{now}");
        }
    }

    #[test]
    fn every_step_is_told_once_and_a_renewed_certificate_begins_anew() {
        let life = Life { start: at(1000), end: at(2000) };
        let renewed = Life { start: at(1700), end: at(2700) };
        let mut reminders = Reminders::default();
        let mut told = |life, now| reminders.tell(vec![("it".to_owned(), life)], at(now)).join("\n");
        assert_eq!(told(life, 1500), "");
        assert_eq!(told(life, 1700), "it expires in 5 minutes (30 % of its life)");
        assert_eq!(told(life, 1701), "");
        assert_eq!(told(renewed, 1800), "");
        assert_eq!(told(renewed, 2650), "it expires in 50 seconds (5 % of its life)");
        assert_eq!(told(renewed, 2400), "", "the clock went back");
        assert_eq!(told(renewed, 2651), "");
        assert_eq!(told(renewed, 2690), "it expires in 10 seconds (1 % of its life)");
        assert_eq!(told(renewed, 2703), "it expired 3 s ago");
        assert_eq!(told(renewed, 2704), "");
    }

    #[test]
    fn two_that_end_at_different_times_are_told_apart() {
        let lives = || {
            let long = Life { start: at(0), end: at(10_000) };
            let short = Life { start: at(0), end: at(1000) };
            vec![("it".to_owned(), long), ("it".to_owned(), short)]
        };
        let mut reminders = Reminders::default();
        assert_eq!(reminders.tell(lives(), at(950)), ["it expires in 50 seconds (5 % of its life)"]);
        assert_eq!(reminders.tell(lives(), at(960)), [""; 0]);
    }
}
