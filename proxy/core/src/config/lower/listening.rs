//! Two listeners at one address: the second could not be opened.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::gateway::Listening;
use super::process::{Origin, Process};
use crate::config::AdminAddress;
use crate::config::findings::{Complaint, Findings, Place};

/// An address that something listens at, what that is, and where it is written (`None`: by default).
type Use = (SocketAddr, &'static str, Option<Place>);

/// Notes every address that two listeners of the gateway would share.
pub(super) fn refuse_shared(listener: &Listening, process: &Process, found: &mut Findings) {
    let mut uses = uses(listener, process);
    // Defaults first, so that a clash is noted where something is written.
    uses.sort_by_key(|(_, _, place)| place.is_some());
    let mut taken: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    for (address, user, place) in uses {
        if address.port() == 0 {
            continue;
        }
        let first = taken.insert(address, user);
        if let (Some(first), Some(place)) = (first, place) {
            let complaint = Complaint::new(format!("{address} is the address of [{first}] too"));
            found.error(place, complaint.help(format!("give [{user}] another port")));
        }
    }
}

fn uses(listener: &Listening, process: &Process) -> Vec<Use> {
    let mut uses: Vec<Use> = Vec::new();
    if listener.places.is_empty() {
        uses.extend(listener.addresses.iter().map(|address| (*address, "listener", None)));
    }
    uses.extend(listener.places.iter().map(|(address, place)| (*address, "listener", Some(*place))));
    let admin = match process.config.admin {
        AdminAddress::Tcp(address) => Some((address, "admin", process.admin)),
        AdminAddress::Unix(_) => None,
    };
    let operators = [
        (process.config.health, "health", process.health),
        (process.config.metrics, "metrics", process.metrics),
    ];
    uses.extend(operators.into_iter().chain(admin).filter_map(|(address, user, origin)| match origin {
        Origin::Default => Some((address, user, None)),
        Origin::Written(place) => Some((address, user, Some(place))),
        Origin::Refused => None,
    }));
    uses
}
