//! Names: those of DNS, and everything that is none.

use super::*;

#[test]
fn a_hello_of_one_record_gives_name_protocols_and_its_bytes_back() {
    let bytes = hybrid_hello();
    assert!(bytes.len() > 1_200, "the hybrid key share is in it");
    let hello = whole(&bytes);
    assert_eq!(hello.sni(), Some(NAME));
    assert_eq!(hello.alpn(), [b"istio-peer-exchange".to_vec(), b"istio".to_vec()]);
    assert!(hello.client_hello().named_groups().is_some());
    assert_eq!(hello.into_raw(), bytes);
}

#[test]
fn names_are_lowered_and_held_to_the_rules_that_configured_names_are_held_to() {
    let long = |last: usize| {
        let label = "a".repeat(63);
        format!("{label}.{label}.{label}.{}", "b".repeat(last))
    };
    let cases: Vec<(Vec<u8>, Option<String>)> = vec![
        (b"A.Example".to_vec(), Some("a.example".into())),
        (b"OUTBOUND_.8000_.V1_.x.y".to_vec(), Some("outbound_.8000_.v1_.x.y".into())),
        (b"a.example.".to_vec(), Some("a.example.".into())),
        (long(61).into_bytes(), Some(long(61))),
        (long(62).into_bytes(), None),
        (b"a..b".to_vec(), None),
        (b"*.example".to_vec(), None),
        (b"a|b".to_vec(), None),
        (b"outbound|8000||x".to_vec(), None),
        (b"a\0b".to_vec(), None),
        (b"a\r\nb: c".to_vec(), None),
        (b"a\x1b[31m".to_vec(), None),
        ("bücher.example".as_bytes().to_vec(), None),
        (b"\xff\xfe".to_vec(), None),
    ];
    for (name, expected) in cases {
        let bytes = named(&name);
        match expected {
            Some(expected) => {
                let hello = whole(&bytes);
                assert_eq!(hello.sni(), Some(expected.as_str()));
                assert_eq!(Sni::parse(&expected).unwrap().as_str(), expected);
            }
            None => assert_eq!(
                refused(&bytes),
                with_alert(Reason::SniInvalid, 47),
                "{:?}",
                String::from_utf8_lossy(&name)
            ),
        }
    }
}

#[test]
fn an_absent_name_and_an_address_are_no_name() {
    let absent = record(22, &composed([3, 3], &[schemes()]));
    assert_eq!(whole(&absent).sni(), None);
    assert_eq!(whole(&named(b"10.0.0.1")).sni(), None);
    assert_eq!(whole(&captured("10.0.0.1", Shares::Hybrid, &[&TLS13])).sni(), None);
}

#[test]
fn odd_lists_of_names_are_never_the_first_of_several() {
    let listed = |entries: &[(u8, &[u8])]| record(22, &composed([3, 3], &[server_name(entries), schemes()]));
    let two = listed(&[(0, b"a.example"), (0, b"b.example")]);
    assert_eq!(refused(&two), with_alert(Reason::SniInvalid, 47));
    assert_eq!(refused(&listed(&[])), with_alert(Reason::HelloMalformed, 50), "an empty list");
    assert_eq!(
        refused(&listed(&[(1, b"a.example")])),
        with_alert(Reason::SniInvalid, 47),
        "of an unknown type"
    );
    assert_eq!(refused(&listed(&[(0, b"")])), with_alert(Reason::HelloMalformed, 50), "an empty name");
}

#[test]
fn grease_of_every_kind_is_ignored() {
    let hello = composed(
        [3, 3],
        &[
            (0x1a1a, vec![]),
            server_name(&[(0, b"a.example")]),
            schemes(),
            (10, vec![0, 4, 0x2a, 0x2a, 0, 29]),
            (16, vec![0, 9, 2, 0x3a, 0x3a, 5, b'i', b's', b't', b'i', b'o']),
            // encrypted_client_hello, outer, as a client without configuration sends (RFC 9849).
            (0xfe0d, vec![0, 0, 1, 0, 1, 7, 0, 1, 9, 0, 2, 1, 2]),
            (0x3a3a, vec![0]),
        ],
    );
    let hello = whole(&record(22, &hello));
    assert_eq!(hello.sni(), Some("a.example"));
    assert_eq!(hello.alpn(), [vec![0x3a, 0x3a], b"istio".to_vec()]);
}
