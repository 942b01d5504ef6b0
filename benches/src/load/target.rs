//! Who is called, by whom, and what a connection to it is.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use clap::ValueEnum;
use landbridge_streams::{client_config_of, hello_config};
use rustls::client::Resumption;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ProtocolVersion};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::upstream::ECHO;

/// What the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Speech {
    /// TLS 1.3 with X25519 and AES-128-GCM, whoever ends it.
    Tls,
    /// A genuine ClientHello, and plain bytes behind it: for gateways that pass through, at no cost of our own.
    Raw,
}

/// A client's chain and key, and the roots that it believes, in PEM.
pub(crate) struct Credentials {
    pub(crate) client: Option<(String, String)>,
    pub(crate) roots: String,
}

/// A gateway and the names that lead through it.
pub(crate) struct Target {
    gateway: SocketAddr,
    names: Vec<Name>,
    /// None where the client speaks no TLS.
    tls: Option<ClientConfig>,
}

struct Name {
    name: ServerName<'static>,
    hello: Arc<[u8]>,
}

/// Somebody who calls, with a memory for tickets of its own if it has any.
#[derive(Clone)]
pub(super) struct Caller {
    target: Arc<Target>,
    tls: Option<TlsConnector>,
    ahead: usize,
}

/// Whether a caller resumes its last session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sessions {
    New,
    Resumed,
}

pub(super) type Stream = Either<Box<TlsStream<BufReader<TcpStream>>>, TcpStream>;

/// How much is read from the socket at once; more for bulk, so that the client is not what limits it.
const READ_AHEAD: usize = 8 * 1024;
pub(super) const BULK_READ_AHEAD: usize = 256 * 1024;

impl Target {
    /// Calls go to these names, in turn.
    pub(crate) fn new(
        gateway: SocketAddr,
        names: &[String],
        speech: Speech,
        credentials: &Credentials,
    ) -> anyhow::Result<Arc<Self>> {
        let tls = match speech {
            Speech::Tls => Some(tls13(credentials)?),
            Speech::Raw => None,
        };
        let hellos = hello_config().map_err(|error| anyhow!(error))?;
        let named = |name: &String| {
            let name =
                ServerName::try_from(name.clone()).with_context(|| format!("{name}: no server name"))?;
            let mut hello = Vec::new();
            if tls.is_none() {
                ClientConnection::new(hellos.clone(), name.clone())?.write_tls(&mut hello)?;
            }
            anyhow::Ok(Name { name, hello: hello.into() })
        };
        let names = names.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        ensure!(!names.is_empty(), "expected at least one server name");
        Ok(Arc::new(Self { gateway, names, tls }))
    }

    pub(super) fn caller(self: &Arc<Self>, sessions: Sessions) -> Caller {
        let tls = self.tls.clone().map(|mut config| {
            if sessions == Sessions::Resumed {
                config.resumption = Resumption::in_memory_sessions(8);
            }
            TlsConnector::from(Arc::new(config))
        });
        Caller { target: self.clone(), tls, ahead: READ_AHEAD }
    }
}

fn tls13(credentials: &Credentials) -> anyhow::Result<ClientConfig> {
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![kx_group::X25519];
    let client = credentials.client.as_ref().map(|(chain, key)| (chain.as_str(), key.as_str()));
    client_config_of(provider, client, &credentials.roots).map_err(|error| anyhow!(error))
}

impl Caller {
    pub(super) fn reading_ahead(mut self, bytes: usize) -> Self {
        self.ahead = bytes;
        self
    }

    /// Connects, to the `nth` name, and says how the handshake went if there was one.
    pub(super) async fn connect(&self, nth: u64) -> anyhow::Result<(Stream, Option<HandshakeKind>)> {
        let index = usize::try_from(nth).unwrap_or(0) % self.target.names.len();
        let name = self.target.names.get(index).context("no server name")?;
        let mut tcp = TcpStream::connect(self.target.gateway).await.context("cannot connect")?;
        tcp.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            tcp.write_all(&name.hello).await?;
            return Ok((Either::Right(tcp), None));
        };
        let tcp = BufReader::with_capacity(self.ahead, tcp);
        let grow = |session: &mut ClientConnection| session.set_buffer_limit(Some(1024 * 1024));
        let connected = tls.connect_with(name.name.clone(), tcp, grow).await;
        let stream = connected.context("the handshake failed")?;
        let session = stream.get_ref().1;
        let group = session.negotiated_key_exchange_group().map(SupportedKxGroup::name);
        ensure!(session.protocol_version() == Some(ProtocolVersion::TLSv1_3), "expected TLS 1.3");
        ensure!(group == Some(NamedGroup::X25519), "expected X25519, not {group:?}");
        let kind = session.handshake_kind();
        Ok((Either::Left(Box::new(stream)), kind))
    }

    /// Connects and has one byte echoed.
    pub(super) async fn begin(&self, nth: u64) -> anyhow::Result<(Stream, Option<HandshakeKind>)> {
        let (mut stream, kind) = self.connect(nth).await?;
        stream.write_u8(ECHO).await?;
        stream.flush().await?;
        let echoed = stream.read_u8().await.context("the first byte was not echoed")?;
        ensure!(echoed == ECHO, "expected the byte {ECHO} back, not {echoed}");
        Ok((stream, kind))
    }
}

/// Ends a stream, and waits until the other side has ended it too.
pub(super) async fn end(mut stream: Stream) -> anyhow::Result<()> {
    stream.shutdown().await?;
    // Some peers close without close_notify, or reset what is over; the bytes are counted elsewhere.
    while let Ok(1..) = stream.read(&mut [0; 1024]).await {}
    Ok(())
}
