//! Where the ends of connections tell each other, and whoever runs them, how far they are.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What ends that run in one process tell each other past the gateway.
#[derive(Default)]
pub struct Board {
    notes: Mutex<Notes>,
    changed: Notify,
}

#[derive(Default)]
struct Notes {
    left: HashSet<u64>,
    waiting: Vec<Stand>,
}

/// How far an end is that now waits for what others do.
#[derive(Debug, Clone, Copy)]
pub struct Stand {
    /// The number of its connection.
    pub connection: u64,
    /// How much of its stream was acknowledged, at least.
    pub acknowledged: u64,
}

impl Board {
    /// Notes that an end of this connection has ended what it sends.
    pub(crate) fn leave(&self, connection: u64) {
        self.notes().left.insert(connection);
        self.changed.notify_waiters();
    }

    /// Waits until an end of this connection has.
    pub(crate) async fn left(&self, connection: u64) {
        self.wait(|notes| notes.left.remove(&connection).then_some(())).await;
    }

    /// Notes that an end has come to where it waits to be killed, or for the gateway to be.
    pub(crate) fn stand(&self, stand: Stand) {
        self.notes().waiting.push(stand);
        self.changed.notify_waiters();
    }

    /// Waits until so many ends wait, and says how far each of them is.
    pub async fn standing(&self, count: usize) -> Vec<Stand> {
        self.wait(|notes| (notes.waiting.len() >= count).then(|| notes.waiting.clone())).await
    }

    async fn wait<T>(&self, mut ask: impl FnMut(&mut Notes) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // What changes between the question and the wait must wake us too.
            changed.as_mut().enable();
            if let Some(answer) = ask(&mut self.notes()) {
                return answer;
            }
            changed.await;
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
