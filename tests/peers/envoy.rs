//! Envoy as the remote sidecar: bytes both ways, and what the gateway tells of it.

use landbridge::outcome::Reason;
use landbridge_testkit::http;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scene::{envoy, start_sidecar};

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

    let outcome = gateway.outcome().await;
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

    let outcome = gateway.outcome().await;
    assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
    assert_eq!(outcome.tls.unwrap().alpn.as_deref(), Some("istio-http/1.1"));
    assert_eq!(outcome.received, sidecar.counter("http", "upstream_cx_tx_bytes_total").await);
    assert_eq!(outcome.sent, sidecar.counter("http", "upstream_cx_rx_bytes_total").await);
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

#[tokio::test]
async fn an_envoy_that_is_killed_looks_like_a_cut_and_never_like_an_end() {
    let Some(program) = envoy() else { return };
    let world = World::default();
    let (told, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let endpoint = Server::start(move |mut tcp| {
        let told = told.clone();
        async move {
            let mut piece = [0; 64];
            tcp.read_exact(&mut piece[..4]).await.unwrap();
            tcp.write_all(b"half").await.unwrap();
            told.send(tcp.read(&mut piece).await).unwrap();
        }
    })
    .await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let sidecar = start_sidecar(&program, &world, gateway.address).await;

    let mut application = TcpStream::connect(sidecar.listener("tcp").await).await.unwrap();
    application.write_all(b"half").await.unwrap();
    let mut piece = [0; 4];
    application.read_exact(&mut piece).await.unwrap();
    sidecar.kill();

    let end = ends.recv().await.unwrap().unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    let outcome = gateway.outcome().await;
    // The kernel ends a killed process's connections by FIN, or by RST where bytes were left unread.
    let cut = [Reason::Truncated, Reason::DownstreamReset];
    assert!(cut.contains(&outcome.reason), "{}", outcome.reason);
    assert_eq!((outcome.received, outcome.sent), (4, 4));
}
