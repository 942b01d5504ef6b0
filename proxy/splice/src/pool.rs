//! Read buffers, borrowed from a pool of the current thread only while they hold bytes.
//!
//! An idle connection holds none. Two sizes: a connection starts with the small one and asks for the large one
//! while its reads fill what it has.

use std::cell::RefCell;

/// Bytes of a small buffer: two of them serve a ping-pong exchange and fit a core's first-level cache.
const SMALL: usize = 8 * 1024;
/// Bytes of a large buffer. Not 64 KiB: loopback's MSS is 65483, so that size costs a 53-byte segment each time.
const LARGE: usize = 256 * 1024 + 16 * 1024;
/// How many idle buffers of each size a thread keeps.
const KEPT_SMALL: usize = 64;
const KEPT_LARGE: usize = 8;

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
}

impl Lease {
    /// Borrows an empty buffer.
    pub(crate) fn take(size: Size) -> Self {
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
        Self { bytes, start: 0, end: 0 }
    }

    /// Holds bytes that somebody else has read.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        #[cfg(test)]
        SHELF.with_borrow_mut(|shelf| shelf.leased += 1);
        let end = bytes.len();
        Self { bytes, start: 0, end }
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
        let bytes = std::mem::take(&mut self.bytes);
        // A thread on its way out has no shelf any more; then the buffer is simply freed.
        let _gone = SHELF.try_with(|shelf| {
            let mut shelf = shelf.borrow_mut();
            #[cfg(test)]
            {
                shelf.leased -= 1;
            }
            match bytes.len() {
                SMALL if shelf.small.len() < KEPT_SMALL => shelf.small.push(bytes),
                LARGE if shelf.large.len() < KEPT_LARGE => shelf.large.push(bytes),
                _ => {}
            }
        });
    }
}

/// How many leases this thread has out (tests run on one thread each).
#[cfg(test)]
pub(crate) fn leased() -> usize {
    SHELF.with_borrow(|shelf| shelf.leased)
}
