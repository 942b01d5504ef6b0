//! Which versions of TLS a ClientHello offers: rustls knows, and does not tell.
//!
//! The hello is one that rustls has decoded already. Nothing is decided here but whether there are tickets:
//! what cannot be followed offers no TLS 1.3, and has none.

/// `supported_versions` (RFC 8446 section 4.2.1).
const SUPPORTED_VERSIONS: u16 = 43;
const TLS_1_3: u16 = 0x0304;

/// Whether the hello in these records offers TLS 1.3.
pub(super) fn offer_tls13(records: &[u8]) -> bool {
    offered(&message(records)).is_some_and(|mut versions| {
        std::iter::from_fn(|| versions.number()).any(|version| version == TLS_1_3)
    })
}

/// The handshake message that the records carry.
fn message(records: &[u8]) -> Vec<u8> {
    let mut rest = Bytes(records);
    let mut message = Vec::with_capacity(records.len());
    // Content type and version, then the length and that many bytes (RFC 8446 section 5.1).
    while rest.take(3).is_some() {
        let Some(fragment) = rest.counted() else { break };
        message.extend_from_slice(fragment.0);
    }
    message
}

/// The list in the extension (RFC 8446 sections 4 and 4.1.2).
fn offered(message: &[u8]) -> Option<Bytes<'_>> {
    let mut rest = Bytes(message);
    // Type and length of the message, the client's version, and its random.
    rest.take(4 + 2 + 32)?;
    let session_id = rest.byte()?;
    rest.take(session_id.into())?;
    let _suites = rest.counted()?;
    let compressions = rest.byte()?;
    rest.take(compressions.into())?;
    let mut extensions = rest.counted()?;
    loop {
        let kind = extensions.number()?;
        let mut content = extensions.counted()?;
        if kind == SUPPORTED_VERSIONS {
            let length = content.byte()?;
            return Some(Bytes(content.take(length.into())?));
        }
    }
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// As many bytes as the number in front of them says.
    fn counted(&mut self) -> Option<Self> {
        let count = self.number()?;
        Some(Self(self.take(count.into())?))
    }
}
