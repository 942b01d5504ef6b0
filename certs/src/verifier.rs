//! The peer's certificate, judged inside the handshake: a client's here, an endpoint's in `upstream`.
//!
//! rustls asks a verifier that is made for one connection, so that it knows which service the client
//! wants: who may not call learns it by alert 49 instead of a reset after the handshake.

use std::fmt;
use std::sync::{Arc, OnceLock};

use landbridge_core::table::Route;
use landbridge_core::{Caller, Identity, Reason};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, CommonState, DigitallySignedStruct, DistinguishedName, Error, HandshakeKind,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::refusal::Refusal;
use crate::tickets::Session;
use crate::trust::{Role, Svid, TrustStore};

pub(crate) mod upstream;

/// What the verifier of one handshake found. Made empty, filled at most once.
#[derive(Debug, Default)]
pub struct Verdict {
    cell: OnceLock<Result<Svid, Refusal>>,
    /// Where the client's session may be resumed.
    session: OnceLock<Arc<Session>>,
}

impl Verdict {
    /// Makes an empty verdict for a new handshake.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whom the peer proved to be, once the full handshake of its `connection` is over.
    ///
    /// `None` before that: a certificate can be shown by anybody, and only the end of the handshake
    /// proves that the peer holds its key. `None` also where the session was resumed: that proves who the
    /// peer was, and [`proven_again`](Self::proven_again) who it is.
    pub fn proven(&self, connection: &CommonState) -> Option<&Svid> {
        let full = matches!(
            connection.handshake_kind(),
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)
        );
        if connection.is_handshaking() || !full || connection.peer_certificates().is_none() {
            return None;
        }
        self.cell.get()?.as_ref().ok()
    }

    /// Whom the client proved to be in the handshake that its `connection` resumed, where that still
    /// counts: its chain is verified and the policy asked as if it had shown the chain `now`.
    ///
    /// # Errors
    /// Why it no longer counts. No alert tells the client: rustls sends none of ours after a handshake.
    /// [`Reason::Internal`] where the handshake is not over, or resumed nothing.
    pub fn proven_again(&self, connection: &CommonState, now: UnixTime) -> Result<Svid, Refusal> {
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        match (self.session.get(), connection.peer_certificates()) {
            (Some(session), Some([leaf, intermediates @ ..])) if resumed && !connection.is_handshaking() => {
                session.judge_again(leaf, intermediates, now)
            }
            _ => Err(Refusal::new(Reason::Internal, "the handshake proved nobody")),
        }
    }

    /// Lets the session of this handshake be resumed; called once, before it begins.
    pub(crate) fn resumable(&self, session: Arc<Session>) {
        let _ = self.session.set(session);
    }

    fn set(&self, judged: Result<Svid, Refusal>) -> Result<(), Error> {
        let once = |_| Error::General("a verdict serves one handshake".to_owned());
        self.cell.set(judged).map_err(once)
    }

    /// Why the peer's certificate was refused, if it was.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.cell.get()?.as_ref().err()
    }
}

/// Who decides over the client of one connection: whom the gateway believes, and what the client wants.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) trust: Arc<TrustStore>,
    pub(crate) route: Arc<Route>,
}

impl Judge {
    /// Whether this chain is believed, and its owner may call.
    pub(crate) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Svid, Refusal> {
        let svid = self.trust.recognize(leaf, intermediates, now, Role::Client)?;
        self.admits(&svid.identity)?;
        Ok(svid)
    }

    /// Whether the policy lets this identity in.
    pub(crate) fn admits(&self, identity: &Identity) -> Result<(), Refusal> {
        match self.route.policy().check(&Caller::Verified(identity.clone())) {
            Ok(_) => Ok(()),
            Err(denied) => Err(Refusal {
                reason: Reason::Denied,
                detail: format!("{} to {}: {denied}", identity.id, self.route.service.name),
                identity: Some(identity.clone()),
            }),
        }
    }
}

/// Verifies the client of one connection.
pub(crate) struct Gate {
    pub(crate) judge: Arc<Judge>,
    pub(crate) verdict: Arc<Verdict>,
    /// Where the client's session may be resumed.
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Gate {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    /// None: the names of the CAs would tell a stranger whom the gateway believes, and sidecars
    /// ignore them.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let judged = self.judge.judge(end_entity, intermediates, now);
        if let Some(session) = &self.session {
            match &judged {
                Ok(svid) => session.shown(svid, intermediates, now),
                Err(_) => session.refused(),
            }
        }
        let answer = match &judged {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(refusal) => Err(refusal.to_error()),
        };
        self.verdict.set(judged)?;
        answer
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms).map_err(bad_signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = verify_tls13_signature(message, cert, dss, &self.algorithms).map_err(bad_signature)?;
        if let Some(session) = &self.session {
            session.proven();
        }
        Ok(verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whatever is wrong with a peer's proof, it is told the same: alert 51.
fn bad_signature(_: Error) -> Error {
    Error::InvalidCertificate(CertificateError::BadSignature)
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("service", &self.judge.route.service.name).finish_non_exhaustive()
    }
}
