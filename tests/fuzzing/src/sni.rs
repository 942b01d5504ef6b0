//! Server names: what is a name here is one to rustls, and the other way round.

use landbridge_core::Sni;
use landbridge_core::sni::{NamePattern, service_key};
use rustls_pki_types::DnsName;

/// The input is a text.
pub fn sni(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let parsed = Sni::parse(&text);
    let theirs = DnsName::try_from(&*text).is_ok();
    assert_eq!(parsed.is_ok(), theirs, "{text:?}: {parsed:?}");
    if let Ok(name) = &parsed {
        assert_eq!(name.as_str(), text.to_ascii_lowercase());
        assert_eq!(Sni::parse(name.as_str()).as_ref(), Ok(name));
        assert_eq!(NamePattern::parse(&text).as_ref(), Ok(&NamePattern::Exact(name.clone())));
        if let Ok(key) = service_key(&text, 8000, "") {
            assert_eq!(key.as_str(), format!("outbound_.8000_._.{name}"));
        }
    }
    if let Ok(pattern) = NamePattern::parse(&text) {
        assert_eq!(pattern.to_string(), text.to_ascii_lowercase());
        assert_eq!(matches!(pattern, NamePattern::Suffix(_)), text.starts_with("*."));
    }
}
