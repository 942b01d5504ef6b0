//! A side without TLS: what is read is what is passed on, through a buffer or, where much is passed on to another
//! plain side, through a pipe.

use std::io;
use std::task::{Context, Poll, ready};

use super::socket::Socket;
use super::{Fetched, Inflow};
use crate::ended::Fault;
use crate::eof::CleanEof;
use crate::pipe::{self, Flow, Pipe, Pipes};
use crate::pool::Lease;

pub(super) struct Plain {
    pub(super) socket: Socket,
    held: Option<Lease>,
    /// Bytes are in it or in `held`, never in both.
    pipe: Option<Pipe>,
    /// What says when to take a pipe; none where the other side couldn't use it.
    flow: Option<Flow>,
}

impl Plain {
    pub(super) fn new(socket: Socket, pending: Vec<u8>) -> Self {
        let held = (!pending.is_empty()).then(|| Lease::of(pending));
        Self { socket, held, pipe: None, flow: None }
    }

    /// Lets what comes from here go through pipes. The other side must be plain too.
    pub(super) fn allow_pipes(&mut self, pipes: &Pipes) {
        self.flow = Some(Flow::new(pipes.clone()));
    }

    pub(super) fn stay_small(&mut self) {
        self.socket.stay_small();
        if let Some(flow) = &mut self.flow {
            flow.start_over();
        }
    }

    pub(super) fn poll_fetch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Fetched, Fault>> {
        if self.holds_unread() {
            return Poll::Ready(Ok(Fetched::Bytes));
        }
        let inflow = self.socket.inflow;
        if inflow == Inflow::Stopped {
            return Poll::Ready(Ok(self.drained()));
        }
        if inflow == Inflow::Open && ready!(self.poll_fill(cx))? > 0 {
            return Poll::Ready(Ok(Fetched::Bytes));
        }
        let read = match (self.socket.poll_read(cx, &mut self.held), inflow) {
            (Poll::Ready(Ok(read)), _) => read,
            (Poll::Pending, Inflow::Open) => return Poll::Pending,
            (Poll::Ready(Err(error)), Inflow::Open) => return Poll::Ready(Err(error.into())),
            (Poll::Pending | Poll::Ready(Err(_)), _) => return Poll::Ready(Ok(self.drained())),
        };
        if read.count > 0 {
            self.came(read.count);
            return Poll::Ready(Ok(Fetched::Bytes));
        }
        if inflow != Inflow::Open {
            return Poll::Ready(Ok(self.drained()));
        }
        Poll::Ready(match CleanEof::of_plain_read(read.count, read.room, self.socket.health) {
            Some(proof) => Ok(Fetched::Clean(proof)),
            None => Err(Fault::Io(io::ErrorKind::ConnectionReset.into())),
        })
    }

    /// Fetches into a pipe, if that is the way now. Zero says nothing but that reading is the way to find out more.
    ///
    /// While pending, and whenever it returns zero, it holds no pipe.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let pipe = self.pipe.take();
        let Some(flow) = self.flow.as_mut().filter(|flow| flow.is_bulk()) else {
            return Poll::Ready(Ok(0));
        };
        if ready!(self.socket.poll_readable(cx)).is_err() {
            return Poll::Ready(Ok(0));
        }
        let Some(mut pipe) = pipe.or_else(|| flow.lease()) else {
            return Poll::Ready(Ok(0));
        };
        let count = match self.socket.fill(&mut pipe) {
            Err(error) if pipe::is_refusal(&error) => {
                flow.start_over();
                return Poll::Ready(Ok(0));
            }
            filled => filled?,
        };
        if count > 0 {
            flow.came(count);
            self.held = None;
            self.pipe = Some(pipe);
        }
        Poll::Ready(Ok(count))
    }

    fn came(&mut self, count: usize) {
        if let Some(flow) = &mut self.flow {
            flow.came(count);
        }
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
        self.pipe = None;
        Fetched::Drained
    }

    /// Takes some of what `source` holds for this side's peer.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>, source: &mut Self) -> Poll<io::Result<usize>> {
        if let Some(pipe) = source.pipe.as_mut().filter(|pipe| !pipe.is_empty()) {
            match ready!(self.socket.poll_drain(cx, pipe)) {
                Err(error) if pipe::is_refusal(&error) => source.pour()?,
                drained => return Poll::Ready(drained),
            }
        }
        let count = ready!(self.socket.poll_write(cx, source.chunk()))?;
        source.consume(count);
        Poll::Ready(Ok(count))
    }

    /// Goes on by copying with what is in the pipe.
    fn pour(&mut self) -> io::Result<()> {
        if let Some(mut pipe) = self.pipe.take() {
            self.held = Some(Lease::of(pipe.pour()?));
        }
        if let Some(flow) = &mut self.flow {
            flow.start_over();
        }
        Ok(())
    }

    /// The bytes in the buffer; those in a pipe can't be seen.
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
            || self.pipe.as_ref().is_some_and(|pipe| !pipe.is_empty())
    }
}
