//! Pipes for splice(2), lent to a direction only while bytes are in it, out of a bounded stock.
//!
//! Bytes that go through a pipe are never copied into this process: the kernel moves its pages from one socket to the
//! other. That is the cheaper way for much data and the dearer one for small messages, which take two calls more.

mod flow;
#[cfg_attr(not(target_os = "linux"), path = "pipe/elsewhere.rs")]
mod kernel;

use std::io;
#[cfg(test)]
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;

pub(crate) use flow::Flow;
use kernel::Ends;

/// How many requests for a pipe are declined after the kernel has refused one: to ask takes up to seven calls, and what
/// refuses (a quota, a sandbox, the limit of open files) is seldom over at once.
const DECLINED: usize = 16;

/// The pipes that the connections of one gateway share; a cheap handle.
///
/// Where there is none to have, because all are lent or the kernel refuses, bytes are copied instead. What this takes
/// at most: two descriptors for each pipe, and for each the memory that [`Self::BYTES`] says.
///
/// Splicing to a socket whose peer has gone raises SIGPIPE, as writing several buffers at once does. Rust programs
/// ignore it; another host of this library has to.
#[derive(Clone, Debug)]
pub struct Pipes(Arc<Stock>);

#[derive(Debug)]
struct Stock {
    most: usize,
    enough: usize,
    open: AtomicUsize,
    /// Requests that are still to be declined.
    to_decline: AtomicUsize,
    /// Directions that have had a pipe. When the last of them has gone, so do the pipes.
    users: AtomicUsize,
    /// Nobody waits for it: who finds it locked opens another pipe, or closes one.
    idle: Mutex<Vec<Ends>>,
    carried: AtomicU64,
}

impl Pipes {
    /// The descriptors of one pipe.
    pub const DESCRIPTORS: usize = 2;
    /// The bytes that one pipe may hold.
    pub const BYTES: usize = 1024 * 1024;

    /// A stock of up to `most` pipes, none of them open yet; with 0 everything is copied.
    ///
    /// Linux lets a user other than root have 64 MiB in pipes (`fs.pipe-user-pages-soft`), and beyond that refuses.
    pub fn new(most: usize) -> Self {
        Self::with(most, flow::ENOUGH)
    }

    /// A stock whose pipes are taken at once, be the reads as small as they may.
    #[cfg(test)]
    pub(crate) fn eager(most: usize) -> Self {
        Self::with(most, 0)
    }

    /// A stock that lends these descriptors as if they were a pipe, and opens no other.
    #[cfg(test)]
    pub(crate) fn of(read: OwnedFd, write: OwnedFd) -> Self {
        let pipes = Self::with(1, 0);
        pipes.0.open.fetch_add(1, Ordering::Relaxed);
        pipes.put_back(Ends::of(read, write));
        pipes
    }

    fn with(most: usize, enough: usize) -> Self {
        Self(Arc::new(Stock {
            most,
            enough,
            open: AtomicUsize::default(),
            to_decline: AtomicUsize::default(),
            users: AtomicUsize::default(),
            idle: Mutex::default(),
            carried: AtomicU64::default(),
        }))
    }

    /// Says how many bytes have left through pipes so far.
    pub fn carried(&self) -> u64 {
        self.0.carried.load(Ordering::Relaxed)
    }

    /// Borrows an empty pipe, if there is one to have.
    fn lease(&self) -> Option<Pipe> {
        let idle = self.0.idle.try_lock().ok().and_then(|mut idle| idle.pop());
        let ends = idle.or_else(|| self.open())?;
        Some(Pipe { ends: Some(ends), held: 0, home: self.clone() })
    }

    #[cfg(test)]
    pub(crate) fn open_now(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(crate) fn lent(&self) -> usize {
        self.open_now() - self.0.idle.lock().unwrap().len()
    }

    fn open(&self) -> Option<Ends> {
        let Stock { open, to_decline, .. } = &*self.0;
        if to_decline.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return None;
        }
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < self.0.most).then_some(open + 1)
        })
        .ok()?;
        let ends = Ends::open().ok();
        if ends.is_none() {
            open.fetch_sub(1, Ordering::Relaxed);
            to_decline.store(DECLINED, Ordering::Relaxed);
        }
        ends
    }

    fn put_back(&self, ends: Ends) {
        match self.0.idle.try_lock() {
            Ok(mut idle) => idle.push(ends),
            Err(_) => self.close(ends),
        }
    }

    fn join(&self) {
        self.0.users.fetch_add(1, Ordering::Relaxed);
    }

    fn leave(&self) {
        if self.0.users.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        let idle = self.0.idle.try_lock().map(|mut idle| std::mem::take(&mut *idle)).unwrap_or_default();
        for ends in idle {
            self.close(ends);
        }
    }

    fn close(&self, ends: Ends) {
        drop(ends);
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A pipe with bytes in it, or about to be filled. Goes back to its stock when dropped, but only if it is empty.
pub(crate) struct Pipe {
    /// None while it is being dropped.
    ends: Option<Ends>,
    held: usize,
    home: Pipes,
}

impl Pipe {
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes what has come to `tcp`, into an empty pipe.
    ///
    /// Zero and `WouldBlock` say nothing of the socket: a pipe may be full before its bytes are, and what comes
    /// after urgent data can't be spliced. Who wants to know must read.
    pub(crate) fn fill(&mut self, tcp: &TcpStream) -> io::Result<usize> {
        let count = self.ends()?.fill(tcp)?;
        self.held += count;
        Ok(count)
    }

    /// Hands some of the bytes to `tcp`.
    pub(crate) fn drain(&mut self, tcp: &TcpStream) -> io::Result<usize> {
        let count = self.ends()?.drain(tcp, self.held)?;
        self.held = self.held.saturating_sub(count);
        self.home.0.carried.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    /// Reads all bytes out, for when the kernel won't splice them.
    pub(crate) fn pour(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.held];
        self.ends()?.read_exact(&mut bytes)?;
        self.held = 0;
        Ok(bytes)
    }

    fn ends(&self) -> io::Result<&Ends> {
        self.ends.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let Some(ends) = self.ends.take() else { return };
        // What is left in a pipe would go to somebody else's peer, so the kernel has the last word.
        if self.held == 0 && ends.is_empty() {
            self.home.put_back(ends);
        } else {
            self.home.close(ends);
        }
    }
}

/// Whether a failed splice may be the kernel's or a sandbox's refusal to splice, rather than the end of a socket.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    kernel::is_refusal(error)
}
