//! Several observers as one.

use std::sync::Arc;

use landbridge::{Observer, Opened, Outcome};

/// Tells each of its observers, in order.
pub(crate) struct Observers(pub(crate) Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn connection(&self, outcome: &Outcome) {
        for observer in &self.0 {
            observer.connection(outcome);
        }
    }

    fn opened(&self, opened: &Opened<'_>) {
        for observer in &self.0 {
            observer.opened(opened);
        }
    }
}
