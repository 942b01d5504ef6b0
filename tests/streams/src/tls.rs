//! TLS for both ends, from PEM text.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// What the client presents and whom it believes; `identity` is a chain and its key.
///
/// The server's chain is verified, its name is not: a gateway's identity is a SPIFFE ID.
///
/// # Errors
/// What is not PEM, or does not fit together.
pub fn client_config(identity: Option<(&str, &str)>, roots: &str) -> Result<Arc<ClientConfig>, String> {
    let mut config = client_config_of(aws_lc_rs::default_provider(), identity, roots)?;
    config.alpn_protocols = vec![b"istio".to_vec()];
    Ok(Arc::new(config))
}

/// The same with these algorithms and no others, and without a protocol inside; it resumes nothing.
///
/// # Errors
/// What is not PEM, or does not fit together.
pub fn client_config_of(
    provider: CryptoProvider,
    identity: Option<(&str, &str)>,
    roots: &str,
) -> Result<ClientConfig, String> {
    let provider = Arc::new(provider);
    let mut anchors = RootCertStore::empty();
    for root in chain(roots)? {
        anchors.add(root).map_err(|error| format!("the CA's certificate: {error}"))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(anchors.into(), provider.clone())
        .build()
        .map_err(|error| format!("the CA's certificates: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ByChain(verifier)));
    let mut config = match identity {
        Some((certificates, key)) => builder
            .with_client_auth_cert(chain(certificates)?, private_key(key)?)
            .map_err(|error| format!("the client's certificate and key: {error}"))?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// For a client that says nothing in TLS but its ClientHello.
///
/// # Errors
/// None is expected.
pub fn hello_config() -> Result<Arc<ClientConfig>, String> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What an endpoint with TLS of its own presents; it asks for no certificate.
///
/// # Errors
/// What is not PEM, or does not fit together.
pub fn server_config(certificates: &str, key: &str) -> Result<Arc<ServerConfig>, String> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain(certificates)?, private_key(key)?)
        .map_err(|error| format!("the endpoint's certificate and key: {error}"))?;
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err("expected certificates in PEM, found none".to_owned()),
        Err(error) => Err(format!("expected certificates in PEM: {error}")),
    }
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("expected a key in PEM: {error}"))
}

/// Verifies a server's chain and not its name.
#[derive(Debug)]
struct ByChain(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for ByChain {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(leaf, intermediates, name, ocsp, now) {
            // The chain comes first, so that whoever gets here has one that holds.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
