//! What the gateway's own file says that resources depend on.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::config::findings::{Complaint, Findings, Place};
use crate::config::lower::identity::Identities;
use crate::config::lower::service;
use crate::config::lower::trust::Trusts;
use crate::config::{AddressRules, Config};
use crate::spiffe::{TrustDomain, TrustName};

use super::Code;

/// What a configuration stream may decide: the words of `[control] may`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// Which services there are.
    Service,
    /// Where their connections go.
    Endpoints,
    /// Who may call them.
    Policy,
    /// Whom the gateway believes.
    Trust,
    /// That a service lets through whom no grant allows.
    Audit,
    /// That a service is passed through, so that the gateway doesn't see who calls.
    Passthrough,
}

impl Decision {
    /// What the stream may decide unless the file says something else.
    pub const USUAL: [Self; 3] = [Self::Service, Self::Endpoints, Self::Policy];

    /// The word for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Endpoints => "endpoints",
            Self::Policy => "policy",
            Self::Trust => "trust",
            Self::Audit => "audit",
            Self::Passthrough => "passthrough",
        }
    }
}

/// What resources may refer to, and what they may decide.
#[derive(Debug, Clone)]
pub struct Scope {
    listeners: Vec<SocketAddr>,
    is_ours: fn(IpAddr) -> bool,
    rules: AddressRules,
    identities: Identities,
    trusts: Trusts,
    may: BTreeSet<Decision>,
}

impl Scope {
    /// What a configuration says, under which the stream decides what `may` holds.
    pub fn of(config: &Config, may: impl IntoIterator<Item = Decision>) -> Self {
        let names = config.identity.named.keys().cloned().collect();
        let trust = config.trust.iter().map(|entry| (entry.name.clone(), entry.domain.clone()));
        Self {
            listeners: config.gateway.listener.addresses.clone(),
            is_ours: |_| false,
            rules: config.gateway.endpoints.clone(),
            identities: Identities { names, complete: true },
            trusts: Trusts::of(trust),
            may: may.into_iter().collect(),
        }
    }

    /// Where the gateway really listens, in place of what the configuration says: there, port 0 is any.
    #[must_use]
    pub fn listening(self, listeners: Vec<SocketAddr>) -> Self {
        Self { listeners, ..self }
    }

    /// How to tell whether the machine has an address: one that it has leads to a listener at a wildcard.
    #[must_use]
    pub fn on_machine(self, is_ours: fn(IpAddr) -> bool) -> Self {
        Self { is_ours, ..self }
    }

    /// Every trust entry that there is, those of the stream included, in place of the file's alone.
    #[must_use]
    pub fn trusting(self, entries: impl IntoIterator<Item = (TrustName, TrustDomain)>) -> Self {
        Self { trusts: Trusts::of(entries), ..self }
    }

    /// The identities that there are, in place of what the configuration says.
    #[must_use]
    pub fn presenting(self, names: impl IntoIterator<Item = String>) -> Self {
        Self { identities: Identities { names: names.into_iter().collect(), complete: true }, ..self }
    }

    /// Whether the stream may decide this.
    pub fn may(&self, decision: Decision) -> bool {
        self.may.contains(&decision)
    }

    /// Notes at `place` that the stream may not decide this, if so.
    pub(super) fn permit(&self, decision: Decision, place: Place, found: &mut Findings) {
        if !self.may(decision) {
            let word = decision.as_str();
            let message =
                format!("this gateway doesn't let the stream decide that: {word:?} is not in control.may");
            found.error(place, Complaint::new(message).code(Code::Forbidden));
        }
    }

    pub(super) fn trusts(&self) -> &Trusts {
        &self.trusts
    }

    /// As the lowering of services wants it.
    pub(super) fn of_services(&self) -> service::Scope<'_> {
        service::Scope {
            listeners: &self.listeners,
            is_ours: self.is_ours,
            rules: Some(&self.rules),
            trusts: &self.trusts,
            identities: &self.identities,
        }
    }
}
