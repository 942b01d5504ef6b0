//! One connection of a gateway: the handshake, HTTP/2, and the stream inside it.

mod conversation;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use landbridge_certs::{Direct, Svid, TlsContext, Verdict};
use landbridge_control_client::wire::{MEDIA_TYPE, PATH};
use landbridge_core::table::Route;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use self::conversation::Conversation;
use crate::access::View;
use crate::roster::Who;
use crate::server::{Identity, Server, Stream};
use crate::session::Session;

/// All of a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The window of a stream and of its connection, in bytes (docs/xds-lite.md).
const WINDOW: u32 = 16 * 1024 * 1024;
/// What HTTP/2 may hold of our bytes beyond what it may send.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams of one connection; a gateway has one.
const STREAMS: u32 = 4;
/// Chunks that wait for HTTP/2; further ones are not even made.
const CHUNKS: usize = 2;

/// Whether the server goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Going {
    No,
    /// Gateways are to come back within this time.
    Within(Duration),
}

/// What a handshake is made with.
pub(crate) struct Secure {
    pub(crate) context: Arc<TlsContext>,
    pub(crate) route: Arc<Route>,
    pub(crate) identity: watch::Receiver<Arc<Identity>>,
}

impl Server {
    /// Serves one connection to its end.
    pub(crate) async fn connection(
        self: Arc<Self>,
        stream: Box<dyn Stream>,
        peer: String,
        secure: Option<Secure>,
        going: watch::Receiver<Going>,
    ) {
        let Some(mut secure) = secure else {
            return self.http(stream, Who { identity: None, peer }, going).await;
        };
        let handshake = handshake(stream, &secure);
        let (stream, svid) = match tokio::time::timeout(HANDSHAKE, handshake).await {
            Ok(Ok(done)) => done,
            Ok(Err(why)) => return self.refuse(&peer, &why),
            Err(_) => return self.refuse(&peer, "the handshake took too long"),
        };
        let who = Who { identity: Some(svid.identity.clone()), peer: peer.clone() };
        tokio::select! {
            () = self.clone().http(stream, who, going) => {}
            why = revoked(&mut secure.identity, &svid) => self.refuse(&peer, why),
        }
    }

    async fn http(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        who: Who,
        mut going: watch::Receiver<Going>,
    ) {
        let service = {
            let (server, going) = (self.clone(), going.clone());
            service_fn(move |request| {
                let answer = server.clone().answer(request, who.clone(), going.clone());
                async move { Ok::<_, Infallible>(answer) }
            })
        };
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let served = tokio::select! {
            served = &mut connection => served,
            _ = gone(&mut going) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a gateway's connection ended early");
        }
    }

    /// Answers a request: headers at once, and lines as there is something to say.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        who: Who,
        going: watch::Receiver<Going>,
    ) -> Response<BoxBody<Bytes, Infallible>> {
        if request.uri().path() != PATH {
            return plain(StatusCode::NOT_FOUND, format!("expected POST {PATH}\n"));
        }
        if request.method() != Method::POST {
            return plain(StatusCode::METHOD_NOT_ALLOWED, format!("expected POST {PATH}\n"));
        }
        let Some(view) = self.nodes.view(who.identity.as_ref()) else {
            self.refuse(&who.peer, "no [[node]] means it");
            return plain(StatusCode::FORBIDDEN, "no [[node]] of the server means you\n".to_owned());
        };
        let (chunks, lines) = mpsc::channel(CHUNKS);
        tokio::spawn(self.converse(request.into_body(), chunks, Met { who, view }, going));
        let mut response = Response::new(Lines(lines).boxed());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }

    async fn converse(
        self: Arc<Self>,
        body: Incoming,
        chunks: mpsc::Sender<Bytes>,
        Met { who, view }: Met,
        going: watch::Receiver<Going>,
    ) {
        let record = self.roster.enter(who, view.clone());
        let session = Session::new(self.store.clone(), view, self.name.clone(), record.clone());
        let news = self.store.watch();
        let ended = Conversation::new(body, chunks, session, record.clone()).run(news, going).await;
        self.roster.leave(&record);
        let identity = record.who().identity.as_ref().map(|identity| identity.id.to_string());
        tracing::info!(identity, peer = record.who().peer, ended = ended.word(), "a gateway's stream ended");
    }
}

/// A gateway, and what it may see.
struct Met {
    who: Who,
    view: View,
}

async fn handshake(
    stream: Box<dyn Stream>,
    secure: &Secure,
) -> Result<(tokio_rustls::server::TlsStream<Box<dyn Stream>>, Svid), String> {
    let identity = secure.identity.borrow().clone();
    let verdict = Verdict::new();
    let config = secure.context.direct_config(Direct {
        trust: identity.trust.clone(),
        key: &identity.key,
        route: secure.route.clone(),
        alpn: vec![b"h2".to_vec()],
        verdict: verdict.clone(),
    });
    let stream = TlsAcceptor::from(config).accept(stream).await.map_err(|error| match verdict.refusal() {
        Some(refusal) => refusal.to_string(),
        None => error.to_string(),
    })?;
    let (_, connection) = stream.get_ref();
    if connection.alpn_protocol() != Some(b"h2") {
        return Err("it does not speak HTTP/2 (ALPN h2)".to_owned());
    }
    let svid = verdict.proven(connection).cloned().ok_or("the handshake proved nobody")?;
    Ok((stream, svid))
}

/// Resolves when the server goes, with the time within which gateways are to come back.
async fn gone(going: &mut watch::Receiver<Going>) -> Duration {
    loop {
        let now = *going.borrow_and_update();
        if let Going::Within(spread) = now {
            return spread;
        }
        if going.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// Resolves when the certificate is not believed any more.
async fn revoked(identity: &mut watch::Receiver<Arc<Identity>>, svid: &Svid) -> &'static str {
    loop {
        if identity.changed().await.is_err() {
            return std::future::pending().await;
        }
        let trust = identity.borrow_and_update().trust.clone();
        if trust.still_vouches_for(svid).is_err() {
            return "its certificate is not believed any more";
        }
    }
}

fn plain(status: StatusCode, text: String) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed());
    *response.status_mut() = status;
    response
}

/// The body of a response: chunks as they are made.
struct Lines(mpsc::Receiver<Bytes>);

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
