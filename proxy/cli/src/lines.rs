//! Lines on their way out of the process: a bounded buffer that fills, and a thread that empties it.
//!
//! Whoever has a line appends it and goes on. What takes the lines may be slow, stuck or broken: that costs
//! lines, which are counted, and holds up nobody but the writer.

mod queue;
mod target;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use queue::{Queue, Work};
pub(crate) use target::{Lost, Target};

/// How long a target that takes nothing at the moment is left alone.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);
/// How long the end of the process waits for the last lines.
pub(crate) const LAST_LINES: Duration = Duration::from_secs(2);

/// No state behind these locks is left half changed by a panic, so a poisoned one is as good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
