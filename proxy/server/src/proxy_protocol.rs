//! The PROXY protocol: who the client is, as a load balancer says it and as an endpoint is told.
//!
//! Versions 1 and 2 are read, version 2 is written, after HAProxy's `doc/proxy-protocol.txt`.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use landbridge_core::config::ProxyProtocol;
use landbridge_core::service::SendProxy;
use landbridge_core::{Reason, Service};
use tokio::net::TcpStream;

use self::reader::{Header, HeaderReader};
use crate::handshake::{deadline, read_some};
use crate::record::Record;
use crate::refusal::Refusal;
use crate::shared::Shared;

mod reader;
mod writer;

/// A whole PROXY header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// How many bytes it has; the client's own follow.
    pub length: usize,
    /// Source and destination of the connection that the load balancer accepted; `None` where it speaks for
    /// itself, or of nothing it knows.
    pub announced: Option<(SocketAddr, SocketAddr)>,
}

/// What a connection begins with is not, and can't become, a PROXY header that can be used.
#[derive(Debug)]
pub struct ProxyHeaderError(reader::Malformed);

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ProxyHeaderError {}

/// Reads the PROXY header at the front of `bytes` as a gateway's listener does; `None` means that more bytes are
/// needed.
///
/// # Errors
/// There is none, of either version, or one that a gateway refuses.
pub fn proxy_header(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let read = reader::parse(bytes).map_err(ProxyHeaderError)?;
    Ok(read.map(|(length, announced)| ProxyHeader {
        length,
        announced: announced.map(|it| (it.source, it.destination)),
    }))
}

/// Reads the header that a load balancer puts in front of the client's bytes, where one is required, and
/// returns what came behind it.
///
/// The header shares the deadline of the ClientHello. There is no way on without it: a connection that has
/// none is refused, as is one from an address that may not speak for others.
pub(crate) async fn announced(
    shared: &Shared,
    tcp: &mut TcpStream,
    record: &mut Record,
) -> Result<Vec<u8>, Refusal> {
    let ProxyProtocol::Required { from } = &shared.config.listener.proxy_protocol else {
        return Ok(Vec::new());
    };
    if !from.iter().any(|range| range.contains(record.source())) {
        return Err(Refusal::reset(Reason::ProxySource));
    }
    let deadline = deadline(record.started(), shared.config.timeouts.client_hello);
    let header = tokio::select! {
        biased;
        header = read(tcp) => header?,
        () = deadline => return Err(Refusal::reset(Reason::HelloTimeout).because("no whole PROXY header")),
    };
    if let Some(announced) = header.announced {
        record.announce(announced.source, announced.destination);
    }
    Ok(header.behind)
}

async fn read(tcp: &mut TcpStream) -> Result<Header, Refusal> {
    let broken = |error: String| Refusal::reset(Reason::ProxyHeader).because(error);
    let mut reader = HeaderReader::default();
    let mut piece = [0; 512];
    loop {
        let count = match read_some(tcp, &mut piece).await {
            Ok(count) if count > 0 => count,
            _ if reader.is_empty() => return Err(Refusal::reset(Reason::Probe)),
            Ok(_) => return Err(broken("the connection ended within the header".to_owned())),
            Err(error) => return Err(broken(format!("within the header: {error}"))),
        };
        let fed = reader.feed(piece.get(..count).unwrap_or_default());
        if let Some(header) = fed.map_err(|error| broken(error.to_string()))? {
            return Ok(header);
        }
    }
}

/// The header that tells an endpoint of `service` who the client is, where the service wants one.
pub(crate) fn told_on(service: &Service, record: &Record) -> Result<Option<Arc<[u8]>>, Refusal> {
    match (service.send_proxy, record.so_far()) {
        (SendProxy::Off, _) | (_, None) => Ok(None),
        (SendProxy::V2, Some(outcome)) => match writer::version_2(outcome) {
            Ok(header) => Ok(Some(Arc::from(header))),
            Err(error) => Err(Refusal::reset(Reason::Internal).because(format!("no PROXY header: {error}"))),
        },
    }
}
