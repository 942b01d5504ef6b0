//! Who may go on: so many at once, and fair between sources once there are more.
//!
//! Under the limit everybody goes on at once, at the cost of a lock. Over it connections either wait
//! ([`Turns::take`]): sources take turns, and one that has more of them than one that waits loses its slow ones, oldest
//! first. Or whoever comes takes the place of one of the oldest ([`Turns::displace`]). So clients that connect and
//! do not speak, or not to the end, keep nobody out.

mod line;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use self::line::{Entered, Line};
use super::Source;
use crate::registry::Live;

/// How long a connection waits before it asks again whether somebody should make room.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How many may have a turn, and what becomes of more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rule {
    /// How many have a turn at once.
    pub(crate) most: usize,
    /// How many more may wait.
    pub(crate) most_waiting: usize,
    /// Who has had a turn for this long may have to make room.
    pub(crate) slow: Duration,
}

/// Turns for one step of connections.
pub(crate) struct Turns {
    line: Mutex<Line>,
    /// The zero of the line's clock.
    epoch: Instant,
}

/// A turn, or a place in the line; dropping it gives that up.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    source: Source,
    id: u64,
}

/// The line is full, and this source has the largest part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Turns {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { line: Mutex::new(Line::new(rule)), epoch: Instant::now() }
    }

    /// Waits for a turn. While it lasts, `live` may be ended to make room for others.
    ///
    /// # Errors
    /// Too many wait.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place in the line.
    pub(crate) async fn take(&self, source: Source, live: &Arc<Live>) -> Result<Turn<'_>, Crowded> {
        let entered = self.line().enter(source, live, self.now());
        let mut granted = match entered {
            Entered::Now => return Ok(self.turn(source, live.id)),
            Entered::Waits(granted) => granted,
            Entered::Refused => return Err(Crowded),
        };
        let turn = self.turn(source, live.id);
        loop {
            match timeout(ASK_AGAIN, &mut granted).await {
                Ok(Ok(())) => return Ok(turn),
                Ok(Err(oneshot::error::RecvError { .. })) => return Err(Crowded),
                Err(_) => self.line().make_room(self.now()),
            }
        }
    }

    /// Takes a turn at once; where there are `most`, `live` of one of the oldest is ended to make room.
    pub(crate) fn displace(&self, source: Source, live: &Arc<Live>, most: usize) -> Turn<'_> {
        self.line().displace(source, live, (most, self.now()));
        self.turn(source, live.id)
    }

    /// Changes how many may have a turn; those who have one go on.
    pub(crate) fn allow(&self, most: usize) {
        self.line().allow(most, self.now());
    }

    /// How many have a turn.
    pub(crate) fn in_flight(&self) -> usize {
        self.line().in_flight()
    }

    fn turn(&self, source: Source, id: u64) -> Turn<'_> {
        Turn { turns: self, source, id }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// No code that runs while it is locked can panic half-way through a change.
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let turns = self.turns;
        turns.line().leave(self.source, self.id, turns.now());
    }
}

#[cfg(test)]
mod tests;
