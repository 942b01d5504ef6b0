//! From a server's address to a connection that speaks HTTP/2.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::ClientError;

/// A server, and how to reach it.
#[derive(Debug, Clone)]
pub struct Server {
    /// How it is called: `host:port`, sent as `:authority` and shown. Over a unix socket without TLS it is only shown, and
    /// may be the path; `localhost` is sent.
    pub authority: String,
    /// Where to connect to. It may be a gateway that leads to the server by its TLS server name.
    pub address: Address,
    /// How to prove who we are, and whom to believe; without it the address must be loopback or a unix socket.
    pub tls: Option<TlsSource>,
}

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A host name, resolved for every connection, or an IP address.
    Tcp {
        /// Which, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a unix socket.
    Unix(PathBuf),
}

/// Asked for credentials before every connection, so that they are read afresh.
#[derive(Clone)]
pub struct TlsSource(
    Arc<dyn Fn() -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>,
);

/// What a connection by TLS is made with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who we are and whom to believe. The application protocol is set to `h2` here.
    pub config: Arc<ClientConfig>,
    /// The server name that is asked for, which needn't be that of the address.
    pub server_name: ServerName<'static>,
}

/// A connection to a server.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl TlsSource {
    /// Credentials by a function, which may read files and should be quick.
    pub fn new(
        source: impl Fn() -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(source))
    }
}

impl fmt::Debug for TlsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSource")
    }
}

/// Connects, by TLS where there are credentials.
pub(super) async fn dial(server: &Server) -> Result<Box<dyn Connection>, ClientError> {
    match &server.tls {
        Some(TlsSource(source)) => {
            let credentials = source().map_err(ClientError::Credentials)?;
            match &server.address {
                Address::Tcp { host, port } => secure(tcp(host, *port).await?, credentials).await,
                Address::Unix(path) => secure(unix(path).await?, credentials).await,
            }
        }
        None => match &server.address {
            Address::Tcp { host, port } => Ok(Box::new(loopback(host, *port).await?)),
            Address::Unix(path) => Ok(Box::new(unix(path).await?)),
        },
    }
}

async fn secure(
    connection: impl Connection + 'static,
    credentials: Credentials,
) -> Result<Box<dyn Connection>, ClientError> {
    let mut config = ClientConfig::clone(&credentials.config);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connecting = TlsConnector::from(Arc::new(config)).connect(credentials.server_name, connection);
    let stream = connecting.await.map_err(ClientError::Handshake)?;
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(b"h2") {
        return Err(ClientError::Alpn);
    }
    Ok(Box::new(stream))
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let stream = TcpStream::connect((host, port)).await.map_err(ClientError::Connect)?;
    nodelay(stream)
}

/// Every address that the name has must be on this machine.
async fn loopback(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let found = tokio::net::lookup_host((host, port)).await.map_err(ClientError::Connect)?;
    let addresses: Vec<_> = found.collect();
    if !addresses.iter().all(|address| address.ip().to_canonical().is_loopback()) {
        return Err(ClientError::Plain);
    }
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(ClientError::Connect)?;
    nodelay(stream)
}

fn nodelay(stream: TcpStream) -> Result<TcpStream, ClientError> {
    stream.set_nodelay(true).map_err(ClientError::Connect)?;
    Ok(stream)
}

async fn unix(path: &std::path::Path) -> Result<UnixStream, ClientError> {
    let connected: io::Result<UnixStream> = UnixStream::connect(path).await;
    connected.map_err(ClientError::Connect)
}
