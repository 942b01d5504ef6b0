//! The PROXY protocol in front of the gateway and behind it.

use std::net::SocketAddr;

use landbridge::Outcome;
use landbridge::outcome::{Flag, Reason};
use landbridge_testkit::client::{Saw, client_hello, raw};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::{Server, echo};
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use ppp::v2::{Addresses, Builder, Command, Header, IPv4, IPv6, Protocol, Type, TypeLengthValues, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const LOOPBACK: &str = "127.0.0.0/8";
const LINE: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 41000 443\r\n";

/// A listener that serves load balancers in one range only.
fn required(from: &str) -> String {
    format!("[listener]\nproxy_protocol = \"required\"\nproxy_protocol_from = [\"{from}\"]\n")
}

fn passthrough(endpoint: SocketAddr, more: &str) -> String {
    format!(
        "[[service]]\nsni = [\"db.example\"]\nmode = \"passthrough\"\nendpoints = [{{ address = \"{endpoint}\" }}]\n{more}\n"
    )
}

fn announcing(source: &str, destination: &str) -> Builder {
    let pair: (SocketAddr, SocketAddr) = (source.parse().unwrap(), destination.parse().unwrap());
    Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, Addresses::from(pair))
}

fn v2(source: &str, destination: &str) -> Vec<u8> {
    announcing(source, destination).build().unwrap()
}

/// A gateway behind a load balancer, and the endpoints of `httpbin` and `db.example`, which echo.
struct Scene {
    world: World,
    gateway: TestGateway,
    endpoint: Server,
}

impl Scene {
    async fn set(from: &str) -> Self {
        let (world, endpoint) = (World::default(), Server::echo().await);
        let services = World::httpbin(&[endpoint.address], "") + &passthrough(endpoint.address, "");
        let gateway = world.gateway(&(required(from) + &services)).await;
        Self { world, gateway, endpoint }
    }

    /// Connects, says `header` in the pieces given, and then speaks mTLS.
    async fn through(&self, header: &[&[u8]]) -> Result<(), Saw> {
        let mut tcp = TcpStream::connect(self.gateway.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let spoken = async {
            for piece in header {
                tcp.write_all(piece).await?;
            }
            let mut stream = self.world.sidecar().secure(tcp, HTTPBIN).await?;
            stream.write_all(b"hello").await?;
            stream.shutdown().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            assert_eq!(answer, b"hello");
            Ok(())
        };
        spoken.await.map_err(|error: std::io::Error| Saw::of(&error))
    }

    async fn served(&mut self, header: &[&[u8]]) -> Outcome {
        self.through(header).await.unwrap();
        let outcome = self.gateway.outcome().await;
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
        outcome
    }

    /// Sends `bytes` and checks that a reset is the answer, that `reason` is logged, and that nothing
    /// else came of it.
    async fn refused(&mut self, bytes: &[u8], reason: Reason) -> Outcome {
        let answer = raw(self.gateway.address, &[bytes]).await;
        assert!(answer.is_err(), "{answer:?} to {bytes:?}");
        let outcome = self.gateway.outcome().await;
        assert_eq!(outcome.reason, reason, "{:?}: {bytes:?}", outcome.error);
        assert_eq!((outcome.reason.flag(), outcome.reason.alert()), (Flag::Dpe, None));
        assert_eq!(self.endpoint.accepted(), 0);
        outcome
    }

    /// Waits until one more connection came without a byte and was not told of.
    async fn probed(&mut self, before: u64) {
        while self.gateway.handle.count(Reason::Probe) == before {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.gateway.handle.count(Reason::Probe), before + 1);
        assert!(self.gateway.told_everything());
    }
}

#[tokio::test]
async fn the_client_is_who_the_load_balancer_says() {
    let mut scene = Scene::set(LOOPBACK).await;
    let headers = [
        (LINE.as_bytes().to_vec(), "192.0.2.7:41000", "198.51.100.1:443"),
        (v2("192.0.2.7:41000", "198.51.100.1:443"), "192.0.2.7:41000", "198.51.100.1:443"),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 41000 443\r\n".to_vec(),
            "[2001:db8::7]:41000",
            "[2001:db8::1]:443",
        ),
        (v2("[2001:db8::7]:41000", "[2001:db8::1]:443"), "[2001:db8::7]:41000", "[2001:db8::1]:443"),
        // IPv4 is IPv4, however it is written.
        (v2("[::ffff:192.0.2.7]:41000", "[::ffff:198.51.100.1]:443"), "192.0.2.7:41000", "198.51.100.1:443"),
    ];
    for (header, source, destination) in headers {
        let outcome = scene.served(&[&header]).await;
        assert_eq!(outcome.downstream_remote.to_string(), source);
        assert_eq!(outcome.downstream_local.to_string(), destination);
        assert_eq!((outcome.received, outcome.sent), (5, 5));
    }
}

#[tokio::test]
async fn a_header_may_come_one_byte_at_a_time() {
    let mut scene = Scene::set(LOOPBACK).await;
    let with_tlv =
        announcing("192.0.2.7:41000", "198.51.100.1:443").write_tlv(Type::NoOp, &[0; 300]).unwrap();
    for header in [LINE.as_bytes().to_vec(), with_tlv.build().unwrap()] {
        let pieces: Vec<&[u8]> = header.chunks(1).collect();
        let outcome = scene.served(&pieces).await;
        assert_eq!(outcome.downstream_remote.to_string(), "192.0.2.7:41000");
    }
}

#[tokio::test]
async fn a_load_balancer_that_speaks_for_itself_keeps_its_own_address() {
    let mut scene = Scene::set(LOOPBACK).await;
    let local = Builder::new(Version::Two | Command::Local, 0).build().unwrap();
    let unspecified = Builder::new(Version::Two | Command::Proxy, 0).build().unwrap();
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), local.clone(), unspecified] {
        let outcome = scene.served(&[&header]).await;
        assert!(outcome.downstream_remote.ip().is_loopback(), "{}", outcome.downstream_remote);
        assert_eq!(outcome.downstream_local, scene.gateway.address);
    }
    // Its health checks: with a header of its own, or with nothing at all.
    for (before, header) in [b"PROXY UNKNOWN\r\n".as_slice(), &local, b""].into_iter().enumerate() {
        let mut tcp = TcpStream::connect(scene.gateway.address).await.unwrap();
        tcp.write_all(header).await.unwrap();
        drop(tcp);
        scene.probed(u64::try_from(before).unwrap()).await;
    }
}

#[tokio::test]
async fn what_comes_with_the_header_in_one_segment_reaches_the_endpoint() {
    let mut scene = Scene::set(LOOPBACK).await;
    let hello = client_hello(&scene.world.sidecar(), "db.example");
    for header in [LINE.as_bytes().to_vec(), v2("192.0.2.7:41000", "198.51.100.1:443")] {
        let mut tcp = TcpStream::connect(scene.gateway.address).await.unwrap();
        tcp.write_all(&[header, hello.clone()].concat()).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut echoed = Vec::new();
        tcp.read_to_end(&mut echoed).await.unwrap();
        assert_eq!(echoed, hello);
        let outcome = scene.gateway.outcome().await;
        assert_eq!((outcome.reason, outcome.sni.as_deref()), (Reason::Done, Some("db.example")));
        assert_eq!(outcome.downstream_remote.to_string(), "192.0.2.7:41000");
    }
    // A refusal is told as ever.
    let stranger = client_hello(&scene.world.sidecar(), "nobody.example");
    let alert = raw(scene.gateway.address, &[&[LINE.as_bytes(), &stranger].concat()]).await.unwrap();
    assert_eq!(alert, [0x15, 3, 3, 0, 2, 2, 112]);
    assert_eq!(scene.gateway.outcome().await.downstream_remote.to_string(), "192.0.2.7:41000");
}

#[tokio::test]
async fn who_may_not_speak_for_others_is_reset_before_a_byte_is_read() {
    let mut scene = Scene::set("192.0.2.0/24").await;
    for bytes in [LINE.as_bytes(), b"\x16\x03\x01", b""] {
        let outcome = scene.refused(bytes, Reason::ProxySource).await;
        assert!(outcome.downstream_remote.ip().is_loopback());
        assert!(outcome.refused());
    }
}

#[tokio::test]
async fn a_connection_without_a_whole_and_true_header_is_reset() {
    let mut scene = Scene::set(LOOPBACK).await;
    let hello = client_hello(&scene.world.sidecar(), HTTPBIN);
    let good = v2("192.0.2.7:41000", "198.51.100.1:443");
    let long = announcing("192.0.2.7:41000", "198.51.100.1:443").set_length(40).build().unwrap();
    let huge = announcing("192.0.2.7:41000", "198.51.100.1:443").set_length(u16::MAX).build().unwrap();
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    let udp = Builder::new(0x21, 0x12).write_payload(&[0; 12][..]).unwrap().build().unwrap();
    let cases: [&[u8]; 9] = [
        &hello,
        b"GET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 41000 99999\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 41000 443 and more\r\n",
        endless.as_bytes(),
        &[&long[..], &hello].concat(),
        &huge,
        &udp,
        &[&good[..12], b"\x31\x11\x00\x0c"].concat(),
    ];
    for bytes in cases {
        let outcome = scene.refused(bytes, Reason::ProxyHeader).await;
        assert!(outcome.error.is_some(), "{bytes:?}");
        assert!(outcome.downstream_remote.ip().is_loopback());
    }
    // What comes behind a good header is no part of it.
    let answer = raw(scene.gateway.address, &[&[LINE.as_bytes(), b"PROXY"].concat()]).await.unwrap();
    assert_eq!(answer, [0x15, 3, 3, 0, 2, 2, 50]);
    assert_eq!(scene.gateway.outcome().await.reason, Reason::NotTls);
}

#[tokio::test]
async fn a_header_that_is_cut_off_is_no_header() {
    let mut scene = Scene::set(LOOPBACK).await;
    let header = v2("192.0.2.7:41000", "198.51.100.1:443");
    for part in [&header[..1], &header[..15], &header[..20], b"PROXY UNKNOWN\r"] {
        let mut tcp = TcpStream::connect(scene.gateway.address).await.unwrap();
        tcp.write_all(part).await.unwrap();
        tcp.shutdown().await.unwrap();
        assert!(tcp.read_to_end(&mut Vec::new()).await.is_err());
        assert_eq!(scene.gateway.outcome().await.reason, Reason::ProxyHeader);
    }
}

#[tokio::test]
async fn header_and_hello_share_one_deadline() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let timeouts = "[timeouts]\nclient_hello = \"100ms\"\n";
    let services = World::httpbin(&[endpoint.address], "");
    let mut gateway = world.gateway(&format!("{}{timeouts}{services}", required(LOOPBACK))).await;
    for bytes in ["", "PROXY ", LINE] {
        assert!(raw(gateway.address, &[bytes.as_bytes()]).await.is_err());
        assert_eq!(gateway.outcome().await.reason, Reason::HelloTimeout, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_header_that_nobody_asked_for_is_not_tls() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    for header in [LINE.as_bytes().to_vec(), v2("192.0.2.7:41000", "198.51.100.1:443")] {
        assert_eq!(raw(gateway.address, &[&header]).await.unwrap(), [0x15, 3, 3, 0, 2, 2, 50]);
        let outcome = gateway.outcome().await;
        assert_eq!(outcome.reason, Reason::NotTls);
        assert!(outcome.downstream_remote.ip().is_loopback());
    }
}

#[tokio::test]
async fn a_client_stays_with_its_endpoint_by_the_address_that_is_announced() {
    let world = World::default();
    let endpoints = [Server::echo().await, Server::echo().await];
    let services =
        World::httpbin(&endpoints.each_ref().map(|server| server.address), "balance = \"source_hash\"");
    let gateway = world.gateway(&(required(LOOPBACK) + &services)).await;
    let [first, second] = endpoints;
    let mut scene = Scene { world, gateway, endpoint: first };
    for client in 0..16 {
        let header = format!("PROXY TCP4 192.0.2.{client} 198.51.100.1 41000 443\r\n");
        let chosen = scene.served(&[header.as_bytes()]).await.upstream.unwrap().host;
        let again = scene.served(&[header.as_bytes()]).await.upstream.unwrap().host;
        assert_eq!(chosen, again);
    }
    assert!(scene.endpoint.accepted() > 0 && second.accepted() > 0);
}

/// An endpoint that takes a header, tells the test of it, and echoes the rest.
async fn informed() -> (Server, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (tell, told) = mpsc::unbounded_channel();
    let server = Server::start(move |mut tcp| {
        let tell = tell.clone();
        async move {
            let mut header = vec![0; 16];
            tcp.read_exact(&mut header).await.unwrap();
            let length = u16::from_be_bytes([header[14], header[15]]);
            let mut rest = vec![0; usize::from(length)];
            tcp.read_exact(&mut rest).await.unwrap();
            header.extend(rest);
            tell.send(header).unwrap();
            echo(tcp).await;
        }
    })
    .await;
    (server, told)
}

fn tlvs(list: TypeLengthValues<'_>) -> Vec<(u8, Vec<u8>)> {
    list.map(|tlv| tlv.unwrap()).map(|tlv| (tlv.kind, tlv.value.into_owned())).collect()
}

#[tokio::test]
async fn an_endpoint_is_told_who_calls_before_it_hears_a_byte() {
    let world = World::default();
    let (endpoint, mut told) = informed().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "send_proxy = \"v2\"")).await;
    assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"hello").await, Ok(b"hello".to_vec()));
    let outcome = gateway.outcome().await;
    // The header is ours and no payload.
    assert_eq!((outcome.received, outcome.sent), (5, 5));

    let bytes = told.recv().await.unwrap();
    let header = Header::try_from(bytes.as_slice()).unwrap();
    assert_eq!((header.command, header.protocol), (Command::Proxy, Protocol::Stream));
    assert_eq!(header.addresses, Addresses::from((outcome.downstream_remote, gateway.address)));
    let told = tlvs(header.tlvs());
    assert_eq!(told.len(), 4);
    assert_eq!(told[0], (0x01, b"istio".to_vec()));
    assert_eq!(told[1], (0x02, HTTPBIN.into()));
    assert_eq!(told[3], (0xD0, world.remote.id(SLEEP).into_bytes()));
    let (kind, ssl) = &told[2];
    assert_eq!((*kind, &ssl[..5]), (0x20, &[0x07, 0, 0, 0, 0][..]));
    let session = tlvs(TypeLengthValues::from(&ssl[5..]));
    assert_eq!(session, [(0x21, b"TLSv1.3".to_vec()), (0x23, outcome.tls.unwrap().cipher.into_bytes())]);
}

#[tokio::test]
async fn an_endpoint_of_a_passed_through_service_is_told_the_address_and_the_name() {
    let world = World::default();
    let (endpoint, mut told) = informed().await;
    let mut gateway = world.gateway(&passthrough(endpoint.address, "send_proxy = \"v2\"")).await;
    let hello = client_hello(&world.sidecar(), "db.example");
    let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
    tcp.write_all(&hello).await.unwrap();
    tcp.shutdown().await.unwrap();
    let mut echoed = Vec::new();
    tcp.read_to_end(&mut echoed).await.unwrap();
    assert_eq!(echoed, hello);

    let outcome = gateway.outcome().await;
    let bytes = told.recv().await.unwrap();
    let header = Header::try_from(bytes.as_slice()).unwrap();
    assert_eq!(header.addresses, Addresses::from((outcome.downstream_remote, gateway.address)));
    assert_eq!(tlvs(header.tlvs()), [(0x02, b"db.example".to_vec())]);
}

#[tokio::test]
async fn what_the_load_balancer_says_is_told_on_in_one_family() {
    let world = World::default();
    let (endpoint, mut told) = informed().await;
    let services = World::httpbin(&[endpoint.address], "send_proxy = \"v2\"");
    let gateway = world.gateway(&(required(LOOPBACK) + &services)).await;
    let mut scene = Scene { world, gateway, endpoint };

    scene.served(&[LINE.as_bytes()]).await;
    let bytes = told.recv().await.unwrap();
    let addresses = Header::try_from(bytes.as_slice()).unwrap().addresses;
    assert_eq!(addresses, IPv4::new([192, 0, 2, 7], [198, 51, 100, 1], 41000, 443).into());

    scene.served(&[b"PROXY TCP6 2001:db8::7 ::ffff:198.51.100.1 41000 443\r\n"]).await;
    let bytes = told.recv().await.unwrap();
    let addresses = Header::try_from(bytes.as_slice()).unwrap().addresses;
    let (source, destination) = ("2001:db8::7", "::ffff:198.51.100.1");
    let v6 = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap();
    assert_eq!(addresses, IPv6::new(v6(source), v6(destination), 41000, 443).into());
}

#[tokio::test]
async fn each_endpoint_that_is_tried_gets_the_header() {
    let world = World::default();
    let (endpoint, mut told) = informed().await;
    let nobody = Server::nobody().await;
    let more = "send_proxy = \"v2\"\nbalance = \"round_robin\"";
    let mut gateway = world.gateway(&World::httpbin(&[nobody, endpoint.address], more)).await;
    for _ in 0..2 {
        assert_eq!(world.sidecar().ask(gateway.address, HTTPBIN, b"x").await, Ok(b"x".to_vec()));
        assert_eq!(gateway.outcome().await.upstream.unwrap().host, endpoint.address);
        assert!(told.recv().await.is_some());
    }
}
