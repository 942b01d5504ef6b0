//! One try: connect, say who calls, and learn whom the endpoint proves to be, where it speaks TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use landbridge_certs::{Origination, Verdict, offer_alpn, upstream_failure};
use landbridge_core::config::Timeouts;
use landbridge_core::service::UpstreamTls;
use landbridge_core::{Reason, Service};
use landbridge_splice::Side;
use rustls_pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::generation::Generation;
use crate::proxy_protocol;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::socket;

/// How a connection to an endpoint begins, before any byte of the client.
#[derive(Clone)]
pub(crate) struct Opening {
    /// Written first, and never encrypted.
    preface: Option<Arc<[u8]>>,
    /// Mutual TLS, where the endpoint speaks it.
    tls: Option<Arc<Origin>>,
}

/// What every try to speak TLS to an endpoint of the service shares.
struct Origin {
    generation: Arc<Generation>,
    service: Arc<Service>,
    expected: Arc<UpstreamTls>,
    /// As the caller asked.
    name: ServerName<'static>,
    alpn: Vec<Vec<u8>>,
}

/// An endpoint that answered.
pub(super) struct Answered {
    pub(super) side: Side,
    pub(super) local: Option<SocketAddr>,
}

/// Why a try failed.
pub(super) enum Failed {
    /// There is no connection, or it did not take the preface.
    Connect(io::Error),
    /// There is no TLS with somebody whom the service expects.
    Secure(Reason, String),
}

impl Opening {
    /// How connections of `service` begin, for the caller of whom so much is known.
    pub(crate) fn of(
        generation: &Arc<Generation>,
        service: &Arc<Service>,
        record: &Record,
    ) -> Result<Self, Refusal> {
        let preface = proxy_protocol::told_on(service, record)?;
        let (Some(expected), Some(outcome)) = (&service.upstream_tls, record.so_far()) else {
            return Ok(Self { preface, tls: None });
        };
        let sni = outcome.sni.as_deref().unwrap_or_default();
        let name = ServerName::try_from(sni.to_owned())
            .map_err(|error| Refusal::reset(Reason::Internal).because(format!("no name for TLS: {error}")))?;
        let selected = outcome.tls.as_ref().and_then(|tls| tls.alpn.as_deref());
        let origin = Origin {
            generation: generation.clone(),
            service: service.clone(),
            expected: expected.clone(),
            name,
            alpn: offer_alpn(selected),
        };
        Ok(Self { preface, tls: Some(Arc::new(origin)) })
    }
}

/// Dropped before it is done, it leaves the endpoint a reset, never an empty stream that ended cleanly.
pub(super) async fn dial(
    address: SocketAddr,
    timeouts: &Timeouts,
    opening: &Opening,
) -> Result<Answered, Failed> {
    let tcp = connect(address, timeouts, opening.preface.as_deref()).await.map_err(Failed::Connect)?;
    let local = tcp.local_addr().ok();
    let side = match &opening.tls {
        Some(origin) => secure(origin, tcp).await?,
        None => Side::plain(tcp),
    };
    Ok(Answered { side, local })
}

async fn connect(address: SocketAddr, timeouts: &Timeouts, preface: Option<&[u8]>) -> io::Result<TcpStream> {
    let mut tcp = socket::outgoing(address, timeouts)?.connect(address).await?;
    if let Some(preface) = preface {
        tcp.write_all(preface).await?;
    }
    Ok(tcp)
}

/// Speaks TLS to the endpoint, with the service's identity, once it has proved to be one that is expected.
async fn secure(origin: &Origin, tcp: TcpStream) -> Result<Side, Failed> {
    let generation = &origin.generation;
    let Some(key) = generation.key_pair(&origin.service) else {
        // Checked when the generation was made.
        return Err(Failed::Secure(Reason::Internal, "the service has no identity".to_owned()));
    };
    let verdict = Verdict::new();
    let config = generation.tls.client_config(Origination {
        trust: generation.credentials.trust().clone(),
        key,
        expected: origin.expected.clone(),
        alpn: origin.alpn.clone(),
        verdict: verdict.clone(),
    });
    match TlsConnector::from(config).connect(origin.name.clone(), tcp).await {
        Ok(stream) => {
            let (tcp, connection) = stream.into_inner();
            match verdict.proven(&connection) {
                Some(_) => Ok(Side::tls(tcp, connection)),
                None => Err(Failed::Secure(Reason::Internal, "the handshake proved nobody".to_owned())),
            }
        }
        Err(error) => Err(insecure(&error, &verdict)),
    }
}

fn insecure(error: &io::Error, verdict: &Verdict) -> Failed {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => {
            let failure = upstream_failure(tls, verdict);
            Failed::Secure(failure.reason, failure.detail)
        }
        None => Failed::Secure(Reason::UpstreamHandshake, format!("within the TLS handshake: {error}")),
    }
}

impl Failed {
    /// What the client's connection ends with, if `address` was the last to fail.
    pub(super) fn refusal(&self, address: SocketAddr) -> Refusal {
        match self {
            Self::Connect(error) => {
                let reason = match error.kind() {
                    io::ErrorKind::ConnectionRefused => Reason::ConnectRefused,
                    io::ErrorKind::TimedOut => Reason::ConnectTimeout,
                    _ => Reason::ConnectFailed,
                };
                Refusal::reset(reason).because(format!("{address}: {error}"))
            }
            Self::Secure(reason, detail) => Refusal::reset(*reason).because(format!("{address}: {detail}")),
        }
    }

    /// Whether it says nothing about the endpoint: this machine is out of descriptors, memory or ports, or of
    /// what epoll may watch.
    pub(super) fn is_our_own(&self) -> bool {
        const ENFILE: i32 = 23;
        const EMFILE: i32 = 24;
        const ENOSPC: i32 = 28;
        const ENOBUFS: i32 = 105;
        let Self::Connect(error) = self else { return false };
        matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory)
            || matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOSPC | ENOBUFS))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_try_that_is_given_up_after_it_connected_is_a_reset_at_the_endpoint() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let timeouts = Timeouts::default();
        let mut trying = Box::pin(connect(listener.local_addr().unwrap(), &timeouts, None));
        assert!(trying.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // The kernel has made the connection by now; nobody has told the try of it.
        let (mut accepted, _) = listener.accept().unwrap();
        drop(trying);
        let end = accepted.read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn an_endpoint_that_does_not_take_the_preface_is_a_failed_try() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // More than the sockets hold, so that somebody has to read.
        let preface = vec![0; 64 << 20];
        let trying =
            tokio::spawn(
                async move { connect(address, &Timeouts::default(), Some(&preface)).await.is_err() },
            );
        let accepted = tokio::task::spawn_blocking(move || {
            let (mut accepted, _) = listener.accept().unwrap();
            accepted.read_exact(&mut [0; 16]).unwrap();
        });
        accepted.await.unwrap();
        assert!(trying.await.unwrap());
    }
}
