//! The story of one spliced connection: two directions in one future, until both have ended or something else
//! ends them.

use std::future::{Future, Pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::ended::{Cause, Ended};
use crate::ending::{Patience, wind_down};
use crate::half::Terms;
use crate::pair::Pair;
use crate::side::Side;
use crate::timer::{self, Timer};
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
pub fn duplex(
    mut downstream: Side,
    mut upstream: Side,
    options: &Options<'_>,
    tally: &Tally,
    cut: impl Future<Output = Cut>,
) -> impl Future<Output = Ended> {
    downstream.share(options.buffers);
    upstream.share(options.buffers);
    // Made out here, so that the future has room for the sides once and not twice.
    let mut pair = Pair::new(downstream, upstream, options.pipes);
    async move {
        let mut cut = pin!(cut);
        let terms = Terms { missing_close_notify: options.missing_close_notify, tally, lean: options.lean };
        let stop = run(&mut pair, options, &terms, cut.as_mut()).await;
        let patience = Patience { flush: options.flush, budget: None };
        // Boxed, since all the time before that it would be room that nobody uses.
        match stop {
            Stop::Cause(Cause::Clean) => pair.close(),
            Stop::Cause(cause) => Box::pin(wind_down(pair, cause, patience, &terms, Some(cut))).await,
            // Dropping the pair resets both sides.
            Stop::Cut(Cut::Now) => pair.summary(Cause::Cut),
            Stop::Cut(Cut::Flush(budget)) => {
                let patience = Patience { budget: Some(budget), ..patience };
                let no_more = None::<Pin<&mut Pending<Cut>>>;
                Box::pin(wind_down(pair, Cause::Cut, patience, &terms, no_more)).await
            }
        }
    }
}

enum Stop {
    Cause(Cause),
    Cut(Cut),
}

/// Moves bytes until both directions have ended, or something else ends them.
async fn run(
    pair: &mut Pair,
    options: &Options<'_>,
    terms: &Terms<'_>,
    mut cut: Pin<&mut impl Future<Output = Cut>>,
) -> Stop {
    if let Err(cause) = pair.arm_reset() {
        return Stop::Cause(cause);
    }
    let sleep = pin!(timer::unset());
    let mut timer = Timer::new(options, sleep);
    poll_fn(|cx| {
        if let Poll::Ready(cut) = cut.as_mut().poll(cx) {
            return Poll::Ready(Stop::Cut(cut));
        }
        match pair.poll_halves(cx, terms) {
            Ok(true) => return Poll::Ready(Stop::Cause(Cause::Clean)),
            Ok(false) => {}
            Err(cause) => return Poll::Ready(Stop::Cause(cause)),
        }
        if pair.take_progress() {
            timer.progressed();
        }
        timer.note(pair.phase(), pair.reading());
        let limit = timer.poll(cx, &pair.downstream, &pair.upstream);
        if timer.take_look() {
            pair.settle();
        }
        limit.map(Stop::Cause)
    })
    .await
}
