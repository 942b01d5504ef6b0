//! Two listeners at one address: the second could not be opened.

use std::net::SocketAddr;

use super::gateway::Listening;
use super::process::Process;
use crate::config::AdminAddress;
use crate::config::findings::{Complaint, Findings, Place};

/// Notes every address that two listeners of the gateway would share.
pub(super) fn refuse_shared(listener: &Listening, process: &Process, found: &mut Findings) {
    let admin = match &process.config.admin {
        AdminAddress::Tcp(address) => Some(*address),
        AdminAddress::Unix(_) => None,
    };
    let mut taken: Vec<(SocketAddr, &str)> = Vec::new();
    let written = |address: &SocketAddr| {
        let place = listener.places.iter().find(|(other, _)| other == address);
        place.map(|(_, place)| *place)
    };
    let all = listener
        .addresses
        .iter()
        .map(|address| (*address, "listener", written(address)))
        .chain([
            (process.config.health, "health", process.places.health),
            (process.config.metrics, "metrics", process.places.metrics),
        ])
        .chain(admin.map(|address| (address, "admin", process.places.admin)));
    let mut pending: Vec<(SocketAddr, &str, Option<Place>)> = all.collect();
    // Defaults first: a clash is noted where something is written.
    pending.sort_by_key(|(_, _, place)| place.is_some());
    for (address, user, place) in pending {
        let first = taken.iter().find(|(other, _)| *other == address && address.port() != 0);
        if let (Some((_, first)), Some(place)) = (first, place) {
            let complaint = Complaint::new(format!("{address} is the address of [{first}] too"));
            found.error(place, complaint.help(format!("give [{user}] another port")));
        }
        taken.push((address, user));
    }
}
