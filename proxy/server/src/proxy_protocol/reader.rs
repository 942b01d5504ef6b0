//! One PROXY header, read without I/O: in whatever pieces it comes, and never more than its bound.

use std::mem;
use std::net::SocketAddr;

use ppp::PartialResult;
use ppp::v1;
use ppp::v2::{self, Protocol};

/// The longest line of version 1, with its line feed (section 2.1).
const LONGEST_LINE: usize = 107;
/// What a header of version 1 begins with.
const LINE: &[u8] = b"PROXY ";
/// Of a header of version 2, what comes before addresses and TLVs (section 2.2).
const FIXED: usize = 16;
/// The largest header of version 2 that is read. Addresses take 52 bytes, and nobody sends 4 KiB of TLVs.
const LARGEST: usize = 4096;
/// Version 2, command LOCAL.
const LOCAL: u8 = 0x20;

/// Collects the bytes of a connection until its header is whole.
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    raw: Vec<u8>,
}

/// A whole header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `None` where the load balancer speaks for itself or of nothing it knows (LOCAL, UNKNOWN,
    /// unspecified): the connection is its own.
    pub(super) announced: Option<Announced>,
    /// What came behind the header.
    pub(super) behind: Vec<u8>,
}

/// The connection that a load balancer accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

/// The connection does not begin with a header that can be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error("begins with TLS and not with a PROXY header")]
    Tls,
    #[error("begins with no PROXY header of version 1 or 2")]
    Signature,
    #[error("the line of version 1 has more than {LONGEST_LINE} bytes")]
    Line,
    #[error("version 1: {0}")]
    V1(#[from] v1::BinaryParseError),
    #[error("version 2: {0}")]
    V2(#[from] v2::ParseError),
    #[error("version 2: a header of {0} bytes; at most {LARGEST} are read")]
    Large(usize),
    #[error("version 2: the announced connection is not TCP over IPv4 or IPv6")]
    NotTcp,
}

/// Where the header ends, and what it announces; `None` where more bytes are needed.
pub(super) type Parsed = Result<Option<(usize, Option<Announced>)>, Malformed>;

impl HeaderReader {
    /// Whether no byte has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Takes the bytes that were just read; `None` means that more are needed.
    ///
    /// After a header or an error the reader is spent.
    ///
    /// # Errors
    /// What came is not, and can't become, a header that can be used. A length above the bound is refused
    /// when it is announced.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Header>, Malformed> {
        self.raw.extend_from_slice(bytes);
        let Some((end, announced)) = parse(&self.raw)? else { return Ok(None) };
        let mut raw = mem::take(&mut self.raw);
        let behind = raw.split_off(end.min(raw.len()));
        Ok(Some(Header { announced, behind }))
    }
}

pub(super) fn parse(raw: &[u8]) -> Parsed {
    const HANDSHAKE: u8 = 0x16;
    match raw.first() {
        None => Ok(None),
        Some(_) if begins(raw, v2::PROTOCOL_PREFIX) => version_2(raw),
        Some(_) if begins(raw, LINE) => version_1(raw),
        Some(&HANDSHAKE) => Err(Malformed::Tls),
        Some(_) => Err(Malformed::Signature),
    }
}

/// Whether `raw` begins with `signature`, as far as either goes.
fn begins(raw: &[u8], signature: &[u8]) -> bool {
    raw.iter().zip(signature).all(|(byte, expected)| byte == expected)
}

fn version_1(raw: &[u8]) -> Parsed {
    let line = raw.get(..LONGEST_LINE).unwrap_or(raw);
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n").map(|at| at + 2) else {
        return if raw.len() < LONGEST_LINE { Ok(None) } else { Err(Malformed::Line) };
    };
    let header = v1::Header::try_from(raw.get(..end).unwrap_or_default())?;
    let announced = match header.addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(it) => Some(Announced {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
        v1::Addresses::Tcp6(it) => Some(Announced {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
    };
    Ok(Some((end, announced)))
}

fn version_2(raw: &[u8]) -> Parsed {
    let Some([command, _, high, low]) = raw.get(FIXED - 4..).and_then(<[u8]>::first_chunk) else {
        return Ok(None);
    };
    let end = FIXED + usize::from(u16::from_be_bytes([*high, *low]));
    if end > LARGEST {
        return Err(Malformed::Large(end));
    }
    // Whatever else such a header says is to be ignored (section 2.2).
    if *command == LOCAL {
        return Ok((raw.len() >= end).then_some((end, None)));
    }
    let header = v2::Header::try_from(raw);
    if header.is_incomplete() {
        return Ok(None);
    }
    let header = header?;
    if let Some(error) = header.tlvs().find_map(Result::err) {
        return Err(error.into());
    }
    let announced = match (header.protocol, header.addresses) {
        (Protocol::Unspecified, v2::Addresses::Unspecified) => None,
        (Protocol::Stream, v2::Addresses::IPv4(it)) => Some(Announced {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
        (Protocol::Stream, v2::Addresses::IPv6(it)) => Some(Announced {
            source: (it.source_address, it.source_port).into(),
            destination: (it.destination_address, it.destination_port).into(),
        }),
        _ => return Err(Malformed::NotTcp),
    };
    Ok(Some((end, announced)))
}

#[cfg(test)]
mod tests;
