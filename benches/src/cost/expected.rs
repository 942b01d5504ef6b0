//! The counts that were written down, and how far from them is too far.

use anyhow::Context;

/// One count in a line, then what was counted.
pub(super) const LIST: &str = include_str!("expected.txt");

/// In permille. Signatures differ by their digits, hash tables by their seeds, compilers by their version.
const TOLERANCE: u64 = 50;

/// What is to be expected of a case, if it was written down.
pub(super) fn of(list: &str, case: &str) -> anyhow::Result<Option<u64>> {
    let mut lines = list.lines().filter_map(|line| line.trim_start().split_once(' '));
    lines
        .find(|(_, name)| *name == case)
        .map(|(count, _)| count.parse().with_context(|| format!("expected a count, not {count}, of {case}")))
        .transpose()
}

/// Whether a count is as expected; one that is too low is an improvement that nobody wrote down.
pub(super) fn holds(counted: u64, expected: u64) -> bool {
    counted.abs_diff(expected) * 1000 <= expected * TOLERANCE
}

/// How far apart, in per cent.
pub(super) fn apart(counted: u64, expected: u64) -> String {
    let permille = counted.abs_diff(expected) * 1000 / expected.max(1);
    let sign = if counted < expected { "−" } else { "+" };
    format!("{sign}{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_held_to_its_line_within_five_per_cent() {
        let list = "  1000 a name, with commas\n20 b\n";
        assert_eq!(of(list, "a name, with commas").unwrap(), Some(1000));
        assert_eq!(of(list, "absent").unwrap(), None);
        assert!(of("many b\n", "b").is_err());
        assert!(holds(1050, 1000) && holds(950, 1000));
        assert!(!holds(1051, 1000) && !holds(949, 1000));
        assert_eq!((apart(1051, 1000).as_str(), apart(900, 1000).as_str()), ("+5.1 %", "−10.0 %"));
    }
}
