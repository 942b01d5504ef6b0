//! What is not a hello that can be answered.

use super::*;

#[test]
fn what_is_not_tls_is_told_from_its_first_five_bytes() {
    let cases: [&[u8]; 8] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        b"\r\n\r\n\0\r\nQUIT\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\0",
        b"\xff\xff\xff\xff\xff",
        b"\x16GET \0",
    ];
    for bytes in cases {
        assert_eq!(refused(bytes), with_alert(Reason::NotTls, 50), "{bytes:?}");
        assert_eq!(refused(&bytes[..5]).0, Reason::NotTls);
        assert!(read(&bytes[..4], 1, CAP).unwrap().is_none());
    }
}

#[test]
fn tls_that_does_not_begin_with_a_hello_is_malformed() {
    let hello = hybrid_hello();
    let mut interleaved = records(message(&hello), &[100]);
    interleaved.splice(105..105, record(20, &[1]));
    let mut doubled = message(&hello).to_vec();
    doubled.extend_from_slice(message(&hello));
    let mut empty = vec![22, 3, 1, 0, 0];
    empty.extend(&hello);
    let cases = [
        ("a ServerHello", record(22, &[2, 0, 0, 2, 3, 3])),
        ("application data", record(23, b"hello")),
        ("a change_cipher_spec", record(20, &[1])),
        ("a heartbeat", record(24, &[1])),
        ("an empty record", empty),
        ("a record beyond the limit", vec![22, 3, 1, 0x48, 0]),
        ("another record within the hello", interleaved),
        ("a second message in the record", record(22, &doubled)),
        ("a body that ends too early", record(22, &[1, 0, 0, 2, 3, 3])),
    ];
    for (what, bytes) in cases {
        let (reason, alert) = refused(&bytes);
        assert_eq!(reason, Reason::HelloMalformed, "{what}");
        assert_eq!(alert, plaintext_alert(50), "{what}");
    }
}

#[test]
fn an_alert_instead_of_a_hello_is_answered_with_none() {
    let close_notify = [21, 3, 3, 0, 2, 1, 0];
    assert_eq!(refused(&close_notify), (Reason::HandshakeBroken, Vec::new()));
    let mut bytes = records(message(&hybrid_hello()), &[100]);
    bytes.splice(105..105, close_notify);
    assert_eq!(refused(&bytes), (Reason::HandshakeBroken, Vec::new()));
}

#[test]
fn versions_before_tls_1_2_are_told_so() {
    let sslv2 = [0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10];
    assert_eq!(refused(&sslv2), with_alert(Reason::Version, 70));
    let with_tls_inside = [0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10];
    assert_eq!(refused(&with_tls_inside), with_alert(Reason::Version, 70));
    for minor in [0, 1, 2] {
        let old = record(22, &composed([3, minor], &[]));
        assert_eq!(refused(&old), with_alert(Reason::Version, 70), "3.{minor}");
        let named = composed([3, minor], &[server_name(&[(0, b"a.example")])]);
        assert_eq!(refused(&record(22, &named)), with_alert(Reason::Version, 70));
    }
    // TLS 1.2 without signature algorithms has nothing in common with us.
    let bare = record(22, &composed([3, 3], &[]));
    assert_eq!(refused(&bare), with_alert(Reason::NoCommon, 40));
}

#[test]
fn extensions_that_repeat_or_lie_about_their_length_are_malformed() {
    let twice = composed([3, 3], &[schemes(), schemes()]);
    assert_eq!(refused(&record(22, &twice)).0, Reason::HelloMalformed);
    let mut lying = composed([3, 3], &[schemes(), (10, vec![0, 2, 0, 29])]);
    let last = lying.len() - 5;
    lying[last] = 0xff;
    assert_eq!(refused(&record(22, &lying)).0, Reason::HelloMalformed);
}

#[test]
fn a_plaintext_alert_is_one_record_of_tls_1_2() {
    assert_eq!(plaintext_alert(112), [0x15, 3, 3, 0, 2, 2, 0x70]);
}

#[test]
fn an_error_names_its_reason_and_what_rustls_said() {
    let error = read(&named(b"a..b"), 100, CAP).err().unwrap();
    assert_eq!(error.to_string(), "bad_sni: peer misbehaved: ServerNameMustContainOneHostName");
    let error = read(b"GET / HTTP", 100, CAP).err().unwrap();
    assert_eq!(error.to_string(), "not_tls");
}
