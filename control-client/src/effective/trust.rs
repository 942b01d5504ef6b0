//! Trust entries that the stream brings, where the gateway's file lets it.

use std::sync::Arc;

use landbridge_core::config::resource::{self, Scope, TrustSpec};
use landbridge_core::spiffe::TrustName;

use super::change::Work;
use super::waiting::refused;
use crate::session::{SetResource, code};
use crate::wire::Name;

/// Whether a trust entry's bundle and lists can be used; if not, what is wrong with them.
pub type TrustCheck<'a> = dyn Fn(&TrustName, &TrustSpec) -> Result<(), String> + 'a;

/// A trust entry of the stream that is new, changed or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustChange {
    /// It is this.
    Set(TrustName, TrustSpec),
    /// It is no more.
    Removed(TrustName),
}

impl Work<'_> {
    /// Takes up a trust entry; one that was there before is changed, which may take trust away.
    pub(super) fn set_trust(&mut self, resource: &SetResource, check: &TrustCheck<'_>) {
        let name = TrustName::new(resource.name.as_str());
        let spec = match resource::trust_bundle(&resource.spec, &self.effective.base.scope) {
            Ok(spec) => spec,
            Err(objections) => return self.refuse_all(resource, &objections),
        };
        if self.effective.base.trust.iter().any(|(taken, _)| *taken == name) {
            let text =
                format!("the gateway's own file has a trust entry {name}, which stays; use another name");
            return self.refuse(refused(resource, "name", "conflict", text));
        }
        if let Err(text) = check(&name, &spec) {
            return self.refuse(refused(resource, "bundle", code::INVALID, text));
        }
        let trust = Arc::make_mut(&mut self.facts.trust);
        let before = trust.insert(resource.name.clone(), spec.clone());
        if before.as_ref() != Some(&spec) {
            self.shrinks |= before.is_some();
            self.trust.push(TrustChange::Set(name, spec));
        }
    }

    /// Takes a trust entry away, at once.
    pub(super) fn remove_trust(&mut self, name: &Name) {
        if let Some(spec) = Arc::make_mut(&mut self.facts.trust).remove(name) {
            let name = TrustName::new(name.as_str());
            // Grants that are bound to it are still understood, and allow nobody.
            Arc::make_mut(&mut self.facts.gone_trust).insert(name.clone(), spec.domain);
            self.trust.push(TrustChange::Removed(name));
            self.shrinks = true;
        }
    }

    /// What resources may refer to, now that the trust entries are known.
    pub(super) fn scopes(&self) -> Scopes {
        let own = self.effective.base.trust.iter().cloned();
        let brought = self.facts.trust.iter();
        let brought = brought.map(|(name, spec)| (TrustName::new(name.as_str()), spec.domain.clone()));
        let present: Vec<_> = own.chain(brought).collect();
        let gone = self.facts.gone_trust.iter().map(|(name, domain)| (name.clone(), domain.clone()));
        let gone = gone.filter(|(name, _)| present.iter().all(|(present, _)| present != name));
        let ever: Vec<_> = present.iter().cloned().chain(gone).collect();
        let scope = &self.effective.base.scope;
        Scopes { new: scope.clone().trusting(present), held: scope.clone().trusting(ever) }
    }
}

/// Under what specs are read.
#[derive(Debug)]
pub(super) struct Scopes {
    /// New ones.
    pub(super) new: Scope,
    /// Those in force, some of which may speak of a trust entry that is gone.
    pub(super) held: Scope,
}
