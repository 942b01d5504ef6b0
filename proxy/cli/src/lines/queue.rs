//! Lines on their way to the writer: one buffer that fills while the writer empties the other.
//!
//! At 20,000 lines a second a line costs its connection 2 µs, formatting included. Through a channel it was
//! 12 µs, most of it spent on waking the writer for each line; here a batch wakes it once.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lock;

/// Bytes that are worth a write at once: a pipe's whole buffer (pipe(7)).
const BATCH: usize = 64 * 1024;

/// The lines that wait, and what the writer is asked to do.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Bytes that may wait. The writer holds as many again.
    capacity: usize,
    /// How long the first line of a batch waits for company.
    linger: Duration,
    state: Mutex<State>,
    /// Something is there for the writer.
    wake: Condvar,
    /// The writer has done something.
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    /// After so many bytes of what is pending the file is to be opened anew.
    reopen: Option<usize>,
    /// The writer is not to wait for company.
    urgent: bool,
    closing: bool,
    finished: bool,
    /// How often something was asked of the writer, and how much of that it has settled.
    asked: u64,
    settled: u64,
}

/// What the writer is to do.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Whole lines.
    pub(crate) lines: Vec<u8>,
    /// After so many bytes of the lines the file is to be opened anew.
    pub(crate) reopen: Option<usize>,
    /// Nothing will follow.
    pub(crate) last: bool,
    ticket: u64,
}

impl Queue {
    /// An empty one for so many bytes, whose first line of a batch waits so long for company.
    pub(crate) fn new(capacity: usize, linger: Duration) -> Self {
        Self {
            capacity,
            linger,
            state: Mutex::default(),
            wake: Condvar::default(),
            settled: Condvar::default(),
        }
    }

    /// Appends a line; false if there is no room for it.
    pub(crate) fn push(&self, line: &[u8]) -> bool {
        let mut state = lock(&self.state);
        let before = state.pending.len();
        let after = before + line.len();
        if state.closing || after > self.capacity {
            return false;
        }
        state.pending.extend_from_slice(line);
        state.asked += 1;
        drop(state);
        // In between the writer is awake or lingers, and comes by itself.
        if before == 0 || (before < BATCH && after >= BATCH) {
            self.wake.notify_one();
        }
        true
    }

    pub(crate) fn reopen(&self) {
        self.ask(|state| state.reopen = Some(state.pending.len()));
    }

    /// Refuses what comes now, and waits until the writer is done; false if `within` was too short.
    pub(crate) fn close(&self, within: Duration) -> bool {
        self.ask(|state| state.closing = true);
        self.wait(within, |state| state.finished)
    }

    /// Waits until the writer has settled all that was asked of it before.
    #[cfg(test)]
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let ticket = self.ask(|_| {});
        self.wait(within, |state| state.settled >= ticket)
    }

    fn ask(&self, what: impl FnOnce(&mut State)) -> u64 {
        let mut state = lock(&self.state);
        what(&mut state);
        state.urgent = true;
        state.asked += 1;
        let ticket = state.asked;
        drop(state);
        self.wake.notify_one();
        ticket
    }

    fn wait(&self, within: Duration, done: impl Fn(&State) -> bool) -> bool {
        let waiting = |state: &mut State| !done(state);
        let waited = self.settled.wait_timeout_while(lock(&self.state), within, waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// For the writer: waits for work, for at most `idle` where that is given.
    ///
    /// It hands in the work that it has done, whose buffer becomes the one that fills.
    pub(crate) fn next(&self, mut done: Work, idle: Option<Duration>) -> Work {
        done.lines.clear();
        let nothing = |state: &mut State| state.pending.is_empty() && !state.urgent;
        let mut state = lock(&self.state);
        state = match idle {
            None => self.wake.wait_while(state, nothing).unwrap_or_else(PoisonError::into_inner),
            Some(idle) => {
                let waited = self.wake.wait_timeout_while(state, idle, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        let company = |state: &mut State| state.pending.len() < BATCH && !state.urgent;
        if !state.pending.is_empty() {
            let waited = self.wake.wait_timeout_while(state, self.linger, company);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut state.pending, &mut done.lines);
        state.urgent = false;
        Work { lines: done.lines, reopen: state.reopen.take(), last: state.closing, ticket: state.asked }
    }

    /// For the writer: this is done.
    pub(crate) fn settle(&self, work: &Work) {
        lock(&self.state).settled = work.ticket;
        self.settled.notify_all();
    }

    /// For the writer: it will not come again.
    pub(crate) fn finish(&self) {
        lock(&self.state).finished = true;
        self.settled.notify_all();
    }

    /// For the writer: waits for a target that takes nothing at the moment.
    pub(crate) fn pause(&self, time: Duration) {
        drop(self.settled.wait_timeout_while(lock(&self.state), time, |_| true));
    }
}
