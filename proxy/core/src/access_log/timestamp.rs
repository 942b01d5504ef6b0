//! Points in time as RFC 3339 writes them.

use std::fmt::{self, Display};
use std::time::{Duration, SystemTime};

/// Shown as `2026-11-20T14:03:21.482Z`: UTC, cut to milliseconds.
///
/// A time before 1970 is shown as the beginning of 1970, one after 9999 as the end of 9999.
pub(super) struct Timestamp(pub(super) SystemTime);

/// The last second of the year 9999, the last that RFC 3339 can write.
const LAST: u64 = 253_402_300_799;
const DAY: u64 = 86_400;

impl Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self
            .0
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .min(Duration::new(LAST, 999_999_999));
        let (days, second) = (since.as_secs() / DAY, since.as_secs() % DAY);
        let (year, month, day) = date(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            since.subsec_millis()
        )
    }
}

/// Year, month and day of the Gregorian calendar, of a number of days after 1970-01-01.
///
/// Counted from a 1 March, so that the leap day is the last of a year: the lengths of the months from
/// March on then repeat every five (31, 30, 31, 30, 31: 153 days).
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097; // days in 400 years
    let days = days + 719_468; // from 0000-03-01 to 1970-01-01
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, millis: u64) -> String {
        let since = Duration::from_secs(seconds) + Duration::from_millis(millis);
        Timestamp(SystemTime::UNIX_EPOCH + since).to_string()
    }

    #[test]
    fn a_time_is_shown_as_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399, 999), "2000-02-28T23:59:59.999Z");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(951_868_800, 0), "2000-03-01T00:00:00.000Z");
        assert_eq!(at(1_709_164_800, 7), "2024-02-29T00:00:00.007Z");
        assert_eq!(at(1_735_603_200, 0), "2024-12-31T00:00:00.000Z");
        assert_eq!(at(1_795_183_401, 482), "2026-11-20T14:03:21.482Z");
        assert_eq!(at(4_107_542_399, 0), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
        assert_eq!(at(LAST, 999), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_time_that_rfc_3339_cannot_write_is_shown_as_the_nearest_that_it_can() {
        assert_eq!(at(LAST + 1, 0), "9999-12-31T23:59:59.999Z");
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(Timestamp(before).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let leap =
            |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..2 * 146_097 {
            assert_eq!(date(days), (year, month, day), "{days}");
            let length = match month {
                2 if leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
