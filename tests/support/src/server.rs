//! Endpoints: what stands behind the gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::pki::Svid;
use crate::soon;
use crate::wire::Wire;

/// A server on a free loopback port; it ends when this is dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves each connection by `serve`.
    pub async fn start<F, S>(serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), serve)
    }

    fn on<F, S>(listener: TcpListener, serve: S) -> Self
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let task = tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tcp.set_nodelay(true).unwrap();
                tokio::spawn(serve(tcp));
            }
        });
        Self { address, accepted, task }
    }

    /// Sends back what it receives, and ends when the client does.
    pub async fn echo() -> Self {
        Self::start(|tcp| async move { echo(tcp).await }).await
    }

    /// Says `greeting` at once and ends: a server-first protocol.
    pub async fn greeter(greeting: &'static str) -> Self {
        Self::start(move |mut tcp| async move {
            // The client may be gone; its test says so.
            let _ = tcp.write_all(greeting.as_bytes()).await;
            let _ = tcp.shutdown().await;
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        })
        .await
    }

    /// Answers every HTTP/1.1 request with `body`, and closes.
    pub async fn http(body: &'static str) -> Self {
        Self::start(move |tcp| async move { answer_http(tcp, body).await }).await
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// An address on which nothing listens, for now; [`Refusing`] keeps one that nobody else can take.
    pub async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    /// Sends back what it receives over TLS of its own; see [`tls_config`].
    pub async fn tls_echo(config: Arc<ServerConfig>) -> Self {
        Self::start(move |tcp| {
            let acceptor = TlsAcceptor::from(config.clone());
            async move {
                if let Ok(stream) = acceptor.accept(tcp).await {
                    echo(stream).await;
                }
            }
        })
        .await
    }
}

/// An endpoint whose connections the test takes into its own hands.
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Endpoint {
    /// Listens on a free loopback port.
    pub async fn bind() -> Self {
        Self::at([127, 0, 0, 1].into()).await
    }

    /// Listens on a free port of this address.
    pub async fn at(address: IpAddr) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        Self { address: listener.local_addr().unwrap(), listener }
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> Wire {
        let (tcp, _) = soon("a connection to the endpoint", self.listener.accept()).await.unwrap();
        Wire::plain(tcp)
    }

    /// Sends back what it receives, from now on.
    pub fn echo(self) -> Server {
        self.serve(|tcp| async move { echo(tcp).await })
    }

    /// Serves each connection by `serve`, from now on.
    pub fn serve<F, S>(self, serve: S) -> Server
    where
        S: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Server::on(self.listener, serve)
    }
}

/// An address that refuses connections: it is bound, so that nobody else gets it, and does not listen.
pub struct Refusing {
    /// The address.
    pub address: SocketAddr,
    socket: TcpSocket,
}

impl Refusing {
    /// Takes a free loopback port.
    pub fn bind() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Self { address: socket.local_addr().unwrap(), socket }
    }

    /// Refuses no longer.
    pub fn listen(self) -> Endpoint {
        Endpoint { address: self.address, listener: self.socket.listen(64).unwrap() }
    }
}

/// An address that never answers: its accept queue is full, and nobody takes from it.
pub struct Silent {
    /// The address.
    pub address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Silent {
    /// Takes a free loopback port and fills its queue.
    pub async fn bind() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        // The kernel drops what it has no room for, and the caller begins to repeat itself a second later.
        while let Ok(connected) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            queued.push(connected.unwrap());
        }
        Self { address, _listener: listener, _queued: queued }
    }
}

/// What an endpoint with TLS of its own has: an identity, and whose clients it believes (PEM).
pub fn tls_config(identity: &Svid, roots: &str) -> Arc<ServerConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut anchors = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        anchors.add(root.unwrap()).unwrap();
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(anchors.into(), provider.clone()).build().unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.certificates(), key)
        .unwrap();
    config.alpn_protocols = vec![b"istio".to_vec()];
    Arc::new(config)
}

/// Sends back what it receives, and ends when the other side does; an error ends it too.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let (mut from, mut to) = tokio::io::split(stream);
    if tokio::io::copy(&mut from, &mut to).await.is_ok() {
        let _ = to.shutdown().await;
    }
}

/// Answers one HTTP/1.1 request with `body`, and closes.
pub async fn answer_http<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, body: &str) {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => request.extend_from_slice(piece.get(..count).unwrap()),
            _ => return,
        }
    }
    let response =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}
