//! Limits in time. Short real ones where sockets are at work: nothing here asserts how soon.

use std::time::Duration;

use super::kit::{ALL, Kind, Seen, spliced_with};
use crate::{Cause, Options};

const SOON: Option<Duration> = Some(Duration::from_millis(30));

#[tokio::test]
async fn a_connection_without_a_byte_either_way_is_reset_as_idle() {
    for (down, up) in ALL {
        let options = Options { idle: SOON, ..Options::default() };
        let (mut client, splice, mut endpoint) = spliced_with(down, up, options).await;
        let started = std::time::Instant::now();
        assert_eq!(client.until_end().await, Seen::Reset);
        assert_eq!(endpoint.until_end().await, Seen::Reset);
        assert!(started.elapsed() >= Duration::from_millis(25));
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Idle) && ended.delivered, "{ended:?}");
    }
}

#[tokio::test]
async fn bytes_in_either_direction_keep_a_connection_from_being_idle() {
    let options = Options { idle: Some(Duration::from_millis(400)), ..Options::default() };
    let (mut client, splice, mut endpoint) = spliced_with(Kind::Tls13, Kind::Plain, options).await;
    let mut beat = tokio::time::interval(Duration::from_millis(40));
    for count in 1..=15 {
        beat.tick().await;
        client.send(b"x").await;
        endpoint.receive(count).await;
    }
    for count in 1..=15 {
        beat.tick().await;
        endpoint.send(b"y").await;
        client.receive(count).await;
    }
    client.finish().await;
    endpoint.finish().await;
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn a_record_that_comes_in_pieces_keeps_a_connection_from_being_idle() {
    let options = Options { idle: Some(Duration::from_millis(400)), ..Options::default() };
    let (mut client, splice, mut endpoint) = spliced_with(Kind::Tls13, Kind::Plain, options).await;
    let record = client.seal(&[7; 1500]);
    let mut beat = tokio::time::interval(Duration::from_millis(40));
    for piece in record.chunks(record.len().div_ceil(15)) {
        beat.tick().await;
        client.send_raw(piece).await;
    }
    endpoint.receive(1500).await;
    client.finish().await;
    endpoint.finish().await;
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn a_half_closed_connection_has_a_limit_of_its_own() {
    for (down, up) in ALL {
        let options = Options { half_close: SOON, ..Options::default() };
        let (mut client, splice, mut endpoint) = spliced_with(down, up, options).await;
        endpoint.send(b"all there is").await;
        endpoint.finish().await;
        client.receive(12).await;
        assert_eq!(endpoint.until_end().await, Seen::Reset);
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::HalfCloseIdle), "{ended:?}");
        assert!(ended.upstream_finished && !ended.downstream_finished);
    }
}

#[tokio::test(start_paused = true)]
async fn without_limits_nothing_ends_a_silent_connection() {
    // Paused time runs ahead whenever nothing else can: a day passes at once.
    let options = Options { idle: None, half_close: None, ..Options::default() };
    let (mut client, splice, mut endpoint) = spliced_with(Kind::Tls13, Kind::Plain, options).await;
    tokio::time::timeout(Duration::from_secs(24 * 3600), client.until_end()).await.unwrap_err();
    client.finish().await;
    assert_eq!(endpoint.until_end().await, Seen::Clean);
    tokio::time::timeout(Duration::from_secs(24 * 3600), client.until_end()).await.unwrap_err();
    endpoint.finish().await;
    assert_eq!(client.until_end().await, Seen::Clean);
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test(start_paused = true)]
async fn the_idle_limit_is_what_the_options_say() {
    let options = Options { idle: Some(Duration::from_secs(3600)), ..Options::default() };
    let (_client, splice, _endpoint) = spliced_with(Kind::Tls13, Kind::Plain, options).await;
    let started = tokio::time::Instant::now();
    assert!(matches!(splice.ended().await.cause, Cause::Idle));
    assert!(started.elapsed() >= Duration::from_secs(3600));
    assert!(started.elapsed() < Duration::from_secs(3602));
}
