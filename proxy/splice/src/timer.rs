//! One timer for every limit of a running connection. It costs nothing per message: bytes only move an instant,
//! and the timer is set anew when it fires or when the connection enters a phase with a nearer limit.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use crate::Options;
use crate::ended::{Cause, End};
use crate::side::Side;

/// When a timer that is off fires: it doesn't, but tokio wants an instant.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// How often at least the sockets are asked for errors while a side isn't read: because the other side takes no
/// more, or because it has ended. Then a reset wakes nobody.
const LOOK: Duration = Duration::from_secs(5);
/// The same where `flush` is shorter than that.
const LEAST_LOOK: Duration = Duration::from_millis(10);

/// How long a limit that has passed is doubted.
///
/// A process that was stopped, or whose machine was, may hear of the time first and then of what came meanwhile
/// (under SIGCONT epoll_wait returns with nothing, signal(7)). So sockets are asked once more before it counts.
const DOUBT: Duration = Duration::from_millis(1);

/// Which limits hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phase {
    /// Exactly one side has ended.
    pub(crate) half_closed: bool,
    /// The side that owes the acknowledgement of a clean end's rest.
    pub(crate) flushing: Option<End>,
}

/// Whether some side isn't being read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Both,
    NotBoth,
}

impl Phase {
    const FLOWING: Self = Self { half_closed: false, flushing: None };

    fn limit(self, options: &Options<'_>) -> (Option<Duration>, Cause) {
        let quiet = match self {
            Self { half_closed: false, .. } => (options.idle, Cause::Idle),
            Self { half_closed: true, .. } => (options.half_close, Cause::HalfCloseIdle),
        };
        match (self.flushing, options.flush, quiet.0) {
            (Some(_), Some(flush), Some(quiet_limit)) if quiet_limit <= flush => quiet,
            (Some(end), Some(flush), _) => (Some(flush), Cause::FlushTimeout(end)),
            _ => quiet,
        }
    }
}

/// Watches one connection's progress.
pub(crate) struct Timer<'a> {
    options: &'a Options<'a>,
    sleep: Pin<&'a mut Sleep>,
    /// When the sleep fires.
    armed_for: Instant,
    phase: Phase,
    reading: Reading,
    /// The sleep fires for a look at the sockets, at the latest.
    looking: bool,
    /// It has fired since somebody asked.
    looked: bool,
    /// A limit has passed, as far as is known yet.
    doubted: bool,
    last_progress: Instant,
    /// What both sides' peers had acknowledged when the timer last asked.
    acknowledged: u64,
}

/// A sleep that [`Timer::new`] sets.
pub(crate) fn unset() -> Sleep {
    tokio::time::sleep(NEVER)
}

impl<'a> Timer<'a> {
    pub(crate) fn new(options: &'a Options<'a>, sleep: Pin<&'a mut Sleep>) -> Self {
        let now = Instant::now();
        let armed_for = sleep.deadline();
        let mut timer = Self {
            options,
            sleep,
            armed_for,
            phase: Phase::FLOWING,
            reading: Reading::Both,
            looking: false,
            looked: false,
            doubted: false,
            last_progress: now,
            acknowledged: 0,
        };
        timer.rearm_if_nearer();
        timer
    }

    /// Takes note that bytes have moved.
    pub(crate) fn progressed(&mut self) {
        self.last_progress = Instant::now();
    }

    /// Takes note of where the connection stands. To be called whenever it was moved on, before [`Self::poll`].
    pub(crate) fn note(&mut self, phase: Phase, reading: Reading) {
        if phase != self.phase {
            self.phase = phase;
            self.last_progress = Instant::now();
            self.rearm_if_nearer();
        }
        self.reading = reading;
        if reading == Reading::NotBoth && !self.looking {
            self.looking = true;
            self.arm(self.armed_for.min(Instant::now() + self.look()));
        }
    }

    /// Ready with the cause once a limit has passed without progress, or a look at the sockets found an error.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, downstream: &Side, upstream: &Side) -> Poll<Cause> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            self.looked = true;
            for (end, side) in [(End::Downstream, downstream), (End::Upstream, upstream)] {
                if let Some(error) = side.take_error() {
                    return Poll::Ready(Cause::of_io(end, error));
                }
            }
            let (_, cause) = self.phase.limit(self.options);
            let passed = self.deadline().is_some_and(|deadline| deadline <= Instant::now());
            if passed && !self.is_being_acknowledged([downstream, upstream]) {
                if self.doubted {
                    return Poll::Ready(cause);
                }
                self.doubted = true;
                self.arm(Instant::now() + DOUBT);
                continue;
            }
            self.doubted = false;
            let next = self.deadline().unwrap_or_else(|| Instant::now() + NEVER);
            // Looks go on until one finds both sides read again.
            self.looking = false;
            self.arm(next);
            self.note(self.phase, self.reading);
        }
        Poll::Pending
    }

    /// Whether it has looked at the sockets since the last call: some side wasn't read for as long as that takes.
    pub(crate) fn take_look(&mut self) -> bool {
        std::mem::take(&mut self.looked)
    }

    fn look(&self) -> Duration {
        self.options.flush.map_or(LOOK, |flush| flush.clamp(LEAST_LOOK, LOOK))
    }

    /// Whether a slow peer still takes what the kernel has queued for it, though nothing moves on our side.
    fn is_being_acknowledged(&mut self, sides: [&Side; 2]) -> bool {
        if sides.iter().all(|side| side.is_delivered()) {
            return false;
        }
        let acknowledged = sides.iter().map(|side| side.acknowledged()).sum();
        let grown = acknowledged > self.acknowledged;
        self.acknowledged = acknowledged;
        if grown {
            self.last_progress = Instant::now();
        }
        grown
    }

    fn deadline(&self) -> Option<Instant> {
        self.phase.limit(self.options).0.map(|limit| self.last_progress + limit.min(NEVER))
    }

    fn rearm_if_nearer(&mut self) {
        if let Some(deadline) = self.deadline()
            && deadline < self.armed_for
        {
            self.arm(deadline);
        }
    }

    fn arm(&mut self, deadline: Instant) {
        self.armed_for = deadline;
        self.sleep.as_mut().reset(deadline);
    }
}
