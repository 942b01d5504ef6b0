//! From what rustls says to the one word that log, metrics and documentation use.

use landbridge_core::Reason;
use landbridge_core::outcome::Flag;
use rustls::{CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use crate::refusal::Refusal;
use crate::verifier::Verdict;

/// Names the failure of a handshake that the gateway answers.
///
/// `verdict` is what the verifier left behind: where it refused, its reason is the reason. Where it
/// did not, an invalid certificate means that the client could not prove to hold the certificate's key.
pub fn reason_of(error: &Error, verdict: Option<&Verdict>) -> Reason {
    if let (Error::InvalidCertificate(_), Some(refusal)) = (error, verdict.and_then(Verdict::refusal)) {
        return refusal.reason;
    }
    match error {
        Error::NoCertificatesPresented => Reason::NoClientCert,
        Error::NoApplicationProtocol => Reason::AlpnMismatch,
        Error::InvalidCertificate(CertificateError::BadEncoding) => Reason::CertMalformed,
        Error::InvalidCertificate(_)
        | Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme) => {
            Reason::BadSignature
        }
        Error::PeerIncompatible(incompatible) => reason_of_incompatible(incompatible),
        Error::PeerMisbehaved(
            PeerMisbehaved::ServerNameMustContainOneHostName | PeerMisbehaved::ServerNameDifferedOnRetry,
        ) => Reason::SniInvalid,
        Error::AlertReceived(_)
        | Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::PeerMisbehaved(_)
        | Error::DecryptError
        | Error::PeerSentOversizedRecord => Reason::HandshakeBroken,
        _ => Reason::Internal,
    }
}

/// Names the failure of a handshake with an endpoint, and says what exactly was wrong.
///
/// `verdict` is what the verifier of that try left behind.
pub fn upstream_failure(error: &Error, verdict: &Verdict) -> Refusal {
    match verdict.refusal() {
        Some(refusal) if refusal.reason == Reason::UpstreamAuth => refusal.clone(),
        Some(refusal) => Refusal::new(Reason::UpstreamAuth, refusal.to_string()),
        None if reason_of(error, None).flag() == Flag::An => {
            Refusal::new(Reason::UpstreamAuth, error.to_string())
        }
        None => Refusal::new(Reason::UpstreamHandshake, error.to_string()),
    }
}

/// Names the failure of decoding a ClientHello.
pub(crate) fn reason_of_hello(error: &Error) -> Reason {
    match error {
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Reason::NotTls,
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => Reason::HelloTooLarge,
        Error::PeerMisbehaved(PeerMisbehaved::ServerNameMustContainOneHostName)
        | Error::InvalidMessage(InvalidMessage::InvalidServerName) => Reason::SniInvalid,
        Error::PeerIncompatible(incompatible) => reason_of_incompatible(incompatible),
        _ => Reason::HelloMalformed,
    }
}

fn reason_of_incompatible(incompatible: &PeerIncompatible) -> Reason {
    match incompatible {
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::ServerDoesNotSupportTls12Or13 => Reason::Version,
        _ => Reason::NoCommon,
    }
}
