//! Whether the addresses that the gateway is to listen on are free.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use landbridge::config::{AdminAddress, Config};

use super::report::Report;
use crate::listen::listen;

/// Binds each, all at once so that two that are one are found, and lets go of them.
pub(super) async fn check(report: &mut Report, config: &Config) {
    let process = &config.process;
    let mtls = config.gateway.listener.addresses.iter().map(|address| ("listener", *address));
    let mut wanted: Vec<(&str, SocketAddr)> = mtls.collect();
    wanted.extend([("health", process.health), ("metrics", process.metrics)]);
    match &process.admin {
        AdminAddress::Tcp(address) => wanted.push(("admin", *address)),
        AdminAddress::Unix(path) => socket_folder(report, path),
    }
    let mut held = Vec::new();
    for (what, address) in wanted {
        match listen(address).await {
            Ok(listener) => {
                report.ok(
                    what,
                    if address.port() == 0 {
                        format!("{address}: any port")
                    } else {
                        format!("{address} is free")
                    },
                );
                held.push(listener);
            }
            Err(error) => report.fail(what, format!("{address}: {error}"), advice(&error)),
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "another process has it; is this gateway running already?",
        ErrorKind::PermissionDenied => "a port below 1024 needs the capability CAP_NET_BIND_SERVICE",
        ErrorKind::AddrNotAvailable => "no interface of this machine has the address",
        _ => "is the address family there? 0.0.0.0 is every IPv4 address",
    }
}

fn socket_folder(report: &mut Report, path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        report.ok("admin", format!("{} has a folder to be in", path.display()));
    } else {
        report.fail(
            "admin",
            format!("{} is not a folder", folder.display()),
            "make it, or change admin.address",
        );
    }
}
