//! A stream with bytes in front of it that were read before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a client sent behind its hello, and then the client.
pub(super) struct Prefixed {
    prefix: Vec<u8>,
    tcp: TcpStream,
}

impl Prefixed {
    pub(super) fn new(prefix: Vec<u8>, tcp: TcpStream) -> Self {
        Self { prefix, tcp }
    }

    /// The client alone, after a handshake. Nothing is left of the prefix then: a client finishes its
    /// handshake only after it has heard from us, so the end of it came from the socket, behind the prefix.
    pub(super) fn into_inner(self) -> TcpStream {
        debug_assert!(self.prefix.is_empty());
        self.tcp
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return again(|| Pin::new(&mut self.tcp).poll_read(context, buffer));
        }
        let count = buffer.remaining().min(self.prefix.len());
        let rest = self.prefix.split_off(count);
        buffer.put_slice(&std::mem::replace(&mut self.prefix, rest));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        again(|| Pin::new(&mut self.tcp).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        again(|| Pin::new(&mut self.tcp).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

/// Calls again what was only interrupted; neither tokio nor rustls does.
fn again<T>(mut call: impl FnMut() -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    loop {
        match call() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            called => return called,
        }
    }
}
