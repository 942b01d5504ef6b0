//! What only the process needs: threads, the addresses that operators use, and logs.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// How access-log lines are written.
pub use crate::access_log::Format as AccessFormat;

/// What only the process needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessConfig {
    /// Worker threads; `None` is "auto": the CPU quota of the cgroup, else cores.
    pub workers: Option<usize>,
    /// Health. Default `[::]:15021`.
    pub health: SocketAddr,
    /// Metrics. Default `[::]:15020`.
    pub metrics: SocketAddr,
    /// Administration: a JSON API. Default `127.0.0.1:15000`.
    pub admin: AdminAddress,
    /// The logs.
    pub log: LogConfig,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        let any = |port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        Self {
            workers: None,
            health: any(15021),
            metrics: any(15020),
            admin: AdminAddress::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 15000))),
            log: LogConfig::default(),
        }
    }
}

/// Where the admin API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAddress {
    /// At a TCP address.
    Tcp(SocketAddr),
    /// At a unix socket.
    Unix(PathBuf),
}

/// The event log and the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or a filter such as `info,landbridge=debug`. Default `info`.
    pub level: String,
    /// How events are written. Default text.
    pub format: EventFormat,
    /// Where the access log goes. Default standard output.
    pub access: AccessTarget,
    /// How access-log lines are written. Default JSON.
    pub access_format: AccessFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: EventFormat::default(),
            access: AccessTarget::default(),
            access_format: AccessFormat::default(),
        }
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AccessTarget {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Nowhere.
    Off,
    /// To this file, appended.
    File(PathBuf),
}
