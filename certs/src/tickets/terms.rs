//! The terms of a ticket, and the bytes that they are.

use landbridge_core::{Identity, SpiffeId, TrustName};
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::trust::Svid;

/// How long after a full handshake its session can be resumed, at most, in seconds.
pub(super) const LONGEST: u64 = 3_600;

/// Changes with the layout; keys live in one process only, so that no older layout is ever met.
const LAYOUT: u8 = 1;

/// What a client proved in a full handshake, and how long a session may stand on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    /// Who it is.
    pub(super) identity: Identity,
    /// SHA-256 of its leaf's DER.
    pub(super) leaf_sha256: [u8; 32],
    /// When it was proven, in seconds since 1970.
    pub(super) proven: u64,
    /// The last second, since 1970, in which a session may be resumed on it.
    pub(super) until: u64,
}

impl Terms {
    /// The terms of a proof given at `now`, by a chain that is in time until `in_time`.
    pub(super) fn of(svid: &Svid, now: UnixTime, in_time: UnixTime) -> Self {
        let proven = now.as_secs();
        Self {
            identity: svid.identity.clone(),
            leaf_sha256: svid.leaf_sha256,
            proven,
            until: in_time.as_secs().min(proven + LONGEST),
        }
    }

    /// How many seconds are left; none either before the proof, where the clock was set back.
    pub(super) fn left(&self, now: UnixTime) -> u32 {
        let now = now.as_secs();
        if now < self.proven { 0 } else { u32::try_from(self.until.saturating_sub(now)).unwrap_or(0) }
    }

    /// A session with its terms and its `context` in front; `None` where a name is too long for it.
    pub(super) fn before(&self, context: &[u8; 32], session: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let Identity { trust, id } = &self.identity;
        let texts = [trust.as_str(), id.as_str()];
        let size = texts.iter().fold(1 + 32 + 32 + 8 + 8, |sum, text| sum + 2 + text.len()) + session.len();
        // All of it at once: a buffer that grows leaves copies of the session's secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        bytes.push(LAYOUT);
        bytes.extend_from_slice(context);
        bytes.extend_from_slice(&self.leaf_sha256);
        bytes.extend_from_slice(&self.proven.to_be_bytes());
        bytes.extend_from_slice(&self.until.to_be_bytes());
        for text in texts {
            bytes.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(session);
        Some(bytes)
    }

    /// What [`before`](Self::before) made, where it is of this context.
    pub(super) fn read<'a>(bytes: &'a [u8], context: &[u8; 32]) -> Option<(Self, &'a [u8])> {
        let rest = bytes.strip_prefix(&[LAYOUT])?.strip_prefix(context)?;
        let (leaf_sha256, rest) = rest.split_first_chunk::<32>()?;
        let (proven, rest) = rest.split_first_chunk::<8>()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        let (trust, rest) = text(rest)?;
        let (id, session) = text(rest)?;
        let identity = Identity { trust: TrustName::new(trust), id: SpiffeId::parse(id).ok()? };
        let terms = Self {
            identity,
            leaf_sha256: *leaf_sha256,
            proven: u64::from_be_bytes(*proven),
            until: u64::from_be_bytes(*until),
        };
        Some((terms, session))
    }
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}
