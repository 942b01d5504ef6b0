//! Much data both ways at once, in odd pieces, compared byte by byte.

use super::kit::{ALL, Kind, Peer, Seen, noise, spliced};
use crate::Cause;

/// Sends in pieces from one byte to some hundred KiB.
async fn send_in_pieces(peer: &mut Peer, data: &[u8]) {
    let mut rest = data;
    let mut size = 1;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(size.min(rest.len()));
        peer.send(piece).await;
        rest = later;
        size = if size > 300_000 { 1 } else { size * 3 + 1 };
    }
    peer.finish().await;
    assert_eq!(peer.until_end().await, Seen::Clean);
}

async fn both_ways(down: Kind, up: Kind, bytes: usize) {
    let (mut client, splice, mut endpoint) = spliced(down, up).await;
    let (question, answer) = (noise(bytes, 10), noise(bytes + 12_345, 11));
    tokio::join!(send_in_pieces(&mut client, &question), send_in_pieces(&mut endpoint, &answer));
    assert!(endpoint.got == question, "{down:?} {up:?}");
    assert!(client.got == answer, "{down:?} {up:?}");
    let counts = (splice.tally.received(), splice.tally.sent());
    assert_eq!(counts, (question.len() as u64, answer.len() as u64));
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn sixteen_mebibytes_each_way_arrive_as_they_were_sent() {
    for (down, up) in ALL {
        both_ways(down, up, 16 * 1024 * 1024).await;
    }
}

#[tokio::test]
async fn ten_thousand_tiny_messages_arrive_in_order() {
    for (down, up) in ALL {
        let (mut client, splice, mut endpoint) = spliced(down, up).await;
        let data = noise(30_000, 12);
        let send = async {
            for piece in data.chunks(3) {
                client.send(piece).await;
            }
            client.finish().await;
        };
        let ((), seen) = tokio::join!(send, endpoint.until_end());
        assert_eq!(seen, Seen::Clean);
        assert!(endpoint.got == data);
        endpoint.finish().await;
        assert_eq!(client.until_end().await, Seen::Clean);
        assert!(matches!(splice.ended().await.cause, Cause::Clean));
    }
}
