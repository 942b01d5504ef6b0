//! Byte exactness: much, both ways at once, terminated and passed through.

use landbridge::outcome::Reason;
use landbridge_testkit::server::{Server, tls_config};
use landbridge_testkit::soon;
use landbridge_testkit::wire::noise;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const MUCH: usize = 32 << 20;

/// Sends `bytes` while reading to the end; returns what came.
async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = tokio::io::split(stream);
    let sending = async {
        to.write_all(bytes).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let mut got = Vec::with_capacity(bytes.len());
    let ((), read) = soon("all bytes", async { tokio::join!(sending, from.read_to_end(&mut got)) }).await;
    read.unwrap();
    got
}

#[tokio::test]
async fn thirty_two_mebibytes_both_ways_are_exact_where_the_gateway_terminates() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let mut gateway = world.gateway(&World::httpbin(&[endpoint.address], "")).await;
    let bytes = noise(MUCH, 5);
    let stream = world.sidecar().connect(gateway.address, HTTPBIN).await.unwrap();
    let got = exchange(stream, &bytes).await;
    assert!(got == bytes, "{} bytes", got.len());
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.received, outcome.sent), (Reason::Done, MUCH as u64, MUCH as u64));
}

#[tokio::test]
async fn thirty_two_mebibytes_both_ways_are_exact_where_it_passes_through() {
    let world = World::default();
    let identity = world.local.svid("ns/default/sa/httpbin");
    let endpoint = Server::tls_echo(tls_config(&identity, &world.remote.bundle())).await;
    let mut gateway = world.gateway(&World::httpbin_passed_through(&[endpoint.address], "")).await;
    let bytes = noise(MUCH, 6);
    let stream = world.sidecar().connect(gateway.address, HTTPBIN).await.unwrap();
    let got = exchange(stream, &bytes).await;
    assert!(got == bytes, "{} bytes", got.len());
    let outcome = gateway.outcome().await;
    assert_eq!(outcome.reason, Reason::Done);
    assert!(outcome.received > MUCH as u64 && outcome.sent > MUCH as u64, "TLS adds to them");
}
