//! Endpoints: what stands behind the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
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

    /// An address on which nothing listens.
    pub async fn nobody() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }
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
