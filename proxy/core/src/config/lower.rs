//! From what is written to what is meant.
//!
//! Every function here notes what is wrong and goes on with a default, so that one pass finds all of
//! it; what comes out is used only if nothing was an error.

use std::path::Path;

use super::findings::{Complaint, Findings};
use super::raw::RawConfig;
use super::read::Field;
use super::{Config, GatewayConfig};

pub(super) mod allow;
mod control;
pub(super) mod endpoints;
mod first;
pub(super) mod fleet;
mod gateway;
pub(super) mod identity;
mod listening;
mod names;
mod process;
mod served;
pub(super) mod service;
mod subsets;
pub(super) mod text;
mod timeouts;
pub(super) mod trust;

pub(super) use served::Services;

/// The configuration that the document means, whose services may stand apart; `None` if it has to be read as a whole.
pub(super) fn lower(
    document: Field<RawConfig>,
    services: &Services<'_>,
    dir: &Path,
    found: &mut Findings,
) -> Option<Config> {
    let place = document.place;
    let raw = document.value.unwrap_or_default();

    let listener = gateway::listener(raw.listener, found);
    let process = process::process(
        process::RawProcess {
            runtime: raw.runtime,
            health: raw.health,
            metrics: raw.metrics,
            admin: raw.admin,
            log: raw.log,
        },
        dir,
        found,
    );
    listening::refuse_shared(&listener, &process, found);
    let control = control::control(raw.control, dir, found);

    let (trust, trusts) = trust::trust(raw.trust, dir, found);
    let (own, identity_written) = identity::own(raw.identity, dir, found);
    let (named, identities) = identity::named(raw.identities, dir, found);
    let scope = service::Scope {
        listeners: &listener.addresses,
        is_ours: |_| false,
        rules: None,
        trusts: &trusts,
        identities: &identities,
    };
    let served = served::served(raw.service, services, &scope, found)?;
    if let Some(first) = &served.first_terminating {
        identity::require(identity_written, own.as_ref(), first, found);
        trust::require(&trusts, first, found);
    }
    let gateway = GatewayConfig {
        node: gateway::node(raw.node, found),
        listener: super::Listener { addresses: listener.addresses, proxy_protocol: listener.proxy_protocol },
        tls: gateway::tls(raw.tls, found),
        endpoints: gateway::endpoint_rules(raw.endpoints, found),
        timeouts: timeouts::timeouts(raw.timeouts, found),
        limits: gateway::limits(raw.limits),
    };
    if served.nothing && control.is_none() && !found.refuse() {
        let place = found.absent(place, "service");
        found.warning(
            place,
            Complaint::new("there is no service, so nothing is served").help("add a [[service]]"),
        );
    }
    Some(Config {
        gateway,
        identity: super::IdentityFiles { own, named },
        trust,
        services: served.snapshot,
        control,
        process: process.config,
    })
}

/// What a section says; all of it absent where the section is.
fn section<T: Default>(field: Option<Field<T>>) -> T {
    field.and_then(|field| field.value).unwrap_or_default()
}

impl Findings {
    /// What a field means; `None` if it is absent or refused, which is noted.
    pub(super) fn meaning<T, U>(
        &mut self,
        field: Option<&Field<T>>,
        meaning: impl FnOnce(&T) -> Result<U, Complaint>,
    ) -> Option<U> {
        let field = field?;
        match meaning(field.value.as_ref()?) {
            Ok(meaning) => Some(meaning),
            Err(complaint) => {
                self.error(field.place, complaint);
                None
            }
        }
    }
}
