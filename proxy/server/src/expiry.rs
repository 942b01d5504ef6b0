//! When a connection ends because its caller's certificate has, where a service says `close_on_cert_expiry`.

use std::future::pending;
use std::time::Duration;

use landbridge_core::config::Timeouts;
use rustls_pki_types::UnixTime;
use tokio::time::Instant;

use crate::upstream::entropy;

/// The moment at which a connection is cut whose caller's certificate is good until `not_after`; `None` is
/// beyond what the clock can tell.
///
/// It is fixed once, at the handshake, on the monotonic clock: a jump of the wall clock later on cuts
/// nobody, and puts off nobody's end.
pub(crate) fn deadline(not_after: UnixTime, now: UnixTime, timeouts: &Timeouts) -> Option<Instant> {
    let at = cut_at(not_after, timeouts.expiry_grace, timeouts.expiry_jitter, entropy());
    Instant::now().checked_add(at.saturating_sub(since_epoch(now)))
}

/// Resolves at the deadline; never, where there is none.
pub(crate) async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => pending().await,
    }
}

/// The time since the epoch at which a connection is cut: when `grace` is over after the certificate, and a
/// share of `jitter`, which `random` is taken from evenly.
fn cut_at(not_after: UnixTime, grace: Duration, jitter: Duration, random: u64) -> Duration {
    let jitter = u64::try_from(jitter.as_nanos()).unwrap_or(u64::MAX);
    let share = (u128::from(jitter) * u128::from(random)) >> u64::BITS;
    let share = Duration::from_nanos(u64::try_from(share).unwrap_or(u64::MAX));
    since_epoch(not_after).saturating_add(grace).saturating_add(share)
}

fn since_epoch(time: UnixTime) -> Duration {
    Duration::from_secs(time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(300);
    const JITTER: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_cut_comes_after_the_grace_and_within_the_jitter_behind_it() {
        let seconds = Duration::from_secs;
        let cut = |grace, jitter, random| cut_at(at(1000), grace, jitter, random);
        for random in [0, 1, u64::MAX / 2, u64::MAX] {
            assert_eq!(cut(Duration::ZERO, Duration::ZERO, random), seconds(1000));
            assert_eq!(cut(GRACE, Duration::ZERO, random), seconds(1300));
        }
        assert_eq!(cut(GRACE, JITTER, 0), seconds(1300));
        assert_eq!(cut(GRACE, JITTER, 1 << 63), seconds(1305));
        let last = cut(GRACE, JITTER, u64::MAX);
        assert!(last < seconds(1310) && last > seconds(1309), "{last:?}");
        // What nobody lives to see is no overflow.
        assert_eq!(cut_at(at(u64::MAX), Duration::MAX, Duration::MAX, u64::MAX), Duration::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn certificates_that_end_in_one_second_end_their_connections_over_the_whole_jitter() {
        let timeouts = Timeouts { expiry_grace: GRACE, expiry_jitter: JITTER, ..Timeouts::default() };
        let began = Instant::now();
        let ends: Vec<Duration> =
            (0..1000).map(|_| deadline(at(1060), at(1000), &timeouts).unwrap() - began).collect();
        let first = Duration::from_secs(60) + GRACE;
        assert!(ends.iter().all(|end| *end >= first && *end < first + JITTER), "{ends:?}");
        for second in 0..10 {
            let from = first + Duration::from_secs(second);
            let within =
                ends.iter().filter(|end| **end >= from && **end < from + Duration::from_secs(1)).count();
            assert!((20..=250).contains(&within), "{within} of 1000 in second {second}");
        }
        let last = ends.iter().max().copied();
        reached(last.map(|last| began + last)).await;
        assert!(began.elapsed() >= last.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_that_has_expired_by_the_end_of_the_handshake_still_has_its_grace() {
        let timeouts = Timeouts { expiry_grace: GRACE, expiry_jitter: Duration::ZERO, ..Timeouts::default() };
        let began = Instant::now();
        let cut = |now| deadline(at(1000), at(now), &timeouts).unwrap() - began;
        assert_eq!((cut(1001), cut(2000)), (Duration::from_secs(299), Duration::ZERO));
    }
}
