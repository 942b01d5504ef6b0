//! What is held as it would be after an update, without changing it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::held::Held;
use crate::session::SetResource;
use crate::wire::{Kind, Name};

/// A view of what would be held.
pub(super) struct Overlay<'a> {
    held: &'a Held,
    changes: BTreeMap<Kind, HashMap<&'a str, Option<&'a SetResource>>>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(held: &'a Held) -> Self {
        Self { held, changes: BTreeMap::new() }
    }

    pub(super) fn set(&mut self, resource: &'a SetResource) {
        self.changes.entry(resource.kind).or_default().insert(resource.name.as_str(), Some(resource));
    }

    pub(super) fn remove(&mut self, kind: Kind, name: &'a Name) {
        self.changes.entry(kind).or_default().insert(name.as_str(), None);
    }

    /// Takes a change back.
    pub(super) fn forget(&mut self, kind: Kind, name: &str) {
        if let Some(changes) = self.changes.get_mut(&kind) {
            changes.remove(name);
        }
    }

    /// Whether the update has a new spec of this.
    pub(super) fn has_new(&self, kind: Kind, name: &str) -> bool {
        matches!(self.change(kind, name), Some(Some(_)))
    }

    /// Whether the update takes this away.
    pub(super) fn is_removed(&self, kind: Kind, name: &str) -> bool {
        matches!(self.change(kind, name), Some(None))
    }

    /// How many resources of a type are held before the update.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.held.count(kind)
    }

    /// The spec as it would be.
    pub(super) fn spec(&self, kind: Kind, name: &str) -> Option<&'a Arc<str>> {
        match self.change(kind, name) {
            Some(change) => change.map(|resource| &resource.spec),
            None => self.before(kind, name),
        }
    }

    /// The spec as it is.
    pub(super) fn before(&self, kind: Kind, name: &str) -> Option<&'a Arc<str>> {
        self.held.resource(kind, name).map(|resource| resource.spec)
    }

    #[expect(
        clippy::option_option,
        reason = "whether the update speaks of it, and whether it is there after it"
    )]
    fn change(&self, kind: Kind, name: &str) -> Option<Option<&'a SetResource>> {
        self.changes.get(&kind)?.get(name).copied()
    }
}
