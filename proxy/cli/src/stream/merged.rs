//! The file's part and the stream's, as one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use landbridge::config::resource::{Scope, TrustSpec};
use landbridge::config::{Config, ControlConfig};
use landbridge::{Credentials, Desired, Snapshot, TrustEntry, is_ours};
use landbridge_control_client::effective::{Base, Effective};
use landbridge_core::spiffe::TrustName;
use rustls::pki_types::UnixTime;

/// Trust entries of the stream, each read once.
#[derive(Default)]
pub(super) struct Entries {
    read: Mutex<BTreeMap<TrustName, (TrustSpec, Arc<TrustEntry>)>>,
}

impl Entries {
    /// Whether an entry can be used.
    pub(super) fn check(&self, name: &TrustName, spec: &TrustSpec) -> Result<(), String> {
        self.entry(name, spec).map(drop)
    }

    fn entry(&self, name: &TrustName, spec: &TrustSpec) -> Result<Arc<TrustEntry>, String> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, entry)) = read.get(name)
            && known == spec
        {
            return Ok(entry.clone());
        }
        let lists = spec.crl.as_deref().map(str::as_bytes);
        let entry = TrustEntry::from_parts(
            name.clone(),
            spec.domain.clone(),
            spec.bundle.as_bytes(),
            lists,
            UnixTime::now(),
        )
        .map_err(|error| error.to_string())?;
        let entry = Arc::new(entry);
        read.insert(name.clone(), (spec.clone(), entry.clone()));
        Ok(entry)
    }

    /// Forgets entries that the stream doesn't have any more.
    fn keep(&self, has: impl Fn(&TrustName) -> bool) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| has(name));
    }
}

/// What the file says to the stream.
pub(super) fn base(config: &Config, control: &ControlConfig, file: &Desired) -> Base {
    let entries = file.credentials.trust().entries();
    let trust: Vec<_> = entries.map(|entry| (entry.name().clone(), entry.domain().clone())).collect();
    let named = file.credentials.all_named().map(|(name, _)| name.to_owned());
    let scope = Scope::of(config, control.may.iter().copied())
        .on_machine(is_ours)
        .trusting(trust.clone())
        .presenting(named);
    Base {
        services: Snapshot::clone(&file.services),
        trust,
        has_identity: file.credentials.own().is_some(),
        scope,
    }
}

/// What the gateway is to serve: the file's part, and what follows from the stream.
pub(super) fn merged(file: &Desired, effective: &Effective, entries: &Entries) -> Desired {
    let mut credentials: Option<Credentials> = None;
    for (name, spec) in effective.trust() {
        let name = TrustName::new(name.as_str());
        // It was read when it was judged.
        let Ok(entry) = entries.entry(&name, spec) else { continue };
        let so_far = credentials.take().unwrap_or_else(|| Credentials::clone(&file.credentials));
        credentials = Some(so_far.trusting(entry));
    }
    entries.keep(|name| effective.trust().any(|(has, _)| has.as_str() == name.as_str()));
    Desired {
        services: Arc::new(effective.snapshot().clone()),
        credentials: credentials.map_or_else(|| file.credentials.clone(), Arc::new),
    }
}
