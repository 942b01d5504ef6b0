//! The `sync` of the model: the same names, made of what loom sees every step of.
//!
//! Nothing here promises more than the real one does: `OnceLock` and `Current` hand on what was written
//! before by release and acquire, and nothing else.

use std::pin::Pin;
use std::sync::{Arc, Mutex as Unseen, OnceLock as Kept};
use std::task::{Context, Poll, Waker};

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use loom::sync::{Mutex, MutexGuard};

/// One for each connection of a model.
pub(crate) const SHARDS: usize = 2;

/// As `std::sync::OnceLock`.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: Kept<T>,
    ready: AtomicBool,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: Kept::new(), ready: AtomicBool::new(false) }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.ready.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.ready.load(Ordering::Acquire) { self.value.get() } else { None }
    }
}

/// As `arc_swap::ArcSwap`: one pointer, here the place in a list that only grows.
pub(crate) struct Current<T> {
    all: Unseen<Vec<Arc<T>>>,
    at: AtomicUsize,
}

impl<T> Current<T> {
    pub(crate) fn from_pointee(first: T) -> Self {
        Self { all: Unseen::new(vec![Arc::new(first)]), at: AtomicUsize::new(0) }
    }

    pub(crate) fn load(&self) -> Arc<T> {
        let at = self.at.load(Ordering::Acquire);
        self.all.lock().unwrap()[at].clone()
    }

    /// By one writer at a time, as generations are.
    pub(crate) fn store(&self, next: Arc<T>) {
        let mut all = self.all.lock().unwrap();
        let at = all.len();
        all.push(next);
        drop(all);
        self.at.store(at, Ordering::Release);
    }
}

/// As `tokio::sync::Notify`, as far as `notify_waiters` goes: whoever asked for a future before that is
/// woken, polled yet or not.
#[derive(Debug)]
pub(crate) struct Notify(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    calls: usize,
    wakers: Vec<Waker>,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Waiting::default()))
    }

    pub(crate) fn notify_waiters(&self) {
        let mut waiting = self.0.lock().unwrap();
        waiting.calls += 1;
        let wakers = std::mem::take(&mut waiting.wakers);
        drop(waiting);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        Notified { of: self, after: self.0.lock().unwrap().calls }
    }
}

pub(crate) struct Notified<'a> {
    of: &'a Notify,
    after: usize,
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.of.0.lock().unwrap();
        if waiting.calls != self.after {
            return Poll::Ready(());
        }
        waiting.wakers.push(context.waker().clone());
        Poll::Pending
    }
}
