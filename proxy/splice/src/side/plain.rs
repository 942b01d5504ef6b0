//! A side without TLS: what is read is what is passed on.

use std::task::{Context, Poll};

use super::socket::Socket;
use super::{Fetched, Inflow};
use crate::ended::Fault;
use crate::eof::CleanEof;
use crate::pool::Lease;

pub(super) struct Plain {
    pub(super) socket: Socket,
    held: Option<Lease>,
}

impl Plain {
    pub(super) fn new(socket: Socket, pending: Vec<u8>) -> Self {
        let held = (!pending.is_empty()).then(|| Lease::of(pending));
        Self { socket, held }
    }

    pub(super) fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fetched, Fault>> {
        if self.holds_unread() {
            return Poll::Ready(Ok(Fetched::Bytes));
        }
        let inflow = self.socket.inflow;
        if inflow == Inflow::Stopped {
            self.held = None;
            return Poll::Ready(Ok(Fetched::Drained));
        }
        let read = match (self.socket.poll_read(cx, &mut self.held), inflow) {
            (Poll::Ready(Ok(read)), _) => read,
            (Poll::Pending, Inflow::Open) => return Poll::Pending,
            (Poll::Ready(Err(error)), Inflow::Open) => return Poll::Ready(Err(error.into())),
            (Poll::Pending | Poll::Ready(Err(_)), _) => return Poll::Ready(Ok(self.drained())),
        };
        if read.count > 0 {
            return Poll::Ready(Ok(Fetched::Bytes));
        }
        if inflow != Inflow::Open {
            return Poll::Ready(Ok(self.drained()));
        }
        Poll::Ready(match CleanEof::of_plain_read(read.count, read.room, self.socket.health) {
            Some(proof) => Ok(Fetched::Clean(proof)),
            None => Err(Fault::Io(std::io::ErrorKind::ConnectionReset.into())),
        })
    }

    /// Moves what nobody takes out of a large buffer.
    pub(super) fn settle(&mut self) {
        if let Some(held) = &mut self.held {
            held.settle();
        }
    }

    fn drained(&mut self) -> Fetched {
        self.socket.inflow = Inflow::Stopped;
        self.held = None;
        Fetched::Drained
    }

    pub(super) fn chunk(&self) -> &[u8] {
        self.held.as_ref().map(Lease::unread).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, count: usize) {
        if let Some(held) = &mut self.held {
            held.consume(count);
        }
    }

    pub(super) fn holds_unread(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.is_empty())
    }
}
