//! Sessions that are resumed, where the gateway is asked to: what a ticket stands on, and for how long.
//!
//! rustls seals the session and the client's chain into a ticket, and when the ticket comes back it asks
//! nobody about that chain. So in front of it a ticket of ours says who proved to be whom, when, and until
//! when that can hold. Who comes with one is looked at before rustls takes it up ([`Tickets`]), and whatever
//! does not fit makes a full handshake, which has alerts to say why. Who is resumed is judged anew once the
//! handshake is over ([`Session::judge_again`]).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landbridge_core::Reason;
use rustls::Error;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{CertificateDer, UnixTime};
use zeroize::Zeroizing;

use self::terms::Terms;
use crate::hello::Hello;
use crate::identity::KeyPair;
use crate::refusal::Refusal;
use crate::source::sha256;
use crate::trust::Svid;
use crate::verifier::Judge;

mod terms;

/// What a ClientHello with a ticket may be larger by than one without, beside the ticket: 63 bytes of
/// extension and binder (RFC 8446 section 4.2.11), and what hellos of one client differ by.
const AROUND: usize = 256;

/// The keys that the tickets of one trust epoch are sealed with: in memory only, and one gateway's only.
///
/// They change by themselves too: rustls seals with each for 6 hours and forgets it after 12.
pub(crate) struct TicketKeys {
    keys: Arc<dyn ProducesTickets>,
    /// The largest ClientHello that is read.
    hello_bytes: usize,
}

impl TicketKeys {
    pub(crate) fn new(hello_bytes: usize) -> Result<Self, Error> {
        Ok(Self { keys: Ticketer::new()?, hello_bytes })
    }

    /// Other keys, by which no ticket of before is one.
    pub(crate) fn renewed(&self) -> Result<Self, Error> {
        Self::new(self.hello_bytes)
    }

    /// The tickets of one connection, which begins with `hello` and is answered by `key`.
    pub(crate) fn for_connection(
        &self,
        hello: &Hello,
        key: &KeyPair,
        session: Arc<Session>,
        clock: Arc<dyn TimeProvider>,
    ) -> Arc<Tickets> {
        let room = self.hello_bytes.saturating_sub(hello.len() + AROUND);
        let context = context(hello, &session.judge, key);
        Arc::new(Tickets { keys: self.keys.clone(), context, room, session, clock })
    }
}

/// What a session is bound to beside its client: the name that was asked for, the service that it led to,
/// and the certificate that answered.
fn context(hello: &Hello, judge: &Judge, key: &KeyPair) -> [u8; 32] {
    let leaf = key.chain().first().map(|leaf| &**leaf).unwrap_or_default();
    let mut bytes = Vec::new();
    for part in [hello.sni().unwrap_or_default().as_bytes(), judge.route.service.name.as_bytes(), leaf] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    sha256(&bytes)
}

/// Makes and takes the tickets of one connection.
pub(crate) struct Tickets {
    keys: Arc<dyn ProducesTickets>,
    context: [u8; 32],
    /// The largest ticket with which the client's next hello can still be read.
    room: usize,
    session: Arc<Session>,
    clock: Arc<dyn TimeProvider>,
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    /// What is left of the terms, in seconds.
    fn lifetime(&self) -> u32 {
        let left = || Some(self.session.terms()?.left(self.clock.current_time()?));
        left().unwrap_or(0)
    }

    /// Seals the session of a client that proved itself in TLS 1.3, now or when its ticket was first made.
    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let terms = self.session.terms()?;
        if terms.left(self.clock.current_time()?) == 0 {
            return None;
        }
        let ticket = self.keys.encrypt(&terms.before(&self.context, session)?)?;
        (ticket.len() <= self.room).then_some(ticket)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let plain = Zeroizing::new(self.keys.decrypt(ticket)?);
        let (terms, session) = Terms::read(&plain, &self.context)?;
        let now = self.clock.current_time()?;
        if terms.left(now) == 0 || self.session.judge.admits(&terms.identity).is_err() {
            return None;
        }
        *self.session.stage() = Stage::Offered(terms);
        Some(session.to_vec())
    }
}

/// How far one connection has come towards a ticket, and who judges its client.
pub(crate) struct Session {
    judge: Arc<Judge>,
    stage: Mutex<Stage>,
}

enum Stage {
    /// Nobody has said who the client is.
    Unknown,
    /// It came with a ticket of these terms; rustls has yet to take it up, or a full handshake comes.
    Offered(Terms),
    /// It showed a certificate that is believed.
    Shown(Terms),
    /// It proved to hold the key of that certificate, in TLS 1.3.
    Proven(Terms),
}

impl Session {
    pub(crate) fn new(judge: Arc<Judge>) -> Arc<Self> {
        Arc::new(Self { judge, stage: Mutex::new(Stage::Unknown) })
    }

    /// The client of a full handshake showed a chain, of which `svid` was made.
    pub(crate) fn shown(&self, svid: &Svid, intermediates: &[CertificateDer<'_>], now: UnixTime) {
        let in_time = self.judge.trust.in_time_until(svid, intermediates);
        *self.stage() = Stage::Shown(Terms::of(svid, now, in_time));
    }

    /// What was shown is not believed.
    pub(crate) fn refused(&self) {
        *self.stage() = Stage::Unknown;
    }

    /// The client of a full handshake in TLS 1.3 proved to hold the key of what it showed.
    pub(crate) fn proven(&self) {
        let mut stage = self.stage();
        if let Stage::Shown(terms) = &*stage {
            *stage = Stage::Proven(terms.clone());
        }
    }

    /// Judges the client of a resumed handshake by the chain of its session, as if it had shown it now.
    pub(crate) fn judge_again(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Svid, Refusal> {
        let svid = self.judge.judge(leaf, intermediates, now)?;
        match &*self.stage() {
            Stage::Offered(terms) if terms.leaf_sha256 == svid.leaf_sha256 => Ok(svid),
            _ => Err(Refusal::new(Reason::Internal, "the session is not the one of the ticket")),
        }
    }

    /// The terms of a ticket that may be made: those of a proof, which a resumed session does not renew.
    fn terms(&self) -> Option<Terms> {
        match &*self.stage() {
            Stage::Offered(terms) | Stage::Proven(terms) => Some(terms.clone()),
            Stage::Unknown | Stage::Shown(_) => None,
        }
    }

    /// A panic while it was locked leaves a whole stage: single assignments.
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("room", &self.room).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
