//! What is read at each scrape: states, and counts that somebody else keeps.

use std::collections::HashMap;
use std::sync::Arc;

use landbridge::{Credentials, EndpointCounts, Phase, Reason};

use super::labels::UNKNOWN;
use super::{Metrics, Watched};

/// Why connections end that would have gone on.
const CUTS: [Reason; 4] = [Reason::Drained, Reason::Revoked, Reason::Expired, Reason::Shed];

impl Metrics {
    /// Called by one scrape at a time.
    pub(super) fn read(&self, watched: &Watched) {
        let gateway = &watched.gateway;
        let families = &self.families;
        let open = self.open.count();
        let all = u64::try_from(gateway.active()).unwrap_or(u64::MAX);
        families.active.with(&["terminate"]).set(open.terminate);
        families.active.with(&["passthrough"]).set(open.passthrough);
        families.active.with(&[UNKNOWN]).set(all.saturating_sub(open.terminate + open.passthrough));
        families.accepted.follow(gateway.accepted());
        for &reason in Reason::ALL.iter().filter(|reason| reason.refusal()) {
            families.refused.with(&[reason.word()]).follow(gateway.count(reason));
        }
        for reason in CUTS {
            families.cut.with(&[reason.word()]).follow(gateway.count(reason));
        }
        families.draining.set(u64::from(gateway.phase() == Phase::Draining));
        families.memory_pressure.set(gateway.memory_level() as u64);
        families.handshakes_in_flight.set(u64::try_from(gateway.handshakes()).unwrap_or(u64::MAX));
        let (counted, around) = ((watched.counted)(), &families.around);
        around.log_dropped.follow(counted.access_log_dropped);
        around.events_dropped.follow(counted.events_dropped);
        around.clock_jumps.follow(counted.clock_jumps);
        around.workers_hanging.set(counted.workers_hanging);
        self.read_endpoints(watched);
        self.read_certificates(&gateway.credentials());
    }

    fn read_endpoints(&self, watched: &Watched) {
        let mut counts: HashMap<Arc<str>, EndpointCounts> = HashMap::new();
        watched.gateway.for_each_service(|service, endpoints| {
            let count = counts.entry(self.services.label(service)).or_default();
            count.usable += endpoints.usable;
            count.failing += endpoints.failing;
        });
        let family = &self.families.endpoints;
        family.clear();
        for (service, EndpointCounts { usable, failing }) in counts {
            family.with(&[&service, "usable"]).set(usable as u64);
            family.with(&[&service, "failing"]).set(failing as u64);
        }
    }

    fn read_certificates(&self, credentials: &Credentials) {
        let family = &self.families.certificates;
        family.clear();
        let named = credentials.all_named().map(|(name, pair)| (format!("identities.{name}"), pair));
        let own = credentials.own().map(|pair| ("identity".to_owned(), pair));
        for (source, pair) in own.into_iter().chain(named) {
            let domain = pair.id().map_or(UNKNOWN, |id| id.trust_domain());
            family.with(&["leaf", domain, &source]).set(pair.not_after().as_secs());
        }
        for entry in credentials.trust().entries() {
            let Some(first) = entry.validities().map(|(_, end)| end.as_secs()).min() else { continue };
            let source = format!("trust.{}", entry.name());
            family.with(&["root", entry.domain().as_str(), &source]).set(first);
        }
    }
}
