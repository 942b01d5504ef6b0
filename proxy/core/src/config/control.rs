//! The stream of configuration: where it comes from and what it may decide.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use super::resource::Decision;
use crate::spiffe::SpiffeId;

/// The stream of configuration, where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlConfig {
    /// Servers in order of preference; at least one.
    pub servers: Vec<ControlServer>,
    /// Whom a server must prove to be; empty only where all servers are on this machine.
    pub server_identities: Vec<SpiffeId>,
    /// The file in which the last good configuration is kept; a second generation and more lie beside it.
    pub snapshot: PathBuf,
    /// What the stream may decide. Default: services, endpoints and policies.
    pub may: BTreeSet<Decision>,
    /// Where to connect to in place of the servers' own addresses, such as a gateway that leads to them by SNI.
    /// Default: nowhere else.
    pub via: Option<(String, u16)>,
    /// So many percent of the services, and of the endpoints, may vanish within ten minutes without being confirmed.
    /// Default 30; 100 lets everything pass.
    pub removals_percent: u32,
}

/// One server of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlServer {
    /// `https://host:port`: by mutual TLS.
    Tls {
        /// The host, which is the name that TLS asks for.
        host: String,
        /// The port. Default 15010.
        port: u16,
    },
    /// `http://host:port`: without TLS, on this machine.
    Loopback {
        /// A name or an address that leads to this machine.
        host: String,
        /// The port. Default 15010.
        port: u16,
    },
    /// `unix:/path`: a unix socket.
    Unix(PathBuf),
}

impl ControlServer {
    /// The port of servers whose URL has none.
    pub const PORT: u16 = 15010;

    /// How it is called: `host:port`, or the path.
    pub fn authority(&self) -> String {
        match self {
            Self::Tls { host, port } | Self::Loopback { host, port } if host.contains(':') => {
                format!("[{host}]:{port}")
            }
            Self::Tls { host, port } | Self::Loopback { host, port } => format!("{host}:{port}"),
            Self::Unix(path) => path.display().to_string(),
        }
    }
}

impl fmt::Display for ControlServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self {
            Self::Tls { .. } => "https://",
            Self::Loopback { .. } => "http://",
            Self::Unix(_) => "unix:",
        };
        write!(f, "{scheme}{}", self.authority())
    }
}
