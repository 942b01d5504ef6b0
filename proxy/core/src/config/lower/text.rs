//! Texts that mean something: addresses, paths, names.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::findings::Complaint;
use crate::service::{HostPort, Target};
use crate::sni::Sni;

/// An address to listen at.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, Complaint> {
    text.parse().map_err(|_| {
        Complaint::new(format!(
            "expected an address such as \"[::]:15443\" or \"0.0.0.0:15443\", found {text:?}"
        ))
    })
}

/// A path, relative to the folder of the file.
pub(super) fn path(text: &str, dir: &Path) -> Result<PathBuf, Complaint> {
    if text.is_empty() { Err(Complaint::new("expected a path, found \"\"")) } else { Ok(dir.join(text)) }
}

/// A text that says something.
#[expect(clippy::ptr_arg, reason = "is given to fields, which hold a String")]
pub(in crate::config) fn not_empty(text: &String) -> Result<String, Complaint> {
    if text.trim().is_empty() { Err(Complaint::new("may not be empty")) } else { Ok(text.clone()) }
}

/// Where an endpoint is: `IP:port` or `host:port`.
pub(in crate::config) fn target(text: &str) -> Result<Target, Complaint> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        let ip = address.ip().to_canonical();
        // An IPv4 address is one however it is written, so that it is dialled and logged as what it is.
        return endpoint_address(if ip == address.ip() {
            address
        } else {
            SocketAddr::new(ip, address.port())
        });
    }
    let malformed = || Complaint::new(format!("expected IP:port or host:port, found {text:?}"));
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(malformed().help(format!("write an IPv6 address in brackets, with a port: [{text}]:80")));
    }
    let (host, port) =
        text.rsplit_once(':').ok_or_else(|| malformed().help("add the port, as in \"10.0.0.7:80\""))?;
    if host.contains(':') {
        return Err(malformed().help("write an IPv6 address in brackets, as in \"[2001:db8::7]:80\""));
    }
    let port = port
        .parse::<u16>()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| malformed().help("the port is a number from 1 to 65535"))?;
    let host = Sni::parse(host).map_err(|error| malformed().help(error.to_string()))?;
    Ok(Target::Host(HostPort { host: host.as_str().into(), port }))
}

fn endpoint_address(address: SocketAddr) -> Result<Target, Complaint> {
    if address.port() == 0 {
        Err(Complaint::new(format!("nothing can be dialled at port 0 of {address}")))
    } else if address.ip().is_unspecified() {
        Err(Complaint::new(format!("{address} is an address to listen at, not one to dial")))
    } else {
        Ok(Target::Address(address))
    }
}
