//! Envoy as the remote sidecar: bytes both ways, and what the gateway tells of it.

use std::io;

use landbridge::outcome::Reason;
use landbridge_testkit::envoy::Envoy;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::http;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::scene::{GATEWAY_ID, envoy, sidecar, soon, start_sidecar, told};

#[tokio::test]
async fn bytes_of_an_application_behind_envoy_reach_the_endpoint_and_its_answer_comes_back() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;

    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_be_bytes).collect();
    let application = TcpStream::connect(sidecar.listener("tcp").await).await.unwrap();
    let (mut reading, mut writing) = application.into_split();
    let mut received = Vec::new();
    let write = async {
        writing.write_all(&sent).await.unwrap();
        // The application ends its side and goes on reading.
        writing.shutdown().await.unwrap();
    };
    tokio::join!(write, async { reading.read_to_end(&mut received).await.unwrap() });
    assert!(received == sent, "{} of {} bytes came back", received.len(), sent.len());

    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.sni.as_deref(), Some(HTTPBIN));
    assert_eq!(outcome.service.as_deref(), Some("httpbin.default.svc.cluster.local:8000"));
    let peer = outcome.peer.unwrap();
    assert_eq!(peer.id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
    assert_eq!(peer.trust.as_str(), "cluster-1");
    assert_eq!(outcome.upstream.unwrap().host, endpoint.address);
    assert_eq!((outcome.received, outcome.sent), (4_000_000, 4_000_000));
    let tls = outcome.tls.unwrap();
    // Envoy offers istio-peer-exchange first; it would then wait for a frame that no gateway sends.
    assert_eq!((tls.version, tls.alpn.as_deref()), ("TLSv1.3", Some("istio")));
    // With the post-quantum share of Envoy 1.40, or without as it was before.
    assert!(tls.group.starts_with("X25519"), "{}", tls.group);
    assert!(!tls.resumed);
}

#[tokio::test]
async fn an_http_call_behind_envoy_is_carried_as_the_protocol_that_envoy_offered() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::http("hello from httpbin\n").await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;

    let address = sidecar.listener("http").await;
    let answer = http::ask(address, "httpbin.default.svc.cluster.local:8000", "/get").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello from httpbin\n"));

    let outcome = told(&mut gateway).await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.tls.unwrap().alpn.as_deref(), Some("istio-http/1.1"));
    assert_eq!(outcome.received, sidecar.counter("http", "upstream_cx_tx_bytes_total").await);
    assert_eq!(outcome.sent, sidecar.counter("http", "upstream_cx_rx_bytes_total").await);
}

/// What makes Envoy close a connection of its pool when nobody has used it for a moment.
const BRIEF_POOL: &str = r#"  - name: http
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options: {idle_timeout: 0.02s}
        explicit_http_config: {http_protocol_options: {}}
    type: STATIC
"#;

/// Envoy closes such a connection altogether: it sends close_notify and hears no more of ours.
#[tokio::test]
async fn a_pooled_connection_that_envoy_closes_when_it_is_idle_has_ended_cleanly() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::start(async |mut tcp| {
        let mut piece = [0; 4096];
        while tcp.read(&mut piece).await.unwrap() > 0 {
            tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n").await.unwrap();
        }
    })
    .await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let template = sidecar(&world, &[gateway.address], &[GATEWAY_ID])
        .replace("  - name: http\n    type: STATIC\n", BRIEF_POOL);
    let sidecar = Envoy::start(&program, template, &world.folder).await;
    for _ in 0..5 {
        let answer = http::ask(sidecar.listener("http").await, "httpbin", "/get").await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
        let outcome = told(&mut gateway).await;
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_is_heard_through_envoy_and_the_gateway() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let endpoint = Server::greeter("220 ready\r\n").await;
    let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;
    let mut application = TcpStream::connect(sidecar.listener("tcp").await).await.unwrap();
    let mut heard = Vec::new();
    application.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"220 ready\r\n");
}

/// An endpoint that answers once and says how each caller ended, behind a gateway and a sidecar, and an
/// application of which four bytes went there and back.
struct Half {
    _world: World,
    _endpoint: Server,
    ends: UnboundedReceiver<io::Result<usize>>,
    gateway: TestGateway,
    sidecar: Envoy,
    /// Absent once it is gone.
    application: Option<TcpStream>,
}

impl Half {
    async fn way() -> Option<Self> {
        let program = envoy()?;
        let world = World::default();
        let (end, ends) = unbounded_channel();
        let endpoint = Server::start(move |mut tcp| {
            let end = end.clone();
            async move {
                let mut piece = [0; 64];
                tcp.read_exact(&mut piece[..4]).await.unwrap();
                tcp.write_all(b"half").await.unwrap();
                let ended = tcp.read(&mut piece).await;
                // Asked for more, it falls over.
                tcp.set_zero_linger().unwrap();
                drop(tcp);
                end.send(ended).unwrap();
            }
        })
        .await;
        let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
        let sidecar = start_sidecar(&program, &world, gateway.address).await;
        let mut application = TcpStream::connect(sidecar.listener("tcp").await).await.unwrap();
        application.write_all(b"half").await.unwrap();
        application.read_exact(&mut [0; 4]).await.unwrap();
        Some(Self {
            _world: world,
            _endpoint: endpoint,
            ends,
            gateway,
            sidecar,
            application: Some(application),
        })
    }

    /// Checks that the endpoint saw a reset; returns what the gateway says of it.
    async fn is_reset_to_the_endpoint(&mut self) -> Reason {
        let end = soon(self.ends.recv()).await.unwrap().unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
        let outcome = told(&mut self.gateway).await;
        assert_eq!((outcome.received, outcome.sent), (4, 4));
        outcome.reason
    }
}

#[tokio::test]
async fn an_envoy_that_is_killed_looks_like_a_cut_and_never_like_an_end() {
    let Some(mut half) = Half::way().await else { return };
    half.sidecar.kill();
    let reason = half.is_reset_to_the_endpoint().await;
    // The kernel ends a killed process's connections by FIN, or by RST where bytes were left unread.
    assert!([Reason::Truncated, Reason::DownstreamReset].contains(&reason), "{reason}");
}

#[tokio::test]
async fn an_application_that_resets_behind_envoy_is_a_reset_to_the_endpoint() {
    let Some(mut half) = Half::way().await else { return };
    let application = half.application.take().unwrap();
    application.set_zero_linger().unwrap();
    drop(application);
    assert_eq!(half.is_reset_to_the_endpoint().await, Reason::DownstreamReset);
}

#[tokio::test]
async fn an_endpoint_that_resets_is_a_reset_to_the_application_behind_envoy() {
    let Some(mut half) = Half::way().await else { return };
    let mut application = half.application.take().unwrap();
    application.write_all(b"more").await.unwrap();
    let end = application.read(&mut [0; 1]).await;
    assert_eq!(told(&mut half.gateway).await.reason, Reason::UpstreamReset);
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}
