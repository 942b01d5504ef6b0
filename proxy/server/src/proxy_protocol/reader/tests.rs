//! Headers whole, cut, changed and made up.

use ppp::v2::{AddressFamily, Addresses, Builder, Command, Type, Version};
use proptest::prelude::*;

use super::*;

const BEHIND: &[u8] = b"\x16\x03\x01 and so on";

fn pair(source: &str, destination: &str) -> (SocketAddr, SocketAddr) {
    (source.parse().unwrap(), destination.parse().unwrap())
}

fn proxy(addresses: (SocketAddr, SocketAddr)) -> Builder {
    Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, Addresses::from(addresses))
}

fn of_v2(command: u8, family_transport: u8, rest: &[u8]) -> Vec<u8> {
    Builder::new(command, family_transport).write_payload(rest).unwrap().build().unwrap()
}

/// Headers that can be used, with what they announce.
fn good() -> Vec<(Vec<u8>, Option<Announced>)> {
    let v4 = pair("192.0.2.7:41000", "198.51.100.1:15443");
    let v6 = pair("[2001:db8::7]:41000", "[2001:db8::1]:15443");
    let mapped = pair("[::ffff:192.0.2.7]:41000", "[::ffff:198.51.100.1]:15443");
    let said = |(source, destination)| Some(Announced { source, destination });
    let line = |text: &str| text.as_bytes().to_vec();
    let tlvs = |builder: Builder| {
        let vpc = builder.write_tlv(0xEA_u8, b"\x01vpce-08d2bf15fac5001c9").unwrap();
        vpc.write_tlv(Type::NoOp, &[0; 60]).unwrap().build().unwrap()
    };
    vec![
        (line("PROXY TCP4 192.0.2.7 198.51.100.1 41000 15443\r\n"), said(v4)),
        (line("PROXY TCP6 2001:db8::7 2001:db8::1 41000 15443\r\n"), said(v6)),
        (line("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 41000 15443\r\n"), said(mapped)),
        (line("PROXY UNKNOWN\r\n"), None),
        (line(&format!("PROXY UNKNOWN {0} {0} 65535 65535\r\n", ["ffff"; 8].join(":"))), None),
        (proxy(v4).build().unwrap(), said(v4)),
        (proxy(v6).build().unwrap(), said(v6)),
        (proxy(mapped).build().unwrap(), said(mapped)),
        (tlvs(proxy(v4)), said(v4)),
        (tlvs(proxy(v6)), said(v6)),
        (of_v2(0x20, 0x00, &[]), None),
        // What LOCAL says of addresses is ignored, even where it could not be.
        (of_v2(0x20, 0x11, &[1, 2, 3]), None),
        (of_v2(0x20, 0xFF, &[]), None),
        (of_v2(0x21, 0x00, &[]), None),
        (of_v2(0x21, 0x00, &[9; 36]), None),
        (proxy(v4).write_tlv(Type::NoOp, &[0; LARGEST - FIXED - 12 - 3]).unwrap().build().unwrap(), said(v4)),
    ]
}

fn read_all(pieces: &[&[u8]]) -> Result<Option<Header>, Malformed> {
    let mut reader = HeaderReader::default();
    for piece in pieces {
        if let Some(header) = reader.feed(piece)? {
            return Ok(Some(header));
        }
    }
    Ok(None)
}

#[test]
fn a_header_is_read_whatever_comes_behind_it_and_every_prefix_of_it_needs_more() {
    for (bytes, announced) in good() {
        for end in 0..bytes.len() {
            assert_eq!(read_all(&[&bytes[..end]]).unwrap(), None, "{end} of {bytes:?}");
        }
        let whole = Header { announced, behind: Vec::new() };
        assert_eq!(read_all(&[&bytes]).unwrap().as_ref(), Some(&whole), "{bytes:?}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read_all(&single).unwrap(), Some(whole), "{bytes:?}");

        let pipelined = [&bytes, BEHIND].concat();
        let header = read_all(&[&pipelined]).unwrap().unwrap();
        assert_eq!((header.announced, header.behind.as_slice()), (announced, BEHIND), "{bytes:?}");
    }
}

#[test]
fn what_is_no_header_is_refused_by_its_first_byte_that_shows_it() {
    assert!(matches!(read_all(&[b"\x16"]), Err(Malformed::Tls)));
    for beginning in ["G", "p", "PROXX", "PROXY\t", "\n", "\r\r", "\r\n\r\n\0\r\nQUIT\r", "\0"] {
        assert!(matches!(read_all(&[beginning.as_bytes()]), Err(Malformed::Signature)), "{beginning:?}");
    }
}

#[test]
fn a_line_that_lies_is_refused() {
    let lines = [
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 41000\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 41000 15443 \r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 41000 15443\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 41000 65536\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 041000 15443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 41000 15443\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 41000 15443\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 41000 15443\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 41000 15443\r\n",
        "PROXY tcp4 192.0.2.7 198.51.100.1 41000 15443\r\n",
        "PROXY UNKNOWN\r \r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 41000 15443\r\r\n",
    ];
    for line in lines {
        assert!(matches!(read_all(&[line.as_bytes()]), Err(Malformed::V1(_))), "{line:?}");
    }
    assert!(read_all(&[b"PROXY UNKNOWN \xff\r\n"]).is_err());
    // A line feed alone does not end a line.
    assert_eq!(read_all(&[b"PROXY UNKNOWN\n\x16\x03\x01"]).unwrap(), None);
}

#[test]
fn a_line_may_have_107_bytes_and_no_more() {
    let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16)).into_bytes();
    assert!(read_all(&[&line(107)]).unwrap().is_some());
    assert_eq!(read_all(&[&line(107)[..106]]).unwrap(), None);
    assert!(matches!(read_all(&[&line(108)]), Err(Malformed::Line)));
    assert!(matches!(read_all(&[&line(108)[..107]]), Err(Malformed::Line)));
}

#[test]
fn a_length_that_lies_is_refused_as_soon_as_it_shows() {
    let addresses = pair("192.0.2.7:41000", "198.51.100.1:15443");
    let lying = |length: u16| proxy(addresses).set_length(length).build().unwrap();
    // Too short for the addresses; and longer than what is there, so that it takes what is not its own.
    assert!(matches!(read_all(&[&lying(11)[..16]]), Err(Malformed::V2(_))));
    assert!(matches!(read_all(&[&lying(20), BEHIND]), Err(Malformed::V2(_))));
    assert_eq!(read_all(&[&lying(13)]).unwrap(), None);
    let largest = u16::try_from(LARGEST - FIXED).unwrap();
    assert_eq!(read_all(&[&lying(largest)[..16]]).unwrap(), None);
    for length in [largest + 1, u16::MAX] {
        assert!(matches!(read_all(&[&lying(length)[..16]]), Err(Malformed::Large(_))));
    }
    let local = Builder::new(LOCAL, 0).set_length(largest + 1).build().unwrap();
    assert!(matches!(read_all(&[&local]), Err(Malformed::Large(_))));
}

#[test]
fn version_2_that_is_not_tcp_or_not_version_2_is_refused() {
    let unix = AddressFamily::Unix as u8;
    let cases: [(u8, u8, &[u8]); 8] = [
        (0x21, 0x12, &[0; 12]),
        (0x21, 0x22, &[0; 36]),
        (0x21, 0x10, &[0; 12]),
        (0x21, 0x01, &[]),
        (0x21, unix | 1, &[0; 216]),
        (0x21, 0x41, &[0; 36]),
        (0x22, 0x11, &[0; 12]),
        (0x11, 0x11, &[0; 12]),
    ];
    for (command, family_transport, rest) in cases {
        let header = of_v2(command, family_transport, rest);
        let refused = read_all(&[&header]);
        assert!(matches!(refused, Err(Malformed::V2(_) | Malformed::NotTcp)), "{refused:?}: {header:?}");
    }
    let broken_tlvs: [&[u8]; 3] = [&[4], &[4, 0], &[4, 0, 2, 0]];
    for tlvs in broken_tlvs {
        let header = of_v2(0x21, 0x11, &[&[0; 12], tlvs].concat());
        assert!(matches!(read_all(&[&header]), Err(Malformed::V2(_))), "{tlvs:?}");
    }
}

proptest! {
    #[test]
    fn a_changed_header_is_read_refused_or_waited_for_and_how_it_is_cut_changes_nothing(
        index in 0..good().len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cuts in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let mut bytes = [&good()[index].0[..], BEHIND].concat();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        for cut in cuts {
            let (piece, more) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        pieces.push(rest);
        match (read_all(&[&bytes]), read_all(&pieces)) {
            (Ok(Some(whole)), Ok(Some(cut))) => {
                prop_assert_eq!(whole.announced, cut.announced);
                prop_assert!(whole.behind.starts_with(&cut.behind));
            }
            (Ok(None), Ok(None)) | (Err(_), Err(_)) => {}
            (whole, cut) => prop_assert!(false, "{whole:?} is not {cut:?}"),
        }
    }

    #[test]
    fn bytes_behind_a_signature_never_panic_and_never_grow_past_the_bound(
        signature in prop::sample::select(vec![LINE, v2::PROTOCOL_PREFIX]),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..20),
    ) {
        let mut reader = HeaderReader::default();
        prop_assert_eq!(reader.feed(signature).ok(), Some(None));
        for piece in pieces {
            match reader.feed(&piece) {
                Ok(None) => prop_assert!(reader.raw.len() < LARGEST),
                Ok(Some(header)) => {
                    prop_assert!(header.behind.len() <= piece.len());
                    break;
                }
                Err(_) => break,
            }
        }
    }
}
