//! Two peers, one on each side of a splice that runs in its own task.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::{PrivateKeyDer, ServerName};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{Cut, Ended, Options, Pipes, Side, Tally, arm_reset, duplex};

/// What a side of the splice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    /// Plain, and whatever goes to such another side goes through a pipe from the first byte.
    Piped,
    Tls13,
    Tls12,
}

pub(crate) const ALL: [(Kind, Kind); 7] = [
    (Kind::Plain, Kind::Plain),
    (Kind::Piped, Kind::Piped),
    (Kind::Tls13, Kind::Plain),
    (Kind::Plain, Kind::Tls13),
    (Kind::Tls13, Kind::Tls13),
    (Kind::Tls12, Kind::Plain),
    (Kind::Plain, Kind::Tls12),
];

impl Kind {
    pub(crate) fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::Piped)
    }
}

/// Pipes that are taken when a gateway would; each test has its own.
pub(crate) fn fresh_pipes(most: usize) -> &'static Pipes {
    Box::leak(Box::new(Pipes::new(most)))
}

/// Pipes that are taken at once; each test has its own.
pub(crate) fn eager_pipes(most: usize) -> &'static Pipes {
    Box::leak(Box::new(Pipes::eager(most)))
}

/// How a stream ended in a peer's eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// FIN, after close_notify where there is TLS.
    Clean,
    /// FIN without close_notify.
    BareFin,
    Reset,
    Alert(rustls::AlertDescription),
}

/// A client or an endpoint.
pub(crate) struct Peer {
    pub(crate) tcp: TcpStream,
    pub(crate) tls: Option<Connection>,
    pub(crate) got: Vec<u8>,
    pub(crate) end: Option<Seen>,
    pub(crate) close_notify: bool,
}

/// The splice between two peers.
pub(crate) struct Splice {
    pub(crate) task: JoinHandle<Ended>,
    pub(crate) tally: Arc<Tally>,
    cut: Option<oneshot::Sender<Cut>>,
}

impl Splice {
    pub(crate) fn start(downstream: Side, upstream: Side, options: Options<'static>) -> Self {
        let (cut, decided) = oneshot::channel();
        let tally = Arc::new(Tally::default());
        let counts = Arc::clone(&tally);
        let task = tokio::spawn(async move {
            let cut = async {
                match decided.await {
                    Ok(cut) => cut,
                    Err(_) => std::future::pending().await,
                }
            };
            duplex(downstream, upstream, &options, &counts, cut).await
        });
        Self { task, tally, cut: Some(cut) }
    }

    pub(crate) fn cut(&mut self, cut: Cut) {
        self.cut.take().unwrap().send(cut).unwrap();
    }

    pub(crate) async fn ended(self) -> Ended {
        self.task.await.unwrap()
    }
}

/// Client, splice and endpoint with the default options.
pub(crate) async fn spliced(downstream: Kind, upstream: Kind) -> (Peer, Splice, Peer) {
    spliced_with(downstream, upstream, Options::default()).await
}

pub(crate) async fn spliced_with(
    downstream: Kind,
    upstream: Kind,
    options: Options<'static>,
) -> (Peer, Splice, Peer) {
    let (client, near) = connected(downstream, Role::Client).await;
    let (endpoint, far) = connected(upstream, Role::Endpoint).await;
    let pipes = (downstream == Kind::Piped && upstream == Kind::Piped).then(|| eager_pipes(2));
    let options = Options { pipes: options.pipes.or(pipes), ..options };
    (client, Splice::start(near, far, options), endpoint)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Client,
    Endpoint,
}

/// A peer and the gateway's side of its connection.
pub(crate) async fn connected(kind: Kind, role: Role) -> (Peer, Side) {
    let (peer, gateway) = tcp_pair().await;
    if kind.is_plain() {
        return (Peer::new(peer, None), Side::plain(gateway));
    }
    let (theirs, ours) = tls_pair(kind, role);
    (Peer::new(peer, Some(theirs)), Side::tls(gateway, ours))
}

pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (outer, inner) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async {
        listener.accept().await.unwrap().0
    });
    let outer = outer.unwrap();
    outer.set_nodelay(true).unwrap();
    inner.set_nodelay(true).unwrap();
    (outer, inner)
}

/// A client whose connection holds only some thousand bytes on the way to it.
pub(crate) async fn connected_through_small_buffers(kind: Kind) -> (Peer, Side) {
    let (peer, gateway) = tcp_pair().await;
    socket2::SockRef::from(&peer).set_recv_buffer_size(4096).unwrap();
    socket2::SockRef::from(&gateway).set_send_buffer_size(4096).unwrap();
    if kind.is_plain() {
        return (Peer::new(peer, None), Side::plain(gateway));
    }
    let (theirs, ours) = tls_pair(kind, Role::Client);
    (Peer::new(peer, Some(theirs)), Side::tls(gateway, ours))
}

/// The peer's and the gateway's ends of a TLS connection, handshake done.
pub(crate) fn tls_pair(kind: Kind, role: Role) -> (Connection, Connection) {
    let configs = if kind == Kind::Tls12 { &*TLS12 } else { &*TLS13 };
    let name = ServerName::try_from("splice.test").unwrap();
    let mut client: Connection = ClientConnection::new(Arc::clone(&configs.0), name).unwrap().into();
    let mut server: Connection = ServerConnection::new(Arc::clone(&configs.1)).unwrap().into();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        transfer(&mut client, &mut server);
        transfer(&mut server, &mut client);
    }
    match role {
        Role::Client => (client, server),
        Role::Endpoint => (server, client),
    }
}

/// Carries what one end wants to write to the other.
pub(crate) fn transfer(from: &mut Connection, to: &mut Connection) {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut wire = &wire[..];
    while !wire.is_empty() {
        to.read_tls(&mut wire).unwrap();
        to.process_new_packets().unwrap();
    }
}

type Configs = (Arc<ClientConfig>, Arc<ServerConfig>);

static TLS13: LazyLock<Configs> = LazyLock::new(|| configs(&rustls::version::TLS13));
static TLS12: LazyLock<Configs> = LazyLock::new(|| configs(&rustls::version::TLS12));

fn configs(version: &'static rustls::SupportedProtocolVersion) -> Configs {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rcgen::generate_simple_self_signed(["splice.test".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .unwrap();
    (Arc::new(client), Arc::new(server))
}

impl Peer {
    pub(crate) fn new(tcp: TcpStream, tls: Option<Connection>) -> Self {
        Self { tcp, tls, got: Vec::new(), end: None, close_notify: false }
    }

    /// Sends all of it and keeps what comes meanwhile; stops early if the stream ends under it.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_gone() {
            let count = rest.len().min(64 * 1024);
            let (now, later) = rest.split_at(count);
            let mut wire = self.seal(now);
            while !wire.is_empty() && !self.is_gone() {
                let reading = self.end.is_none();
                let interest =
                    if reading { Interest::READABLE | Interest::WRITABLE } else { Interest::WRITABLE };
                let ready = self.tcp.ready(interest).await.unwrap();
                if reading && ready.is_readable() {
                    self.read_some();
                }
                if ready.is_writable() {
                    match self.tcp.try_write(&wire) {
                        Ok(count) => drop(wire.drain(..count)),
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => self.end = Some(Seen::Reset),
                    }
                }
            }
            rest = later;
        }
    }

    /// Whether there is no point in sending any more.
    fn is_gone(&self) -> bool {
        matches!(self.end, Some(Seen::Reset | Seen::Alert(_)))
    }

    /// Sends all of it without reading anything.
    pub(crate) async fn send_deaf(&mut self, bytes: &[u8]) {
        let wire = self.seal(bytes);
        self.send_raw(&wire).await;
    }

    /// What goes over the wire for these bytes.
    pub(crate) fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Some(tls) = &mut self.tls else {
            return bytes.to_vec();
        };
        tls.set_buffer_limit(None);
        tls.writer().write_all(bytes).unwrap();
        let mut wire = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut wire).unwrap();
        }
        wire
    }

    /// Ends its direction as its protocol has it.
    pub(crate) async fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let wire = self.seal(&[]);
            self.send_raw(&wire).await;
        }
        self.bare_fin();
    }

    pub(crate) fn bare_fin(&mut self) {
        let _gone = socket2::SockRef::from(&self.tcp).shutdown(std::net::Shutdown::Write);
    }

    /// Bytes as they are, past TLS.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.tcp.writable().await.unwrap();
            match self.tcp.try_write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.end = Some(Seen::Reset),
            }
        }
    }

    /// Resets the connection.
    pub(crate) fn abort(self) -> Vec<u8> {
        arm_reset(&self.tcp).unwrap();
        self.got
    }

    pub(crate) async fn receive(&mut self, at_least: usize) {
        while self.got.len() < at_least && self.end.is_none() {
            self.tcp.readable().await.unwrap();
            self.read_some();
        }
        assert!(
            self.got.len() >= at_least,
            "ended at {} of {at_least} bytes: {:?}",
            self.got.len(),
            self.end
        );
    }

    pub(crate) async fn until_end(&mut self) -> Seen {
        loop {
            if let Some(end) = self.end {
                return end;
            }
            self.tcp.readable().await.unwrap();
            self.read_some();
        }
    }

    fn read_some(&mut self) {
        let mut buffer = [0; 16 * 1024];
        match self.tcp.try_read(&mut buffer) {
            Ok(0) => {
                let clean = self.tls.is_none() || self.close_notify;
                self.end = Some(if clean { Seen::Clean } else { Seen::BareFin });
            }
            Ok(count) => self.open(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                self.end = Some(Seen::Reset);
            }
        }
    }

    fn open(&mut self, mut wire: &[u8]) {
        let Some(tls) = &mut self.tls else {
            return self.got.extend_from_slice(wire);
        };
        while !wire.is_empty() && !self.close_notify {
            tls.read_tls(&mut wire).unwrap();
            match tls.process_new_packets() {
                Ok(state) => self.close_notify = state.peer_has_closed(),
                Err(rustls::Error::AlertReceived(alert)) => {
                    self.end = Some(Seen::Alert(alert));
                    return;
                }
                Err(error) => panic!("{error}"),
            }
            if let Err(error) = tls.reader().read_to_end(&mut self.got) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            }
        }
    }
}

/// Bytes that don't repeat.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn options_with_flush(millis: u64) -> Options<'static> {
    Options { flush: Some(Duration::from_millis(millis)), ..Options::default() }
}

/// Lets the other tasks of this thread, and the sockets, come to rest.
pub(crate) async fn settled() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
