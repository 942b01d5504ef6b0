//! The services that have a label value of their own.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::labels::OTHER;

/// Services with a name of their own in labels; further ones are `other`.
const SERVICES: usize = 2000;

/// The first services that were met.
pub(crate) struct Services {
    known: Mutex<HashSet<Arc<str>>>,
    other: Arc<str>,
}

impl Default for Services {
    fn default() -> Self {
        Self { known: Mutex::default(), other: OTHER.into() }
    }
}

impl Services {
    /// What labels call the service.
    pub(crate) fn label(&self, service: &Arc<str>) -> Arc<str> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(service) || (known.len() < SERVICES && known.insert(service.clone())) {
            service.clone()
        } else {
            self.other.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_services_keep_their_names_and_those_beyond_the_cap_share_one() {
        let services = Services::default();
        let name = |number: usize| Arc::from(format!("s{number}"));
        for number in 0..SERVICES {
            assert_eq!(services.label(&name(number)), name(number));
        }
        assert_eq!(&*services.label(&name(SERVICES)), OTHER);
        assert_eq!(services.label(&name(0)), name(0));
    }
}
