//! The peer's certificate, judged inside the handshake: a client's here, an endpoint's in `upstream`.
//!
//! rustls asks a verifier that is made for one connection, so that it knows which service the client
//! wants: who may not call learns it by alert 49 instead of a reset after the handshake.

use std::fmt;
use std::sync::{Arc, OnceLock};

use landbridge_core::table::Route;
use landbridge_core::{Caller, Reason};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, CommonState, DigitallySignedStruct, DistinguishedName, Error, HandshakeKind,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::refusal::Refusal;
use crate::trust::{Role, Svid, TrustStore};

pub(crate) mod upstream;

/// What the verifier of one handshake found. Made empty, filled at most once.
#[derive(Debug, Default)]
pub struct Verdict {
    cell: OnceLock<Result<Svid, Refusal>>,
}

impl Verdict {
    /// Makes an empty verdict for a new handshake.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Whom the peer proved to be, once the full handshake of its `connection` is over.
    ///
    /// `None` before that: a certificate can be shown by anybody, and only the end of the handshake
    /// proves that the peer holds its key.
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

    fn set(&self, judged: Result<Svid, Refusal>) -> Result<(), Error> {
        let once = |_| Error::General("a verdict serves one handshake".to_owned());
        self.cell.set(judged).map_err(once)
    }

    /// Why the peer's certificate was refused, if it was.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.cell.get()?.as_ref().err()
    }
}

/// Verifies the client of one connection.
pub(crate) struct Gate {
    pub(crate) trust: Arc<TrustStore>,
    pub(crate) route: Arc<Route>,
    pub(crate) verdict: Arc<Verdict>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl Gate {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Svid, Refusal> {
        let svid = self.trust.verify(leaf, intermediates, now, Role::Client)?;
        match self.route.policy().check(&Caller::Verified(svid.identity.clone())) {
            Ok(_) => Ok(svid),
            Err(denied) => Err(Refusal {
                reason: Reason::Denied,
                detail: format!("{} to {}: {denied}", svid.identity.id, self.route.service.name),
                identity: Some(svid.identity),
            }),
        }
    }
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
        let judged = self.judge(end_entity, intermediates, now);
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
        verify_tls13_signature(message, cert, dss, &self.algorithms).map_err(bad_signature)
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
        f.debug_struct("Gate").field("service", &self.route.service.name).finish_non_exhaustive()
    }
}
