//! A gateway's side of the stream, as simple as it can be: it applies everything, and checks every version.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use landbridge_control_client::wire::{
    Ack, Begin, BucketDigests, Change, Digest, Digests, ENDPOINT_DELTA, Hello, Kind, Lines, MEDIA_TYPE, Nack,
    Node, PATH, PROTOCOL, Refused, Restates, Seq, ToClient, ToServer, Version, bucket, endpoints_spec,
};
use landbridge_testkit::soon;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// What a gateway holds, and where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) resources: BTreeMap<(Kind, String), String>,
    pub(crate) epoch: Option<String>,
    pub(crate) seq: Option<Seq>,
}

/// An update as it came.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) begin: Begin,
    /// `+`, `~` or `-`, type and name of each resource, in the order of the lines.
    pub(crate) lines: Vec<String>,
}

pub(crate) struct Client {
    out: mpsc::Sender<Bytes>,
    body: Incoming,
    lines: Lines,
    came: VecDeque<ToClient>,
    pub(crate) held: Held,
    pub(crate) nonce: String,
}

impl Client {
    /// Begins a stream over a connection; the status if that isn't 200, and none if there is no answer.
    pub(crate) async fn begin(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        held: Held,
    ) -> Result<Self, Option<StatusCode>> {
        let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(256 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|_| None)?;
        tokio::spawn(connection);
        let (out, lines) = mpsc::channel(16);
        let uri = format!("http://control{PATH}");
        let request = Request::post(uri).header("content-type", MEDIA_TYPE).body(Sent(lines)).unwrap();
        let response = soon("the headers", sender.send_request(request)).await.map_err(|_| None)?;
        if response.status() != StatusCode::OK {
            return Err(Some(response.status()));
        }
        let body = response.into_body();
        let (lines, came, nonce) = (Lines::default(), VecDeque::new(), String::new());
        Ok(Self { out, body, lines, came, held, nonce })
    }

    /// Says hello with what it holds, and hears the welcome.
    pub(crate) async fn greet(&mut self) {
        let hello = Hello {
            protocol: PROTOCOL,
            features: vec![ENDPOINT_DELTA.to_owned(), "of_tomorrow".to_owned()],
            node: Node { id: "gateway-0".to_owned(), ..Node::default() },
            epoch: self.held.epoch.clone(),
            seq: self.held.seq,
        };
        self.say(ToServer::Hello(hello)).await;
        let ToClient::Welcome(welcome) = self.next().await.unwrap() else { panic!("expected welcome") };
        assert_eq!(
            (welcome.server.as_str(), welcome.features),
            ("control-0", vec![ENDPOINT_DELTA.to_owned()])
        );
    }

    pub(crate) async fn say(&self, message: ToServer) {
        self.out.send(message.to_line().into()).await.unwrap();
    }

    pub(crate) async fn say_bytes(&self, bytes: &'static [u8]) {
        self.out.send(Bytes::from_static(bytes)).await.unwrap();
    }

    /// The next message; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<ToClient> {
        loop {
            if let Some(message) = self.came.pop_front() {
                return Some(message);
            }
            let frame = soon("a message", self.body.frame()).await?.ok()?;
            let came = &mut self.came;
            let Ok(bytes) = frame.into_data() else { continue };
            self.lines
                .feed(&bytes, |line| {
                    came.extend(ToClient::read(line)?);
                    Ok::<_, landbridge_control_client::wire::LineError>(())
                })
                .unwrap();
        }
    }

    /// The next message that is no heartbeat.
    async fn word(&mut self) -> ToClient {
        loop {
            match self.next().await.expect("the stream goes on") {
                ToClient::Heartbeat(_) => {}
                message => return message,
            }
        }
    }

    /// Answers `want` with what it holds.
    pub(crate) async fn tell_digests(&mut self) {
        let message = self.word().await;
        assert!(matches!(message, ToClient::Want(_)), "{message:?}");
        let mut digests: BTreeMap<Kind, BucketDigests> = BTreeMap::new();
        for ((kind, name), spec) in &self.held.resources {
            digests.entry(*kind).or_default().toggle(*kind, name, Version::of(spec.as_bytes()));
        }
        self.say(ToServer::Digests(Digests(digests))).await;
    }

    /// Reads a whole update and puts it in force.
    pub(crate) async fn update(&mut self) -> Update {
        let begin = match self.word().await {
            ToClient::Update(begin) => begin,
            other => panic!("expected an update, came {other:?}"),
        };
        self.nonce.clone_from(&begin.nonce);
        let before = self.held.resources.clone();
        let restated = |kind: Kind, name: &str| match &begin.restates {
            Restates::Nothing => false,
            Restates::All => true,
            Restates::Buckets(buckets) => {
                buckets.get(&kind).is_some_and(|buckets| buckets.contains(&bucket(kind, name)))
            }
        };
        self.held.resources.retain(|(kind, name), _| !restated(*kind, name));
        let mut lines = Vec::new();
        loop {
            match self.word().await {
                ToClient::Resource(resource) => {
                    let key = (resource.kind, resource.name.as_str().to_owned());
                    let (mark, spec) = applied(resource.change, before.get(&key));
                    lines.push(format!("{mark}{} {}", key.0, key.1));
                    match spec {
                        Some(spec) => self.held.resources.insert(key, spec),
                        None => self.held.resources.remove(&key),
                    };
                }
                ToClient::End(end) => {
                    assert_eq!(end.nonce, begin.nonce);
                    (self.held.epoch, self.held.seq) = (Some(begin.epoch.clone()), Some(begin.seq));
                    return Update { begin, lines };
                }
                other => panic!("not in an update: {other:?}"),
            }
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        for ((kind, name), spec) in &self.held.resources {
            digest.toggle(*kind, name, Version::of(spec.as_bytes()));
        }
        digest
    }

    pub(crate) async fn ack(&self) {
        self.say(ToServer::Ack(Ack { nonce: self.nonce.clone(), digest: self.digest() })).await;
    }

    /// Reads an update and says that it is in force. Gives its lines, sorted.
    pub(crate) async fn updated(&mut self) -> Vec<String> {
        let Update { mut lines, .. } = self.update().await;
        self.ack().await;
        lines.sort();
        lines
    }

    pub(crate) async fn nack(&self, refused: Vec<Refused>) {
        let (nonce, digest) = (self.nonce.clone(), self.digest());
        self.say(ToServer::Nack(Nack { nonce, digest, refused, update: None, more: 0 })).await;
    }

    /// The names of a type that it holds.
    pub(crate) fn names(&self, of: Kind) -> Vec<&str> {
        self.held.resources.keys().filter(|(kind, _)| *kind == of).map(|(_, name)| name.as_str()).collect()
    }
}

/// What a line makes of a resource: its mark and spec.
fn applied(change: Change, before: Option<&String>) -> (char, Option<String>) {
    match change {
        Change::Removed => ('-', None),
        Change::Set { version, spec } => {
            assert_eq!(Version::of(spec.get().as_bytes()), version);
            ('+', Some(spec.get().to_owned()))
        }
        Change::Delta { base, version, set, remove } => {
            let before = before.expect("a delta of what is held");
            assert_eq!(Version::of(before.as_bytes()), base);
            let before: Value = serde_json::from_str(before).unwrap();
            let mut endpoints: BTreeMap<String, String> =
                before["endpoints"].as_array().unwrap().iter().map(by_address).collect();
            for address in remove {
                endpoints.remove(&address).unwrap();
            }
            endpoints.extend(set.iter().map(|raw| by_address(&serde_json::from_str(raw.get()).unwrap())));
            let spec = endpoints_spec(endpoints.iter().map(|(address, text)| (&**address, &**text)));
            assert_eq!(Version::of(spec.as_bytes()), version);
            ('~', Some(spec))
        }
    }
}

fn by_address(endpoint: &Value) -> (String, String) {
    (endpoint["address"].as_str().unwrap().to_owned(), endpoint.to_string())
}

/// The body of the request.
struct Sent(mpsc::Receiver<Bytes>);

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}
