//! The story of one spliced connection: two directions in one future, until both have ended or something else
//! ends them.

use std::future::{Future, Pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::ended::{Cause, End, Ended};
use crate::ending::{Patience, wind_down};
use crate::half::{Half, Terms};
use crate::side::Side;
use crate::timer::{self, Phase, Reading, Timer};
use crate::{Cut, Options, Tally};

/// Moves bytes both ways between two sides until both directions have ended, and closes both sockets.
///
/// Each direction ends by itself: after one side's clean end the other direction goes on until it ends too, on
/// plain TCP and TLS 1.3 alike. (TLS 1.2 lets a peer answer a close_notify with its own at once, RFC 5246 §7.2.1,
/// and drop what we still send.) FIN or close_notify goes to one side only because the other ended cleanly; after
/// every other end, reading stops, what was accepted is delivered to whoever is still there within
/// [`Options::flush`], and both sockets are closed by RST. `cut` is polled as long as the connection lives.
///
/// # Errors
/// None: whatever happens is the [`Ended`] of this connection.
///
/// # Cancel safety
/// Dropping the future closes both sockets by RST and loses what was in flight: neither peer can take that for a
/// clean end. To end a connection early and deliver what was accepted, use [`Cut::Flush`].
///
/// # Panics
/// Outside a tokio runtime with time and I/O enabled.
pub async fn duplex(
    downstream: Side,
    upstream: Side,
    options: &Options,
    tally: &Tally,
    cut: impl Future<Output = Cut>,
) -> Ended {
    let mut cut = pin!(cut);
    let mut pair = Pair::new(downstream, upstream);
    let terms = Terms { missing_close_notify: options.missing_close_notify, tally };
    let stop = match pair.arm_reset() {
        Ok(()) => pair.run(options, &terms, cut.as_mut()).await,
        Err(cause) => Stop::Cause(cause),
    };
    let patience = Patience { flush: options.flush, budget: None };
    match stop {
        Stop::Cause(Cause::Clean) => pair.close(),
        Stop::Cause(cause) => wind_down(pair, cause, patience, &terms, Some(cut)).await,
        // Dropping the pair resets both sides.
        Stop::Cut(Cut::Now) => pair.summary(Cause::Cut),
        Stop::Cut(Cut::Flush(budget)) => {
            let patience = Patience { budget: Some(budget), ..patience };
            let no_more = None::<Pin<&mut Pending<Cut>>>;
            wind_down(pair, Cause::Cut, patience, &terms, no_more).await
        }
    }
}

/// Both sides and both directions of a connection.
pub(crate) struct Pair {
    pub(crate) downstream: Side,
    pub(crate) upstream: Side,
    /// From downstream to upstream.
    pub(crate) forth: Half,
    /// From upstream to downstream.
    pub(crate) back: Half,
}

enum Stop {
    Cause(Cause),
    Cut(Cut),
}

impl Pair {
    fn new(downstream: Side, upstream: Side) -> Self {
        Self { downstream, upstream, forth: Half::new(End::Downstream), back: Half::new(End::Upstream) }
    }

    /// From here on whatever drops the sockets without having finished resets them.
    fn arm_reset(&self) -> Result<(), Cause> {
        self.downstream.arm_reset().map_err(|error| Cause::of_io(End::Downstream, error))?;
        self.upstream.arm_reset().map_err(|error| Cause::of_io(End::Upstream, error))
    }

    async fn run(
        &mut self,
        options: &Options,
        terms: &Terms<'_>,
        mut cut: Pin<&mut impl Future<Output = Cut>>,
    ) -> Stop {
        let sleep = pin!(timer::unset());
        let mut timer = Timer::new(options, sleep);
        poll_fn(|cx| {
            if let Poll::Ready(cut) = cut.as_mut().poll(cx) {
                return Poll::Ready(Stop::Cut(cut));
            }
            match self.poll_halves(cx, terms) {
                Ok(true) => return Poll::Ready(Stop::Cause(Cause::Clean)),
                Ok(false) => {}
                Err(cause) => return Poll::Ready(Stop::Cause(cause)),
            }
            if self.forth.take_moved() | self.back.take_moved() {
                timer.progressed();
            }
            timer.note(self.phase(), self.reading());
            timer.poll(cx, &self.downstream, &self.upstream).map(Stop::Cause)
        })
        .await
    }

    /// Moves both directions on; true once both have finished.
    fn poll_halves(&mut self, cx: &mut Context<'_>, terms: &Terms<'_>) -> Result<bool, Cause> {
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

    fn reading(&self) -> Reading {
        if self.forth.is_source_unread() || self.back.is_source_unread() {
            Reading::NotBoth
        } else {
            Reading::Both
        }
    }

    fn phase(&self) -> Phase {
        let flushing = [&self.forth, &self.back].into_iter().find(|half| half.is_finishing());
        Phase {
            half_closed: self.forth.source_ended() != self.back.source_ended(),
            flushing: flushing.map(|half| half.from().opposite()),
        }
    }

    /// Both directions have finished: FIN was sent to both sides, and the kernel does the rest.
    fn close(self) -> Ended {
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
