//! What a direction needs from a side: bytes to fetch, a place to put them, and a way to finish.

mod plain;
mod socket;
mod tls;

use std::io;
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;

use crate::ended::Fault;
use crate::eof::{CleanEof, Health};
use crate::{Buffers, MissingCloseNotify, Pipes, sys};
use plain::Plain;
use socket::Socket;
use tls::Tls;

/// One side of a spliced connection: plain TCP or TLS over TCP.
///
/// The socket should have `TCP_NODELAY` set; nothing here sets it.
pub struct Side(Kind);

// One connection in four is never TLS on either side; the box keeps its future small.
enum Kind {
    Plain(Plain),
    Tls(Box<Tls>),
}

/// What a side has to offer next.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// It holds bytes, which [`Side::poll_take`] hands on.
    Bytes,
    /// It ended cleanly and all of it was consumed.
    Clean(CleanEof),
    /// It was stopped (see [`Side::stop`]) and all that had been accepted was consumed.
    Drained,
}

/// What a side may still read from its socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Inflow {
    /// All that comes.
    #[default]
    Open,
    /// What the kernel has already got, as the peer has gone; how that ends proves nothing.
    LastWords,
    /// Nothing: only what was read before.
    Stopped,
}

impl Side {
    /// A side without TLS, or one whose TLS is passed through.
    pub fn plain(tcp: TcpStream) -> Self {
        Self::plain_with(tcp, Vec::new())
    }

    /// A plain side of which `pending` was already read (the ClientHello in passthrough); it comes before anything
    /// else that the side sends.
    pub fn plain_with(tcp: TcpStream, pending: Vec<u8>) -> Self {
        Self(Kind::Plain(Plain::new(Socket::new(tcp), pending)))
    }

    /// A side whose TLS handshake is finished.
    ///
    /// Plaintext already decrypted inside `connection`, ciphertext it has not processed yet, and TLS bytes that it
    /// still wants to write are all kept and come first. Its buffer limit is set anew.
    ///
    /// Under TLS 1.2, whose keys can't be renewed, the connection ends by RST before the cipher suite's limit of
    /// records (2^24 for AES-GCM), where rustls by itself would send a close_notify that nobody meant.
    pub fn tls(tcp: TcpStream, connection: impl Into<rustls::Connection>) -> Self {
        Self(Kind::Tls(Box::new(Tls::new(Socket::new(tcp), connection.into()))))
    }

    /// Fetches until there are bytes for [`Self::poll_take`] or the side has ended.
    ///
    /// While pending it holds no buffer and no pipe; the waker is registered with the socket.
    pub(crate) fn poll_fetch(
        &mut self,
        cx: &mut Context<'_>,
        rule: MissingCloseNotify,
    ) -> Poll<Result<Fetched, Fault>> {
        match &mut self.0 {
            Kind::Plain(plain) => plain.poll_fetch(cx),
            Kind::Tls(tls) => tls.poll_fetch(cx, rule),
        }
    }

    /// Lets what comes from this side go to `sink` through pipes, if neither has TLS to do in between.
    pub(crate) fn allow_pipes(&mut self, sink: &Self, pipes: &Pipes) {
        if let (Kind::Plain(source), Kind::Plain(_)) = (&mut self.0, &sink.0) {
            source.allow_pipes(pipes);
        }
    }

    /// Takes some of what `source` has fetched for this side's peer, and says how much. It may stay queued inside
    /// until [`Self::poll_flush`].
    pub(crate) fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Self,
    ) -> Poll<Result<usize, Fault>> {
        let accepted = match (&mut self.0, &mut source.0) {
            (Kind::Plain(sink), Kind::Plain(source)) => {
                return sink.poll_take(cx, source).map_err(Fault::Io);
            }
            (Kind::Plain(sink), Kind::Tls(source)) => {
                sink.socket.poll_write(cx, source.chunk()).map_err(Fault::Io)
            }
            (Kind::Tls(sink), Kind::Plain(source)) => sink.poll_accept(cx, source.chunk()),
            (Kind::Tls(sink), Kind::Tls(source)) => sink.poll_accept(cx, source.chunk()),
        };
        let count = ready!(accepted)?;
        match &mut source.0 {
            Kind::Plain(source) => source.consume(count),
            Kind::Tls(source) => source.consume(count),
        }
        Poll::Ready(Ok(count))
    }

    /// Hands everything queued inside to the kernel.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(_) => Poll::Ready(Ok(())),
            Kind::Tls(tls) => tls.poll_flush(cx),
        }
    }

    /// Tells this side's peer that there is no more: close_notify on TLS, then FIN, after all that is queued.
    ///
    /// The only place that does either; `_proof` is why it may.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>, _proof: &CleanEof) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Kind::Plain(plain) => Poll::Ready(plain.socket.shutdown_writing()),
            Kind::Tls(tls) => tls.poll_finish(cx),
        }
    }

    /// Whether bytes have come since the last call, be they only a part of a record.
    pub(crate) fn take_received(&mut self) -> bool {
        self.socket_mut().take_received()
    }

    /// Lets the next read take no large buffer and no pipe.
    pub(crate) fn stay_small(&mut self) {
        match &mut self.0 {
            Kind::Plain(plain) => plain.stay_small(),
            Kind::Tls(tls) => tls.socket.stay_small(),
        }
    }

    /// Lets the next read take a large buffer only if the peer behind `sink` has taken what came before.
    pub(crate) fn read_as_taken(&mut self, sink: &mut Self) {
        if self.socket().is_hungry() && !sink.socket_mut().earns() {
            self.socket_mut().stay_small();
        }
    }

    /// Takes large buffers out of this budget.
    pub(crate) fn share(&mut self, buffers: Option<&Buffers>) {
        self.socket_mut().buffers = buffers.cloned();
    }

    /// Moves what nobody takes out of large buffers.
    pub(crate) fn settle(&mut self) {
        match &mut self.0 {
            Kind::Plain(plain) => plain.settle(),
            Kind::Tls(tls) => tls.settle(),
        }
    }

    /// From now on reads no more than `inflow` allows; what it then yields ends as drained, never as clean.
    pub(crate) fn stop(&mut self, inflow: Inflow) {
        self.socket_mut().inflow = inflow;
    }

    /// Whether nothing more is read from its socket.
    pub(crate) fn is_stopped(&self) -> bool {
        self.socket().inflow == Inflow::Stopped
    }

    /// Whether bytes that were accepted from this side still wait inside it.
    pub(crate) fn holds_unread(&self) -> bool {
        match &self.0 {
            Kind::Plain(plain) => plain.holds_unread(),
            Kind::Tls(tls) => tls.holds_unread(),
        }
    }

    /// Whether everything ever put into this side was acknowledged by its peer's TCP.
    pub(crate) fn is_delivered(&self) -> bool {
        let queued = match &self.0 {
            Kind::Plain(_) => false,
            Kind::Tls(tls) => tls.wants_write(),
        };
        !queued && self.socket().is_acknowledged()
    }

    /// How many bytes the peer's TCP has acknowledged, or at least a number that grows as it does.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.socket().acknowledged()
    }

    /// Makes the close of this side a RST, until [`Self::close`].
    pub(crate) fn arm_reset(&self) -> io::Result<()> {
        self.socket().tcp().map_or(Ok(()), sys::arm_reset)
    }

    /// Whether the peer has reset the connection, though nobody has read or written since.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.socket().tcp()?.take_error().unwrap_or_else(Some)
    }

    /// Whether there is nobody any more to take what is queued; what a reset left unacknowledged stays so.
    pub(crate) fn has_gone(&self) -> bool {
        self.socket().health == Health::Broken || self.take_error().is_some()
    }

    /// Closes the socket by RST. What was fetched from it stays.
    pub(crate) fn reset(&mut self) {
        self.socket_mut().close();
    }

    /// Whether its socket was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.socket().tcp().is_none()
    }

    /// Closes a side after both directions have finished cleanly: the kernel delivers the rest in the background.
    pub(crate) fn close(self) -> io::Result<()> {
        self.socket().tcp().map_or(Ok(()), sys::disarm_reset)?;
        self.socket().discard_unread();
        Ok(())
    }

    fn socket(&self) -> &Socket {
        match &self.0 {
            Kind::Plain(plain) => &plain.socket,
            Kind::Tls(tls) => &tls.socket,
        }
    }

    fn socket_mut(&mut self) -> &mut Socket {
        match &mut self.0 {
            Kind::Plain(plain) => &mut plain.socket,
            Kind::Tls(tls) => &mut tls.socket,
        }
    }
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.0 {
            Kind::Plain(_) => "plain",
            Kind::Tls(_) => "tls",
        };
        f.debug_struct("Side").field("kind", &kind).field("tcp", &self.socket().tcp()).finish_non_exhaustive()
    }
}
