//! How a server speaks mutual TLS that has one place to go, whatever its clients ask for.

use std::sync::Arc;

use landbridge_core::table::Route;
use rustls::ServerConfig;

use super::TlsContext;
use crate::identity::KeyPair;
use crate::trust::TrustStore;
use crate::verifier::{Gate, Judge, Verdict};

/// What one connection is accepted with.
#[derive(Debug)]
pub struct Direct<'a> {
    /// Whom the server believes.
    pub trust: Arc<TrustStore>,
    /// The identity that it presents.
    pub key: &'a KeyPair,
    /// The one place to go, and whose policy is in force there.
    pub route: Arc<Route>,
    /// The application protocols that it speaks.
    pub alpn: Vec<Vec<u8>>,
    /// Where the verifier leaves what it finds; one per connection.
    pub verdict: Arc<Verdict>,
}

impl TlsContext {
    /// Makes the configuration of one connection that needs no look at its hello: nothing is resumed.
    pub fn direct_config(&self, direct: Direct<'_>) -> Arc<ServerConfig> {
        let Direct { trust, key, route, alpn, verdict } = direct;
        let judge = Arc::new(Judge { trust, route });
        let algorithms = self.provider().signature_verification_algorithms;
        let gate = Gate { judge, verdict, session: None, algorithms };
        Arc::new(self.without_tickets(gate, key, alpn))
    }
}
