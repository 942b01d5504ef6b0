//! Handshakes that are not finished: too slow, given up, broken off.

use std::time::Duration;

use landbridge::outcome::{Flag, Reason};
use landbridge_testkit::client::{Saw, client_hello};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Server;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::time::timeout;

/// A gateway with these timeouts before an endpoint that must not hear of anything.
async fn scene(timeouts: &str) -> (World, Server, TestGateway) {
    let world = World::default();
    let endpoint = Server::echo().await;
    let services = format!("[timeouts]\n{timeouts}\n{}", World::httpbin(&[endpoint.address], ""));
    let gateway = world.gateway(&services).await;
    (world, endpoint, gateway)
}

/// A client that has sent its hello and heard the gateway's answer, and has not answered in turn.
async fn halfway(world: &World, gateway: &TestGateway) -> Wire {
    let mut client = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = client.flight();
    client.send_raw(&hello).await;
    client.heard().await;
    client
}

#[tokio::test]
async fn a_client_that_trickles_its_hello_is_reset_at_one_absolute_deadline() {
    let (world, endpoint, mut gateway) = scene("client_hello = \"200ms\"").await;
    let mut client = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = client.flight();
    // All of it would take many times the deadline; each byte alone is never late.
    let trickle = async {
        for byte in hello.chunks(1) {
            client.send_raw(byte).await;
            if let Ok(end) = timeout(Duration::from_millis(10), client.end()).await {
                return Some(end);
            }
        }
        None
    };
    assert_eq!(trickle.await, Some(Saw::Reset));
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::HelloTimeout, Flag::Ht));
    assert_eq!(outcome.sni, None);
    assert_eq!(endpoint.accepted(), 0);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_reset_too() {
    let (_world, _endpoint, mut gateway) = scene("client_hello = \"50ms\"").await;
    let mut client = Wire::dial(gateway.address).await;
    assert_eq!(client.end().await, Saw::Reset);
    assert_eq!(gateway.outcome().await.reason, Reason::HelloTimeout);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_handshake_is_reset() {
    let (world, endpoint, mut gateway) = scene("handshake = \"200ms\"").await;
    let mut client = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = client.flight();
    client.send_raw(&hello).await;
    // The gateway's own flight comes, or the machine is so busy that not even that was in time.
    assert_eq!(client.rest().await.1, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::HandshakeTimeout, Flag::Ht));
    assert_eq!(outcome.sni.as_deref(), Some(HTTPBIN));
    assert_eq!((outcome.peer, outcome.tls), (None, None));
    assert_eq!(endpoint.accepted(), 0);
}

#[tokio::test]
async fn a_client_that_closes_within_its_hello_or_its_handshake_is_told_as_closed() {
    let (world, endpoint, mut gateway) = scene("").await;
    let mut within_hello = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = within_hello.flight();
    within_hello.send_raw(&hello[..hello.len() / 2]).await;
    within_hello.bare_fin().await;
    assert_eq!(within_hello.end().await, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::HandshakeClosed, Flag::Dc));

    let mut within_handshake = halfway(&world, &gateway).await;
    within_handshake.bare_fin().await;
    assert_eq!(within_handshake.rest().await.1, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.sni.as_deref()), (Reason::HandshakeClosed, Some(HTTPBIN)));
    assert_eq!(endpoint.accepted(), 0);
}

#[tokio::test]
async fn a_client_that_resets_within_its_hello_or_its_handshake_is_told_as_reset() {
    let (world, endpoint, mut gateway) = scene("").await;
    let mut within_hello = Wire::hold_hello(&world.sidecar(), gateway.address, HTTPBIN).await;
    let hello = within_hello.flight();
    within_hello.send_raw(&hello[..hello.len() / 2]).await;
    within_hello.reset();
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::HandshakeReset, Flag::Dr));

    halfway(&world, &gateway).await.reset();
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.sni.as_deref()), (Reason::HandshakeReset, Some(HTTPBIN)));
    assert_eq!(endpoint.accepted(), 0);
    assert_eq!(gateway.handle.active(), 0);
}

#[tokio::test]
async fn a_client_may_close_or_reset_at_any_byte_of_its_hello_and_leaves_nothing_behind() {
    let (world, endpoint, mut gateway) = scene("").await;
    let hello = client_hello(&world.sidecar(), HTTPBIN);
    for count in (1..hello.len()).step_by(53) {
        let mut closes = Wire::dial(gateway.address).await;
        closes.send_raw(&hello[..count]).await;
        closes.bare_fin().await;
        assert_eq!(closes.end().await, Saw::Reset);
        assert_eq!(gateway.outcome().await.reason, Reason::HandshakeClosed, "{count}");

        let mut resets = Wire::dial(gateway.address).await;
        resets.send_raw(&hello[..count]).await;
        resets.reset();
        assert_eq!(gateway.outcome().await.reason, Reason::HandshakeReset, "{count}");
    }
    assert_eq!(gateway.handle.active(), 0);
    assert_eq!(endpoint.accepted(), 0);
    assert_eq!(
        world.sidecar().ask(gateway.address, HTTPBIN, b"still here").await,
        Ok(b"still here".to_vec())
    );
}

#[tokio::test]
async fn a_client_may_close_or_reset_at_many_bytes_of_its_answer_and_leaves_nothing_behind() {
    let (world, endpoint, mut gateway) = scene("").await;
    let mut length = usize::MAX;
    let mut at = 0;
    while at < length {
        for resets in [false, true] {
            let mut client = halfway(&world, &gateway).await;
            let mut answer = client.flight();
            while answer.is_empty() {
                client.heard().await;
                answer = client.flight();
            }
            // A client's signature may be a byte longer or shorter.
            length = answer.len() - 4;
            client.send_raw(&answer[..at.min(length)]).await;
            let reason = if resets {
                client.reset();
                Reason::HandshakeReset
            } else {
                client.bare_fin().await;
                assert_eq!(client.rest().await.1, Saw::Reset);
                Reason::HandshakeClosed
            };
            let outcome = gateway.outcome().await;
            assert_eq!(outcome.reason, reason, "at byte {at}: {:?}", outcome.error);
        }
        at += 61;
    }
    assert_eq!((endpoint.accepted(), gateway.handle.active()), (0, 0));
}

#[tokio::test]
async fn an_alert_reaches_a_client_that_has_sent_much_without_waiting_for_it() {
    let (world, endpoint, mut gateway) = scene("").await;
    let much = vec![7; 100_000];
    let mut unknown = Wire::dial(gateway.address).await;
    let hello = client_hello(&world.sidecar(), "nobody.example");
    unknown.send_raw(&[hello, much.clone()].concat()).await;
    assert_eq!(unknown.receive(7).await, [0x15, 3, 3, 0, 2, 2, 112]);
    assert_eq!(gateway.outcome().await.reason, Reason::SniUnknown);

    let stranger = world.sidecar_of(&world.remote.svid("ns/default/sa/stranger"));
    let mut denied = Wire::secure(&stranger, gateway.address, HTTPBIN).await;
    denied.send(&much).await;
    assert_eq!(denied.end().await, Saw::Alert(49));
    assert_eq!(gateway.outcome().await.reason, Reason::Denied);
    assert_eq!(endpoint.accepted(), 0);
}
