//! A server that does what the test says.

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::*;

pub(super) struct Control {
    pub(super) server: Server,
    calls: mpsc::UnboundedReceiver<Call>,
    _accepting: JoinSet<()>,
    _folder: Option<TempDir>,
}

/// One stream, seen by the server.
pub(super) struct Call {
    pub(super) request: Request<()>,
    incoming: Incoming,
    lines: Lines,
    heard: std::collections::VecDeque<ToServer>,
    answer: Option<tokio::sync::oneshot::Sender<(StatusCode, Said)>>,
    outgoing: Option<mpsc::UnboundedSender<Bytes>>,
}

pub(super) struct Said(mpsc::UnboundedReceiver<Bytes>);

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Control {
    /// One on a unix socket.
    pub(super) fn unix() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = UnixListener::bind(&path).unwrap();
        let (calling, calls) = mpsc::unbounded_channel();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                serving.spawn(serve(stream, calling.clone()));
            }
        });
        Self { server: unix_server(path), calls, _accepting: accepting, _folder: Some(folder) }
    }

    /// One by TLS, which knows the clients of `roots`.
    pub(super) async fn tls(config: Arc<rustls::ServerConfig>, source: TlsSource) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (calling, calls) = mpsc::unbounded_channel();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = TlsAcceptor::from(Arc::clone(&config));
                serving.spawn(serve_by_tls(acceptor.accept(stream), calling.clone()));
            }
        });
        let server = Server {
            authority: "control.example:15010".to_owned(),
            address: Address::Tcp { host: "127.0.0.1".to_owned(), port },
            tls: Some(source),
        };
        Self { server, calls, _accepting: accepting, _folder: None }
    }

    /// The next stream that somebody asks for, not answered yet.
    pub(super) async fn asked(&mut self) -> Call {
        // Not `soon`: while time is paused, its patience is over at once where nothing else is due.
        self.calls.recv().await.unwrap()
    }

    /// The next stream, answered and welcomed, and its hello.
    pub(super) async fn call(&mut self) -> (Call, Hello) {
        let mut call = self.asked().await;
        call.accept(StatusCode::OK);
        let ToServer::Hello(hello) = call.hears().await else { panic!("expected hello first") };
        call.says(r#"{"welcome":{"protocol":1,"server":"control-0"}}"#);
        (call, hello)
    }
}

impl Call {
    pub(super) fn accept(&mut self, status: StatusCode) {
        let (outgoing, said) = mpsc::unbounded_channel();
        self.outgoing = Some(outgoing);
        assert!(self.answer.take().unwrap().send((status, Said(said))).is_ok());
    }

    /// The next line.
    pub(super) async fn hears(&mut self) -> ToServer {
        self.hears_or_ends().await.expect("a line, and not the end")
    }

    /// The next line, or `None` when the stream has ended.
    pub(super) async fn hears_or_ends(&mut self) -> Option<ToServer> {
        while self.heard.is_empty() {
            let frame = self.incoming.frame().await?.ok()?;
            let heard = &mut self.heard;
            let read = |line: &[u8]| {
                heard.push_back(ToServer::read(line)?.unwrap());
                Ok::<(), LineError>(())
            };
            self.lines.feed(frame.data_ref().unwrap(), read).unwrap();
        }
        self.heard.pop_front()
    }

    pub(super) fn says(&self, line: &str) {
        self.says_bytes(format!("{line}\n"));
    }

    pub(super) fn says_bytes(&self, bytes: impl Into<Bytes>) {
        self.outgoing.as_ref().unwrap().send(bytes.into()).unwrap();
    }
}

pub(super) fn unix_server(path: PathBuf) -> Server {
    // Called as a gateway calls it, by its path.
    Server { authority: path.display().to_string(), address: Address::Unix(path), tls: None }
}

/// An update that says all there is.
pub(super) fn update(seq: u64, resources: &[(&str, &str)]) -> String {
    let begin = format!(r#"{{"update":{{"nonce":"{seq}","epoch":"e","seq":"{seq}","restates":"all"}}}}"#);
    let resources = resources.iter().map(|(name, spec)| {
        let version = Version::of(spec.as_bytes());
        format!(r#"{{"type":"service","name":"{name}","version":"{version}","spec":{spec}}}"#)
    });
    let end = format!(r#"{{"end":{{"nonce":"{seq}"}}}}"#);
    [begin].into_iter().chain(resources).chain([end]).collect::<Vec<_>>().join("\n")
}

async fn serve_by_tls(
    handshake: tokio_rustls::Accept<tokio::net::TcpStream>,
    calling: mpsc::UnboundedSender<Call>,
) {
    if let Ok(stream) = handshake.await {
        serve(stream, calling).await;
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, calling: mpsc::UnboundedSender<Call>) {
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let (parts, incoming) = request.into_parts();
        let _test_is_over = calling.send(Call {
            request: Request::from_parts(parts, ()),
            incoming,
            lines: Lines::default(),
            heard: std::collections::VecDeque::new(),
            answer: Some(answer),
            outgoing: None,
        });
        async move {
            let (status, body) = answered.await?;
            let mut response = Response::new(body);
            *response.status_mut() = status;
            Ok::<_, tokio::sync::oneshot::error::RecvError>(response)
        }
    });
    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
}
