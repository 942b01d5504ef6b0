//! Random sequences of what two peers may do, against what either may see.

use proptest::prelude::*;

use super::kit::{Kind, Peer, Seen, fresh_pipes, spliced_with};
use crate::{Cause, Options};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Finish,
    BareFin,
    Abort,
}

/// What one peer does: the sizes that it sends, and how it ends.
type Part = (Vec<usize>, Act);

/// Pieces of one byte up to `most`.
fn acts(most: usize) -> impl Strategy<Value = Part> {
    let last = prop_oneof![4 => Just(Act::Finish), 1 => Just(Act::BareFin), 1 => Just(Act::Abort)];
    (prop::collection::vec(prop_oneof![1..40_usize, 1..most], 0..8), last)
}

fn kinds() -> impl Strategy<Value = (Kind, Kind)> {
    let kind = || prop_oneof![Just(Kind::Plain), Just(Kind::Tls13), Just(Kind::Tls12)];
    prop_oneof![3 => (kind(), kind()), 1 => Just((Kind::Piped, Kind::Piped))]
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
    last == Act::Finish || (kind.is_plain() && last == Act::BareFin)
}

/// Lets two peers play through a splice, and judges what they saw.
fn judge(
    (down, up): (Kind, Kind),
    client: Part,
    endpoint: Part,
    options: Options<'static>,
) -> Result<(), TestCaseError> {
    let clean = (is_clean(down, client.1), is_clean(up, endpoint.1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (one, other, ended) = runtime.block_on(async {
        let (near, splice, far) = spliced_with(down, up, options).await;
        let (one, other) = tokio::join!(
            tokio::spawn(play(near, client.0, client.1, 1)),
            tokio::spawn(play(far, endpoint.0, endpoint.1, 2)),
        );
        (one.unwrap(), other.unwrap(), splice.ended().await)
    });
    for (sent, got, seen, clean) in [(&one.0, &other.1, other.2, clean.0), (&other.0, &one.1, one.2, clean.1)]
    {
        prop_assert!(sent.starts_with(got), "not a prefix");
        if seen == Some(Seen::Clean) {
            prop_assert!(clean, "a clean end out of nothing");
            prop_assert!(sent == got, "a clean end of part of it");
        }
        prop_assert_ne!(seen, Some(Seen::BareFin));
    }
    prop_assert_eq!(matches!(ended.cause, Cause::Clean), clean.0 && clean.1, "{:?}", ended);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_peer_sees_a_prefix_and_a_clean_end_only_if_the_other_ended_cleanly(
        kinds in kinds(),
        (client, endpoint) in (acts(60_000), acts(60_000)),
    ) {
        judge(kinds, client, endpoint, Options::default())?;
    }

    #[test]
    fn the_same_holds_where_a_direction_changes_from_copying_to_a_pipe_and_back(
        (client, endpoint) in (acts(2_000_000), acts(2_000_000)),
    ) {
        let options = Options { pipes: Some(fresh_pipes(2)), ..Options::default() };
        judge((Kind::Plain, Kind::Plain), client, endpoint, options)?;
    }
}
