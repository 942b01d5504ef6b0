//! Everything that a connection decides by, compiled off the data path and swapped once.

use std::sync::Arc;

use landbridge_certs::{KeyPair, TlsContext};
use landbridge_core::config::GatewayConfig;
use landbridge_core::service::{Mode, Service};
use landbridge_core::table::Answers;
use landbridge_core::{Snapshot, Table};

use crate::credentials::Credentials;
use crate::error::{Error, Kind};

/// What a gateway is to serve, and as whom.
///
/// It is one value so that a change of services and credentials together is one change: a connection
/// never sees the new of one with the old of the other.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The services.
    pub services: Arc<Snapshot>,
    /// The gateway's certificates and whom it believes.
    pub credentials: Arc<Credentials>,
}

/// One state of services, endpoints and credentials.
///
/// A connection keeps the generation that it began with; a change of any kind makes a new one.
pub(crate) struct Generation {
    /// Counts from 1, one for every change of any kind.
    pub(crate) number: u64,
    pub(crate) services: Arc<Snapshot>,
    pub(crate) table: Table,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) tls: Arc<TlsContext>,
}

impl Generation {
    /// The first generation; host names have no endpoints yet.
    pub(crate) fn first(desired: &Desired, config: &GatewayConfig) -> Result<Self, Error> {
        let context = context(config).map_err(|error| Kind::Tls(error.to_string()))?;
        check(desired)?;
        Ok(Self {
            number: 1,
            services: desired.services.clone(),
            table: Table::compile(&desired.services, &Answers::default(), &Table::default()),
            credentials: desired.credentials.clone(),
            tls: Arc::new(context),
        })
    }

    /// The generation after this one.
    ///
    /// # Errors
    /// Services and credentials that do not fit together; nothing changes then.
    pub(crate) fn next(&self, desired: &Desired, answers: &Answers) -> Result<Self, Error> {
        check(desired)?;
        // A change of what identities stand on is a new trust epoch, in which no older session is resumed.
        let tls = if desired.credentials.is_same_as(&self.credentials) {
            self.tls.clone()
        } else {
            Arc::new(self.tls.renewed().map_err(|error| Kind::Tls(error.to_string()))?)
        };
        Ok(Self {
            number: self.number + 1,
            services: desired.services.clone(),
            table: Table::compile(&desired.services, answers, &self.table),
            credentials: desired.credentials.clone(),
            tls,
        })
    }

    /// Whether a connection that may stay under `before`, the generation that this one was made of, may have to end
    /// under this one.
    pub(crate) fn rejudges(&self, before: &Self) -> bool {
        self.table.rejudges() || !Arc::ptr_eq(&self.credentials, &before.credentials)
    }

    /// The certificate that a service presents.
    pub(crate) fn key_pair(&self, service: &Service) -> Option<&KeyPair> {
        key_pair(&self.credentials, service)
    }
}

fn context(config: &GatewayConfig) -> Result<TlsContext, rustls::Error> {
    let context = TlsContext::new(config.tls.min)?;
    if config.tls.resumption { context.resuming(config.limits.client_hello_bytes) } else { Ok(context) }
}

fn key_pair<'a>(credentials: &'a Credentials, service: &Service) -> Option<&'a KeyPair> {
    presented(credentials, service.identity.as_deref())
}

fn presented<'a>(credentials: &'a Credentials, identity: Option<&str>) -> Option<&'a KeyPair> {
    match identity {
        Some(name) => credentials.named(name),
        None => credentials.own(),
    }
}

/// Refuses services whose identity isn't there, whom nobody could verify.
fn check(desired: &Desired) -> Result<(), Error> {
    let mut identities = desired.services.identities();
    let missing = identities.find(|identity| presented(&desired.credentials, *identity).is_none());
    let Some(identity) = missing else { return Ok(()) };
    let needs =
        |service: &&Arc<Service>| service.mode == Mode::Terminate && service.identity.as_deref() == identity;
    let service = desired.services.services().find(needs).map_or("", |service| &service.name).to_owned();
    Err(match identity {
        Some(identity) => Kind::UnknownIdentity { service, identity: identity.to_owned() },
        None => Kind::NoIdentity { service },
    }
    .into())
}
