//! How streams end, through the whole gateway: a clean end is handed on, every other one is a reset.

use landbridge::outcome::{Flag, Outcome, Reason};
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Endpoint;
use landbridge_testkit::wire::{Wire, noise};
use landbridge_testkit::world::{HTTPBIN, World};

/// A client and an endpoint that are spliced by a gateway which terminates the client's TLS.
struct Spliced {
    gateway: TestGateway,
    client: Wire,
    endpoint: Wire,
    _world: World,
}

impl Spliced {
    async fn set() -> Self {
        Self::with("", "").await
    }

    /// With a head of the configuration, and further keys of the service.
    async fn with(head: &str, service: &str) -> Self {
        let world = World::default();
        let listening = Endpoint::bind().await;
        let services = head.to_owned() + &World::httpbin(&[listening.address], service);
        let gateway = world.gateway(&services).await;
        let client = Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await;
        let endpoint = listening.accept().await;
        Self { gateway, client, endpoint, _world: world }
    }

    async fn outcome(&mut self, reason: Reason, flag: Flag) -> Outcome {
        let outcome = self.gateway.outcome().await;
        assert_eq!((outcome.reason, outcome.reason.flag()), (reason, flag), "{:?}", outcome.error);
        outcome
    }
}

#[tokio::test]
async fn a_client_that_has_ended_still_gets_a_whole_mebibyte_of_answer() {
    let mut it = Spliced::set().await;
    it.client.send(b"question").await;
    it.client.finish().await;
    assert_eq!(it.endpoint.rest().await, (b"question".to_vec(), Saw::End));
    let answer = noise(1 << 20, 1);
    let answering = async {
        it.endpoint.send(&answer).await;
        it.endpoint.finish().await;
    };
    let ((), (got, end)) = tokio::join!(answering, it.client.rest());
    assert!(got == answer, "{} bytes", got.len());
    assert_eq!(end, Saw::End);
    let outcome = it.outcome(Reason::Done, Flag::Fine).await;
    assert_eq!((outcome.received, outcome.sent), (8, 1 << 20));
}

#[tokio::test]
async fn an_endpoint_that_ends_first_is_a_close_notify_and_the_client_can_go_on_sending() {
    let mut it = Spliced::set().await;
    it.endpoint.send(b"220 bye").await;
    it.endpoint.finish().await;
    assert_eq!(it.client.rest().await, (b"220 bye".to_vec(), Saw::End));
    let upload = noise(1 << 20, 2);
    let uploading = async {
        it.client.send(&upload).await;
        it.client.finish().await;
    };
    let ((), (got, end)) = tokio::join!(uploading, it.endpoint.rest());
    assert!(got == upload, "{} bytes", got.len());
    assert_eq!(end, Saw::End);
    let outcome = it.outcome(Reason::Done, Flag::Fine).await;
    assert_eq!((outcome.received, outcome.sent), (1 << 20, 7));
}

#[tokio::test]
async fn both_sides_may_end_at_once() {
    let mut it = Spliced::set().await;
    tokio::join!(it.client.finish(), it.endpoint.finish());
    assert_eq!((it.client.end().await, it.endpoint.end().await), (Saw::End, Saw::End));
    it.outcome(Reason::Done, Flag::Fine).await;
}

#[tokio::test]
async fn a_client_s_fin_without_close_notify_is_a_reset_at_the_endpoint_after_every_byte() {
    let mut it = Spliced::set().await;
    let upload = noise(300_000, 3);
    let uploading = async {
        it.client.send(&upload).await;
        it.client.bare_fin().await;
    };
    let ((), (got, end)) = tokio::join!(uploading, it.endpoint.rest());
    assert!(got == upload, "{} bytes", got.len());
    assert_eq!(end, Saw::Reset);
    assert_eq!(it.client.end().await, Saw::Reset);
    let outcome = it.outcome(Reason::Truncated, Flag::Tr).await;
    assert_eq!((outcome.received, outcome.sent), (300_000, 0));
}

#[tokio::test]
async fn a_service_may_take_a_client_s_fin_without_close_notify_for_its_end() {
    let mut it = Spliced::with("", "missing_close_notify = \"fin\"").await;
    it.client.send(b"all of it").await;
    it.client.bare_fin().await;
    assert_eq!(it.endpoint.rest().await, (b"all of it".to_vec(), Saw::End));
    it.endpoint.send(b"thanks").await;
    it.endpoint.finish().await;
    assert_eq!(it.client.rest().await, (b"thanks".to_vec(), Saw::End));
    it.outcome(Reason::Done, Flag::Fine).await;
}

#[tokio::test]
async fn a_client_s_reset_is_a_reset_at_the_endpoint() {
    let mut it = Spliced::set().await;
    it.client.send(b"some").await;
    assert_eq!(it.endpoint.receive(4).await, b"some");
    let Spliced { mut gateway, client, mut endpoint, .. } = it;
    client.reset();
    assert_eq!(endpoint.end().await, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::DownstreamReset, Flag::Dr));
    assert_eq!((outcome.received, outcome.sent), (4, 0));
}

#[tokio::test]
async fn an_endpoint_s_reset_reaches_the_client_after_every_byte_and_without_close_notify() {
    let it = Spliced::set().await;
    let Spliced { mut gateway, mut client, mut endpoint, .. } = it;
    let said = noise(10_000, 4);
    endpoint.send(&said).await;
    endpoint.reset();
    let (got, end) = client.rest().await;
    assert!(got == said, "{} bytes", got.len());
    assert_eq!(end, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::UpstreamReset, Flag::Ur));
    assert_eq!((outcome.received, outcome.sent), (0, 10_000));
}

#[tokio::test]
async fn a_record_that_is_not_authentic_is_a_reset_at_the_endpoint() {
    let mut it = Spliced::set().await;
    // An alert without protection, as somebody on the path could send it.
    it.client.send_raw(&[0x15, 3, 3, 0, 2, 2, 80]).await;
    assert_eq!(it.endpoint.end().await, Saw::Reset);
    it.outcome(Reason::DownstreamProtocol, Flag::Dpe).await;
}

#[tokio::test]
async fn what_comes_in_one_piece_with_the_handshake_s_end_arrives_even_if_a_broken_record_comes_behind_it() {
    let world = World::default();
    let listening = Endpoint::bind().await;
    let gateway = world.gateway(&World::httpbin(&[listening.address], "")).await;
    let mut client = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = client.flight();
    client.send_raw(&hello).await;
    let mut piece = client.hold_handshake().await;
    piece.extend(client.seal(b"everything"));
    piece.extend([23, 3, 3, 0, 32]);
    piece.extend([0; 32]);
    client.send_raw(&piece).await;
    let mut endpoint = listening.accept().await;
    assert_eq!(endpoint.rest().await, (b"everything".to_vec(), Saw::Reset));
    let mut it = Spliced { gateway, client, endpoint, _world: world };
    assert_eq!(it.outcome(Reason::DownstreamProtocol, Flag::Dpe).await.received, 10);
}

#[tokio::test]
async fn a_silent_connection_is_reset_on_both_sides() {
    let mut it = Spliced::with("[timeouts]\nidle = \"200ms\"\n", "").await;
    assert_eq!((it.client.end().await, it.endpoint.end().await), (Saw::Reset, Saw::Reset));
    it.outcome(Reason::Idle, Flag::Si).await;
}

#[tokio::test]
async fn a_half_closed_connection_that_is_silent_is_reset_on_both_sides() {
    let mut it = Spliced::with("[timeouts]\nhalf_close = \"200ms\"\n", "").await;
    it.client.finish().await;
    // The endpoint saw a clean end, and then has nothing more to say.
    assert_eq!(it.endpoint.end().await, Saw::End);
    assert_eq!(it.client.end().await, Saw::Reset);
    it.outcome(Reason::HalfCloseIdle, Flag::Si).await;
}
