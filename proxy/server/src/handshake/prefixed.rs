//! A client's stream while it shakes hands: read in large pieces, given record by record.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a client sent behind its hello, and then the client.
///
/// What it sends is read as it comes, but a read of this ends where a TLS record does. So the handshake is over with the
/// record that ends it, and what the client sent right behind, be it even a broken record or an alert, waits for
/// the splice, which delivers what came before that.
pub(super) struct Prefixed {
    /// Bytes read from the client, of which those before `given` were given.
    read: Vec<u8>,
    given: usize,
    tcp: TcpStream,
    place: Place,
}

/// How far into a record the reader is: the two bytes of its length are the last of its five-byte header.
#[derive(Default)]
struct Place {
    header: Vec<u8>,
    body: usize,
}

const HEADER: usize = 5;
/// A client's whole flight, mostly: its certificate, its signature and its Finished, and all that one call of rustls
/// takes (READ_SIZE in its buffers.rs).
const PIECE: usize = 4096;

impl Prefixed {
    pub(super) fn new(prefix: Vec<u8>, tcp: TcpStream) -> Self {
        Self { read: prefix, given: 0, tcp, place: Place::default() }
    }

    /// The client, and what it sent behind the last record that was given. Never anything of the prefix, once a
    /// handshake is over: a client finishes its handshake only after it has heard from us.
    pub(super) fn into_parts(mut self) -> (TcpStream, Vec<u8>) {
        let behind = self.read.split_off(self.given);
        (self.tcp, behind)
    }

    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.given = 0;
        self.read.resize(PIECE, 0);
        let mut piece = ReadBuf::new(&mut self.read);
        let polled = again(|| Pin::new(&mut self.tcp).poll_read(context, &mut piece));
        let count = piece.filled().len();
        self.read.truncate(count);
        polled
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given == self.read.len() {
            ready!(self.poll_more(context))?;
        }
        let Self { read, given, place, .. } = &mut *self;
        let most = buffer.remaining().min(place.left());
        let ahead = read.get(*given..).unwrap_or_default();
        let part = ahead.get(..most).unwrap_or(ahead);
        buffer.put_slice(part);
        place.pass(part);
        *given += part.len();
        Poll::Ready(Ok(()))
    }
}

impl Place {
    /// How many bytes are left of the header, or then of the record.
    fn left(&self) -> usize {
        if self.body > 0 { self.body } else { HEADER - self.header.len() }
    }

    /// Takes bytes, at most as many as are left.
    fn pass(&mut self, bytes: &[u8]) {
        if self.body > 0 {
            self.body -= bytes.len();
            return;
        }
        self.header.extend_from_slice(bytes);
        if let [_, _, _, high, low] = *self.header {
            self.body = usize::from(u16::from_be_bytes([high, low]));
            self.header.clear();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_ends_with_the_header_and_with_the_record_however_it_comes() {
        let mut place = Place::default();
        let mut reads = Vec::new();
        // Records of 3 bytes, of none, and of 300.
        let mut wire: Vec<u8> = vec![22, 3, 3, 0, 3, 1, 2, 3, 23, 3, 3, 0, 0, 23, 3, 3, 1, 44];
        wire.extend([0; 300]);
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            // As the kernel has them: never more than 200 at once.
            let (part, later) = rest.split_at(place.left().min(200));
            place.pass(part);
            reads.push(part.len());
            rest = later;
        }
        assert_eq!(reads, [5, 3, 5, 5, 200, 100]);
        assert_eq!(place.left(), HEADER);
    }
}
