//! Clients that abuse TLS, before and after their handshake: each is refused or reset, told once, and nobody else
//! is harmed.

use std::sync::Arc;

use landbridge::outcome::{Flag, Outcome, Reason};
use landbridge_testkit::client::{Saw, Sidecar, client_hello};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::{Endpoint, Server, tls_config};
use landbridge_testkit::wire::{Sealer, Wire, recut};
use landbridge_testkit::world::{HTTPBIN, World};

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const APPLICATION: u8 = 23;
/// A ChangeCipherSpec as middleboxes expect it (RFC 8446 section 5).
const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];
/// What is larger than any record may be.
const FLOOD: usize = 100_000;

/// A gateway before an echo.
struct Scene {
    world: World,
    endpoint: Server,
    gateway: TestGateway,
}

impl Scene {
    async fn set() -> Self {
        let world = World::default();
        let endpoint = Server::echo().await;
        let gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
        Self { world, endpoint, gateway }
    }

    fn hello(&self) -> Vec<u8> {
        recut(&client_hello(&self.world.sidecar(), HTTPBIN), &[])
    }

    /// Sends these bytes for a hello, and checks the alert, the one outcome, that no endpoint was asked, and that
    /// the next caller is served.
    async fn refuses(&mut self, hello: &[u8], reason: Reason) {
        let mut client = Wire::dial(self.gateway.address).await;
        client.send_raw(hello).await;
        let alert = reason.alert().expect("a reason that has an alert");
        assert_eq!(client.rest().await.0, [ALERT, 3, 3, 0, 2, 2, alert], "{reason}");
        client.finish().await;
        self.told(reason).await;
    }

    /// Checks the outcome of a connection that reached no endpoint, and that the next caller is served.
    async fn told(&mut self, reason: Reason) -> Outcome {
        let outcome = self.gateway.outcome().await;
        assert_eq!(outcome.reason, reason, "{:?}", outcome.error);
        let before = self.endpoint.accepted();
        let answer = self.world.sidecar().ask(self.gateway.address, HTTPBIN, b"still here").await;
        assert_eq!(answer, Ok(b"still here".to_vec()));
        assert_eq!(self.gateway.outcome().await.reason, Reason::Done);
        assert_eq!(self.endpoint.accepted(), before + 1);
        assert!(self.gateway.told_everything());
        outcome
    }
}

/// A record without protection.
fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 3, high, low], payload].concat()
}

/// A hello of an old version, which has no extensions.
fn old_hello(version: [u8; 2]) -> Vec<u8> {
    let body = [&version[..], &[7; 32], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    record(HANDSHAKE, &[&[1, 0, 0, length], &body[..]].concat())
}

/// Where the list of cipher suites of a hello of one record is, without its length, and where each extension's
/// content is.
fn parts(hello: &[u8]) -> (std::ops::Range<usize>, Vec<(u16, std::ops::Range<usize>)>) {
    let number = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
    let session = 5 + 4 + 2 + 32;
    let suites = session + 1 + usize::from(hello[session]);
    let suites = suites + 2..suites + 2 + usize::from(number(suites));
    let mut at = suites.end + 1 + usize::from(hello[suites.end]) + 2;
    let mut extensions = Vec::new();
    while at < hello.len() {
        let content = at + 4..at + 4 + usize::from(number(at + 2));
        extensions.push((number(at), content.clone()));
        at = content.end;
    }
    (suites, extensions)
}

#[tokio::test]
async fn empty_records_and_records_that_are_too_long_are_decode_errors() {
    let mut scene = Scene::set().await;
    let hello = scene.hello();
    let halves = recut(&hello, &[40]);
    let (first, second) = halves.split_at(5 + 40);
    scene.refuses(&[first, &record(HANDSHAKE, &[]), second].concat(), Reason::HelloMalformed).await;
    scene.refuses(&[HANDSHAKE, 3, 1, 0x48, 1, 1, 0, 0, 4], Reason::HelloMalformed).await;
}

#[tokio::test]
async fn messages_that_share_a_record_with_the_hello_are_a_decode_error() {
    let mut scene = Scene::set().await;
    // Everything behind a hello is under other keys or in another version.
    let together = [&scene.hello()[5..], &[20, 0, 0, 4, 1, 2, 3, 4]].concat();
    scene.refuses(&record(HANDSHAKE, &together), Reason::HelloMalformed).await;
}

#[tokio::test]
async fn hellos_of_ssl_and_of_old_tls_are_told_that_their_version_is_too_old() {
    let mut scene = Scene::set().await;
    let ssl2 = [&[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10][..], &[5; 37]].concat();
    scene.refuses(&ssl2, Reason::Version).await;
    for version in [[3, 0], [3, 1], [3, 2]] {
        scene.refuses(&old_hello(version), Reason::Version).await;
    }
}

#[tokio::test]
async fn suites_groups_or_signatures_that_nobody_has_are_a_handshake_failure() {
    const GROUPS: u16 = 10;
    const SIGNATURES: u16 = 13;
    const KEY_SHARE: u16 = 51;
    const NOBODY_S: [u8; 2] = [0x77, 0x77];
    let mut scene = Scene::set().await;
    let hello = scene.hello();
    let (suites, extensions) = parts(&hello);
    let content = |id| extensions.iter().find(|(other, _)| *other == id).unwrap().1.clone();

    let mut no_suite = hello.clone();
    no_suite[suites].chunks_mut(2).for_each(|suite| suite.copy_from_slice(&NOBODY_S));
    scene.refuses(&no_suite, Reason::NoCommon).await;

    let mut no_signature = hello.clone();
    no_signature[content(SIGNATURES)][2..].chunks_mut(2).for_each(|one| one.copy_from_slice(&NOBODY_S));
    // That is found out behind the ServerHello, so that the alert is encrypted.
    let mut client = Wire::dial(scene.gateway.address).await;
    client.send_raw(&no_signature).await;
    client.rest().await;
    client.finish().await;
    scene.told(Reason::NoCommon).await;

    let mut no_group = hello.clone();
    no_group[content(GROUPS)][2..].chunks_mut(2).for_each(|group| group.copy_from_slice(&NOBODY_S));
    let mut shares = &mut no_group[content(KEY_SHARE)][2..];
    while let [one, two, high, low, rest @ ..] = shares {
        [*one, *two] = NOBODY_S;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        shares = &mut rest[length..];
    }
    scene.refuses(&no_group, Reason::NoCommon).await;
}

#[tokio::test]
async fn a_client_that_closes_behind_its_hello_is_told_as_broken_or_closed_at_once() {
    let mut scene = Scene::set().await;
    for level in [1, 2] {
        let mut client = Wire::dial(scene.gateway.address).await;
        client.send_raw(&[scene.hello(), record(ALERT, &[level, 0])].concat()).await;
        // It does not end by itself; the gateway does not wait for that.
        client.rest().await;
        client.finish().await;
        scene.told(Reason::HandshakeBroken).await;
    }
}

#[tokio::test]
async fn change_cipher_specs_without_end_break_the_handshake() {
    let mut scene = Scene::set().await;
    let mut client = Wire::dial(scene.gateway.address).await;
    client.send_raw(&[scene.hello(), CHANGE_CIPHER_SPEC.repeat(50)].concat()).await;
    client.rest().await;
    client.finish().await;
    scene.told(Reason::HandshakeBroken).await;
}

#[tokio::test]
async fn early_data_and_the_ticket_of_somebody_else_are_passed_over() {
    let mut scene = Scene::set().await;
    let mut believed =
        (*tls_config(&scene.world.local.svid("ns/a/sa/b"), &scene.world.remote.bundle())).clone();
    believed.max_early_data_size = 16_384;
    let (decoy, believed) = (Endpoint::bind().await, Arc::new(believed));
    for early in [false, true] {
        let mut sidecar = scene.world.sidecar();
        sidecar.config.enable_early_data = early;
        gets_a_ticket(&sidecar, &decoy, &believed).await;
        let mut client = Wire::hold_hello(&sidecar, scene.gateway.address, HTTPBIN).await;
        assert_eq!(client.early(b"sent too early").await, early);
        assert_eq!(client.handshake().await, Ok(()));
        client.send(b"in time").await;
        client.finish().await;
        assert_eq!(client.rest().await, (b"in time".to_vec(), Saw::End));
        let outcome = scene.told(Reason::Done).await;
        assert_eq!((outcome.received, outcome.tls.unwrap().resumed), (7, false));
    }
}

/// Lets `sidecar` have a session with somebody else by the same name.
async fn gets_a_ticket(sidecar: &Sidecar, decoy: &Endpoint, believed: &Arc<rustls::ServerConfig>) {
    let mut client = Wire::hold_hello(sidecar, decoy.address, HTTPBIN).await;
    let mut server = decoy.accept().await.serving(believed);
    let (client_s, server_s) = tokio::join!(client.handshake(), server.handshake());
    assert_eq!((client_s, server_s), (Ok(()), Ok(())));
    server.send(b"tickets come first").await;
    client.receive(18).await;
    assert!(client.tickets() > 0);
}

/// A client and an endpoint that talk already, the client's records being made by hand from now on.
struct Talking {
    scene: Scene,
    client: Wire,
    endpoint: Wire,
    sealer: Sealer,
}

impl Talking {
    async fn set() -> (Self, Endpoint) {
        let listening = Endpoint::bind().await;
        let world = World::default();
        let gateway = world.gateway(&World::httpbin(&[listening.address], "")).await;
        let mut sidecar = world.sidecar();
        sidecar.config.enable_secret_extraction = true;
        let mut client = Wire::secure(&sidecar, gateway.address, HTTPBIN).await;
        let mut endpoint = listening.accept().await;
        client.send(b"hello").await;
        assert_eq!(endpoint.receive(5).await, b"hello");
        let (client, sealer) = client.unsealed();
        let scene = Scene { world, endpoint: Server::echo().await, gateway };
        (Self { scene, client, endpoint, sealer }, listening)
    }

    /// Checks that both sides were reset after these bytes, and that it was the client's fault.
    async fn ends_in_reset(mut self, listening: Endpoint, bytes: &[u8]) {
        assert_eq!(self.endpoint.rest().await, (bytes.to_vec(), Saw::Reset));
        assert_eq!(self.client.rest().await.1, Saw::Reset);
        let outcome = self.scene.gateway.outcome().await;
        assert_eq!(outcome.reason, Reason::DownstreamProtocol, "{:?}", outcome.error);
        assert_eq!(outcome.reason.flag(), Flag::Dpe);
        let serving = listening.echo();
        let answer = self.scene.world.sidecar().ask(self.scene.gateway.address, HTTPBIN, b"still here").await;
        assert_eq!(answer, Ok(b"still here".to_vec()));
        assert_eq!(self.scene.gateway.outcome().await.reason, Reason::Done);
        assert!(self.scene.gateway.told_everything());
        drop(serving);
    }
}

#[tokio::test]
async fn a_flood_of_records_without_content_ends_the_connection() {
    let (mut it, listening) = Talking::set().await;
    let mut flood = it.sealer.seal(APPLICATION, b"some");
    while flood.len() < FLOOD {
        flood.extend(it.sealer.seal(APPLICATION, b""));
    }
    it.client.send_raw(&flood).await;
    it.ends_in_reset(listening, b"some").await;
}

#[tokio::test]
async fn a_flood_of_warnings_ends_the_connection() {
    // The one warning that TLS 1.3 has left: user_canceled.
    let (mut it, listening) = Talking::set().await;
    let mut flood = it.sealer.seal(APPLICATION, b"some");
    while flood.len() < FLOOD {
        flood.extend(it.sealer.seal(ALERT, &[1, 90]));
    }
    it.client.send_raw(&flood).await;
    it.ends_in_reset(listening, b"some").await;
}

#[tokio::test]
async fn a_change_cipher_spec_after_the_handshake_ends_the_connection() {
    let (mut it, listening) = Talking::set().await;
    it.client.send_raw(&CHANGE_CIPHER_SPEC.repeat(50)).await;
    it.ends_in_reset(listening, b"").await;
}

#[tokio::test]
async fn messages_that_share_a_record_with_a_change_of_keys_end_the_connection() {
    const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
    let (mut it, listening) = Talking::set().await;
    let mut records = it.sealer.seal(APPLICATION, b"some");
    records.extend(it.sealer.seal(HANDSHAKE, &KEY_UPDATE.repeat(2)));
    it.client.send_raw(&records).await;
    it.ends_in_reset(listening, b"some").await;
}

#[tokio::test]
async fn a_record_that_was_changed_on_its_way_ends_the_connection() {
    let (mut it, listening) = Talking::set().await;
    let mut records = it.sealer.seal(APPLICATION, b"some");
    let mut changed = it.sealer.seal(APPLICATION, b"more");
    changed[9] ^= 1;
    records.extend(changed);
    it.client.send_raw(&records).await;
    it.ends_in_reset(listening, b"some").await;
}

#[tokio::test]
async fn a_record_that_is_too_long_after_the_handshake_ends_the_connection() {
    let (mut it, listening) = Talking::set().await;
    it.client.send_raw(&[APPLICATION, 3, 3, 0x48, 1]).await;
    it.ends_in_reset(listening, b"").await;
}

#[tokio::test]
async fn ten_thousand_records_of_one_byte_arrive_as_they_were_sent() {
    let (mut it, _listening) = Talking::set().await;
    let mut records = Vec::new();
    for number in 0..10_000_u32 {
        records.extend(it.sealer.seal(APPLICATION, &number.to_le_bytes()[..1]));
    }
    let expected: Vec<u8> = (0..10_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let sending = it.client.send_raw(&records);
    let ((), came) = tokio::join!(sending, it.endpoint.receive(10_000));
    assert!(came == expected);
}

#[tokio::test]
async fn changes_of_keys_without_a_byte_between_them_end_the_connection_and_with_some_they_do_not() {
    let listening = Endpoint::bind().await;
    let world = World::default();
    let mut gateway = world.gateway(&World::httpbin(&[listening.address], "")).await;
    let mut client = Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await;
    let mut endpoint = listening.accept().await;
    for _ in 0..100 {
        client.renew_keys().await;
        client.send(b"x").await;
        assert_eq!(endpoint.receive(1).await, b"x");
    }
    for _ in 0..100 {
        client.renew_keys().await;
    }
    assert_eq!(endpoint.end().await, Saw::Reset);
    assert_eq!(client.rest().await.1, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.received), (Reason::DownstreamProtocol, 100), "{:?}", outcome.error);
}
