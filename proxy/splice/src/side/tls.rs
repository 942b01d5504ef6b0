//! A side with TLS: ciphertext is read in large pieces, fed to rustls and fetched as plaintext; the other way,
//! plaintext is sealed into records that leave in one vectored write.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::task::{Context, Poll, ready};

use rustls::{Connection, ProtocolVersion, SupportedCipherSuite};

use super::socket::{Outlet, Socket};
use super::{Fetched, Inflow};
use crate::MissingCloseNotify;
use crate::ended::Fault;
use crate::eof::CleanEof;
use crate::pool::{Allowance, Lease, SMALL, Size};

/// Plaintext that is sealed at a time and leaves in one write: six full records. More would be cheaper in system
/// calls, but the allocator returns what is freed beyond 128 KiB to the kernel and faults it in again for the next
/// write (measured: 0.55 instead of 0.43 CPU-s/GB).
const BATCH: usize = 6 * RECORD;
/// The same for a peer that takes little or nothing, or when the budget has no more: it may stay sealed for long.
const LEAST_BATCH: usize = RECORD;
/// What rustls may keep sealed but unwritten: our batch, and what the handshake left.
const QUEUE_LIMIT: usize = 2 * BATCH;
/// Plaintext bytes of a full record (RFC 8446 §5.1).
const RECORD: usize = 16 * 1024;

pub(super) struct Tls {
    pub(super) socket: Socket,
    connection: Connection,
    /// Ciphertext read and not fed to rustls yet.
    sealed: Option<Lease>,
    /// Plaintext gathered from several records, so that it leaves in one write.
    opened: Option<Lease>,
    /// Plaintext bytes that wait inside rustls, behind those in `opened`.
    inside: usize,
    inbound: Inbound,
    outbound: Outbound,
    /// Plaintext bytes given to rustls since its queue was last empty.
    queued: usize,
    /// The right to seal a full batch, until it has left.
    allowance: Option<Allowance>,
    /// Whether rustls was given ciphertext since its buffer for it was last made small.
    fed: bool,
    /// Records that may still be sealed before the keys wear out; `None` where rustls renews them (TLS 1.3).
    records_left: Option<u64>,
}

/// How far the peer has come.
enum Inbound {
    /// What rustls already had when the splice began was not looked at yet.
    Unprimed,
    Open,
    /// FIN without close_notify.
    Bare,
    Closed(CleanEof),
    Failed(rustls::Error),
    /// Its end was told.
    Told,
}

/// How far we have come in ending our direction.
#[derive(Clone, Copy, PartialEq)]
enum Outbound {
    Open,
    Closing(Parting),
    Finished,
}

/// What the peer misses if it doesn't hear our end.
#[derive(Clone, Copy, PartialEq)]
enum Parting {
    /// Nothing: it has ended too, and all of the payload is with it.
    Courtesy,
    /// Maybe payload, and whether that was all.
    Needed,
}

impl Tls {
    pub(super) fn new(socket: Socket, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(QUEUE_LIMIT));
        let records_left = match (connection.protocol_version(), connection.negotiated_cipher_suite()) {
            (Some(ProtocolVersion::TLSv1_3), _) | (_, None | Some(SupportedCipherSuite::Tls13(_))) => None,
            // The handshake's own record and a close_notify come out of the same account.
            (_, Some(SupportedCipherSuite::Tls12(suite))) => {
                Some(suite.common.confidentiality_limit.saturating_sub(64))
            }
        };
        Self {
            socket,
            connection,
            sealed: None,
            opened: None,
            inside: 0,
            inbound: Inbound::Unprimed,
            outbound: Outbound::Open,
            queued: 0,
            allowance: None,
            fed: false,
            records_left,
        }
    }

    pub(super) fn poll_fetch(
        &mut self,
        cx: &mut Context<'_>,
        rule: MissingCloseNotify,
    ) -> Poll<Result<Fetched, Fault>> {
        if matches!(self.inbound, Inbound::Unprimed) {
            self.inbound = Inbound::Open;
            self.process();
        }
        loop {
            self.open_sealed();
            self.gather_small_records();
            if has_unread(self.opened.as_ref()) || self.inside > 0 {
                return Poll::Ready(Ok(Fetched::Bytes));
            }
            if !matches!(self.inbound, Inbound::Open) {
                return Poll::Ready(self.tell_end(rule));
            }
            if self.socket.inflow == Inflow::Stopped {
                return Poll::Ready(Ok(self.drained()));
            }
            match self.socket.poll_read(cx, &mut self.sealed) {
                Poll::Ready(Ok(read)) if read.count > 0 => {}
                Poll::Ready(Ok(_)) => self.inbound = Inbound::Bare,
                Poll::Pending => {
                    self.opened = None;
                    self.trim();
                    return Poll::Pending;
                }
                Poll::Ready(Err(error)) if self.socket.inflow == Inflow::Open => {
                    self.opened = None;
                    return Poll::Ready(Err(error.into()));
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(self.drained())),
            }
        }
    }

    /// Feeds rustls from the ciphertext read, until there is as much plaintext as is worth one write.
    ///
    /// A lone record stays inside rustls and is written from there. More than that is gathered in `opened`, as
    /// rustls takes no more ciphertext while it holds plaintext.
    fn open_sealed(&mut self) {
        loop {
            let more = has_unread(self.sealed.as_ref()) && matches!(self.inbound, Inbound::Open);
            if !more {
                return;
            }
            if self.inside > 0 {
                if !self.gather() {
                    return;
                }
                continue;
            }
            let Some(sealed) = &mut self.sealed else { return };
            let mut unread = sealed.unread();
            let before = unread.len();
            let taken = self.connection.read_tls(&mut unread);
            let count = before - unread.len();
            sealed.consume(count);
            self.fed = true;
            match taken {
                Ok(1..) => self.process(),
                // It has room for a whole record at least, unless a handshake message never ends.
                Ok(0) | Err(_) => {
                    self.inbound = Inbound::Failed(rustls::InvalidMessage::HandshakePayloadTooLarge.into());
                }
            }
        }
    }

    /// Lets rustls make its buffer for ciphertext small again. It keeps the size that the last record needed until
    /// the next is read, and it only looks when it is about to read, with no plaintext left inside.
    fn trim(&mut self) {
        if self.fed && self.inside == 0 {
            self.fed = false;
            let _nothing = self.connection.read_tls(&mut Dry);
        }
    }

    /// Joins several small records that rustls holds, so that each doesn't cost a write of its own.
    fn gather_small_records(&mut self) {
        let first = self.connection.reader().into_first_chunk().map_or(0, <[u8]>::len);
        if self.inside > first {
            self.gather();
        }
    }

    /// Moves plaintext out of rustls; false if there is no room for more.
    fn gather(&mut self) -> bool {
        let coming = self.sealed.as_ref().map_or(0, |sealed| sealed.unread().len());
        let size = if coming > SMALL { Size::Large } else { Size::Small };
        let budget = self.socket.buffers.as_ref();
        if self.opened.as_ref().is_some_and(|opened| opened.is_empty() && opened.is_odd()) {
            self.opened = None;
        }
        let opened = self.opened.get_or_insert_with(|| Lease::take(size, budget));
        match self.connection.reader().read(opened.room()) {
            Ok(count @ 1..) => {
                opened.filled(count);
                self.taken(count);
                true
            }
            _ => false,
        }
    }

    /// Keeps count of what rustls still holds. It tells how much that is only until it has failed.
    fn taken(&mut self, count: usize) {
        self.inside = match self.inbound {
            Inbound::Failed(_) => self.connection.reader().into_first_chunk().map_or(0, <[u8]>::len),
            _ => self.inside.saturating_sub(count),
        };
    }

    fn process(&mut self) {
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.inside = state.plaintext_bytes_to_read();
                if let Some(proof) = CleanEof::of_tls(&state) {
                    // RFC 8446 §6.1: what follows a closure alert is ignored.
                    self.inbound = Inbound::Closed(proof);
                    self.sealed = None;
                }
            }
            Err(error) => {
                // What was authentic before the bad record has been accepted and counts.
                self.inbound = Inbound::Failed(error);
                self.taken(0);
                self.sealed = None;
            }
        }
    }

    fn tell_end(&mut self, rule: MissingCloseNotify) -> Result<Fetched, Fault> {
        let ended = std::mem::replace(&mut self.inbound, Inbound::Told);
        self.sealed = None;
        self.opened = None;
        if self.socket.inflow != Inflow::Open {
            return Ok(self.drained());
        }
        match ended {
            Inbound::Closed(proof) => Ok(Fetched::Clean(proof)),
            Inbound::Bare => {
                CleanEof::of_bare_fin(rule, self.socket.health).map(Fetched::Clean).ok_or(Fault::Truncated)
            }
            Inbound::Failed(error) => Err(Fault::Tls(error)),
            Inbound::Unprimed | Inbound::Open | Inbound::Told => Ok(Fetched::Drained),
        }
    }

    fn drained(&mut self) -> Fetched {
        self.socket.inflow = Inflow::Stopped;
        self.sealed = None;
        self.opened = None;
        Fetched::Drained
    }

    pub(super) fn chunk(&mut self) -> &[u8] {
        match &self.opened {
            Some(opened) if !opened.is_empty() => opened.unread(),
            _ => self.connection.reader().into_first_chunk().unwrap_or_default(),
        }
    }

    pub(super) fn consume(&mut self, count: usize) {
        match &mut self.opened {
            Some(opened) if !opened.is_empty() => opened.consume(count),
            _ => {
                self.connection.reader().consume(count);
                self.taken(count);
            }
        }
    }

    pub(super) fn holds_unread(&self) -> bool {
        has_unread(self.opened.as_ref()) || self.inside > 0 || has_unread(self.sealed.as_ref())
    }

    pub(super) fn wants_write(&self) -> bool {
        self.outbound != Outbound::Finished && self.connection.wants_write()
    }

    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Fault>> {
        loop {
            let mut batch = self.batch(bytes.len());
            if self.queued >= batch {
                ready!(self.poll_flush(cx))?;
                batch = self.batch(bytes.len());
            }
            let (bytes, _later) = bytes.split_at(bytes.len().min(batch - self.queued));
            if let Some(left) = &mut self.records_left {
                let records = bytes.len().div_ceil(RECORD) as u64;
                match left.checked_sub(records) {
                    Some(rest) => *left = rest,
                    None => return Poll::Ready(Err(Fault::Tls(rustls::Error::EncryptError))),
                }
            }
            let count = self.connection.writer().write(bytes)?;
            self.queued += count;
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            // Full without our doing: what the handshake had left in the queue.
            self.queued = QUEUE_LIMIT;
        }
    }

    /// How much may be sealed before it has to leave, if so much more is to be: a full batch for a peer that takes it.
    fn batch(&mut self, more: usize) -> usize {
        if self.allowance.is_none() && self.queued + more > LEAST_BATCH && self.socket.flows() {
            self.allowance = Allowance::of(BATCH, self.socket.buffers.as_ref());
        }
        if self.allowance.is_some() { BATCH } else { LEAST_BATCH }
    }

    /// Moves what nobody takes out of large buffers, and lets rustls do so too.
    pub(super) fn settle(&mut self) {
        for lease in [&mut self.sealed, &mut self.opened].into_iter().flatten() {
            lease.settle();
        }
        self.trim();
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outbound == Outbound::Finished {
            // A KeyUpdate that asks for an answer after our FIN gets none.
            while self.connection.wants_write() {
                self.connection.write_tls(&mut io::sink())?;
            }
        }
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Outlet { socket: &mut self.socket, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.queued = 0;
        self.allowance = None;
        Poll::Ready(Ok(()))
    }

    /// Reached through `Side::poll_finish` alone, which demands the proof.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outbound == Outbound::Open {
            self.outbound = Outbound::Closing(self.parting());
            self.connection.send_close_notify();
        }
        let flushed = ready!(self.poll_flush(cx));
        if let Outbound::Closing(parting) = self.outbound {
            match flushed.and_then(|()| self.socket.shutdown_writing()) {
                // A peer that has closed altogether answers our close_notify by a reset. It is heard here already
                // where the way is short.
                Err(_) if parting == Parting::Courtesy => {}
                told => told?,
            }
            self.outbound = Outbound::Finished;
        }
        Poll::Ready(Ok(()))
    }

    fn parting(&self) -> Parting {
        let has_ended = matches!(self.inbound, Inbound::Told);
        let has_all = !self.connection.wants_write() && self.socket.is_acknowledged();
        if has_ended && has_all { Parting::Courtesy } else { Parting::Needed }
    }
}

fn has_unread(lease: Option<&Lease>) -> bool {
    lease.is_some_and(|lease| !lease.is_empty())
}

/// A source that has nothing now.
struct Dry;

impl io::Read for Dry {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
