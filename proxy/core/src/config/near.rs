//! The name that was probably meant.

/// A name longer than this is not compared: nothing that may be written is as long.
const LONGEST: usize = 64;
/// So many names are compared at most, so that a long list costs no more than a short one.
const MOST: usize = 200;

/// The name closest to what was written, if it is close enough to have been meant.
pub(super) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.is_empty() || written.len() > LONGEST {
        return None;
    }
    let written = plain(written);
    // One slip in a short name, two in a longer one, three in a long one.
    let bound = match written.len() {
        0..=5 => 1,
        6..=11 => 2,
        _ => 3,
    };
    names
        .into_iter()
        .take(MOST)
        .filter(|name| name.len().abs_diff(written.len()) <= bound)
        .map(|name| (strsim::osa_distance(&written, &plain(name)), name))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let names = ["client_hello", "handshake", "connect", "idle"];
        assert_eq!(nearest("client_helo", names), Some("client_hello"));
        assert_eq!(nearest("Client-Hello", names), Some("client_hello"));
        assert_eq!(nearest("idel", names), Some("idle"));
        assert_eq!(nearest("flush", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest(&"x".repeat(1000), names), None);
    }
}
