//! From what the files say to resources, where two files don't say the same thing.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use landbridge_control_client::wire::{Kind, Name};
use landbridge_core::config::{Problem, Severity};
use landbridge_core::sni::NamePattern;
use serde_json::{Value, json};

use super::read::{Found, More, at};
use crate::resource::{Audience, Entry, Key};

/// What was taken from which file the last time: whoever has a name keeps it.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    by_name: BTreeMap<Key, (PathBuf, Arc<Found>)>,
}

/// What is taken this time.
#[derive(Default)]
struct Taking<'a> {
    taken: BTreeMap<Key, (&'a Path, Arc<Found>)>,
    /// To which service a server name leads.
    routes: HashMap<NamePattern, Name>,
}

impl Accepted {
    /// Makes resources of all that the files say; notes what stands in the way of what.
    pub(super) fn compose<'a>(
        &mut self,
        found: impl Iterator<Item = (&'a PathBuf, &'a Arc<Found>)>,
        problems: &mut Vec<Problem>,
    ) -> Vec<Entry> {
        let mut all: Vec<(&Path, &Arc<Found>)> = found.map(|(path, found)| (path.as_path(), found)).collect();
        // Unchanged first, then changed, then new, each in the order of the files.
        all.sort_by_cached_key(|(path, found)| self.precedence(path, found));
        let mut taking = Taking::default();
        for (path, found) in all {
            if let Err(message) = taking.take(path, found.clone()) {
                let file = path.display().to_string();
                problems.push(at(&file, found.line, found.name.to_string(), message));
                if let Some((_, before)) = self.by_name.get(&key(found)).filter(|(of, _)| of == path) {
                    // What it was may still stand.
                    let _ = taking.take(path, before.clone());
                }
            }
        }
        let entries = taking.entries(problems);
        self.by_name =
            taking.taken.into_iter().map(|(key, (path, found))| (key, (path.to_owned(), found))).collect();
        entries
    }

    fn precedence(&self, path: &Path, found: &Arc<Found>) -> u8 {
        match self.by_name.get(&key(found)) {
            Some((of, before)) if of == path && Arc::ptr_eq(before, found) => 0,
            Some((of, _)) if of == path => 1,
            _ => 2,
        }
    }
}

impl<'a> Taking<'a> {
    fn take(&mut self, path: &'a Path, found: Arc<Found>) -> Result<(), String> {
        let key = key(&found);
        if let Some((other, _)) = self.taken.get(&key) {
            return Err(format!("{key} is in {} already", other.display()));
        }
        if let More::Service { routes, .. } = &found.more {
            for route in routes {
                if let Some(other) = self.routes.get(route) {
                    return Err(format!(
                        "{route} leads to service {other} already; a name may lead to one service only"
                    ));
                }
            }
            self.routes.extend(routes.iter().map(|route| (route.clone(), found.name.clone())));
        }
        self.taken.insert(key, (path, found));
        Ok(())
    }

    fn entries(&self, problems: &mut Vec<Problem>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.taken.len());
        for (key, (path, found)) in &self.taken {
            for made in self.resources(key, found) {
                match made {
                    Ok(entry) => entries.push(entry),
                    Err((severity, message)) => {
                        let file = path.display().to_string();
                        let problem = at(&file, found.line, found.name.to_string(), message);
                        problems.push(Problem { severity, ..problem });
                    }
                }
            }
        }
        entries
    }

    fn resources(&self, key: &Key, found: &Found) -> Vec<Result<Entry, (Severity, String)>> {
        match &found.more {
            More::Service { audience, endpoints, .. } => {
                let mut made = vec![entry(key.clone(), &found.spec, audience)];
                if let Some(endpoints) = endpoints {
                    let key = Key { kind: Kind::Endpoints, name: key.name.clone() };
                    made.push(entry(key, endpoints, audience));
                }
                made
            }
            // A resource for each service, so that a node is told no name of one that it doesn't see.
            More::Policy { services } => {
                services.iter().map(|service| self.grant(key, service, &found.spec)).collect()
            }
            More::Nothing if key.kind == Kind::Endpoints => vec![self.endpoints(key, &found.spec)],
            More::Nothing => vec![entry(key.clone(), &found.spec, &Audience::Name)],
        }
    }

    fn grant(&self, policy: &Key, service: &Name, spec: &Value) -> Result<Entry, (Severity, String)> {
        let (audience, _) = self.service(service)?;
        let name = Name::parse(&format!("{}/{service}", policy.name))
            .map_err(|error| (Severity::Error, format!("policy and service together: {error}")))?;
        let spec = json!({ "services": [service], "allow": spec.get("allow") });
        entry(Key { kind: Kind::Policy, name }, &spec, audience)
    }

    fn endpoints(&self, key: &Key, spec: &Value) -> Result<Entry, (Severity, String)> {
        let (audience, own) = self.service(&key.name)?;
        if own.is_some() {
            return Err((Severity::Error, "the service has endpoints of its own; remove either".to_owned()));
        }
        entry(key.clone(), spec, audience)
    }

    fn service(&self, name: &Name) -> Result<(&Audience, Option<&Value>), (Severity, String)> {
        let key = Key { kind: Kind::Service, name: name.clone() };
        match self.taken.get(&key).map(|(_, found)| &found.more) {
            Some(More::Service { audience, endpoints, .. }) => Ok((audience, endpoints.as_ref())),
            _ => Err((Severity::Warning, format!("there is no service {name}: this has no effect"))),
        }
    }
}

fn key(found: &Found) -> Key {
    Key { kind: found.kind, name: found.name.clone() }
}

fn entry(key: Key, spec: &Value, audience: &Audience) -> Result<Entry, (Severity, String)> {
    Entry::new(key, spec, audience.clone()).map_err(|error| (Severity::Error, error.to_string()))
}
