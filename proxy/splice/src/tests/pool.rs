//! Who holds a buffer, and when.

use super::kit::{
    ALL, Kind, Role, Splice, connected, connected_through_small_buffers, noise, settled, spliced,
};
use crate::{Cause, Options, pool};

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

#[tokio::test]
async fn a_splice_is_small() {
    let (_client, near) = connected(Kind::Tls13, Role::Client).await;
    let (_endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let (options, tally) = (Options::default(), crate::Tally::default());
    let future = crate::duplex(near, far, &options, &tally, std::future::pending());
    let bytes = size_of_val(&future);
    assert!(bytes <= 2048, "{bytes} bytes");
}
