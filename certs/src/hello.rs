//! One ClientHello, read without I/O: from the bytes of a stranger to a server name.
//!
//! The bytes are kept as they came, so that a passed-through connection can replay them, and are
//! given to rustls in one go once a whole hello is there: what the name is, rustls alone decides.
//! Until then only record and message headers are looked at, which bounds what an unfinished hello
//! may cost: its own bytes, and one pass over them however they are cut into segments and records.

use std::{fmt, mem};

use landbridge_core::Reason;
use rustls::server::{Accepted, Acceptor, ClientHello};
use rustls::{Error, PeerIncompatible};

use self::scan::{Fault, Scan};
use crate::failure::reason_of_hello;

mod scan;
mod versions;

/// Collects the bytes of a connection until its ClientHello is whole.
///
/// Any fragmentation is accepted: one byte at a time, several records, a record boundary inside the
/// message header.
pub struct HelloReader {
    raw: Vec<u8>,
    scan: Scan,
}

/// A whole ClientHello that rustls could decode, and every byte that came with it.
pub struct Hello {
    accepted: Accepted,
    raw: Vec<u8>,
    end: usize,
    sni: Option<Box<str>>,
    alpn: Vec<Vec<u8>>,
}

/// The connection does not begin with a ClientHello that can be answered.
#[derive(Debug, thiserror::Error)]
#[error("{reason}{}", error.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
pub struct HelloError {
    /// What log and metrics call it.
    pub reason: Reason,
    /// TLS records to write before closing; may be empty.
    pub alert: Vec<u8>,
    /// What rustls said, where it was asked.
    pub error: Option<Error>,
}

/// A fatal alert as one unprotected record (RFC 8446 sections 5.1 and 6): `15 03 03 00 02 02 NN`.
///
/// It can stand only before the ServerHello.
pub fn plaintext_alert(description: u8) -> [u8; 7] {
    [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, description]
}

impl HelloReader {
    /// Makes a reader for a hello of at most `cap_bytes`: the handshake message with its header of 4
    /// bytes. All records together may have twice that, because each adds a header of 5 bytes.
    pub fn new(cap_bytes: usize) -> Self {
        Self { raw: Vec::new(), scan: Scan::new(cap_bytes) }
    }

    /// Whether no byte has come yet, as from the probe of a load balancer.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// Takes the bytes that were just read; `None` means that more are needed.
    ///
    /// Bytes after the hello are kept with it. After a hello or an error the reader is spent.
    ///
    /// # Errors
    /// What came is not a ClientHello, or too large a one. A length that exceeds the cap is refused
    /// when it is announced, not when it has arrived.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Hello>, HelloError> {
        self.raw.extend_from_slice(bytes);
        match self.scan.advance(&self.raw) {
            Ok(None) => Ok(None),
            Ok(Some(end)) => Hello::decode(mem::take(&mut self.raw), end, &self.scan).map(Some),
            Err(fault) => Err(HelloError::of_fault(fault)),
        }
    }
}

impl Hello {
    fn decode(raw: Vec<u8>, end: usize, scan: &Scan) -> Result<Self, HelloError> {
        let mut rest = raw.get(..end).unwrap_or_default();
        let mut acceptor = Acceptor::default();
        while !rest.is_empty() {
            // rustls joins a fragmented message in at most 64 KiB.
            if !matches!(acceptor.read_tls(&mut rest), Ok(1..)) {
                return Err(HelloError::of_fault(Fault::TooLarge));
            }
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => return Ok(Self::of(accepted, raw, end)),
                Err((error, _)) if scan.legacy() && error == missing_extension() => {
                    return Err(HelloError::of_decoding(Reason::Version, error));
                }
                Err((error, _)) => return Err(HelloError::of_decoding(reason_of_hello(&error), error)),
            }
        }
        Err(HelloError::of_fault(Fault::Malformed))
    }

    fn of(accepted: Accepted, raw: Vec<u8>, end: usize) -> Self {
        let hello = accepted.client_hello();
        let sni = hello.server_name().map(Box::from);
        let alpn = hello.alpn().map_or_else(Vec::new, |offered| offered.map(<[u8]>::to_vec).collect());
        Self { accepted, raw, end, sni, alpn }
    }

    /// The server name, ASCII lower-cased: the one that rustls reports for the connection later.
    ///
    /// `None` also where the client sent an IP address, which RFC 6066 section 3 forbids and rustls
    /// takes for no name.
    pub fn sni(&self) -> Option<&str> {
        self.sni.as_deref()
    }

    /// The application protocols that the client offers, in its order of preference.
    pub fn alpn(&self) -> &[Vec<u8>] {
        &self.alpn
    }

    /// Whether the client offers TLS 1.3, which is then what is spoken.
    pub(crate) fn offers_tls13(&self) -> bool {
        versions::offer_tls13(self.raw.get(..self.end).unwrap_or_default())
    }

    /// How many bytes it came in, record headers included.
    pub(crate) fn len(&self) -> usize {
        self.end
    }

    /// Everything else that the client offers, for logs.
    pub fn client_hello(&self) -> ClientHello<'_> {
        self.accepted.client_hello()
    }

    /// What the handshake goes on with: the accepted hello, and the bytes after it, which its connection
    /// has not seen and must read before any other.
    pub fn into_accepted(self) -> (Accepted, Vec<u8>) {
        let mut raw = self.raw;
        let rest = raw.split_off(self.end.min(raw.len()));
        (self.accepted, rest)
    }

    /// Every byte that was fed, to be replayed to an endpoint.
    pub fn into_raw(self) -> Vec<u8> {
        self.raw
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("sni", &self.sni).field("alpn", &self.alpn).finish_non_exhaustive()
    }
}

impl HelloError {
    fn of_fault(fault: Fault) -> Self {
        let reason = match fault {
            Fault::NotTls => Reason::NotTls,
            Fault::TooLarge => Reason::HelloTooLarge,
            Fault::Malformed => Reason::HelloMalformed,
            Fault::Version => Reason::Version,
            Fault::Alert => Reason::HandshakeBroken,
        };
        Self { reason, alert: records_for(reason), error: None }
    }

    /// The alert is the reason's, as wherever the gateway speaks before rustls does.
    fn of_decoding(reason: Reason, error: Error) -> Self {
        Self { reason, alert: records_for(reason), error: Some(error) }
    }
}

/// What rustls misses in a hello of TLS 1.1 or older, before it notices the version.
fn missing_extension() -> Error {
    PeerIncompatible::SignatureAlgorithmsExtensionRequired.into()
}

fn records_for(reason: Reason) -> Vec<u8> {
    reason.alert().map_or_else(Vec::new, |alert| plaintext_alert(alert).to_vec())
}

#[cfg(test)]
mod tests;
