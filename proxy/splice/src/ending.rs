//! Every end that isn't clean: stop reading, deliver what was accepted to whoever is still there, then reset.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::Cut;
use crate::ended::{Cause, End, Ended};
use crate::half::{Half, Terms};
use crate::pair::Pair;
use crate::side::{Inflow, Side};

/// How soon the kernel is first asked whether the peer has acknowledged everything, and how seldom at most.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(50);

/// How long the end may take.
#[derive(Clone, Copy, Default)]
pub(crate) struct Patience {
    /// Without progress, for each side.
    pub(crate) flush: Option<Duration>,
    /// In all.
    pub(crate) budget: Option<Duration>,
}

/// Ends a connection that didn't end cleanly.
///
/// Each side is closed by RST as soon as all that was accepted for it is acknowledged, or it has run out of
/// patience. `cut` ends the wait earlier: at once, or after its budget.
pub(crate) async fn wind_down(
    pair: Pair,
    cause: Cause,
    patience: Patience,
    terms: &Terms<'_>,
    mut cut: Option<Pin<&mut impl Future<Output = Cut>>>,
) -> Ended {
    let mut winding = WindDown::new(pair, &cause, patience.flush);
    let mut over = patience.budget.map(|budget| Instant::now() + budget);
    let mut look = FIRST_LOOK;
    let mut tick = pin!(tokio::time::sleep(look));
    poll_fn(|cx| {
        if let Some(Poll::Ready(decided)) = cut.as_mut().map(|cut| cut.as_mut().poll(cx)) {
            cut = None;
            match decided {
                Cut::Now => return Poll::Ready(()),
                Cut::Flush(budget) => over = Some(Instant::now() + budget),
            }
        }
        loop {
            winding.poll(cx, terms);
            if winding.is_settled() || over.is_some_and(|over| over <= Instant::now()) {
                return Poll::Ready(());
            }
            if tick.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            look = LAST_LOOK.min(look * 2);
            let next = Instant::now() + look;
            tick.as_mut().reset(over.map_or(next, |over| over.min(next)));
        }
    })
    .await;
    winding.pair.summary(cause)
}

/// Both sides on their way out.
struct WindDown {
    pair: Pair,
    downstream: Duty,
    upstream: Duty,
    flush: Option<Duration>,
}

/// One direction with its two sides.
struct Lane<'a> {
    half: &'a mut Half,
    source: &'a mut Side,
    sink: &'a mut Side,
}

/// What is still owed to a side.
struct Duty {
    debt: Debt,
    acknowledged: u64,
    since: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Debt {
    /// All that was accepted for it.
    Everything,
    /// What is sealed already, above all the alert that tells it what it did wrong.
    Queued,
    /// Nothing: it has gone.
    Nothing,
}

impl WindDown {
    fn new(mut pair: Pair, cause: &Cause, flush: Option<Duration>) -> Self {
        pair.downstream.stop(inflow(cause, End::Downstream));
        pair.upstream.stop(inflow(cause, End::Upstream));
        let duty = |side: &Side, end| Duty {
            debt: debt(cause, end),
            acknowledged: side.acknowledged(),
            since: Instant::now(),
        };
        let downstream = duty(&pair.downstream, End::Downstream);
        let upstream = duty(&pair.upstream, End::Upstream);
        Self { pair, downstream, upstream, flush }
    }

    fn poll(&mut self, cx: &mut Context<'_>, terms: &Terms<'_>) {
        let Pair { downstream, upstream, forth, back } = &mut self.pair;
        self.upstream.poll(cx, Lane { half: forth, source: downstream, sink: upstream }, terms);
        self.downstream.poll(cx, Lane { half: back, source: upstream, sink: downstream }, terms);
        self.upstream.settle(upstream, forth, downstream, self.flush);
        self.downstream.settle(downstream, back, upstream, self.flush);
    }

    fn is_settled(&self) -> bool {
        self.pair.downstream.is_closed() && self.pair.upstream.is_closed()
    }
}

impl Duty {
    /// Delivers what can be delivered.
    fn poll(&mut self, cx: &mut Context<'_>, lane: Lane<'_>, terms: &Terms<'_>) {
        let Lane { half, source, sink } = lane;
        if sink.is_closed() {
            return;
        }
        let failed = match self.debt {
            Debt::Everything => matches!(half.poll(cx, source, sink, terms), Poll::Ready(Err(_))),
            Debt::Queued => matches!(sink.poll_flush(cx), Poll::Ready(Err(_))),
            Debt::Nothing => false,
        };
        if failed {
            self.debt = Debt::Nothing;
            sink.stop(Inflow::Stopped);
        }
    }

    /// Closes the side if nothing is owed to it any more, or it doesn't take it.
    fn settle(&mut self, side: &mut Side, into: &Half, other: &Side, flush: Option<Duration>) {
        if side.is_closed() {
            return;
        }
        let over = match self.debt {
            Debt::Everything => (into.is_over() && side.is_delivered()) || self.is_in_vain(side, flush),
            Debt::Queued => side.is_delivered() || self.is_in_vain(side, flush),
            // Its last words are worth hearing only while there is somebody to tell them to.
            Debt::Nothing => side.is_stopped() || other.is_closed(),
        };
        if over {
            side.reset();
        }
    }

    /// Whether the peer has gone, or has acknowledged nothing more for too long.
    fn is_in_vain(&mut self, side: &Side, flush: Option<Duration>) -> bool {
        if side.has_gone() {
            return true;
        }
        let acknowledged = side.acknowledged();
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            self.since = Instant::now();
        }
        flush.is_some_and(|flush| self.since.elapsed() >= flush)
    }
}

/// What may still be read from the side at `end`.
fn inflow(cause: &Cause, end: End) -> Inflow {
    match cause {
        // It sent these before it went, and its kernel or ours has acknowledged them.
        Cause::Reset(gone) | Cause::Io(gone, _) if *gone == end => Inflow::LastWords,
        _ => Inflow::Stopped,
    }
}

/// What is still owed to the side at `end`.
fn debt(cause: &Cause, end: End) -> Debt {
    match cause {
        Cause::Reset(gone) | Cause::Io(gone, _) | Cause::Alert(gone, _) | Cause::FlushTimeout(gone)
            if *gone == end =>
        {
            Debt::Nothing
        }
        Cause::Protocol(guilty, _) if *guilty == end => Debt::Queued,
        _ => Debt::Everything,
    }
}
