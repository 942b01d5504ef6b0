//! How the gateway calls an endpoint that speaks mutual TLS itself, such as its sidecar.

use std::sync::Arc;

use landbridge_core::service::UpstreamTls;
use rustls::client::Resumption;
use rustls::{ClientConfig, Error, RootCertStore, SupportedProtocolVersion};

use super::{TlsContext, provider};
use crate::identity::KeyPair;
use crate::trust::TrustStore;
use crate::verifier::Verdict;
use crate::verifier::upstream::UpstreamGate;

/// What one try to reach an endpoint is made with.
#[derive(Debug)]
pub struct Origination<'a> {
    /// Whom the gateway believes.
    pub trust: Arc<TrustStore>,
    /// The identity that it presents.
    pub key: &'a KeyPair,
    /// Whom the endpoint may prove to be.
    pub expected: Arc<UpstreamTls>,
    /// What [`offer_alpn`] returned.
    pub alpn: Vec<Vec<u8>>,
    /// Where the verifier leaves what it finds; one per try.
    pub verdict: Arc<Verdict>,
}

/// What all tries share. It believes nobody.
pub(super) fn template(versions: &[&'static SupportedProtocolVersion]) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.require_ems = true;
    config.enable_early_data = false;
    Ok(config)
}

impl TlsContext {
    /// Makes the configuration of one try, with the versions and algorithms that clients are met with.
    ///
    /// The endpoint is believed by its SPIFFE ID, not by a host name; nothing is resumed.
    pub fn client_config(&self, origination: Origination<'_>) -> Arc<ClientConfig> {
        let gate = UpstreamGate {
            trust: origination.trust,
            expected: origination.expected,
            verdict: origination.verdict,
            algorithms: self.provider().signature_verification_algorithms,
        };
        let mut config = self.client.clone();
        config.dangerous().set_certificate_verifier(Arc::new(gate));
        config.client_auth_cert_resolver = origination.key.client_resolver();
        config.alpn_protocols = origination.alpn;
        Arc::new(config)
    }
}

/// The application protocols that an endpoint is offered where the caller `selected` one, or none.
///
/// A sidecar decides by Istio's names whether it sees HTTP, so each is handed on as it is; what a caller
/// without a sidecar calls `h2` or `http/1.1` is offered by Istio's name first. Anything else is opaque to
/// it: `istio`.
pub fn offer_alpn(selected: Option<&str>) -> Vec<Vec<u8>> {
    let offer: &[&str] = match selected {
        None => &["istio"],
        Some("h2") => &["istio-h2", "h2"],
        Some("http/1.1") => &["istio-http/1.1", "http/1.1"],
        Some(istio) if istio == "istio" || istio.starts_with("istio-") => &[istio],
        Some(other) => &["istio", other],
    };
    offer.iter().map(|protocol| protocol.as_bytes().to_vec()).collect()
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
