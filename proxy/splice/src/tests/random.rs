//! Random sequences of what two peers may do, against what either may see.

use proptest::prelude::*;

use super::kit::{Kind, Peer, Seen, spliced};
use crate::Cause;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Finish,
    BareFin,
    Abort,
}

fn acts() -> impl Strategy<Value = (Vec<usize>, Act)> {
    let last = prop_oneof![4 => Just(Act::Finish), 1 => Just(Act::BareFin), 1 => Just(Act::Abort)];
    (prop::collection::vec(prop_oneof![1..40_usize, 1..60_000_usize], 0..8), last)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Plain), Just(Kind::Tls13), Just(Kind::Tls12)]
}

/// Plays its part and then watches to the end: what it sent, what it got, what it saw.
async fn play(mut peer: Peer, sends: Vec<usize>, last: Act, seed: u64) -> (Vec<u8>, Vec<u8>, Option<Seen>) {
    let data = super::kit::noise(sends.iter().sum(), seed);
    let mut rest = &data[..];
    for size in sends {
        let (piece, later) = rest.split_at(size);
        peer.send(piece).await;
        rest = later;
        tokio::task::yield_now().await;
    }
    match last {
        Act::Finish => peer.finish().await,
        Act::BareFin => peer.bare_fin(),
        Act::Abort => return (data, peer.abort(), None),
    }
    let seen = peer.until_end().await;
    (data, peer.got, Some(seen))
}

/// Whether this last act is a clean end on such a side.
fn is_clean(kind: Kind, last: Act) -> bool {
    last == Act::Finish || (kind == Kind::Plain && last == Act::BareFin)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_peer_sees_a_prefix_and_a_clean_end_only_if_the_other_ended_cleanly(
        (down, up) in (kind(), kind()),
        (client, endpoint) in (acts(), acts()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (one, other, ended) = runtime.block_on(async {
            let (near, splice, far) = spliced(down, up).await;
            let (one, other) = tokio::join!(
                tokio::spawn(play(near, client.0.clone(), client.1, 1)),
                tokio::spawn(play(far, endpoint.0.clone(), endpoint.1, 2)),
            );
            (one.unwrap(), other.unwrap(), splice.ended().await)
        });
        let (forth_clean, back_clean) = (is_clean(down, client.1), is_clean(up, endpoint.1));
        for (sent, got, seen, clean) in [(&one.0, &other.1, other.2, forth_clean), (&other.0, &one.1, one.2, back_clean)] {
            prop_assert!(sent.starts_with(got), "not a prefix");
            if seen == Some(Seen::Clean) {
                prop_assert!(clean, "a clean end out of nothing");
                prop_assert!(sent == got, "a clean end of part of it");
            }
            prop_assert_ne!(seen, Some(Seen::BareFin));
        }
        prop_assert_eq!(matches!(ended.cause, Cause::Clean), forth_clean && back_clean, "{:?}", ended);
    }
}
