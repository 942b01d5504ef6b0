//! Read buffers, borrowed from a pool of the current thread only while they hold bytes.
//!
//! An idle connection holds none. Two sizes: a connection starts with the small one and asks for the large one
//! while its reads fill what it has and its peer takes them. Large ones come out of a budget that all connections
//! share ([`Buffers`]); while that has none, a small one does.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a small buffer: two of them serve a ping-pong exchange and fit a core's first-level cache.
pub(crate) const SMALL: usize = 8 * 1024;
/// Bytes of a large buffer. Not 64 KiB: loopback's MSS is 65483, so that size costs a 53-byte segment each time.
pub(crate) const LARGE: usize = 256 * 1024 + 16 * 1024;
/// How many idle buffers of each size a thread keeps.
const KEPT_SMALL: usize = 64;
const KEPT_LARGE: usize = 8;
/// A full record of TLS, and what rustls reads into (its limit of a record on the wire).
const RECORD: usize = 16 * 1024 + 256;
const READ: usize = 18 * 1024 + 5;

/// The memory that the large buffers of all connections who share it may take together.
///
/// Nobody waits for it: who gets none goes on with small buffers, which belong to each connection. So however many
/// connections hold large buffers because their peers have stopped reading, the others lose speed and nothing else.
#[derive(Clone, Debug)]
pub struct Buffers(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    bytes: usize,
    left: AtomicUsize,
}

impl Buffers {
    /// What one worker keeps for its next connections at most, in bytes, though nobody uses it.
    pub const KEPT: usize = KEPT_SMALL * SMALL + KEPT_LARGE * LARGE;
    /// What one connection may hold beside them at most, in bytes, with TLS on one side and both its peers stalled:
    /// a small buffer and a sealed record on the way to the client; small buffers of ciphertext and of plaintext, an
    /// unopened record and an opened one on the way from it.
    pub const BESIDE: usize = 3 * SMALL + RECORD + READ + RECORD;

    /// A budget of so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self(Arc::new(Budget { bytes, left: AtomicUsize::new(bytes) }))
    }

    /// How many bytes are in use now.
    pub fn used(&self) -> usize {
        self.0.bytes - self.0.left.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Option<Charge> {
        let less = |left: usize| left.checked_sub(bytes);
        self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Charge { buffers: self.clone(), bytes })
    }
}

/// A part of the budget; dropping it gives it back.
struct Charge {
    buffers: Buffers,
    bytes: usize,
}

impl Charge {
    fn shrink(&mut self, bytes: usize) {
        let spare = self.bytes.saturating_sub(bytes);
        self.bytes -= spare;
        self.buffers.0.left.fetch_add(spare, Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

/// The right to hold something large; nothing stands behind it where there is no budget.
pub(crate) struct Allowance {
    _charge: Option<Charge>,
}

impl Allowance {
    /// Asks for so many bytes.
    pub(crate) fn of(bytes: usize, budget: Option<&Buffers>) -> Option<Self> {
        match budget {
            Some(buffers) => Some(Self { _charge: Some(buffers.take(bytes)?) }),
            None => Some(Self { _charge: None }),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Size {
    #[default]
    Small,
    Large,
}

impl Size {
    fn bytes(self) -> usize {
        match self {
            Self::Small => SMALL,
            Self::Large => LARGE,
        }
    }

    /// The size for the next read after one that returned `read` bytes into `room`.
    pub(crate) fn after(self, read: usize, room: usize) -> Self {
        match self {
            Self::Small if read == room => Self::Large,
            Self::Large if read < SMALL / 2 => Self::Small,
            same => same,
        }
    }
}

#[derive(Default)]
struct Shelf {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
    #[cfg(test)]
    leased: usize,
}

thread_local! {
    static SHELF: RefCell<Shelf> = RefCell::default();
}

/// A buffer with unread bytes in the middle: consumed before, free after. Returned to its pool when dropped.
pub(crate) struct Lease {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// What it has of the budget, if it is large.
    charge: Option<Charge>,
}

impl Lease {
    /// Borrows an empty buffer: a large one only if the budget allows it.
    pub(crate) fn take(wanted: Size, budget: Option<&Buffers>) -> Self {
        let (size, charge) = match (wanted, budget) {
            (Size::Large, Some(budget)) => match budget.take(LARGE) {
                Some(charge) => (Size::Large, Some(charge)),
                None => (Size::Small, None),
            },
            _ => (wanted, None),
        };
        let shelved = SHELF.with_borrow_mut(|shelf| {
            #[cfg(test)]
            {
                shelf.leased += 1;
            }
            match size {
                Size::Small => shelf.small.pop(),
                Size::Large => shelf.large.pop(),
            }
        });
        let bytes = shelved.unwrap_or_else(|| vec![0; size.bytes()]);
        Self { bytes, start: 0, end: 0, charge }
    }

    /// Holds bytes that somebody else has read.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        #[cfg(test)]
        SHELF.with_borrow_mut(|shelf| shelf.leased += 1);
        let end = bytes.len();
        Self { bytes, start: 0, end, charge: None }
    }

    /// Whether it is of neither size, so that nothing should be read into it.
    pub(crate) fn is_odd(&self) -> bool {
        !matches!(self.bytes.len(), SMALL | LARGE)
    }

    /// Moves what wasn't consumed out of a large buffer, as nobody takes it: into a small one, or one that fits.
    pub(crate) fn settle(&mut self) {
        let rest = self.end - self.start;
        if self.bytes.len() != LARGE || rest == 0 {
            return;
        }
        let mut bytes = if rest <= SMALL { vec![0; SMALL] } else { vec![0; rest] };
        if let Some(room) = bytes.get_mut(..rest) {
            room.copy_from_slice(self.unread());
        }
        shelve(std::mem::replace(&mut self.bytes, bytes));
        (self.start, self.end) = (0, rest);
        if rest <= SMALL {
            self.charge = None;
        } else if let Some(charge) = &mut self.charge {
            charge.shrink(rest);
        }
    }

    /// The bytes not consumed yet.
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// The room behind the unread bytes; [`Self::filled`] says how much of it was used.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    pub(crate) fn filled(&mut self, count: usize) {
        self.end = self.bytes.len().min(self.end + count);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        shelve(std::mem::take(&mut self.bytes));
        #[cfg(test)]
        let _gone = SHELF.try_with(|shelf| shelf.borrow_mut().leased -= 1);
    }
}

/// Keeps a buffer for the next who wants one, if there is room for it.
fn shelve(bytes: Vec<u8>) {
    // A thread on its way out has no shelf any more; then the buffer is simply freed.
    let _gone = SHELF.try_with(|shelf| {
        let mut shelf = shelf.borrow_mut();
        match bytes.len() {
            SMALL if shelf.small.len() < KEPT_SMALL => shelf.small.push(bytes),
            LARGE if shelf.large.len() < KEPT_LARGE => shelf.large.push(bytes),
            _ => {}
        }
    });
}

/// How many leases this thread has out (tests run on one thread each).
#[cfg(test)]
pub(crate) fn leased() -> usize {
    SHELF.with_borrow(|shelf| shelf.leased)
}
