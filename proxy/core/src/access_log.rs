//! One line per connection that finished or was refused, in three formats.
//!
//! Everything here is a pure function to the end of a buffer. Whatever a stranger chose (server name,
//! certificate text, alert, application protocol) is bounded and escaped: a line is printable ASCII and
//! one line, whatever it tells of.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use crate::outcome::{Blame, Outcome, Reason, TlsFacts, UpstreamFacts};
use crate::spiffe::Identity;

mod asm;
mod escape;
mod json;
mod text;
mod timestamp;

#[cfg(test)]
mod tests;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A JSON object: the keys of Istio's access log, then ours.
    #[default]
    Json,
    /// A JSON object with the keys of Alibaba Cloud Service Mesh (ASM), every value a string.
    Asm,
    /// Istio's line of text.
    Text,
}

/// Where the gateway stands; empty where it was not said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// `[node] id`.
    pub node_id: String,
    /// `[node] cluster`.
    pub cluster: String,
    /// `[node] network`.
    pub network: String,
}

/// Refusals that got no line of their own, because there were too many in one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppressed {
    /// Why they were refused.
    pub reason: Reason,
    /// How many there were.
    pub count: u64,
    /// The beginning of the second.
    pub second: SystemTime,
}

impl Format {
    /// Appends the line of one connection, with its line feed.
    pub fn write(self, place: &Place, outcome: &Outcome, line: &mut String) {
        let entry = Entry {
            reason: outcome.reason,
            started: outcome.started,
            duration: outcome.duration,
            outcome: Some(outcome),
            suppressed: None,
        };
        self.write_entry(place, &entry, line);
    }

    /// Appends the one line that stands for many refusals, with its line feed.
    ///
    /// What differs from connection to connection is absent from it.
    pub fn write_suppressed(self, place: &Place, suppressed: &Suppressed, line: &mut String) {
        let entry = Entry {
            reason: suppressed.reason,
            started: suppressed.second,
            duration: Duration::from_secs(1),
            outcome: None,
            suppressed: Some(suppressed.count),
        };
        self.write_entry(place, &entry, line);
    }

    fn write_entry(self, place: &Place, entry: &Entry<'_>, line: &mut String) {
        // Writing to a string can't fail.
        let _ = match self {
            Self::Json => json::write(line, place, entry),
            Self::Asm => asm::write(line, entry),
            Self::Text => text::write(line, entry),
        };
        line.push('\n');
    }
}

/// Bytes of a server name that are shown; a valid one has at most 253 (RFC 1035 section 2.3.4).
const SNI: usize = 255;
/// Bytes of an identity that are shown; a SPIFFE ID has at most 2048 (SPIFFE-ID section 2.3).
const IDENTITY: usize = 2048;
/// Bytes of an error that are shown.
const ERROR: usize = 512;
/// Bytes of an application protocol that are shown; those in use have at most 20.
const ALPN: usize = 64;
/// Bytes of a name from our own configuration, or from a table of TLS names, that are shown.
const NAME: usize = 255;

/// What a line tells: of one connection, or of many refusals at once.
struct Entry<'a> {
    reason: Reason,
    started: SystemTime,
    duration: Duration,
    outcome: Option<&'a Outcome>,
    suppressed: Option<u64>,
}

impl<'a> Entry<'a> {
    /// The service that the name led to.
    fn route(&self) -> Option<Shown<'a>> {
        shown(self.outcome?.service.as_deref(), NAME)
    }

    /// The server name as asked.
    fn sni(&self) -> Option<Shown<'a>> {
        shown(self.outcome?.sni.as_deref(), SNI)
    }

    /// Why it did not end cleanly.
    fn details(&self) -> Option<&'static str> {
        (self.reason != Reason::Done).then(|| self.reason.word())
    }

    /// The underlying error, unless the endpoint's side is to blame.
    fn termination(&self) -> Option<Shown<'a>> {
        (self.reason.blame() != Blame::Upstream).then(|| self.error()).flatten()
    }

    /// The underlying error, where the endpoint's side is to blame.
    fn upstream_failure(&self) -> Option<Shown<'a>> {
        (self.reason.blame() == Blame::Upstream).then(|| self.error()).flatten()
    }

    fn error(&self) -> Option<Shown<'a>> {
        shown(self.outcome?.error.as_deref(), ERROR)
    }

    fn received(&self) -> u64 {
        self.outcome.map_or(0, |outcome| outcome.received)
    }

    fn sent(&self) -> u64 {
        self.outcome.map_or(0, |outcome| outcome.sent)
    }

    fn downstream_local(&self) -> Option<SocketAddr> {
        self.outcome.map(|outcome| outcome.downstream_local)
    }

    fn downstream_remote(&self) -> Option<SocketAddr> {
        self.outcome.map(|outcome| outcome.downstream_remote)
    }

    fn upstream(&self) -> Option<&'a UpstreamFacts> {
        self.outcome?.upstream.as_ref()
    }

    fn peer(&self) -> Option<&'a Identity> {
        self.outcome?.peer.as_ref()
    }

    fn tls(&self) -> Option<&'a TlsFacts> {
        self.outcome?.tls.as_ref()
    }
}

/// A text of which at most so many bytes are shown; `...` ends it where it was longer.
struct Shown<'a> {
    text: &'a str,
    limit: usize,
}

const ELLIPSIS: &str = "...";

/// Absent where the text is absent or empty.
fn shown(text: Option<&str>, limit: usize) -> Option<Shown<'_>> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(Shown { text, limit })
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.len() <= self.limit {
            return f.write_str(self.text);
        }
        let room = self.limit.saturating_sub(ELLIPSIS.len());
        let whole_letters = (0..=room).rev().find_map(|end| self.text.get(..end));
        f.write_str(whole_letters.unwrap_or_default())?;
        f.write_str(ELLIPSIS)
    }
}
