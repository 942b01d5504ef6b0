//! The header that tells an endpoint who the client is: version 2, with what the gateway knows as TLVs.

use std::io;
use std::net::SocketAddr;

use landbridge_core::Outcome;
use landbridge_core::outcome::TlsFacts;
use ppp::v2::{Addresses, Builder, Command, Protocol, Type, TypeLengthValue, Version, WriteToHeader, Writer};

/// The client's SPIFFE ID, by the type that ztunnel gives it; it is not a registered one.
const SPIFFE_ID: u8 = 0xD0;
/// In `client` of the SSL TLV: the client spoke TLS.
const CLIENT_SSL: u8 = 0x01;
/// In `client` of the SSL TLV: it presented a certificate on this connection.
const CLIENT_CERT_CONN: u8 = 0x02;
/// In `client` of the SSL TLV: it presented a certificate in this session.
const CLIENT_CERT_SESS: u8 = 0x04;
/// In `verify` of the SSL TLV: the certificate was verified.
const VERIFIED: u32 = 0;

/// The header for a connection of which so much is known.
///
/// # Errors
/// More than the 65 535 bytes that its length can say; names and identities are bounded far below that.
pub(super) fn version_2(outcome: &Outcome) -> io::Result<Vec<u8>> {
    let addresses = addresses(outcome.downstream_remote, outcome.downstream_local);
    let mut header =
        Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, Addresses::from(addresses));
    if let Some(alpn) = outcome.tls.as_ref().and_then(|tls| tls.alpn.as_ref()) {
        header = header.write_tlv(Type::ALPN, alpn.as_bytes())?;
    }
    if let Some(sni) = &outcome.sni {
        header = header.write_tlv(Type::Authority, sni.as_bytes())?;
    }
    if let Some(tls) = &outcome.tls {
        header = header.write_tlv(Type::SSL, &ssl(tls)?)?;
    }
    if let Some(peer) = &outcome.peer {
        header = header.write_tlv(SPIFFE_ID, peer.id.as_str().as_bytes())?;
    }
    header.build()
}

/// Both addresses in one family, because a header has only one: IPv4 beside IPv6 is mapped into it.
fn addresses(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    if source.is_ipv4() == destination.is_ipv4() {
        (source, destination)
    } else {
        (mapped(source), mapped(destination))
    }
}

fn mapped(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
        v6 @ SocketAddr::V6(_) => v6,
    }
}

/// The value of the SSL TLV: `client`, `verify`, and TLVs of its own (section 2.2.6).
fn ssl(tls: &TlsFacts) -> io::Result<Vec<u8>> {
    // A session that terminates here always has a verified certificate.
    let presented = if tls.resumed { CLIENT_CERT_SESS } else { CLIENT_CERT_SESS | CLIENT_CERT_CONN };
    let mut value = Writer::from(vec![CLIENT_SSL | presented]);
    VERIFIED.write_to(&mut value)?;
    TypeLengthValue::new(Type::SSLVersion, tls.version.as_bytes()).write_to(&mut value)?;
    TypeLengthValue::new(Type::SSLCipher, tls.cipher.as_bytes()).write_to(&mut value)?;
    Ok(value.finish())
}

#[cfg(test)]
mod tests;
