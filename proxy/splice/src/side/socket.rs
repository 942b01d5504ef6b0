//! A TCP socket with what both kinds of side need to remember about it.

use std::io::{self, IoSlice, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::Inflow;
use crate::Buffers;
use crate::eof::Health;
use crate::pipe::{self, Pipe};
use crate::pool::{Lease, Size};
use crate::sys;

pub(super) struct Socket {
    /// None once it was closed ahead of its side.
    tcp: Option<TcpStream>,
    /// What was known when it was closed: whether the peer had acknowledged everything.
    was_acknowledged: bool,
    pub(super) inflow: Inflow,
    /// Bytes written so far, handshake not counted.
    pub(super) written: u64,
    pub(super) health: Health,
    /// Whether bytes have come since the last look, for the timers.
    received: bool,
    /// Which buffer the next read deserves.
    appetite: Size,
    /// What large buffers come out of; without it there is no bound.
    pub(super) buffers: Option<Buffers>,
    /// Whether the peer has shown that it reads.
    flows: bool,
}

/// What a peer has acknowledged before anything large is read for it. One that never reads acknowledges what its
/// kernel has room for, 64 KiB where nobody has changed it.
const EARNS: u64 = 128 * 1024;

/// What one read brought.
pub(super) struct Read {
    pub(super) count: usize,
    pub(super) room: usize,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream) -> Self {
        // What the handshake wrote may be unacknowledged still; counting it keeps `acknowledged` monotonic.
        let written = sys::unacknowledged(&tcp).unwrap_or(0) as u64;
        Self {
            tcp: Some(tcp),
            was_acknowledged: false,
            inflow: Inflow::Open,
            written,
            health: Health::Sound,
            received: false,
            appetite: Size::Small,
            buffers: None,
            flows: false,
        }
    }

    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        self.tcp.as_ref()
    }

    /// Whether the next read deserves a large buffer.
    pub(super) fn is_hungry(&self) -> bool {
        self.appetite == Size::Large
    }

    /// Lets the next read take no large buffer.
    pub(super) fn stay_small(&mut self) {
        self.appetite = Size::Small;
    }

    /// Asks whether the peer reads, until it does.
    pub(super) fn earns(&mut self) -> bool {
        self.flows = self.flows || self.acknowledged() >= EARNS;
        self.flows
    }

    /// Whether it was seen to read.
    pub(super) fn flows(&self) -> bool {
        self.flows
    }

    /// Whether bytes have come since the last call, be they only a part of a record.
    pub(super) fn take_received(&mut self) -> bool {
        std::mem::take(&mut self.received)
    }

    /// Closes the socket, by RST if it is armed, and remembers what was known of it.
    pub(super) fn close(&mut self) {
        self.was_acknowledged = self.is_acknowledged();
        self.tcp = None;
    }

    /// Whether the peer's TCP has acknowledged everything written.
    pub(super) fn is_acknowledged(&self) -> bool {
        match &self.tcp {
            Some(tcp) => sys::unacknowledged(tcp).is_ok_and(|bytes| bytes == 0),
            None => self.was_acknowledged,
        }
    }

    /// How many bytes the peer's TCP has acknowledged, or at least a number that grows as it does.
    pub(super) fn acknowledged(&self) -> u64 {
        let waiting = self.tcp.as_ref().and_then(|tcp| sys::unacknowledged(tcp).ok()).unwrap_or(0);
        self.written.saturating_sub(waiting as u64)
    }

    /// Reads once into `slot`, leasing a buffer for it and giving that back if nothing came.
    ///
    /// `slot` must be empty or hold an empty lease. For last words this is never pending.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        slot: &mut Option<Lease>,
    ) -> Poll<io::Result<Read>> {
        let Some(tcp) = &mut self.tcp else {
            return Poll::Ready(Err(closed()));
        };
        if slot.as_ref().is_some_and(Lease::is_odd) {
            *slot = None;
        }
        let lease = slot.get_or_insert_with(|| Lease::take(self.appetite, self.buffers.as_ref()));
        let room = lease.room().len();
        let result = if self.inflow == Inflow::LastWords {
            // Neither tokio's readiness nor its budget may hide what the kernel still has.
            again(|| Poll::Ready((&*SockRef::from(&*tcp)).read(lease.room())))
        } else {
            let mut buffer = ReadBuf::new(lease.room());
            again(|| Pin::new(&mut *tcp).poll_read(cx, &mut buffer)).map_ok(|()| buffer.filled().len())
        };
        match result {
            Poll::Ready(Ok(count)) => {
                lease.filled(count);
                self.received |= count > 0;
                self.appetite = self.appetite.after(count, room);
                if count == 0 {
                    *slot = None;
                }
                Poll::Ready(Ok(Read { count, room }))
            }
            Poll::Ready(Err(error)) => {
                *slot = None;
                self.health = Health::Broken;
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                *slot = None;
                Poll::Pending
            }
        }
    }

    /// Ready once reading may bring something, as far as tokio knows.
    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.as_ref().map_or_else(|| Poll::Ready(Err(closed())), |tcp| tcp.poll_read_ready(cx))
    }

    /// Moves what has come into an empty pipe. Zero means that only [`Self::poll_read`] can tell what there is.
    pub(super) fn fill(&mut self, pipe: &mut Pipe) -> io::Result<usize> {
        let tcp = self.tcp.as_ref().ok_or_else(closed)?;
        match pipe.fill(tcp) {
            Ok(count) => {
                self.received |= count > 0;
                Ok(count)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(0)
            }
            // A socket that has failed says so once, with any error, and isn't connected from then on. What a
            // connected one says can only be about splicing.
            Err(error) if pipe::is_refusal(&error) && tcp.peer_addr().is_ok() => Err(error),
            Err(error) => {
                self.health = Health::Broken;
                Err(error)
            }
        }
    }

    /// Hands some of what is in a pipe to the peer.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>, pipe: &mut Pipe) -> Poll<io::Result<usize>> {
        let result = loop {
            let Some(tcp) = &self.tcp else {
                return Poll::Ready(Err(closed()));
            };
            ready!(tcp.poll_write_ready(cx))?;
            match tcp.try_io(Interest::WRITABLE, || pipe.drain(tcp)) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) if pipe::is_refusal(&error) => return Poll::Ready(Err(error)),
                result => break result,
            }
        };
        Poll::Ready(self.wrote(result))
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(tcp) = &mut self.tcp else {
            return Poll::Ready(Err(closed()));
        };
        let result = ready!(again(|| Pin::new(&mut *tcp).poll_write(cx, bytes)));
        Poll::Ready(self.wrote(result))
    }

    pub(super) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(tcp) = &mut self.tcp else {
            return Poll::Ready(Err(closed()));
        };
        let result = ready!(again(|| Pin::new(&mut *tcp).poll_write_vectored(cx, bytes)));
        Poll::Ready(self.wrote(result))
    }

    fn wrote(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        match result {
            Ok(0) => {
                self.health = Health::Broken;
                Err(io::ErrorKind::WriteZero.into())
            }
            Ok(count) => {
                self.written += count as u64;
                Ok(count)
            }
            Err(error) => {
                self.health = Health::Broken;
                Err(error)
            }
        }
    }

    /// Sends FIN after everything written. Called by the two `poll_finish` alone.
    pub(super) fn shutdown_writing(&mut self) -> io::Result<()> {
        let Some(tcp) = &self.tcp else {
            return Err(closed());
        };
        let result = SockRef::from(tcp).shutdown(std::net::Shutdown::Write);
        if result.is_err() {
            self.health = Health::Broken;
        }
        result
    }

    /// Reads away what came after the peer's end, within bounds: the kernel answers the close of a socket that has
    /// unread bytes with RST, and that would destroy what is still on its way to the peer.
    pub(super) fn discard_unread(&self) {
        let Some(tcp) = &self.tcp else { return };
        let mut lease = Lease::take(Size::Small, None);
        let socket = SockRef::from(tcp);
        for _ in 0..8 {
            if !matches!((&*socket).read(lease.room()), Ok(1..)) {
                break;
            }
        }
    }
}

/// Calls again what was only interrupted (EINTR), which moved nothing; tokio does not.
fn again<T>(mut call: impl FnMut() -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    loop {
        match call() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            called => return called,
        }
    }
}

fn closed() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

/// The socket as the blocking writer that rustls wants: what would block says so.
pub(super) struct Outlet<'a, 'b> {
    pub(super) socket: &'a mut Socket,
    pub(super) cx: &'a mut Context<'b>,
}

impl io::Write for Outlet<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.socket.poll_write_vectored(self.cx, bytes) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
