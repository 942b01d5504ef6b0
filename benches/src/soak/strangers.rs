//! Clients that the gateway refuses, each with the alert that says why.

use std::net::SocketAddr;

use landbridge_streams::Score;
use landbridge_testkit::client::{Saw, raw};

use super::scene::Strangers;
use super::service::Service;

/// Who calls and should not be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stranger {
    NoCertificate,
    UnknownCa,
    UnknownName,
    NotTls,
}

impl Stranger {
    pub(super) const ALL: [Self; 4] = [Self::NoCertificate, Self::UnknownCa, Self::UnknownName, Self::NotTls];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoCertificate => "no certificate",
            Self::UnknownCa => "unknown CA",
            Self::UnknownName => "unknown name",
            Self::NotTls => "not TLS",
        }
    }

    /// Calls, and fails unless it is refused as it should be.
    pub(super) async fn call(self, strangers: &Strangers, gateway: SocketAddr) -> Score {
        let sni = Service::Terminated.sni();
        let (saw, expected) = match self {
            Self::NoCertificate => (strangers.anonymous.sees(gateway, sni).await, Saw::Alert(116)),
            Self::UnknownCa => (strangers.foreign.sees(gateway, sni).await, Saw::Alert(48)),
            Self::UnknownName => (strangers.known.sees(gateway, "nobody.example").await, Saw::Alert(112)),
            Self::NotTls => (not_tls(gateway).await, Saw::Alert(50)),
        };
        let mut score = Score { connections: 1, ..Score::default() };
        if saw != expected {
            score.fail(&format!("{}: saw {saw:?}, expected {expected:?}", self.name()));
        }
        score
    }
}

/// Speaks HTTP; a whole alert in plain text is what it may get.
async fn not_tls(gateway: SocketAddr) -> Saw {
    match raw(gateway, &[b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n"]).await {
        Ok(answer) => match answer.as_slice() {
            [21, 3, _, 0, 2, 2, alert] => Saw::Alert(*alert),
            _ => Saw::Bytes(answer),
        },
        Err(error) => Saw::of(&error),
    }
}
