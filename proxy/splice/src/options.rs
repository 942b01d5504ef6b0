//! What a connection is told at its start, and what may be decided about it later.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::{Buffers, Pipes};

/// What a bare FIN from a TLS side, one without close_notify, means for the other side.
///
/// RFC 8446 §6.1 calls it a possible truncation attack; some clients never send close_notify all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingCloseNotify {
    /// It is a truncated stream: what arrived is delivered, then RST. The default.
    #[default]
    Reset,
    /// It is a clean end, and [`Ended::forgave_missing_close_notify`](crate::Ended) says so.
    Fin,
}

/// The limits of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// How long no byte may move either way. Default 1 h; `None` turns it off.
    pub idle: Option<Duration>,
    /// The same once exactly one direction has ended. Default 1 h; `None` turns it off.
    pub half_close: Option<Duration>,
    /// How long a side may make no progress (acknowledge no byte) while something accepted is being delivered to
    /// it because the connection, or this direction of it, is ending. Default 30 s; `None` waits for ever.
    pub flush: Option<Duration>,
    /// What a bare FIN from a TLS side means, downstream and upstream alike. Default: truncated.
    pub missing_close_notify: MissingCloseNotify,
    /// While it is true, no large buffers and no pipes are taken: memory is short. Default: never.
    pub lean: Option<&'a AtomicBool>,
    /// Where both sides are plain, much data goes through these by splice(2). Default: none, all is copied.
    pub pipes: Option<&'a Pipes>,
    /// What large buffers come out of, shared with other connections. Default: no bound.
    pub buffers: Option<&'a Buffers>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        Self {
            idle: Some(HOUR),
            half_close: Some(HOUR),
            flush: Some(Duration::from_secs(30)),
            missing_close_notify: MissingCloseNotify::default(),
            lean: None,
            pipes: None,
            buffers: None,
        }
    }
}

/// What somebody outside the connection decided about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// RST to both sides at once, whatever is queued: revocation, a change of policy.
    Now,
    /// Deliver what was accepted within this budget, counted from the decision, then RST: the drain deadline.
    Flush(Duration),
}
