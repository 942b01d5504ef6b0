//! Callers: a sidecar's client half, and raw bytes where TLS libraries would not send them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, TrustAnchor, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use webpki::{EndEntityCert, KeyUsage};

use crate::pki::Svid;

/// What a sidecar offers for raw TCP (Istio's `util.ALPNInMeshWithMxc`).
pub const SIDECAR_ALPN: [&str; 2] = ["istio-peer-exchange", "istio"];

/// The client half of a remote sidecar.
#[derive(Clone)]
pub struct Sidecar {
    /// Its TLS configuration, to be changed at will.
    pub config: ClientConfig,
}

/// What a caller saw instead of a working stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saw {
    /// A fatal alert of this number.
    Alert(u8),
    /// A reset.
    Reset,
    /// A TCP end without close_notify.
    Cut,
    /// A clean end.
    End,
    /// Bytes of the application.
    Bytes(Vec<u8>),
    /// Something else.
    Error(String),
}

impl Sidecar {
    /// A sidecar with this identity that believes the CAs of `roots` (PEM).
    pub fn new(identity: &Svid, roots: &str) -> Self {
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = builder(&[&rustls::version::TLS13], roots)
            .with_client_auth_cert(identity.certificates(), key)
            .unwrap();
        Self { config }.alpn(&SIDECAR_ALPN)
    }

    /// One without a certificate.
    pub fn anonymous(roots: &str) -> Self {
        Self { config: builder(&[&rustls::version::TLS13], roots).with_no_client_auth() }.alpn(&SIDECAR_ALPN)
    }

    /// One that speaks TLS 1.2 only.
    pub fn tls12(identity: &Svid, roots: &str) -> Self {
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = builder(&[&rustls::version::TLS12], roots)
            .with_client_auth_cert(identity.certificates(), key)
            .unwrap();
        Self { config }.alpn(&SIDECAR_ALPN)
    }

    /// Offers these application protocols instead of a sidecar's.
    #[must_use]
    pub fn alpn(mut self, offered: &[&str]) -> Self {
        self.config.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        self
    }

    /// Sends no server name.
    #[must_use]
    pub fn without_sni(mut self) -> Self {
        self.config.enable_sni = false;
        self
    }

    /// Connects and finishes the handshake, as far as a client can tell (in TLS 1.3 a server's refusal
    /// of the client's certificate comes after that).
    pub async fn connect(&self, address: SocketAddr, sni: &str) -> io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        self.secure(tcp, sni).await
    }

    /// As [`connect`](Self::connect), over a connection that exists.
    pub async fn secure(&self, tcp: TcpStream, sni: &str) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(sni.to_owned()).expect("a name that TLS can carry");
        TlsConnector::from(Arc::new(self.config.clone())).connect(name, tcp).await
    }

    /// Connects, sends `request`, ends its own side and reads to the end.
    pub async fn ask(&self, address: SocketAddr, sni: &str, request: &[u8]) -> Result<Vec<u8>, Saw> {
        let mut stream = self.connect(address, sni).await.map_err(|error| Saw::of(&error))?;
        let asked = async {
            stream.write_all(request).await?;
            stream.shutdown().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        asked.await.map_err(|error: io::Error| Saw::of(&error))
    }

    /// Connects and says what it sees first, without sending anything itself.
    pub async fn sees(&self, address: SocketAddr, sni: &str) -> Saw {
        let mut stream = match self.connect(address, sni).await {
            Ok(stream) => stream,
            Err(error) => return Saw::of(&error),
        };
        let mut piece = vec![0; 1024];
        match stream.read(&mut piece).await {
            Ok(0) => Saw::End,
            Ok(count) => {
                piece.truncate(count);
                Saw::Bytes(piece)
            }
            Err(error) => Saw::of(&error),
        }
    }
}

impl Saw {
    /// What an error of a TLS stream says.
    pub fn of(error: &io::Error) -> Self {
        if let Some(Error::AlertReceived(alert)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return Self::Alert(u8::from(*alert));
        }
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Error(error.to_string()),
        }
    }

    /// The alert of this name.
    pub fn alert(alert: AlertDescription) -> Self {
        Self::Alert(u8::from(alert))
    }
}

fn builder(
    versions: &[&'static SupportedProtocolVersion],
    roots: &str,
) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let anchors = CertificateDer::pem_slice_iter(roots.as_bytes()).collect::<Result<Vec<_>, _>>().unwrap();
    ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ByChain { anchors, provider }))
}

/// Verifies the server's chain, and no host name: a sidecar compares SPIFFE IDs instead.
#[derive(Debug)]
struct ByChain {
    anchors: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByChain {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refuse = |error: webpki::Error| Error::General(format!("the server's certificate: {error:?}"));
        let anchors: Vec<TrustAnchor<'_>> =
            self.anchors.iter().map(|root| webpki::anchor_from_trusted_cert(root).unwrap()).collect();
        let algorithms = self.provider.signature_verification_algorithms.all;
        EndEntityCert::try_from(leaf)
            .and_then(|leaf| {
                let usage = KeyUsage::server_auth();
                leaf.verify_for_usage(algorithms, &anchors, intermediates, now, usage, None, None).map(|_| ())
            })
            .map_err(refuse)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The ClientHello that a sidecar would send for `sni`, as raw TLS records.
pub fn client_hello(sidecar: &Sidecar, sni: &str) -> Vec<u8> {
    let name = ServerName::try_from(sni.to_owned()).expect("a name that TLS can carry");
    let mut connection = rustls::ClientConnection::new(Arc::new(sidecar.config.clone()), name).unwrap();
    let mut records = Vec::new();
    connection.write_tls(&mut records).unwrap();
    records
}

/// Sends raw bytes in the given pieces and reads until the gateway ends; a reset is `Err`.
pub async fn raw(address: SocketAddr, pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    for piece in pieces {
        tcp.write_all(piece).await?;
    }
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await?;
    Ok(answer)
}
