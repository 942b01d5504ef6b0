//! Calls as a remote sidecar makes them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{AlertDescription, ClientConfig};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Somebody who calls.
#[derive(Clone)]
pub(super) struct Caller {
    name: String,
    tls: Arc<ClientConfig>,
}

/// What the caller should hear.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// An HTTP answer with this body.
    Answer(&'static str),
    /// A fatal alert of this number.
    Alert(u8),
}

/// Why a call was not answered.
pub(super) struct Refused(std::io::Error);

impl Heard {
    pub(super) fn is(&self, heard: &Result<String, Refused>) -> bool {
        match (self, heard) {
            (Self::Answer(expected), Ok(answer)) => answer == expected,
            (Self::Alert(expected), Err(refused)) => refused.alert().map(u8::from) == Some(*expected),
            _ => false,
        }
    }
}

impl Refused {
    fn alert(&self) -> Option<AlertDescription> {
        match self.0.get_ref()?.downcast_ref()? {
            rustls::Error::AlertReceived(alert) => Some(*alert),
            _ => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.alert() {
            Some(alert) => write!(f, "by TLS alert {} ({alert:?})", u8::from(alert)),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Caller {
    pub(super) fn new(name: String, tls: ClientConfig) -> Self {
        Self { name, tls: Arc::new(tls) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Makes one HTTP request through the gateway and returns the body of the answer.
    pub(super) async fn call(&self, gateway: SocketAddr, sni: &'static str) -> Result<String, Refused> {
        self.exchange(gateway, sni).await.map_err(Refused)
    }

    async fn exchange(&self, gateway: SocketAddr, sni: &'static str) -> std::io::Result<String> {
        let name = ServerName::try_from(sni).map_err(std::io::Error::other)?;
        let tcp = TcpStream::connect(gateway).await?;
        tcp.set_nodelay(true)?;
        let mut stream = TlsConnector::from(self.tls.clone()).connect(name, tcp).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: httpbin\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        // Without close_notify the gateway would take our end for a truncated stream, and say so.
        stream.shutdown().await?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.ok_or_else(|| std::io::Error::other(format!("an answer that is not HTTP: {answer:?}")))
    }
}
