//! Why a gateway can't be made or can't listen.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// Why a gateway can't be made or can't listen.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("cannot listen on {address}: {source}{}", listen_hint(source))]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the gateway needs at least one listening address")]
    NoListener,
    #[error("service {service} presents identity {identity:?}, which is not among the credentials")]
    UnknownIdentity { service: String, identity: String },
    #[error("service {service} terminates TLS, and the credentials hold no identity of the gateway")]
    NoIdentity { service: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error(
        "the limit of {open_files} open files leaves no room for connections; raise it to at least {least} (ulimit -n)"
    )]
    OpenFiles { open_files: u64, least: u64 },
}

fn listen_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another process has the port (ss -ltnp shows which)",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        io::ErrorKind::AddrNotAvailable => "; this machine does not have the address",
        _ => "",
    }
}

impl Error {
    /// Whether an address could not be listened on.
    pub fn is_listen(&self) -> bool {
        matches!(self.0, Kind::Listen { .. } | Kind::NoListener)
    }

    /// Whether services and credentials do not fit together.
    pub fn is_credentials(&self) -> bool {
        matches!(self.0, Kind::UnknownIdentity { .. } | Kind::NoIdentity { .. } | Kind::Tls(_))
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Listen { source, .. } => Some(source),
            _ => None,
        }
    }
}
