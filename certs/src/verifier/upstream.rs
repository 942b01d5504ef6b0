//! The endpoint's certificate, where the gateway speaks mutual TLS to it.

use std::fmt;
use std::sync::Arc;

use landbridge_core::Reason;
use landbridge_core::service::UpstreamTls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{Verdict, bad_signature};
use crate::refusal::Refusal;
use crate::trust::{Role, Svid, TrustStore};

/// Verifies the endpoint of one try.
pub(crate) struct UpstreamGate {
    pub(crate) trust: Arc<TrustStore>,
    pub(crate) expected: Arc<UpstreamTls>,
    pub(crate) verdict: Arc<Verdict>,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl UpstreamGate {
    fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Svid, Refusal> {
        let svid = self.trust.recognize(leaf, intermediates, now, Role::Server)?;
        if self.expected.expects(&svid.identity) {
            return Ok(svid);
        }
        let detail = format!(
            "{} as vouched for by {} is none of server_identities",
            svid.identity.id, svid.identity.trust
        );
        Err(Refusal { reason: Reason::UpstreamAuth, detail, identity: Some(svid.identity) })
    }
}

impl ServerCertVerifier for UpstreamGate {
    /// The name is not looked at: it is the caller's SNI, and an SVID need not have any.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.judge(end_entity, intermediates, now);
        let answer = match &judged {
            Ok(_) => Ok(ServerCertVerified::assertion()),
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

impl fmt::Debug for UpstreamGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamGate").field("expected", &self.expected).finish_non_exhaustive()
    }
}
