//! The proof that a direction ended cleanly, without which nobody can finish the other side.

use crate::MissingCloseNotify;

/// A side said, in its own protocol's words, that it has no more to send.
///
/// Only this module can make one, from the two facts that count (and one that the operator chose to count), and
/// `Side::poll_finish`, the only place that sends close_notify or shuts a socket's writing down, demands it.
#[derive(Debug)]
pub(crate) struct CleanEof {
    forgiven: bool,
}

impl CleanEof {
    /// A plain side's end: `read` returned zero bytes for a buffer with room, on a socket where nothing has
    /// failed. A socket that a failed write has already told of a reset reads as zero as well, and that is no end.
    pub(crate) fn of_plain_read(read: usize, room: usize, health: Health) -> Option<Self> {
        (read == 0 && room > 0 && health == Health::Sound).then_some(Self { forgiven: false })
    }

    /// A TLS side's end: an authenticated close_notify (RFC 8446 §6.1).
    pub(crate) fn of_tls(state: &rustls::IoState) -> Option<Self> {
        state.peer_has_closed().then_some(Self { forgiven: false })
    }

    /// A TLS side's bare FIN, where the operator has said that this is how its clients end.
    pub(crate) fn of_bare_fin(rule: MissingCloseNotify, health: Health) -> Option<Self> {
        (rule == MissingCloseNotify::Fin && health == Health::Sound).then_some(Self { forgiven: true })
    }

    /// Whether close_notify was missing.
    pub(crate) fn is_forgiven(&self) -> bool {
        self.forgiven
    }
}

/// Whether an operation on a socket has failed.
///
/// The kernel tells of a reset once; after that, reading looks like an end of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Sound,
    Broken,
}
