//! One look at everything that is watched, and what came of it.

use std::path::Path;
use std::sync::Arc;

use landbridge::{Credentials, FileProblem};
use rustls_pki_types::UnixTime;

use super::expiry::Reminders;
use super::unit::{Look, Unit};

/// The files of one configuration, and what was made of them.
pub(super) struct Round {
    pub(super) number: u64,
    units: Vec<Unit>,
    credentials: Arc<Credentials>,
    reminders: Reminders,
}

/// What came of one look.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// What is to be served from now on, if it is anything new.
    pub(crate) credentials: Option<Arc<Credentials>>,
    /// What was renewed, as the configuration calls it.
    pub(crate) renewed: Vec<String>,
    /// What is worth a warning in it.
    pub(crate) warnings: Vec<FileProblem>,
    /// What was refused.
    pub(crate) kept: Vec<FileProblem>,
    /// What was refused before, and is again as it is in use.
    pub(crate) back: Vec<String>,
    /// Certificates and roots that will end soon, or have ended.
    pub(crate) expiring: Vec<String>,
    /// No file changed while it was read.
    pub(super) settled: bool,
}

impl Change {
    pub(super) fn is_empty(&self) -> bool {
        let Self { credentials, renewed, warnings, kept, back, expiring, settled: _ } = self;
        credentials.is_none()
            && warnings.is_empty()
            && kept.is_empty()
            && [renewed, back, expiring].iter().all(|told| told.is_empty())
    }
}

impl Round {
    pub(super) fn new(number: u64, units: Vec<Unit>, credentials: Arc<Credentials>) -> Self {
        Self { number, units, credentials, reminders: Reminders::default() }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.units.iter().flat_map(Unit::files)
    }

    /// Looks at every file. Units are renewed apart from each other, and all that are, as one change.
    pub(super) fn look(&mut self, now: UnixTime) -> Change {
        let mut change = Change { settled: true, ..Change::default() };
        for unit in &mut self.units {
            match unit.look(&self.credentials, now) {
                Look::Same => {}
                Look::Unsettled => change.settled = false,
                Look::Back => change.back.push(unit.name()),
                Look::Renewed(credentials, warnings) => {
                    self.credentials = Arc::new(credentials);
                    change.renewed.push(unit.name());
                    change.warnings.extend(warnings);
                }
                Look::Kept(problem) => change.kept.push(problem),
            }
        }
        if !change.renewed.is_empty() {
            change.credentials = Some(self.credentials.clone());
        }
        change.expiring = self.reminders.due(&self.credentials, now);
        change
    }
}
