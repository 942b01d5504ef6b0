//! Mutual TLS to the endpoint's own sidecar: whom the gateway believes, what the endpoint sees of it, and
//! what becomes of a call whose endpoint is somebody else.

use std::net::SocketAddr;
use std::sync::Arc;

use landbridge::outcome::{Flag, Outcome, Reason};
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::pki::Svid;
use landbridge_testkit::server::{Endpoint, Server, tls_config};
use landbridge_testkit::soon;
use landbridge_testkit::wire::{Wire, noise};
use landbridge_testkit::world::{HTTPBIN, World};
use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::unbounded_channel;

/// Who the endpoint is, as its mesh names it.
const ENDPOINT: &str = "ns/default/sa/httpbin";

/// A service whose endpoints must be httpbin's; the first is preferred.
fn service(endpoints: &[SocketAddr], more: &str) -> String {
    let addresses = endpoints.iter().enumerate();
    let endpoints: Vec<String> = addresses
        .map(|(place, address)| format!("{{ address = \"{address}\", priority = {place} }}"))
        .collect();
    let tls = "[service.upstream_tls]\n\
        server_identities = [{ id = \"spiffe://cluster.local/ns/default/sa/httpbin\", from = \"cluster-2\" }]";
    World::httpbin(&[], &format!("{more}\n{tls}"))
        .replace("endpoints = []", &format!("endpoints = [{}]", endpoints.join(", ")))
}

/// What an endpoint with this identity has; it believes the gateway's CA.
fn as_endpoint(world: &World, identity: &Svid) -> Arc<ServerConfig> {
    tls_config(identity, &world.local.bundle())
}

fn httpbin(world: &World) -> Arc<ServerConfig> {
    as_endpoint(world, &world.local.svid(ENDPOINT))
}

/// A client and an endpoint with TLS of its own, spliced by a gateway.
struct Spliced {
    world: World,
    gateway: TestGateway,
    client: Wire,
    endpoint: Wire,
}

impl Spliced {
    async fn set() -> Self {
        let world = World::default();
        let config = httpbin(&world);
        let (it, handshake) = Self::with(world, &config).await;
        assert_eq!(handshake, Ok(()));
        it
    }

    /// With an endpoint of this configuration, and how its handshake went.
    async fn with(world: World, config: &Arc<ServerConfig>) -> (Self, Result<(), Saw>) {
        let listening = Endpoint::bind().await;
        let gateway = world.gateway(&service(&[listening.address], "")).await;
        let client = Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await;
        let mut endpoint = listening.accept().await.serving(config);
        let handshake = endpoint.handshake().await;
        (Self { world, gateway, client, endpoint }, handshake)
    }

    async fn outcome(&mut self, reason: Reason, flag: Flag) -> Outcome {
        let outcome = self.gateway.outcome().await;
        assert_eq!((outcome.reason, outcome.reason.flag()), (reason, flag), "{:?}", outcome.error);
        outcome
    }
}

/// The chain of this identity, as the gateway presents it.
fn chain(world: &World, name: &str) -> Vec<rustls_pki_types::CertificateDer<'static>> {
    let file = |ending: &str| world.folder.path().join(format!("{name}.{ending}"));
    let files = landbridge::config::KeyPairFiles::Pair { certificate: file("pem"), private_key: file("key") };
    landbridge::KeyPair::load(&files, rustls_pki_types::UnixTime::now()).unwrap().chain().to_vec()
}

#[tokio::test]
async fn bytes_go_both_ways_to_an_endpoint_that_sees_the_gateway_s_identity() {
    let mut it = Spliced::set().await;
    assert_eq!(it.endpoint.presented(), chain(&it.world, "gateway"));
    assert_eq!(it.endpoint.alpn(), Some(b"istio".as_slice()));
    let (question, answer) = (noise(1 << 20, 1), noise(1 << 20, 2));
    let asking = async {
        it.client.send(&question).await;
        // It ends its side, and goes on reading.
        it.client.finish().await;
    };
    let ((), (got, end)) = tokio::join!(asking, it.endpoint.rest());
    assert!(got == question, "{} bytes", got.len());
    assert_eq!(end, Saw::End);
    let answering = async {
        it.endpoint.send(&answer).await;
        it.endpoint.finish().await;
    };
    let ((), (got, end)) = tokio::join!(answering, it.client.rest());
    assert!(got == answer, "{} bytes", got.len());
    assert_eq!(end, Saw::End);
    let outcome = it.outcome(Reason::Done, Flag::Fine).await;
    assert_eq!((outcome.received, outcome.sent), (1 << 20, 1 << 20));
    assert_eq!(outcome.upstream.unwrap().host, it.endpoint.local_addr());
}

#[tokio::test]
async fn an_endpoint_that_ends_first_still_hears_the_rest_of_the_client() {
    let mut it = Spliced::set().await;
    it.endpoint.send(b"greeting").await;
    it.endpoint.finish().await;
    assert_eq!(it.client.rest().await, (b"greeting".to_vec(), Saw::End));
    it.client.send(b"and yet").await;
    it.client.finish().await;
    assert_eq!(it.endpoint.rest().await, (b"and yet".to_vec(), Saw::End));
    it.outcome(Reason::Done, Flag::Fine).await;
}

#[tokio::test]
async fn an_endpoint_that_is_cut_without_close_notify_is_a_reset_at_the_client() {
    let mut it = Spliced::set().await;
    it.endpoint.send(b"half of it").await;
    it.endpoint.bare_fin().await;
    assert_eq!(it.client.rest().await, (b"half of it".to_vec(), Saw::Reset));
    it.outcome(Reason::UpstreamProtocol, Flag::Uc).await;
}

#[tokio::test]
async fn a_service_calls_its_endpoints_by_the_identity_that_it_names() {
    let world = World::default();
    world.folder.write_svid("other", &world.local.svid("ns/default/sa/other"));
    let listening = Endpoint::bind().await;
    let identities = "[identities.other]\ncertificate = \"other.pem\"\nprivate_key = \"other.key\"\n";
    let services = service(&[listening.address], "identity = \"other\"");
    let gateway = world.gateway(&format!("{identities}{services}")).await;
    let _client = Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await;
    let mut endpoint = listening.accept().await.serving(&httpbin(&world));
    assert_eq!(endpoint.handshake().await, Ok(()));
    assert_eq!(endpoint.presented(), chain(&world, "other"));
}

#[tokio::test]
async fn the_protocol_that_the_caller_got_is_the_one_that_the_endpoint_is_offered() {
    let world = World::default();
    let mut config = (*httpbin(&world)).clone();
    let known = ["istio-http/1.0", "istio-http/1.1", "istio-h2", "istio"];
    config.alpn_protocols = known.map(|name| name.as_bytes().to_vec()).to_vec();
    let config = Arc::new(config);
    let listening = Endpoint::bind().await;
    let gateway = world.gateway(&service(&[listening.address], "")).await;
    let cases: [(&[&str], &str); 5] = [
        (&["istio-peer-exchange", "istio"], "istio"),
        (&["istio-http/1.1", "istio", "http/1.1"], "istio-http/1.1"),
        (&["istio-h2", "istio", "h2"], "istio-h2"),
        (&["h2", "http/1.1"], "istio-h2"),
        (&[], "istio"),
    ];
    for (offered, agreed) in cases {
        let _client = Wire::secure(&world.sidecar().alpn(offered), gateway.address, HTTPBIN).await;
        let mut endpoint = listening.accept().await.serving(&config);
        assert_eq!(endpoint.handshake().await, Ok(()), "{offered:?}");
        assert_eq!(endpoint.alpn(), Some(agreed.as_bytes()), "{offered:?}");
    }
}

/// An endpoint that is not whom the service expects: it gets no byte, and learns why, if that is not lost.
async fn turned_away(mut impostor: Wire) {
    let refused = impostor.handshake().await.unwrap_err();
    assert!(matches!(refused, Saw::Alert(46 | 48) | Saw::Reset), "{refused:?}");
    assert_eq!(impostor.rest().await.0, b"");
}

#[tokio::test]
async fn an_endpoint_with_another_identity_gets_no_byte_and_the_next_one_is_called() {
    let world = World::default();
    let wrong = Endpoint::bind().await;
    let right = Server::tls_echo(httpbin(&world)).await;
    let mut gateway = world.gateway(&service(&[wrong.address, right.address], "")).await;
    let stranger = as_endpoint(&world, &world.local.svid("ns/default/sa/stranger"));
    let sidecar = world.sidecar();
    let (answer, ()) = tokio::join!(sidecar.ask(gateway.address, HTTPBIN, b"secret"), async {
        turned_away(wrong.accept().await.serving(&stranger)).await;
    });
    assert_eq!(answer, Ok(b"secret".to_vec()));
    let outcome = gateway.outcome().await;
    let upstream = outcome.upstream.unwrap();
    assert_eq!((outcome.reason, upstream.host, upstream.attempts), (Reason::Done, right.address, 2));
    // It is passed over now.
    assert_eq!(sidecar.ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    assert_eq!(gateway.outcome().await.upstream.unwrap().attempts, 1);
}

#[tokio::test]
async fn where_no_endpoint_is_whom_the_service_expects_the_client_is_reset_and_the_outcome_says_why() {
    let world = World::default();
    let (first, second) = (Endpoint::bind().await, Endpoint::bind().await);
    let mut gateway = world.gateway(&service(&[first.address, second.address], "")).await;
    let stranger = as_endpoint(&world, &world.local.svid("ns/default/sa/stranger"));
    // The right name, by the CA of the wrong cluster.
    let forged = as_endpoint(&world, &world.remote.svid(ENDPOINT));
    let sidecar = world.sidecar();
    let (answer, (), ()) = tokio::join!(
        sidecar.ask(gateway.address, HTTPBIN, b"secret"),
        async { turned_away(first.accept().await.serving(&stranger)).await },
        async { turned_away(second.accept().await.serving(&forged)).await },
    );
    assert_eq!(answer, Err(Saw::Reset));
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::UpstreamAuth, Flag::Uf));
    assert_eq!((outcome.received, outcome.sent), (0, 0));
    assert_eq!(outcome.upstream.unwrap().attempts, 2);
    let error = outcome.error.unwrap();
    let expected = "spiffe://cluster.local/ns/default/sa/httpbin as vouched for by cluster-1 is none of server_identities";
    assert_eq!(error, format!("{}: {expected}", second.address));
}

#[tokio::test]
async fn an_endpoint_that_speaks_no_tls_or_nothing_at_all_is_a_failed_try() {
    let world = World::default();
    let greeter = Server::greeter("220 ready\r\n").await;
    let mut gateway = world.gateway(&service(&[greeter.address], "")).await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Err(Saw::Reset));
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::UpstreamHandshake, Flag::Uf));
    assert_eq!((outcome.received, outcome.sent), (0, 0));
    assert!(outcome.error.unwrap().starts_with(&greeter.address.to_string()));

    // The kernel takes the connection, and nobody answers.
    let silent = Endpoint::bind().await;
    let timeouts = "[timeouts]\nconnect = \"100ms\"\n";
    let mut gateway = world.gateway(&format!("{timeouts}{}", service(&[silent.address], ""))).await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Err(Saw::Reset));
    assert_eq!(gateway.outcome().await.reason, Reason::ConnectTimeout);
}

#[tokio::test]
async fn an_endpoint_that_does_not_believe_the_gateway_ends_the_connection_by_its_alert() {
    let world = World::default();
    let config = tls_config(&world.local.svid(ENDPOINT), &world.remote.bundle());
    let (mut it, handshake) = Spliced::with(world, &config).await;
    assert!(matches!(handshake, Err(Saw::Error(_))), "{handshake:?}");
    assert_eq!(it.client.end().await, Saw::Reset);
    // In TLS 1.3 a client is done before the server has looked at its certificate.
    let outcome = it.outcome(Reason::UpstreamProtocol, Flag::Uc).await;
    let error = outcome.error.unwrap();
    assert!(error.starts_with("received alert "), "{error}");
}

#[tokio::test]
async fn a_proxy_header_comes_in_plain_before_the_handshake() {
    let world = World::default();
    let config = httpbin(&world);
    let (seen, mut headers) = unbounded_channel();
    let endpoint = Server::start(move |mut tcp| {
        let (config, seen) = (config.clone(), seen.clone());
        async move {
            let mut header = vec![0; 16];
            tcp.read_exact(&mut header).await.unwrap();
            let length = u16::from_be_bytes([header[14], header[15]]);
            header.resize(16 + usize::from(length), 0);
            tcp.read_exact(&mut header[16..]).await.unwrap();
            seen.send(header).unwrap();
            let mut wire = Wire::plain(tcp).serving(&config);
            assert_eq!(wire.handshake().await, Ok(()));
            let (asked, end) = wire.rest().await;
            assert_eq!(end, Saw::End);
            wire.send(&asked).await;
            wire.finish().await;
        }
    })
    .await;
    let gateway = world.gateway(&service(&[endpoint.address], "send_proxy = \"v2\"")).await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
    let header = soon("a header", headers.recv()).await.unwrap();
    assert_eq!(header[..12], *b"\r\n\r\n\0\r\nQUIT\n");
    let caller = b"spiffe://cluster.local/ns/default/sa/sleep";
    assert!(header.windows(caller.len()).any(|window| window == caller));
}
