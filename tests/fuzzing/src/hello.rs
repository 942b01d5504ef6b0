//! ClientHellos: what rustls reads in one go is read here in any pieces.

use landbridge_certs::{HelloError, HelloReader};
use landbridge_core::{Reason, Sni};
use rustls::server::Acceptor;
use rustls::{Error, InvalidMessage};

/// Caps of a hello, in bytes: the default, and those that small inputs can reach.
const CAPS: [usize; 4] = [16_384, 40, 200, 600];

/// What came of a reading: of a whole hello its name, its application protocols and where it ends.
type Read = Result<Option<(Option<String>, Vec<Vec<u8>>, usize)>, Reason>;

/// The input: a byte that chooses the cap and how many sizes of pieces follow, those sizes, and a stream.
pub fn hello(data: &[u8]) {
    let [choice, rest @ ..] = data else { return };
    let cap = CAPS[usize::from(choice >> 3 & 3)];
    let (sizes, stream) = rest.split_at(usize::from(choice % 8).min(rest.len()));
    let whole = read(stream, &[], cap);
    assert_eq!(read(stream, sizes, cap), whole, "in pieces of {sizes:?}");
    if cap == CAPS[0] {
        against_rustls(&whole, stream);
    }
}

/// Feeds `stream` in pieces of these sizes, over and over; without sizes, at once.
fn read(stream: &[u8], sizes: &[u8], cap: usize) -> Read {
    let mut reader = HelloReader::new(cap);
    let mut sizes = sizes.iter().map(|size| usize::from(*size).max(1)).cycle();
    let (mut fed, mut rest) = (0, stream);
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
        (fed, rest) = (fed + piece.len(), later);
        match reader.feed(piece) {
            Ok(None) => {}
            Ok(Some(hello)) => {
                let (sni, alpn) = (hello.sni().map(str::to_owned), hello.alpn().to_vec());
                let (_, behind) = hello.into_accepted();
                return Ok(Some((sni, alpn, fed - behind.len())));
            }
            Err(HelloError { reason, alert, .. }) => {
                assert!(alert.is_empty() || alert.len() == 7);
                return Err(reason);
            }
        }
    }
    Ok(None)
}

fn against_rustls(ours: &Read, stream: &[u8]) {
    let (mut acceptor, mut rest) = (Acceptor::default(), stream);
    let mut theirs = Ok(None);
    while !rest.is_empty() && matches!(theirs, Ok(None)) {
        if !matches!(acceptor.read_tls(&mut rest), Ok(1..)) {
            return;
        }
        theirs = match acceptor.accept() {
            Ok(accepted) => Ok(accepted.map(|it| it.client_hello().server_name().map(str::to_owned))),
            Err((error, _)) => Err(error),
        };
    }
    match (ours, theirs) {
        (Ok(Some((sni, ..))), Ok(Some(name))) => {
            assert_eq!(*sni, name);
            if let Some(name) = name {
                let parsed = Sni::parse(&name);
                assert_eq!(parsed.as_ref().map(Sni::as_str), Ok(name.as_str()));
            }
        }
        // Headers tell sooner than a whole message does, except for what rustls tells from a part of one.
        (Ok(None) | Err(_), Ok(None))
        | (Err(_), Err(_))
        | (
            Ok(None),
            Err(Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            )),
        )
        // rustls does not look at the version in a record's header, and takes hellos of up to 64 KiB.
        | (Err(Reason::NotTls | Reason::HelloTooLarge), Ok(Some(_))) => {}
        (ours, theirs) => panic!("{ours:?} against {theirs:?}"),
    }
}
