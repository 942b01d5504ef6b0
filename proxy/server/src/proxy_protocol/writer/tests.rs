//! What an endpoint is told, read back by the crate that reads it elsewhere.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use landbridge_core::service::Mode;
use landbridge_core::spiffe::{Identity, SpiffeId, TrustName};
use landbridge_core::{Reason, sni};
use ppp::v2::{Header, IPv4, IPv6, TypeLengthValues};

use super::*;

const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";

fn passed_through() -> Outcome {
    Outcome {
        connection_id: 17,
        reason: Reason::Done,
        error: None,
        started: SystemTime::UNIX_EPOCH,
        duration: Duration::ZERO,
        downstream_remote: "192.0.2.7:41000".parse().unwrap(),
        downstream_local: "198.51.100.1:15443".parse().unwrap(),
        sni: Some("db.example".into()),
        service: None,
        mode: Some(Mode::Passthrough),
        peer: None,
        tls: None,
        handshake: None,
        upstream: None,
        received: 0,
        sent: 0,
        would_deny: false,
        generation: 1,
    }
}

fn terminated(id: &str) -> Outcome {
    Outcome {
        mode: Some(Mode::Terminate),
        peer: Some(Identity { trust: TrustName::new("cluster-1"), id: SpiffeId::parse(id).unwrap() }),
        tls: Some(TlsFacts {
            version: "TLSv1.3",
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            group: "X25519".to_owned(),
            resumed: false,
            alpn: Some("istio".to_owned()),
        }),
        ..passed_through()
    }
}

fn tlvs(list: TypeLengthValues<'_>) -> Vec<(u8, Vec<u8>)> {
    list.map(|tlv| tlv.unwrap()).map(|tlv| (tlv.kind, tlv.value.into_owned())).collect()
}

#[test]
fn an_endpoint_of_a_passed_through_service_is_told_addresses_and_name() {
    let bytes = version_2(&passed_through()).unwrap();
    let header = Header::try_from(bytes.as_slice()).unwrap();
    assert_eq!((header.command, header.protocol), (Command::Proxy, Protocol::Stream));
    assert_eq!(header.addresses, IPv4::new([192, 0, 2, 7], [198, 51, 100, 1], 41000, 15443).into());
    assert_eq!(tlvs(header.tlvs()), [(0x02, b"db.example".to_vec())]);
    assert_eq!(header.len(), bytes.len());
}

#[test]
fn an_endpoint_of_a_terminated_service_is_told_the_session_and_the_identity_too() {
    let bytes = version_2(&terminated(SLEEP)).unwrap();
    let header = Header::try_from(bytes.as_slice()).unwrap();
    let told = tlvs(header.tlvs());
    let kinds: Vec<u8> = told.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [0x01, 0x02, 0x20, 0xD0]);
    assert_eq!(told[0].1, b"istio");
    assert_eq!(told[3].1, SLEEP.as_bytes());
    let (client, rest) = told[2].1.split_at(1);
    let (verify, inner) = rest.split_at(4);
    assert_eq!((client, verify), (&[0x07][..], &[0; 4][..]));
    let inner = tlvs(TypeLengthValues::from(inner));
    assert_eq!(inner, [(0x21, b"TLSv1.3".to_vec()), (0x23, b"TLS_AES_128_GCM_SHA256".to_vec())]);
}

#[test]
fn a_resumed_session_presented_no_certificate_on_this_connection() {
    let mut outcome = terminated(SLEEP);
    outcome.tls.as_mut().unwrap().resumed = true;
    let bytes = version_2(&outcome).unwrap();
    let header = Header::try_from(bytes.as_slice()).unwrap();
    assert_eq!(tlvs(header.tlvs())[2].1[0], 0x05);
}

#[test]
fn addresses_of_two_families_are_told_as_ipv6() {
    let v6: IpAddr = "2001:db8::7".parse().unwrap();
    let mut outcome = passed_through();
    outcome.downstream_remote.set_ip(v6);
    let bytes = version_2(&outcome).unwrap();
    let header = Header::try_from(bytes.as_slice()).unwrap();
    let IpAddr::V6(v6) = v6 else { unreachable!() };
    let local: std::net::Ipv6Addr = "::ffff:198.51.100.1".parse().unwrap();
    assert_eq!(header.addresses, IPv6::new(v6, local, 41000, 15443).into());
}

#[test]
fn the_longest_identity_and_name_fit_and_what_does_not_fit_is_an_error() {
    let prefix = "spiffe://cluster.local/ns/default/sa/";
    let longest = format!("{prefix}{}", "a".repeat(2048 - prefix.len()));
    let mut outcome = terminated(&longest);
    let name = [&"a".repeat(63); 3].map(String::as_str).join(".") + "." + &"a".repeat(61);
    assert!(sni::Sni::parse(&name).is_ok() && name.len() == 253);
    outcome.sni = Some(name.into());
    let bytes = version_2(&outcome).unwrap();
    assert!(bytes.len() < 4096, "{}", bytes.len());
    assert_eq!(tlvs(Header::try_from(bytes.as_slice()).unwrap().tlvs())[3].1, longest.as_bytes());

    for length in [65_536, 65_535, 65_500, 1 << 20] {
        outcome.sni = Some("a".repeat(length).into());
        assert!(version_2(&outcome).is_err(), "{length}");
    }
}
