//! What is done to a gateway, and what goes wrong with it.

use proptest::prelude::*;

/// What is done to a gateway.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The server's configuration changes: endpoints get these addresses, services this spec; nothing removes.
    Change(u8, Option<Vec<u8>>),
    /// The server sends what it thinks the gateway lacks.
    Send(Tricks),
    /// Another server, on a stream of its own, says again what was said before.
    Replay(prop::sample::Index),
    /// The server forgets all but its configuration, and counts anew.
    Restart,
    /// The stream breaks, and another begins.
    Reconnect,
    /// The gateway restarts with what it kept on disk.
    Resume,
}

/// What goes wrong with an update.
#[derive(Debug, Clone, Default)]
pub(super) struct Tricks {
    /// The lines come in another order, some of them twice.
    pub(super) shuffle: Vec<prop::sample::Index>,
    /// The stream breaks after so many lines.
    pub(super) cut: Option<prop::sample::Index>,
    /// It breaks once the update is complete, before the gateway answers.
    pub(super) lost: bool,
    /// Every resource whose number has this remainder by four is refused by the owner.
    pub(super) refuse: Option<u8>,
    /// Every resource whose number has this remainder by four has a wrong version.
    pub(super) spoil: Option<u8>,
    pub(super) chunk: usize,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let tricks = (
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.2, 0_u8..4),
        prop::option::weighted(0.2, 0_u8..4),
        1_usize..300,
    );
    let tricks = tricks.prop_map(|(shuffle, cut, lost, refuse, spoil, chunk)| Tricks {
        shuffle,
        cut,
        lost,
        refuse,
        spoil,
        chunk,
    });
    prop_oneof![
        8 => (0_u8..16, prop::option::weighted(0.8, prop::collection::vec(0_u8..6, 0..5)))
            .prop_map(|(number, content)| Step::Change(number, content)),
        6 => tricks.prop_map(Step::Send),
        1 => any::<prop::sample::Index>().prop_map(Step::Replay),
        1 => Just(Step::Restart),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Resume),
    ]
}
