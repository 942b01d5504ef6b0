//! What somebody outside decides, and what happens when the future is simply dropped.

use std::time::Duration;

use super::kit::{
    ALL, Kind, Role, Seen, Splice, connected, connected_through_small_buffers, noise, options_with_flush,
    spliced,
};
use crate::{Cause, Cut, Options};

#[tokio::test]
async fn a_cut_now_resets_both_at_once() {
    for (down, up) in ALL {
        let (mut client, mut splice, mut endpoint) = spliced(down, up).await;
        client.send(b"question").await;
        endpoint.receive(8).await;
        splice.cut(Cut::Now);
        assert_eq!(client.until_end().await, Seen::Reset);
        assert_eq!(endpoint.until_end().await, Seen::Reset);
        assert!(matches!(splice.ended().await.cause, Cause::Cut));
    }
}

#[tokio::test]
async fn a_cut_with_a_budget_delivers_what_was_accepted_and_then_resets() {
    for (down, up) in ALL {
        let (mut client, mut splice, mut endpoint) = spliced(down, up).await;
        let data = noise(100_000, 20);
        client.send(&data).await;
        while splice.tally.received() < data.len() as u64 {
            tokio::task::yield_now().await;
        }
        splice.cut(Cut::Flush(Duration::from_secs(60)));
        assert_eq!(endpoint.until_end().await, Seen::Reset);
        assert!(endpoint.got == data);
        assert_eq!(client.until_end().await, Seen::Reset);
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Cut) && ended.delivered, "{ended:?}");
    }
}

#[tokio::test]
async fn a_cut_with_a_budget_does_not_outlast_it() {
    let (mut client, near) = connected_through_small_buffers(Kind::Tls13).await;
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let mut splice = Splice::start(near, far, Options::default());
    endpoint.send(&noise(80_000, 21)).await;
    while splice.tally.sent() < 16_000 {
        tokio::task::yield_now().await;
    }
    splice.cut(Cut::Flush(Duration::from_millis(30)));
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::Cut) && !ended.delivered, "{ended:?}");
    assert_eq!(client.until_end().await, Seen::Reset);
}

#[tokio::test]
async fn a_cut_now_ends_a_delivery_that_is_under_way() {
    let (mut client, near) = connected_through_small_buffers(Kind::Tls13).await;
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let mut splice = Splice::start(near, far, options_with_flush(600_000));
    endpoint.send(&noise(80_000, 22)).await;
    while splice.tally.sent() < 16_000 {
        tokio::task::yield_now().await;
    }
    endpoint.abort();
    splice.cut(Cut::Now);
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::Cut | Cause::Reset(_)) && !ended.delivered, "{ended:?}");
    assert_eq!(client.until_end().await, Seen::Reset);
}

#[tokio::test]
async fn dropping_the_future_resets_both() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        client.send(b"question").await;
        endpoint.receive(8).await;
        splice.task.abort();
        assert_eq!(client.until_end().await, Seen::Reset);
        assert_eq!(endpoint.until_end().await, Seen::Reset);
    }
}
