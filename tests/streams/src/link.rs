//! One end's socket, with TLS or without: what is queued, what was acknowledged, and every way to end.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use landbridge_splice::unacknowledged;
use rustls::{Connection, Error};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use crate::seen::Seen;

const BUFFER: usize = 64 * 1024;

/// One end's socket. Nothing here waits but [`ready`](Self::ready) and the handshake.
pub(crate) struct Link {
    tcp: TcpStream,
    tls: Option<Connection>,
    /// What the kernel has not taken yet, from `out_at` on.
    out: Vec<u8>,
    out_at: usize,
    /// Bytes that the kernel has taken, those of TLS included.
    wrote: u64,
    /// Of those of the wire, which are the last of which bytes of the stream.
    marks: VecDeque<(u64, u64)>,
    pushed: u64,
    acknowledged: u64,
    handed: u64,
    close_notify: bool,
    /// A write was told of a reset, which a read then isn't any more.
    was_reset: bool,
    broken: bool,
    end: Option<Seen>,
    buffer: Vec<u8>,
}

impl Link {
    /// A connected socket; `first` is sent before anything else.
    pub(crate) fn new(tcp: TcpStream, tls: Option<Connection>, first: Vec<u8>) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let mut tls = tls;
        if let Some(tls) = &mut tls {
            tls.set_buffer_limit(None);
        }
        Ok(Self {
            tcp,
            tls,
            out: first,
            out_at: 0,
            wrote: 0,
            marks: VecDeque::new(),
            pushed: 0,
            acknowledged: 0,
            handed: 0,
            close_notify: false,
            was_reset: false,
            broken: false,
            end: None,
            buffer: vec![0; BUFFER],
        })
    }

    /// Finishes the handshake, if there is one; what came behind it goes into `early`.
    pub(crate) async fn handshake(&mut self, early: &mut Vec<u8>) -> io::Result<()> {
        loop {
            self.seal()?;
            let flushed = self.flush();
            let handshaking = self.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
            if flushed && !handshaking {
                return Ok(());
            }
            if let Some(end) = &self.end {
                return Err(io::Error::other(format!("the handshake ended in: {end}")));
            }
            let interest =
                if flushed { Interest::READABLE } else { Interest::READABLE.add(Interest::WRITABLE) };
            self.tcp.ready(interest).await?;
            self.pull(early, BUFFER);
        }
    }

    /// Waits until the socket may be read or written.
    pub(crate) async fn ready(&self, interest: Interest) {
        // An error of the socket is an event too, and the next read or write tells which.
        let _ = self.tcp.ready(interest).await;
    }

    /// Waits until there is something unread.
    pub(crate) async fn unread(&self) {
        let _ = self.tcp.peek(&mut [0; 1]).await;
    }

    /// Queues bytes of the stream; [`flush`](Self::flush) sends them.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            Some(tls) => {
                let sealed = tls.writer().write_all(bytes);
                if sealed.is_err() || self.seal().is_err() {
                    self.broken = true;
                }
            }
            None => self.out.extend_from_slice(bytes),
        }
        self.pushed += bytes.len() as u64;
        self.marks.push_back((self.wrote + self.queued(), self.pushed));
    }

    /// Queues a record of which the second half is missing.
    pub(crate) fn push_cut(&mut self, bytes: &[u8]) {
        let before = self.out.len();
        let (pushed, marks) = (self.pushed, self.marks.len());
        self.push(bytes);
        self.out.truncate(before + (self.out.len() - before) / 2);
        self.pushed = pushed;
        self.marks.truncate(marks);
    }

    /// Queues a close_notify, where there is TLS.
    pub(crate) fn push_close_notify(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        self.broken |= self.seal().is_err();
    }

    /// Queues a fatal alert: the one that rustls answers a forged record with.
    pub(crate) fn push_alert(&mut self) {
        // Long enough to complete whatever record was half received.
        let mut forged = vec![0; 5 + 16 * 1024];
        for (place, byte) in forged.iter_mut().zip([23, 3, 3, 0x40, 0]) {
            *place = byte;
        }
        let mut wire = forged.as_slice();
        if let Some(tls) = &mut self.tls {
            // It reads nothing behind a close_notify; then there is no alert, and the FIN has to do.
            while matches!(tls.read_tls(&mut wire), Ok(1..)) && tls.process_new_packets().is_ok() {}
        }
        // What rustls can't read any more, we don't.
        self.end.get_or_insert(Seen::Left);
        self.broken |= self.seal().is_err();
    }

    /// Gives the kernel what is queued; whether it took all of it.
    pub(crate) fn flush(&mut self) -> bool {
        while let Some(rest) = self.out.get(self.out_at..).filter(|rest| !rest.is_empty() && !self.broken) {
            match self.tcp.try_write(rest) {
                Ok(count) => {
                    self.out_at += count;
                    self.wrote += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => {
                    self.broken = true;
                    self.was_reset = error.kind() == io::ErrorKind::ConnectionReset;
                }
            }
        }
        self.out.clear();
        self.out_at = 0;
        true
    }

    /// Forgets what is queued and not sent.
    pub(crate) fn forget_queued(&mut self) {
        self.out.clear();
        self.out_at = 0;
    }

    /// Sends FIN.
    pub(crate) async fn fin(&mut self) {
        // Fails where the other side has reset the connection; reading tells.
        let _ = self.tcp.shutdown().await;
    }

    /// Makes the close of the socket, which comes next, a RST.
    pub(crate) fn arm_reset(&mut self) {
        self.broken |= self.tcp.set_zero_linger().is_err();
    }

    /// Takes up to `most` bytes from the kernel, and what they hold of the stream into `into`.
    pub(crate) fn pull(&mut self, into: &mut Vec<u8>, most: usize) {
        if self.end.is_some() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let room = buffer.get_mut(..most.clamp(1, BUFFER)).unwrap_or_default();
        match self.tcp.try_read(room) {
            Ok(0) => self.end = Some(self.fin_seen()),
            Ok(count) => self.open(room.get(..count).unwrap_or_default(), into),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {}
                // The kernel's word for a reset that came behind a FIN.
                io::ErrorKind::BrokenPipe if self.tls.is_none() => self.end = Some(Seen::FinThenReset),
                _ => self.end = Some(Seen::Reset),
            },
        }
        self.buffer = buffer;
    }

    /// How the other side has ended, if it has.
    pub(crate) fn end(&self) -> Option<&Seen> {
        self.end.as_ref()
    }

    /// Whether nothing more can be sent.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// How much of the stream the kernel has taken.
    pub(crate) fn handed(&mut self) -> u64 {
        self.count();
        self.handed
    }

    /// How much of the stream the other side's kernel has acknowledged, at least.
    pub(crate) fn acknowledged(&mut self) -> u64 {
        self.count();
        self.acknowledged
    }

    fn count(&mut self) {
        let unacknowledged = unacknowledged(&self.tcp).unwrap_or(usize::MAX) as u64;
        let acknowledged = self.wrote.saturating_sub(unacknowledged);
        while let Some((wire, stream)) = self.marks.front().copied().filter(|(wire, _)| *wire <= acknowledged)
        {
            self.marks.pop_front();
            debug_assert!(wire <= self.wrote);
            self.acknowledged = stream;
        }
        let handed = self.marks.iter().take_while(|(wire, _)| *wire <= self.wrote).last();
        self.handed = handed.map_or(self.handed.max(self.acknowledged), |(_, stream)| *stream);
    }

    fn queued(&self) -> u64 {
        (self.out.len() - self.out_at) as u64
    }

    /// Whether there is something that the kernel has not taken yet.
    pub(crate) fn has_queued(&self) -> bool {
        self.queued() > 0
    }

    fn fin_seen(&self) -> Seen {
        match &self.tls {
            _ if self.was_reset => Seen::Reset,
            Some(_) if !self.close_notify => Seen::BareFin,
            _ => Seen::Clean,
        }
    }

    fn seal(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while tls.wants_write() {
            tls.write_tls(&mut self.out)?;
        }
        Ok(())
    }

    fn open(&mut self, mut wire: &[u8], into: &mut Vec<u8>) {
        let Some(tls) = &mut self.tls else { return into.extend_from_slice(wire) };
        while !wire.is_empty() && self.end.is_none() {
            let read = tls.read_tls(&mut wire);
            self.end = match tls.process_new_packets() {
                _ if !matches!(read, Ok(1..)) => Some(Seen::Broken),
                Ok(state) if state.peer_has_closed() => Some(Seen::Clean),
                Ok(_) => None,
                Err(Error::AlertReceived(alert)) => Some(Seen::Alert(u8::from(alert))),
                Err(_) => Some(Seen::Broken),
            };
            self.close_notify = self.end == Some(Seen::Clean);
            // What could be opened is valid whatever came behind it; that nothing is left is no error.
            let _ = tls.reader().read_to_end(into);
        }
        // The answer to a key update, or to what is broken.
        self.broken |= self.seal().is_err();
    }
}
