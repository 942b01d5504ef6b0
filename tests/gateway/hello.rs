//! The ClientHello in every shape that TLS and TCP allow: routed alike, terminated or passed through.

use landbridge::outcome::Reason;
use landbridge::service::Mode;
use landbridge_testkit::client::{Saw, Sidecar, client_hello};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Server;
use landbridge_testkit::wire::{Wire, recut};
use landbridge_testkit::world::{HTTPBIN, World};

/// A change_cipher_spec record, which a client may send right behind its hello (RFC 8446 appendix D.4).
const CHANGE_CIPHER_SPEC: [u8; 6] = [0x14, 3, 3, 0, 1, 1];

/// Cuts the records of a hello into what is written one after the other.
type Way<'a> = &'a dyn Fn(&[u8]) -> Vec<Vec<u8>>;

/// The same name, terminated by one gateway and passed through by another to an endpoint that sends back
/// every byte it gets.
struct Scene {
    world: World,
    terminating: TestGateway,
    passing: TestGateway,
    _endpoint: Server,
}

impl Scene {
    async fn set(head: &str) -> Self {
        let world = World::default();
        let endpoint = Server::echo().await;
        let addresses = [endpoint.address];
        let terminating = world.gateway(&(head.to_owned() + &World::httpbin(&addresses, ""))).await;
        let passed = head.to_owned() + &World::httpbin_passed_through(&addresses, "");
        let passing = world.gateway(&passed).await;
        Self { world, terminating, passing, _endpoint: endpoint }
    }

    /// Delivers the hello of `sidecar` in this way, to be terminated: the call succeeds.
    async fn is_terminated(&mut self, sidecar: &Sidecar, way: Way<'_>) {
        let mut client = Wire::hold_hello(sidecar, self.terminating.address, HTTPBIN).await;
        let pieces = way(&client.flight());
        client.send_pieces(pieces.iter().map(Vec::as_slice)).await;
        assert_eq!(client.handshake().await, Ok(()));
        client.send(b"a call").await;
        client.finish().await;
        assert_eq!(client.rest().await, (b"a call".to_vec(), Saw::End));
        let outcome = self.terminating.outcome().await;
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
        assert_eq!((outcome.sni.as_deref(), outcome.mode), (Some(HTTPBIN), Some(Mode::Terminate)));
    }

    /// Delivers the hello of `sidecar` in this way, to be passed through: the endpoint gets every byte.
    async fn is_passed_through(&mut self, sidecar: &Sidecar, way: Way<'_>) {
        let pieces = way(&client_hello(sidecar, HTTPBIN));
        let sent = pieces.concat();
        let mut client = Wire::dial(self.passing.address).await;
        client.send_pieces(pieces.iter().map(Vec::as_slice)).await;
        client.finish().await;
        let (came_back, end) = client.rest().await;
        assert!(came_back == sent, "{} bytes of {} came back", came_back.len(), sent.len());
        assert_eq!(end, Saw::End);
        let outcome = self.passing.outcome().await;
        assert_eq!(outcome.reason, Reason::Done, "{:?}", outcome.error);
        assert_eq!((outcome.sni.as_deref(), outcome.mode), (Some(HTTPBIN), Some(Mode::Passthrough)));
        assert_eq!((outcome.received, outcome.sent), (sent.len() as u64, sent.len() as u64));
    }

    async fn is_routed(&mut self, sidecar: &Sidecar, way: Way<'_>) {
        self.is_terminated(sidecar, way).await;
        self.is_passed_through(sidecar, way).await;
    }

    /// Both gateways refuse this hello by the alert decode_error.
    async fn is_too_large(&mut self, hello: &[u8]) {
        for gateway in [&mut self.terminating, &mut self.passing] {
            let mut client = Wire::dial(gateway.address).await;
            client.send_raw(hello).await;
            client.finish().await;
            assert_eq!(client.rest().await, (vec![0x15, 3, 3, 0, 2, 2, 50], Saw::End));
            assert_eq!(gateway.outcome().await.reason, Reason::HelloTooLarge);
        }
    }
}

fn message_length(hello: &[u8]) -> usize {
    recut(hello, &[]).len() - 5
}

/// Where in the message a cut could do harm. Each hello has an order of extensions of its own.
fn telling_offsets(hello: &[u8]) -> Vec<usize> {
    let record = recut(hello, &[]);
    let message = &record[5..];
    let name = message.windows(HTTPBIN.len()).position(|window| window == HTTPBIN.as_bytes()).unwrap();
    let end = name + HTTPBIN.len();
    let early = [1, 2, 3, 4, 5, 6, 37, 38, 39, 70, 71];
    let near_name = [name - 9, name - 5, name - 1, name, name + 1, name + 9, end - 1];
    early.into_iter().chain(near_name).chain([message.len() - 1]).collect()
}

/// A sidecar whose list of protocols makes its hello larger than `bytes`; its last are those it wants.
fn talkative(world: &World, bytes: usize) -> Sidecar {
    let filler: Vec<String> = (0..bytes / 200).map(|number| format!("{number:0>200}")).collect();
    let offered: Vec<&str> = filler.iter().map(String::as_str).chain(["istio"]).collect();
    world.sidecar().alpn(&offered)
}

#[tokio::test]
async fn a_hello_may_come_in_one_byte_segments() {
    let mut scene = Scene::set("").await;
    let sidecar = scene.world.sidecar();
    scene.is_routed(&sidecar, &|hello| hello.chunks(1).map(<[u8]>::to_vec).collect()).await;
}

#[tokio::test]
async fn a_hello_with_a_post_quantum_key_share_may_come_in_pieces_of_any_size() {
    let mut scene = Scene::set("").await;
    let sidecar = scene.world.sidecar();
    assert!(client_hello(&sidecar, HTTPBIN).len() > 1460, "more than one segment on an Ethernet");
    for size in [3, 100, 536, 1220, 1460] {
        scene.is_routed(&sidecar, &|hello| hello.chunks(size).map(<[u8]>::to_vec).collect()).await;
    }
}

#[tokio::test]
async fn a_passed_through_hello_may_be_cut_into_two_records_at_every_offset() {
    let mut scene = Scene::set("").await;
    let sidecar = scene.world.sidecar();
    for offset in 1..message_length(&client_hello(&sidecar, HTTPBIN)) {
        scene.is_passed_through(&sidecar, &|hello| vec![recut(hello, &[offset])]).await;
    }
}

#[tokio::test]
async fn a_terminated_hello_may_be_cut_into_two_records_at_the_header_the_name_and_the_end() {
    let mut scene = Scene::set("").await;
    let sidecar = scene.world.sidecar();
    for which in 0..telling_offsets(&client_hello(&sidecar, HTTPBIN)).len() {
        // In one segment, and with the cut between two.
        let together = |hello: &[u8]| vec![recut(hello, &[telling_offsets(hello)[which]])];
        scene.is_terminated(&sidecar, &together).await;
        let apart = |hello: &[u8]| {
            let offset = telling_offsets(hello)[which];
            let records = recut(hello, &[offset]);
            let (first, second) = records.split_at(5 + offset);
            vec![first.to_vec(), second.to_vec()]
        };
        scene.is_terminated(&sidecar, &apart).await;
    }
}

#[tokio::test]
async fn a_hello_may_come_in_as_many_records_as_it_has_bytes() {
    let mut scene = Scene::set("").await;
    let sidecar = scene.world.sidecar();
    for step in [1, 2, 7, 64, 600] {
        let way = |hello: &[u8]| {
            let cuts: Vec<usize> = (step..message_length(hello)).step_by(step).collect();
            recut(hello, &cuts).chunks(333).map(<[u8]>::to_vec).collect()
        };
        scene.is_routed(&sidecar, &way).await;
    }
}

#[tokio::test]
async fn a_record_boundary_inside_the_message_header_moves_nothing() {
    let mut scene = Scene::set("").await;
    let sidecar = scene.world.sidecar();
    let cuts: [&[usize]; 4] = [&[1, 2, 3, 4, 5], &[1, 4], &[2, 3], &[3, 5, 6]];
    for cuts in cuts {
        scene.is_routed(&sidecar, &|hello| recut(hello, cuts).chunks(2).map(<[u8]>::to_vec).collect()).await;
    }
}

#[tokio::test]
async fn what_a_client_pipelines_behind_its_hello_is_kept() {
    let mut scene = Scene::set("").await;
    let sidecar = scene.world.sidecar();
    let together = |hello: &[u8]| vec![[hello, &CHANGE_CIPHER_SPEC].concat()];
    scene.is_routed(&sidecar, &together).await;
    let split = |hello: &[u8]| {
        let (first, last) = hello.split_at(hello.len() - 1);
        vec![first.to_vec(), [last, &CHANGE_CIPHER_SPEC[..3]].concat(), CHANGE_CIPHER_SPEC[3..].to_vec()]
    };
    scene.is_routed(&sidecar, &split).await;
    // What a gateway that doesn't terminate has no business to understand.
    let anything = |hello: &[u8]| vec![[hello, b"\xff not TLS at all \x00"].concat(), vec![7; 100_000]];
    scene.is_passed_through(&sidecar, &anything).await;
}

#[tokio::test]
async fn a_hello_above_the_limit_is_a_decode_error_and_one_below_it_is_routed() {
    let mut scene = Scene::set("").await;
    let large = talkative(&scene.world, 17_000);
    let hello = client_hello(&large, HTTPBIN);
    assert!(message_length(&hello) > 16_384);
    scene.is_too_large(&hello).await;
    let fits = talkative(&scene.world, 14_000);
    scene.is_routed(&fits, &|hello| vec![hello.to_vec()]).await;

    let mut scene = Scene::set("[limits]\nclient_hello_bytes = 32768\n").await;
    scene.is_routed(&talkative(&scene.world, 17_000), &|hello| vec![hello.to_vec()]).await;
}

#[tokio::test]
async fn the_limit_is_on_the_hello_to_the_byte() {
    let sidecar = World::default().sidecar();
    let length = message_length(&client_hello(&sidecar, HTTPBIN));
    let mut scene = Scene::set(&format!("[limits]\nclient_hello_bytes = {length}\n")).await;
    let sidecar = scene.world.sidecar();
    scene.is_routed(&sidecar, &|hello| vec![hello.to_vec()]).await;
    let mut scene = Scene::set(&format!("[limits]\nclient_hello_bytes = {}\n", length - 1)).await;
    let hello = client_hello(&scene.world.sidecar(), HTTPBIN);
    scene.is_too_large(&hello).await;
}
