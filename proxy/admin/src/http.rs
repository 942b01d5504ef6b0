//! A small HTTP/1.1 server: bounded in connections, header size and time.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;

/// Connections at once; more wait in the accept queue. Three servers together stay within the descriptors
/// that the gateway's connections leave to everything else (256).
const CONNECTIONS: usize = 64;
/// A request's line and headers together.
pub(crate) const REQUEST_BYTES: usize = 16 * 1024;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// After an accept error, most often for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Where requests come in.
#[derive(Debug)]
pub enum Listener {
    /// Over TCP.
    Tcp(TcpListener),
    /// Over a unix socket, whose clients the kernel knows by user.
    Unix(UnixListener),
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Somebody at this address.
    Tcp(SocketAddr),
    /// A process of this user; `None` where the kernel did not say.
    Unix(Option<u32>),
}

/// Answers every request on `listener` by `answer` until it is dropped.
pub(crate) async fn serve<A, F>(listener: Listener, answer: A)
where
    A: Fn(Request<Incoming>, Asker) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let answer = Arc::new(answer);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Never closed, so an error can't happen.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (stream, asker) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept an HTTP connection; trying again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let answer = answer.clone();
        tokio::spawn(async move {
            match stream {
                Stream::Tcp(tcp) => converse(tcp, asker, &*answer).await,
                Stream::Unix(unix) => converse(unix, asker, &*answer).await,
            }
            drop(place);
        });
    }
}

/// A plain-text answer that nobody may cache.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    typed(status, HeaderValue::from_static("text/plain; charset=utf-8"), body.into())
}

/// A JSON answer that nobody may cache.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    typed(status, HeaderValue::from_static("application/json"), format!("{body:#}\n").into())
}

fn typed(status: StatusCode, kind: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Stream, Asker)> {
        match self {
            Self::Tcp(listener) => {
                let (tcp, address) = listener.accept().await?;
                Ok((Stream::Tcp(tcp), Asker::Tcp(address)))
            }
            Self::Unix(listener) => {
                let (unix, _) = listener.accept().await?;
                let uid = unix.peer_cred().ok().map(|credentials| credentials.uid());
                Ok((Stream::Unix(unix), Asker::Unix(uid)))
            }
        }
    }
}

async fn converse<S, A, F>(stream: S, asker: Asker, answer: &A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<Incoming>, Asker) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request| {
        let response = answer(request, asker);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(REQUEST_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection ended early");
    }
}
