//! Who may see what: from the identity that a gateway proved to what is shown to it.

use std::fmt;
use std::sync::Arc;

use landbridge_control_client::wire::Kind;
use landbridge_core::Identity;
use landbridge_core::config::fleet::{NodeEntry, Selector};
use landbridge_core::policy::Grant;

use crate::resource::{Audience, Key};

/// The list of who may see what.
#[derive(Debug, Clone)]
pub struct Nodes(Arc<[NodeEntry]>);

/// What one gateway may see: all that the entries show that it is meant by.
#[derive(Debug, Clone)]
pub(crate) struct View {
    nodes: Nodes,
    /// The places of its entries in the list; never none.
    entries: Arc<[usize]>,
}

impl Nodes {
    /// Whoever these entries mean may see what they say.
    pub fn new(entries: Vec<NodeEntry>) -> Self {
        Self(entries.into())
    }

    /// Whoever comes without TLS may see everything.
    pub fn everybody() -> Self {
        let all = NodeEntry { who: None, cluster: String::new(), sees: Selector::everything() };
        Self::new(vec![all])
    }

    /// The grants by which somebody is let in at all.
    pub(crate) fn grants(&self) -> Vec<Grant> {
        self.0.iter().filter_map(|entry| entry.who.clone()).collect()
    }

    /// What whoever proved this identity may see; `None` if no entry means them.
    pub(crate) fn view(&self, identity: Option<&Identity>) -> Option<View> {
        let meant = |entry: &NodeEntry| match (&entry.who, identity) {
            (Some(grant), Some(identity)) => grant.allows(identity),
            (None, None) => true,
            _ => false,
        };
        let entries: Arc<[usize]> =
            self.0.iter().enumerate().filter(|(_, entry)| meant(entry)).map(|(index, _)| index).collect();
        (!entries.is_empty()).then(|| View { nodes: self.clone(), entries })
    }
}

impl View {
    /// The cluster, by the first entry that names one.
    pub(crate) fn cluster(&self) -> &str {
        self.entries().map(|entry| &*entry.cluster).find(|cluster| !cluster.is_empty()).unwrap_or_default()
    }

    /// Whether a resource is shown.
    pub(crate) fn sees(&self, key: &Key, audience: &Audience) -> bool {
        self.entries().any(|entry| match (audience, key.kind) {
            (Audience::Service { namespace, labels }, _) => entry.sees.service(namespace, labels),
            (Audience::Name, Kind::TrustBundle) => {
                entry.sees.trust.iter().any(|glob| glob.matches(key.name.as_str()))
            }
            (Audience::Name, _) => entry.sees.peers.iter().any(|glob| glob.matches(key.name.as_str())),
        })
    }

    /// Equal for all who see the same.
    pub(crate) fn id(&self) -> &Arc<[usize]> {
        &self.entries
    }

    fn entries(&self) -> impl Iterator<Item = &NodeEntry> {
        self.entries.iter().filter_map(|index| self.nodes.0.get(*index))
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, index) in self.entries.iter().enumerate() {
            if place > 0 {
                f.write_str("+")?;
            }
            write!(f, "{index}")?;
        }
        Ok(())
    }
}
