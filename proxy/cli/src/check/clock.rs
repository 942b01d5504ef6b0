//! Whether the clock can be right: certificates are believed by it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::report::Report;

/// When the source of this program was revised, in seconds since 1970; 0 if that is not known.
const REVISED: &str = env!("LANDBRIDGE_REVISED");
/// How far two clocks that are both nearly right may differ, in seconds.
const SLACK: u64 = 24 * 3600;
/// 2100-01-01, in seconds since 1970.
const FAR: u64 = 4_102_444_800;

pub(super) fn check(report: &mut Report) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    judge(report, now, REVISED.parse().unwrap_or(0));
}

fn judge(report: &mut Report, now: u64, revised: u64) {
    let shown = humantime::format_rfc3339_seconds(UNIX_EPOCH + std::time::Duration::from_secs(now.min(FAR)));
    let advice = "set the clock, and let NTP keep it: certificates are judged by it";
    if now + SLACK < revised {
        report.fail("clock", format!("{shown} is before this program was made"), advice);
    } else if now >= FAR {
        report.fail("clock", format!("{shown} or later cannot be"), advice);
    } else {
        report.ok("clock", shown.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_the_program_or_beyond_the_century_fails() {
        let revised = 1_790_000_000;
        for (now, word) in [
            (revised, "ok"),
            (revised - SLACK, "ok"),
            (revised - SLACK - 1, "fail"),
            (0, "fail"),
            (FAR - 1, "ok"),
            (FAR, "fail"),
            (u64::MAX - SLACK, "fail"),
        ] {
            let mut report = Report::default();
            judge(&mut report, now, revised);
            assert!(report.to_string().starts_with(word), "{now}: {report}");
        }
    }
}
