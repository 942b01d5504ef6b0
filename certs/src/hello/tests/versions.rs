//! Which versions a hello offers.

use super::*;
use crate::hello::versions::offer_tls13;

#[test]
fn tls_1_3_is_offered_by_the_extension_and_by_nothing_else_however_the_hello_is_cut() {
    let cases: [(&[&'static SupportedProtocolVersion], bool); 3] =
        [(&[&TLS13], true), (&[&TLS13, &TLS12], true), (&[&TLS12], false)];
    for (versions, offered) in cases {
        let bytes = captured(NAME, Shares::Hybrid, versions);
        for sizes in [vec![], vec![1, 2, 3], vec![4, 39, 1], vec![300, 300]] {
            let hello = whole(&records(message(&bytes), &sizes));
            // The client that offers TLS 1.2 alone names suites of TLS 1.3 all the same.
            let suites = hello.client_hello().cipher_suites().to_vec();
            assert!(suites.contains(&rustls::CipherSuite::TLS13_AES_128_GCM_SHA256));
            assert_eq!(hello.offers_tls13(), offered, "{sizes:?}");
        }
        // What a client pipelines is none of the hello.
        let hello = whole(&[&bytes[..], &[20, 3, 3, 0, 1, 1]].concat());
        assert_eq!(hello.offers_tls13(), offered);
    }
}

#[test]
fn what_is_cut_offers_nothing() {
    let bytes = captured(NAME, Shares::Classic, &[&TLS13]);
    assert!(offer_tls13(&bytes));
    for length in 0..bytes.len() {
        assert!(!offer_tls13(&bytes[..length]), "{length} bytes");
    }
}

proptest! {
    #[test]
    fn bytes_that_nobody_chose_are_followed_no_further_than_they_go(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let _ = offer_tls13(&bytes);
        let mut hello = vec![1, 0, 0, 100, 3, 3];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0x13, 1, 1, 0]);
        hello.extend(body);
        let _ = offer_tls13(&record(22, &hello));
    }
}
