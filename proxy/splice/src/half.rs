//! One direction of a connection: fetch from one side, hand to the other, finish when the first has finished.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use crate::ended::{Cause, End};
use crate::eof::CleanEof;
use crate::side::{Fetched, Side};
use crate::{MissingCloseNotify, Tally};

/// Payload bytes that one direction moves before it lets other connections run. A few large reads.
const TURN: usize = 1024 * 1024;

/// One direction.
pub(crate) struct Half {
    from: End,
    state: State,
    /// Bytes moved since the last look, for the timers.
    moved: bool,
    /// The sink takes no more for now, so the source isn't read.
    blocked: bool,
}

enum State {
    Flowing,
    /// The source has ended cleanly; the sink still has to be told.
    Finishing(CleanEof),
    /// The sink was told.
    Finished {
        forgiven: bool,
    },
    /// Stopped from outside, and all that the source had is with the sink.
    Drained,
}

impl Half {
    pub(crate) fn new(from: End) -> Self {
        Self { from, state: State::Flowing, moved: false, blocked: false }
    }

    /// Moves what can be moved; ready once the direction has finished or drained.
    ///
    /// What the sink still has queued inside is flushed by the caller.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Side,
        sink: &mut Side,
        terms: &Terms<'_>,
    ) -> Poll<Result<(), Cause>> {
        let mut turn = 0;
        loop {
            match &self.state {
                State::Flowing => {}
                State::Finishing(proof) => {
                    ready!(sink.poll_finish(cx, proof)).map_err(|error| self.sink_failed(error))?;
                    self.moved = true;
                    self.state = State::Finished { forgiven: proof.is_forgiven() };
                    continue;
                }
                State::Finished { .. } | State::Drained => return Poll::Ready(Ok(())),
            }
            if turn >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if terms.lean.is_some_and(|lean| lean.load(Ordering::Relaxed)) {
                source.stay_small();
            }
            source.read_as_taken(sink);
            let fetched = ready!(source.poll_fetch(cx, terms.missing_close_notify));
            match fetched.map_err(|fault| fault.at(self.from))? {
                Fetched::Bytes => {
                    let taken = sink.poll_take(cx, source);
                    self.blocked = taken.is_pending();
                    let count = ready!(taken).map_err(|fault| fault.at(self.from.opposite()))?;
                    terms.tally.add(self.from, count);
                    self.moved = true;
                    turn += count;
                }
                Fetched::Clean(proof) => self.state = State::Finishing(proof),
                Fetched::Drained => {
                    ready!(sink.poll_flush(cx)).map_err(|error| self.sink_failed(error))?;
                    self.state = State::Drained;
                }
            }
        }
    }

    fn sink_failed(&self, error: std::io::Error) -> Cause {
        Cause::of_io(self.from.opposite(), error)
    }

    /// The side that this direction reads.
    pub(crate) fn from(&self) -> End {
        self.from
    }

    /// Whether the sink was told of a clean end.
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished { .. })
    }

    /// Whether there is nothing left to do for this direction.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Finished { .. } | State::Drained)
    }

    /// Whether the source has ended cleanly, told or not.
    pub(crate) fn source_ended(&self) -> bool {
        matches!(self.state, State::Finishing(_) | State::Finished { .. })
    }

    /// Whether the source isn't being read, so that its end by reset would go unnoticed.
    pub(crate) fn is_source_unread(&self) -> bool {
        self.blocked || self.source_ended()
    }

    /// Whether the source has ended and the sink doesn't take the rest.
    pub(crate) fn is_finishing(&self) -> bool {
        matches!(self.state, State::Finishing(_))
    }

    pub(crate) fn forgave(&self) -> bool {
        match &self.state {
            State::Finishing(proof) => proof.is_forgiven(),
            State::Finished { forgiven } => *forgiven,
            State::Flowing | State::Drained => false,
        }
    }

    /// Whether anything was moved since the last call.
    pub(crate) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }
}

/// What both directions of a connection go by.
pub(crate) struct Terms<'a> {
    pub(crate) missing_close_notify: MissingCloseNotify,
    pub(crate) tally: &'a Tally,
    pub(crate) lean: Option<&'a AtomicBool>,
}
