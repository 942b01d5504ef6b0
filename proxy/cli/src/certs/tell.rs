//! Words for people: dates, durations, files, and the next command.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use landbridge_certs::issue::Validity;
use rustls_pki_types::UnixTime;

/// Says a line. A reader who has heard enough, such as `head`, is no mistake.
pub(super) fn say(line: impl Display) {
    match writeln!(std::io::stdout(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => complain(error),
        _ => {}
    }
}

#[expect(clippy::print_stderr, reason = "what went wrong, for people")]
pub(super) fn complain(line: impl Display) {
    eprintln!("landbridge: {line}");
}

/// A time as in `2031-01-31T12:00:00Z`.
pub(super) fn date(time: UnixTime) -> String {
    // humantime writes four digits for a year, and no more.
    const LAST: u64 = 253_402_300_799;
    let seconds = time.as_secs().min(LAST);
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

/// A duration to two units, as in `23 h 59 min`.
pub(super) fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// How a validity stands at `now`, as in `valid for another 23 h 59 min`.
pub(super) fn remaining(validity: &Validity, now: UnixTime) -> String {
    let (start, end, now) = (validity.not_before.as_secs(), validity.not_after.as_secs(), now.as_secs());
    if now < start {
        format!("NOT VALID YET for another {}", span(start - now))
    } else if now > end {
        format!("EXPIRED {} ago", span(now - end))
    } else {
        format!("valid for another {}", span(end - now))
    }
}

/// A path as a shell takes it.
pub(super) fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |char: char| char.is_alphanumeric() || "/._-+=:,@%".contains(char);
    if text.chars().all(plain) && !text.is_empty() {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Text that others wrote, without what could move a terminal's cursor.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let escaped =
                char.is_control() || matches!(char, '\u{200e}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let (kept, told) = if escaped { (None, Some(char.escape_default())) } else { (Some(char), None) };
            kept.into_iter().chain(told.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn durations_are_told_to_two_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_599, "59 min 59 s"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d 0 h"),
            (31_536_000, "365 d 0 h"),
        ];
        for (seconds, told) in cases {
            assert_eq!(span(seconds), told);
        }
    }

    #[test]
    fn a_validity_is_told_from_either_side_and_within() {
        let validity = Validity { not_before: at(100), not_after: at(200) };
        assert_eq!(remaining(&validity, at(99)), "NOT VALID YET for another 1 s");
        assert_eq!(remaining(&validity, at(100)), "valid for another 1 min 40 s");
        assert_eq!(remaining(&validity, at(200)), "valid for another 0 s");
        assert_eq!(remaining(&validity, at(201)), "EXPIRED 1 s ago");
    }

    #[test]
    fn dates_far_away_are_told_without_a_panic() {
        assert_eq!(date(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(date(at(u64::MAX)), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn a_path_with_a_space_or_a_quote_is_quoted_for_the_shell() {
        assert_eq!(shell(Path::new("pki/a-b.pem")), "pki/a-b.pem");
        assert_eq!(shell(Path::new("my pki/it's")), r"'my pki/it'\''s'");
    }

    #[test]
    fn text_of_others_cannot_move_the_cursor() {
        assert_eq!(plain("CN=a\u{1b}[2J\u{202e}ü"), r"CN=a\u{1b}[2J\u{202e}ü");
    }
}
