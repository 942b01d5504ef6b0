//! What is held as it would be after an update, without changing it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::held::Held;
use crate::session::SetResource;
use crate::wire::{Kind, Name};

/// A view of what would be held.
pub(super) struct Overlay<'a> {
    held: &'a Held,
    changes: HashMap<(Kind, &'a str), Option<&'a SetResource>>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(held: &'a Held) -> Self {
        Self { held, changes: HashMap::new() }
    }

    pub(super) fn set(&mut self, resource: &'a SetResource) {
        self.changes.insert((resource.kind, resource.name.as_str()), Some(resource));
    }

    pub(super) fn remove(&mut self, kind: Kind, name: &'a Name) {
        self.changes.insert((kind, name.as_str()), None);
    }

    /// Takes a change back.
    pub(super) fn forget(&mut self, kind: Kind, name: &str) -> Option<&'a SetResource> {
        self.changes.remove(&(kind, name)).flatten()
    }

    /// Whether the update has a new spec of this.
    pub(super) fn has_new(&self, kind: Kind, name: &str) -> bool {
        matches!(self.changes.get(&(kind, name)), Some(Some(_)))
    }

    /// The spec as it would be.
    pub(super) fn spec(&self, kind: Kind, name: &str) -> Option<&'a Arc<str>> {
        match self.changes.get(&(kind, name)) {
            Some(change) => change.map(|resource| &resource.spec),
            None => self.before(kind, name),
        }
    }

    /// The spec as it is.
    pub(super) fn before(&self, kind: Kind, name: &str) -> Option<&'a Arc<str>> {
        self.held.resource(kind, name).map(|resource| resource.spec)
    }
}
