//! Both sides and both directions of a connection, as one thing that is moved on and closed.

use std::io;
use std::task::{Context, Poll};

use crate::Pipes;
use crate::ended::{Cause, End, Ended};
use crate::half::{Half, Terms};
use crate::side::Side;
use crate::timer::{Phase, Reading};

/// Both sides and both directions of a connection.
pub(crate) struct Pair {
    pub(crate) downstream: Side,
    pub(crate) upstream: Side,
    /// From downstream to upstream.
    pub(crate) forth: Half,
    /// From upstream to downstream.
    pub(crate) back: Half,
}

impl Pair {
    pub(crate) fn new(mut downstream: Side, mut upstream: Side, pipes: Option<&Pipes>) -> Self {
        if let Some(pipes) = pipes {
            downstream.allow_pipes(&upstream, pipes);
            upstream.allow_pipes(&downstream, pipes);
        }
        Self { downstream, upstream, forth: Half::new(End::Downstream), back: Half::new(End::Upstream) }
    }

    /// From here on whatever drops the sockets without having finished resets them.
    pub(crate) fn arm_reset(&self) -> Result<(), Cause> {
        self.downstream.arm_reset().map_err(|error| Cause::of_io(End::Downstream, error))?;
        self.upstream.arm_reset().map_err(|error| Cause::of_io(End::Upstream, error))
    }

    /// Moves both directions on; true once both have finished.
    pub(crate) fn poll_halves(&mut self, cx: &mut Context<'_>, terms: &Terms<'_>) -> Result<bool, Cause> {
        let forth = self.forth.poll(cx, &mut self.downstream, &mut self.upstream, terms);
        let back = self.back.poll(cx, &mut self.upstream, &mut self.downstream, terms);
        let finished = match (forth, back) {
            (Poll::Ready(Err(cause)), _) | (_, Poll::Ready(Err(cause))) => return Err(cause),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => true,
            _ => false,
        };
        // What was sealed above, and answers to key updates, leave together.
        self.flush(cx, End::Upstream)?;
        self.flush(cx, End::Downstream)?;
        Ok(finished)
    }

    fn flush(&mut self, cx: &mut Context<'_>, end: End) -> Result<(), Cause> {
        let side = match end {
            End::Downstream => &mut self.downstream,
            End::Upstream => &mut self.upstream,
        };
        match side.poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(Cause::of_io(end, error)),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Whether anything has come or was moved since the last call. A record of TLS that comes slowly is progress
    /// before it is whole.
    pub(crate) fn take_progress(&mut self) -> bool {
        let received = self.downstream.take_received() | self.upstream.take_received();
        received | self.forth.take_moved() | self.back.take_moved()
    }

    /// Moves what nobody takes out of large buffers.
    pub(crate) fn settle(&mut self) {
        self.downstream.settle();
        self.upstream.settle();
    }

    pub(crate) fn reading(&self) -> Reading {
        if self.forth.is_source_unread() || self.back.is_source_unread() {
            Reading::NotBoth
        } else {
            Reading::Both
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        let flushing = [&self.forth, &self.back].into_iter().find(|half| half.is_finishing());
        Phase {
            half_closed: self.forth.source_ended() != self.back.source_ended(),
            flushing: flushing.map(|half| half.from().opposite()),
        }
    }

    /// Both directions have finished: FIN was sent to both sides, and the kernel does the rest.
    pub(crate) fn close(self) -> Ended {
        let mut ended = self.summary(Cause::Clean);
        let Self { downstream, upstream, .. } = self;
        let closed: [(End, io::Result<()>); 2] =
            [(End::Upstream, upstream.close()), (End::Downstream, downstream.close())];
        for (end, result) in closed {
            if let Err(error) = result {
                ended.cause = Cause::of_io(end, error);
                ended.delivered = false;
            }
        }
        ended
    }

    /// What is known of this connection now.
    pub(crate) fn summary(&self, cause: Cause) -> Ended {
        Ended {
            cause,
            delivered: is_delivered(&self.forth, &self.downstream, &self.upstream)
                && is_delivered(&self.back, &self.upstream, &self.downstream),
            forgave_missing_close_notify: self.forth.forgave() || self.back.forgave(),
            downstream_finished: self.forth.source_ended(),
            upstream_finished: self.back.source_ended(),
        }
    }
}

/// Whether a direction owes nothing: finished, or all that was accepted is acknowledged.
pub(crate) fn is_delivered(half: &Half, source: &Side, sink: &Side) -> bool {
    half.is_finished() || (!source.holds_unread() && sink.is_delivered())
}
