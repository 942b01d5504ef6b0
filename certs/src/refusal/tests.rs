//! What a refusal shows.

use super::*;

#[test]
fn text_is_cut_after_200_characters_and_says_so() {
    assert_eq!(quoted(&"é".repeat(200)), format!("\"{}\"", "é".repeat(200)));
    assert_eq!(quoted(&"é".repeat(201)), format!("\"{}…\"", "é".repeat(200)));
    assert_eq!(quoted("a\n\"b"), r#""a\n\"b""#);
}

#[test]
fn a_refusal_is_shown_by_its_word_and_its_detail() {
    let refusal = Refusal::new(Reason::CertExpired, "two days ago");
    assert_eq!(refusal.to_string(), "cert_expired: two days ago");
}
