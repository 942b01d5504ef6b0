//! Where a ClientHello ends: record and message headers, and nothing else.
//!
//! TLS records are described in RFC 8446 section 5.1, handshake messages in section 4.

/// Length of a record header.
const RECORD_HEADER: usize = 5;
/// Length of a handshake message's header.
const MESSAGE_HEADER: usize = 4;
/// Records of this length and longer are refused, as rustls does: 2^14 bytes and the expansion that
/// TLS 1.2 allows (RFC 5246 section 6.2.3).
const RECORD_MAX: usize = 16_384 + 2_048;

/// Why the bytes so far cannot become a ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not TLS records.
    NotTls,
    /// The announced or received length exceeds the cap.
    TooLarge,
    /// TLS, but not one ClientHello in records of its own.
    Malformed,
    /// An SSL 2.0 hello.
    Version,
    /// The client sent an alert instead.
    Alert,
}

/// How far the headers have been followed. Each byte is passed once.
pub(super) struct Scan {
    cap: usize,
    /// Offset of the first byte that was not looked at.
    at: usize,
    /// Bytes of the current record that are still to come.
    left: usize,
    /// Handshake bytes seen so far.
    seen: usize,
    /// The first of them: the message header, and the client's version.
    head: [u8; MESSAGE_HEADER + 2],
}

impl Scan {
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, at: 0, left: 0, seen: 0, head: [0; MESSAGE_HEADER + 2] }
    }

    /// Whether the hello's version field is older than TLS 1.2.
    pub(super) fn legacy(&self) -> bool {
        let [.., major, minor] = self.head;
        (major, minor) < (3, 3)
    }

    /// Looks at what is new in `raw`; returns the offset at which a whole hello ends.
    pub(super) fn advance(&mut self, raw: &[u8]) -> Result<Option<usize>, Fault> {
        let most = self.cap.saturating_mul(2);
        // One byte more than may come: what is behind it would be refused in pieces, and so it is at once.
        let raw = raw.get(..=most).unwrap_or(raw);
        loop {
            if self.left == 0 {
                let Some(header) = raw.get(self.at..).and_then(<[u8]>::first_chunk::<RECORD_HEADER>) else {
                    break;
                };
                self.left = record_length(*header)?;
                self.at += RECORD_HEADER;
            }
            let fresh = raw.get(self.at..).unwrap_or_default();
            let fresh = fresh.get(..self.left).unwrap_or(fresh);
            if fresh.is_empty() {
                break;
            }
            for (slot, byte) in self.head.iter_mut().skip(self.seen).zip(fresh) {
                *slot = *byte;
            }
            self.at += fresh.len();
            self.left -= fresh.len();
            self.seen += fresh.len();
            match self.message_length()? {
                Some(length) if self.seen == length && self.left == 0 => return Ok(Some(self.at)),
                // The record goes on after the hello; rustls would refuse that once it is whole.
                Some(length) if self.seen + self.left > length => return Err(Fault::Malformed),
                _ => {}
            }
        }
        if raw.len() > most {
            return Err(Fault::TooLarge);
        }
        Ok(None)
    }

    /// The length of the message with its header, once it is announced.
    fn message_length(&self) -> Result<Option<usize>, Fault> {
        if self.seen < MESSAGE_HEADER {
            return Ok(None);
        }
        let [kind, high, middle, low, ..] = self.head;
        if kind != 1 {
            return Err(Fault::Malformed);
        }
        let body = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let length = MESSAGE_HEADER + body;
        if length > self.cap {
            return Err(Fault::TooLarge);
        }
        Ok(Some(length))
    }
}

/// The length of the handshake record that `header` introduces.
fn record_length(header: [u8; RECORD_HEADER]) -> Result<usize, Fault> {
    let [kind, major, minor, high, low] = header;
    // SSL 2.0: two bytes of length, message type 1, the version wanted (RFC 5246 appendix E.2).
    if kind & 0x80 != 0 && minor == 1 && matches!((high, low), (0, 2) | (3, _)) {
        return Err(Fault::Version);
    }
    if !matches!(kind, 20..=24) || major != 3 {
        return Err(Fault::NotTls);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    match kind {
        22 if (1..RECORD_MAX).contains(&length) => Ok(length),
        21 => Err(Fault::Alert),
        _ => Err(Fault::Malformed),
    }
}
