//! SPIFFE IDs and the patterns of grants, against the grammar written a second time.

use landbridge_core::SpiffeId;
use landbridge_core::policy::IdPattern;

/// The input is a text.
pub fn spiffe(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = SpiffeId::parse(&text);
    assert_eq!(parsed.is_ok(), is_id(text.as_bytes()), "{text:?}: {parsed:?}");
    if let Ok(id) = &parsed {
        assert_eq!(id.to_string(), text);
        assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
        assert_eq!(SpiffeId::parse(id.as_str()).as_ref(), Ok(id));
        if let Some(workload) = id.workload() {
            let path = format!("/ns/{}/sa/{}", workload.namespace, workload.service_account);
            assert_eq!(id.path(), path);
        }
    }
    pattern(&text);
}

fn pattern(text: &str) {
    let Ok(pattern) = IdPattern::parse(text) else {
        assert!(!is_id(text.as_bytes()), "an ID that is no pattern: {text:?}");
        return;
    };
    assert_eq!(pattern.to_string(), text);
    assert_eq!(text.matches('*').count() + usize::from(is_id(text.as_bytes())), 1);
    // A star in place of one segment, or of all of them.
    let (front, behind) = text.split_once('*').unwrap_or((text, ""));
    let Some(example) = pattern.example() else {
        assert!(text.len() > 2040, "a pattern that names nobody: {text:?}");
        return;
    };
    assert!(pattern.matches(&example));
    assert_eq!(example.trust_domain(), pattern.trust_domain());
    assert!(example.as_str().starts_with(front) && example.as_str().ends_with(behind));
    // The neighbouring trust domain is nobody's business.
    let elsewhere = example.as_str().replacen("spiffe://", "spiffe://x", 1);
    if let Ok(elsewhere) = SpiffeId::parse(&elsewhere) {
        assert!(!pattern.matches(&elsewhere), "{pattern} and {elsewhere}");
    }
}

/// The grammar of SPIFFE-ID, section 2, for an ID with a path:
///
/// ```text
/// id      = "spiffe://" domain 1*("/" segment)   ; at most 2048 bytes
/// domain  = 1*255(%x61-7A / DIGIT / "." / "-" / "_")
/// segment = 1*(ALPHA / DIGIT / "." / "-" / "_")  ; but not "." and not ".."
/// ```
fn is_id(text: &[u8]) -> bool {
    #[derive(Clone, Copy)]
    enum At {
        Domain(usize),
        /// How long the segment is, and whether it is dots alone.
        Segment(usize, bool),
    }
    let Some(rest) = text.strip_prefix(b"spiffe://") else { return false };
    let mut at = At::Domain(0);
    let ended = |length: usize, dots: bool| length > 2 || length > 0 && !dots;
    for byte in rest {
        at = match (at, byte) {
            (At::Domain(length @ 0..255), b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_') => {
                At::Domain(length + 1)
            }
            (At::Domain(1..), b'/') => At::Segment(0, true),
            (At::Segment(length, dots), b'/') if ended(length, dots) => At::Segment(0, true),
            (At::Segment(length, dots), b'.') => At::Segment(length + 1, dots),
            (At::Segment(length, _), b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_') => {
                At::Segment(length + 1, false)
            }
            _ => return false,
        };
    }
    matches!(at, At::Segment(length, dots) if ended(length, dots)) && text.len() <= 2048
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_grammar_is_no_looser_and_no_stricter_than_the_specification() {
        for text in ["spiffe://a/b", "spiffe://a.b-c_9/A/b/.../.a", "spiffe://-/_"] {
            assert!(is_id(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe:///a",
            "spiffe://A/b",
            "spiffe://a/b/",
            "spiffe://a//b",
            "spiffe://a/.",
            "spiffe://a/..",
            "spiffe://a/../b",
            "spiffe://a/b?c",
            "spiffe://a:1/b",
            "spiffe://a/%20",
            "SPIFFE://a/b",
        ] {
            assert!(!is_id(text.as_bytes()), "{text}");
        }
        let domain = |length: usize| format!("spiffe://{}/a", "d".repeat(length));
        assert!(is_id(domain(255).as_bytes()) && !is_id(domain(256).as_bytes()));
        let id = |length: usize| format!("spiffe://a/{}", "b".repeat(length - 11));
        assert!(is_id(id(2048).as_bytes()) && !is_id(id(2049).as_bytes()));
    }
}
