//! How each way of ending reaches the other side.

use super::kit::{
    ALL, Kind, Peer, Role, Seen, Splice, connected, connected_through_small_buffers, noise,
    options_with_flush, spliced, spliced_with, tcp_pair,
};
use crate::{Cause, End, MissingCloseNotify, Options, Side, pool};

const MIB: usize = 1024 * 1024;

fn with_fin() -> Options<'static> {
    Options { missing_close_notify: MissingCloseNotify::Fin, ..Options::default() }
}

#[tokio::test]
async fn a_clean_end_on_both_sides_is_clean_for_both() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        client.send(b"question").await;
        client.finish().await;
        assert_eq!(endpoint.until_end().await, Seen::Clean);
        endpoint.send(b"answer").await;
        endpoint.finish().await;
        assert_eq!(client.until_end().await, Seen::Clean);
        assert_eq!((&client.got[..], &endpoint.got[..]), (&b"answer"[..], &b"question"[..]));
        let (received, sent) = (splice.tally.received(), splice.tally.sent());
        assert_eq!((received, sent), (8, 6));
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Clean), "{down:?} {up:?}: {ended:?}");
        assert!(ended.delivered && ended.downstream_finished && ended.upstream_finished);
        assert!(!ended.forgave_missing_close_notify);
    }
}

#[tokio::test]
async fn a_client_that_has_its_answer_and_closes_altogether_has_ended_cleanly() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        client.send(b"question").await;
        endpoint.receive(8).await;
        endpoint.send(b"answer").await;
        client.receive(6).await;
        client.finish().await;
        // Nobody reads any more, so the kernel answers our close_notify by a reset.
        drop(client);
        assert_eq!(endpoint.until_end().await, Seen::Clean);
        endpoint.finish().await;
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Clean), "{down:?} {up:?}: {ended:?}");
        assert!(ended.delivered && ended.downstream_finished && ended.upstream_finished);
    }
}

#[tokio::test]
async fn a_client_that_closes_altogether_before_its_answer_has_reset() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        client.finish().await;
        drop(client);
        assert_eq!(endpoint.until_end().await, Seen::Clean);
        endpoint.send_deaf(&noise(MIB, 1)).await;
        endpoint.finish().await;
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Reset(End::Downstream)), "{down:?} {up:?}: {ended:?}");
        assert!(!ended.delivered);
    }
}

#[tokio::test]
async fn a_mebibyte_is_answered_after_either_side_has_ended() {
    for (down, up) in ALL {
        for client_first in [true, false] {
            let (client, splice, endpoint) = spliced(down, up).await;
            let (mut first, mut second) = if client_first { (client, endpoint) } else { (endpoint, client) };
            let answer = noise(MIB, 1);
            first.finish().await;
            assert_eq!(second.until_end().await, Seen::Clean);
            let send = async {
                second.send_deaf(&answer).await;
                second.finish().await;
            };
            let ((), seen) = tokio::join!(send, first.until_end());
            assert_eq!(seen, Seen::Clean);
            assert!(first.got == answer);
            assert!(matches!(splice.ended().await.cause, Cause::Clean));
        }
    }
}

#[tokio::test]
async fn a_bare_fin_from_a_tls_client_reaches_the_endpoint_as_reset_after_every_byte() {
    for kind in [Kind::Tls13, Kind::Tls12] {
        let (mut client, splice, mut endpoint) = spliced(kind, Kind::Plain).await;
        let data = noise(MIB, 2);
        let send = async {
            client.send(&data).await;
            client.bare_fin();
        };
        let ((), seen) = tokio::join!(send, endpoint.until_end());
        assert_eq!(seen, Seen::Reset);
        assert!(endpoint.got == data);
        assert_eq!(client.until_end().await, Seen::Reset);
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Truncated(End::Downstream)), "{ended:?}");
        assert!(ended.delivered && !ended.downstream_finished);
    }
}

#[tokio::test]
async fn a_bare_fin_from_a_tls_endpoint_reaches_the_client_as_reset_after_every_byte() {
    for kind in [Kind::Plain, Kind::Tls13] {
        let (mut client, splice, mut endpoint) = spliced(kind, Kind::Tls13).await;
        endpoint.send(b"half an ans").await;
        endpoint.bare_fin();
        assert_eq!(client.until_end().await, Seen::Reset);
        assert_eq!(client.got, b"half an ans");
        assert!(!client.close_notify);
        assert!(matches!(splice.ended().await.cause, Cause::Truncated(End::Upstream)));
    }
}

#[tokio::test]
async fn a_bare_fin_is_a_clean_end_where_the_operator_says_so() {
    let (mut client, splice, mut endpoint) = spliced_with(Kind::Tls13, Kind::Plain, with_fin()).await;
    client.send(b"question").await;
    client.bare_fin();
    assert_eq!(endpoint.until_end().await, Seen::Clean);
    endpoint.send(b"answer").await;
    endpoint.finish().await;
    assert_eq!(client.until_end().await, Seen::Clean);
    assert_eq!(client.got, b"answer");
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::Clean));
    assert!(ended.forgave_missing_close_notify);
}

#[tokio::test]
async fn a_reset_is_never_forgiven() {
    let (mut client, splice, mut endpoint) = spliced_with(Kind::Tls13, Kind::Plain, with_fin()).await;
    client.send(b"question").await;
    endpoint.receive(8).await;
    client.abort();
    assert_eq!(endpoint.until_end().await, Seen::Reset);
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::Reset(End::Downstream)));
    assert!(!ended.forgave_missing_close_notify);
}

#[tokio::test]
async fn a_client_reset_reaches_the_endpoint_as_reset_after_every_byte_received() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        let data = noise(300_000, 3);
        client.send(&data).await;
        until_received(&splice, data.len()).await;
        client.abort();
        assert_eq!(endpoint.until_end().await, Seen::Reset, "{down:?} {up:?}");
        assert!(endpoint.got == data);
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Reset(End::Downstream)), "{ended:?}");
        assert!(ended.delivered);
    }
}

#[tokio::test]
async fn an_endpoint_reset_after_some_bytes_gives_the_client_those_bytes_and_no_close_notify() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        let data = noise(300_000, 4);
        endpoint.send(&data).await;
        until_sent(&splice, data.len()).await;
        endpoint.abort();
        assert_eq!(client.until_end().await, Seen::Reset, "{down:?} {up:?}");
        assert!(client.got == data);
        assert!(!client.close_notify);
        assert!(matches!(splice.ended().await.cause, Cause::Reset(End::Upstream)));
    }
}

#[tokio::test]
async fn what_a_side_sent_before_it_reset_is_delivered_even_if_a_write_noticed_first() {
    // The endpoint's reset is queued before the splice starts, and so are the client's bytes: whichever direction
    // runs first, the answer must come through and must not end cleanly.
    for round in 0..20 {
        let (peer, near) = tcp_pair().await;
        let mut client = Peer::new(peer, None);
        let (peer, far) = tcp_pair().await;
        let mut endpoint = Peer::new(peer, None);
        client.send(b"anything").await;
        endpoint.send(b"last words").await;
        endpoint.abort();
        far.readable().await.unwrap();
        let splice = Splice::start(Side::plain(near), Side::plain(far), Options::default());
        assert_eq!(client.until_end().await, Seen::Reset, "round {round}");
        assert_eq!(client.got, b"last words");
        assert!(matches!(splice.ended().await.cause, Cause::Reset(End::Upstream)));
    }
}

#[tokio::test]
async fn both_sides_resetting_at_once_is_one_end() {
    let (client, splice, endpoint) = spliced(Kind::Tls13, Kind::Plain).await;
    client.abort();
    endpoint.abort();
    assert!(matches!(splice.ended().await.cause, Cause::Reset(_)));
}

#[tokio::test]
async fn a_slow_reader_loses_nothing_of_the_last_bytes_before_a_clean_end() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        let data = noise(4 * MIB, 5);
        let send = async {
            endpoint.send(&data).await;
            endpoint.finish().await;
            // The splice is done with this direction before the client has read the last of it.
            assert_eq!(endpoint.until_end().await, Seen::Clean);
        };
        let read = async {
            client.receive(3 * MIB).await;
            client.finish().await;
            assert_eq!(client.until_end().await, Seen::Clean);
        };
        tokio::join!(send, read);
        assert!(client.got == data);
        assert!(matches!(splice.ended().await.cause, Cause::Clean));
    }
}

#[tokio::test]
async fn the_rest_of_a_clean_end_that_nobody_takes_is_reset_after_the_flush_limit() {
    // Less than makes the gateway stop reading, or it wouldn't see the end; more than the client's kernel takes.
    let bytes = stalls_at().await - 6 * 1024;
    let (mut client, near) = connected_through_small_buffers(Kind::Tls13).await;
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let splice = Splice::start(near, far, options_with_flush(50));
    endpoint.send(&noise(bytes, 6)).await;
    endpoint.finish().await;
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::FlushTimeout(End::Downstream)), "{ended:?}");
    assert!(!ended.delivered && ended.upstream_finished);
    assert_eq!(client.until_end().await, Seen::Reset);
    assert!(!client.close_notify);
    assert_eq!(endpoint.until_end().await, Seen::Reset);
}

#[tokio::test]
async fn after_a_reset_a_reader_with_a_full_window_is_given_up_after_the_flush_limit() {
    for kind in [Kind::Tls13, Kind::Plain] {
        let (mut client, near) = connected_through_small_buffers(kind).await;
        let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
        let splice = Splice::start(near, far, options_with_flush(50));
        endpoint.send(&noise(100_000, 7)).await;
        endpoint.abort();
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Reset(End::Upstream)), "{ended:?}");
        assert!(!ended.delivered);
        assert_eq!(client.until_end().await, Seen::Reset);
    }
}

#[tokio::test]
async fn a_reset_by_a_side_that_had_ended_cleanly_is_noticed_though_nobody_reads_or_writes_it() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced_with(down, up, options_with_flush(50)).await;
        endpoint.send(b"all there is").await;
        endpoint.finish().await;
        client.receive(12).await;
        endpoint.abort();
        let ended = splice.ended().await;
        assert!(matches!(ended.cause, Cause::Reset(End::Upstream)), "{ended:?}");
        assert!(ended.upstream_finished && !ended.downstream_finished);
    }
}

#[tokio::test]
async fn a_side_that_goes_while_something_is_delivered_to_it_is_not_waited_for() {
    let options = Options { flush: None, ..Options::default() };
    let (peer, gateway) = tcp_pair().await;
    socket2::SockRef::from(&peer).set_recv_buffer_size(4096).unwrap();
    let client = Peer::new(peer, None);
    let (mut endpoint, far) = connected(Kind::Tls13, Role::Endpoint).await;
    let splice = Splice::start(Side::plain(gateway), far, options);
    // All of it is with the kernel, more of it than the client's window takes: no write will tell of a reset.
    endpoint.send(&noise(20_000, 8)).await;
    until_sent(&splice, 20_000).await;
    endpoint.bare_fin();
    assert_eq!(endpoint.until_end().await, Seen::Reset);
    client.abort();
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::Truncated(End::Upstream)) && !ended.delivered, "{ended:?}");
}

async fn until_received(splice: &Splice, bytes: usize) {
    while splice.tally.received() < bytes as u64 {
        tokio::task::yield_now().await;
    }
}

async fn until_sent(splice: &Splice, bytes: usize) {
    while splice.tally.sent() < bytes as u64 {
        tokio::task::yield_now().await;
    }
}

/// How many bytes a connection takes whose client doesn't read, before it stalls.
async fn stalls_at() -> usize {
    let (_client, near) = connected_through_small_buffers(Kind::Tls13).await;
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let splice = Splice::start(near, far, Options::default());
    endpoint.send(&noise(80_000, 6)).await;
    while pool::leased() == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    splice.task.abort();
    assert_eq!(pool::leased(), 1);
    usize::try_from(splice.tally.sent()).unwrap()
}
