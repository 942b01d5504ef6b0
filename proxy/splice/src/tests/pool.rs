//! Who holds a buffer, and when.

use super::kit::{
    ALL, Kind, Role, Splice, connected, connected_through_small_buffers, noise, settled, spliced,
    spliced_with,
};
use crate::pool::{LARGE, Lease, SMALL, Size};
use crate::{Buffers, Cause, Options, pool};

#[tokio::test]
async fn an_idle_connection_holds_no_buffer() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        let data = noise(1024 * 1024, 30);
        let send = async {
            client.send(&data).await;
        };
        tokio::join!(send, endpoint.receive(data.len()));
        endpoint.send(&data).await;
        client.receive(data.len()).await;
        settled().await;
        assert_eq!(pool::leased(), 0, "{down:?} {up:?}");
        client.finish().await;
        endpoint.finish().await;
        assert!(matches!(splice.ended().await.cause, Cause::Clean));
    }
}

#[tokio::test]
async fn a_connection_with_unsent_bytes_holds_its_buffer_and_a_dropped_one_gives_it_back() {
    let (client, near) = connected_through_small_buffers(Kind::Plain).await;
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let splice = Splice::start(near, far, Options::default());
    endpoint.send(&noise(200_000, 31)).await;
    settled().await;
    assert_eq!(pool::leased(), 1);
    splice.task.abort();
    assert!(splice.task.await.unwrap_err().is_cancelled());
    assert_eq!(pool::leased(), 0);
    drop(client);
}

/// A budget of a test's own.
fn budget(bytes: usize) -> &'static Buffers {
    Box::leak(Box::new(Buffers::of(bytes)))
}

#[tokio::test]
async fn whatever_the_budget_is_every_byte_arrives_and_all_of_it_comes_back() {
    for bytes in [0, LARGE, 3 * LARGE] {
        for (down, up) in ALL {
            let buffers = budget(bytes);
            let options = Options { buffers: Some(buffers), ..Options::default() };
            let (mut client, splice, mut endpoint) = spliced_with(down, up, options).await;
            let data = noise(2 * 1024 * 1024, 33);
            let (forth, back) = (client.send(&data), endpoint.send(&data));
            tokio::join!(forth, back);
            client.receive(data.len()).await;
            endpoint.receive(data.len()).await;
            client.finish().await;
            endpoint.finish().await;
            assert!(matches!(splice.ended().await.cause, Cause::Clean));
            assert!(client.got == data && endpoint.got == data, "{down:?} {up:?} {bytes}");
            assert_eq!(buffers.used(), 0);
        }
    }
}

#[tokio::test]
async fn nothing_large_is_read_for_a_peer_that_takes_nothing() {
    for kind in [Kind::Plain, Kind::Tls13] {
        let (client, near) = connected_through_small_buffers(kind).await;
        let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
        let buffers = budget(16 * LARGE);
        let options = Options { buffers: Some(buffers), ..Options::default() };
        let splice = Splice::start(near, far, options);
        endpoint.send(&noise(200_000, 34)).await;
        settled().await;
        assert_eq!((pool::leased(), buffers.used()), (1, 0), "{kind:?}");
        splice.task.abort();
        assert!(splice.task.await.unwrap_err().is_cancelled());
        drop(client);
    }
}

#[test]
fn a_rest_that_nobody_takes_moves_out_of_a_large_buffer() {
    let buffers = budget(LARGE);
    for (rest, used) in [(100, 0), (SMALL, 0), (SMALL + 1, SMALL + 1), (200_000, 200_000)] {
        let mut lease = Lease::take(Size::Large, Some(buffers));
        assert_eq!(buffers.used(), LARGE);
        let data = noise(rest + 1000, 35);
        lease.room()[..data.len()].copy_from_slice(&data);
        lease.filled(data.len());
        lease.consume(1000);
        lease.settle();
        assert_eq!(lease.unread(), &data[1000..], "{rest}");
        assert_eq!(buffers.used(), used);
        lease.settle();
        assert_eq!((lease.unread().len(), buffers.used()), (rest, used));
        drop(lease);
        assert_eq!(buffers.used(), 0);
    }
}

#[test]
fn who_finds_the_budget_empty_gets_a_small_buffer() {
    let buffers = budget(LARGE);
    let first = Lease::take(Size::Large, Some(buffers));
    let mut second = Lease::take(Size::Large, Some(buffers));
    assert_eq!(second.room().len(), SMALL);
    drop(first);
    let mut third = Lease::take(Size::Large, Some(buffers));
    assert_eq!(third.room().len(), LARGE);
}

#[tokio::test]
async fn a_splice_is_small() {
    let (_client, near) = connected(Kind::Tls13, Role::Client).await;
    let (_endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let (options, tally) = (Options::default(), crate::Tally::default());
    let future = crate::duplex(near, far, &options, &tally, std::future::pending());
    let bytes = size_of_val(&future);
    assert!(bytes <= 2048, "{bytes} bytes");
}
