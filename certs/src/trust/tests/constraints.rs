//! What a CA of the path may forbid: names, and extensions that nobody here knows.

use super::*;

const DNS: u8 = 2;
const URI: u8 = 6;

/// Name constraints (RFC 5280 section 4.2.1.10) with one subtree: permitted (0) or excluded (1).
fn constrained(list: u8, kind: u8, base: &str) -> CaOptions {
    let wrap = |tag: u8, content: &[u8]| {
        let mut der = vec![tag, u8::try_from(content.len()).unwrap()];
        der.extend_from_slice(content);
        der
    };
    let subtree = wrap(0x30, &wrap(0x80 | kind, base.as_bytes()));
    let der = wrap(0x30, &wrap(0xa0 | list, &subtree));
    let mut options = CaOptions::new(now());
    options.extensions.push(Extension { oid: vec![2, 5, 29, 30], critical: true, der });
    options
}

#[test]
fn dns_names_are_held_to_the_constraints_of_every_ca_and_a_wildcard_is_all_that_it_could_match() {
    let permitted = || constrained(0, DNS, "good.corp.example");
    let excluded = || constrained(1, DNS, "bad.corp.example");
    let refused_path = reason(Reason::CertPath);
    let cases = [
        (permitted(), "a.good.corp.example", (None, None)),
        (permitted(), "*.good.corp.example", (None, None)),
        (permitted(), "a.bad.corp.example", refused_path),
        (permitted(), "*.corp.example", refused_path),
        (excluded(), "a.good.corp.example", (None, None)),
        (excluded(), "a.bad.corp.example", refused_path),
        (excluded(), "*.bad.corp.example", refused_path),
        (excluded(), "*.corp.example", refused_path),
    ];
    for (options, name, expected) in cases {
        let dns = |leaf: &mut LeafOptions| leaf.dns = vec![name.to_owned()];
        let above = root("root");
        let middle = above.intermediate("middle", &options).unwrap();
        assert_eq!(refused(&above, &leaf(&middle, dns)), expected, "{name}, below an intermediate");
        let top = Ca::root("root", &options).unwrap();
        assert_eq!(refused(&top, &leaf(&top, dns)), expected, "{name}, below a root");
    }
}

#[test]
fn constraints_on_uris_permit_nobody_whichever_they_name() {
    let ca = root("root");
    for (list, base) in [(0, "cluster.local"), (0, ""), (1, "other.example"), (1, "cluster.local")] {
        let middle = ca.intermediate("middle", &constrained(list, URI, base)).unwrap();
        let issued = middle.svid(&id(SLEEP), now()).unwrap();
        assert_eq!(refused(&ca, &issued), reason(Reason::CertPath), "{list} {base}");
    }
}

#[test]
fn an_unknown_critical_extension_of_an_issuer_is_refused_and_one_that_is_not_critical_is_not() {
    let ca = root("root");
    for (critical, expected) in [(true, reason(Reason::CertMalformed)), (false, (None, None))] {
        let mut options = CaOptions::new(now());
        options.extensions.push(Extension { oid: vec![1, 2, 3, 4], critical, der: vec![5, 0] });
        let middle = ca.intermediate("middle", &options).unwrap();
        assert_eq!(refused(&ca, &middle.svid(&id(SLEEP), now()).unwrap()), expected, "{critical}");
    }
}
