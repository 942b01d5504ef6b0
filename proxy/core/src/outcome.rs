//! What came of a connection, in one vocabulary for log, metric, alert, documentation and test.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::service::Mode;
use crate::spiffe::Identity;

mod reason;

pub use reason::Reason;

/// Who is to blame for the way a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// Nobody: it ended well.
    Nobody,
    /// The client, or what stands between it and us.
    Downstream,
    /// The endpoint, or what stands between it and us.
    Upstream,
    /// The gateway or its configuration.
    Local,
}

/// A response flag of the access log; Envoy's code where the meaning is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// `-`: fine.
    Fine,
    /// `NR`: no route for the server name.
    Nr,
    /// `UH`: no usable endpoint.
    Uh,
    /// `UF`: could not connect to an endpoint.
    Uf,
    /// `UC`: the upstream closed without a clean end.
    Uc,
    /// `UR`: the upstream reset.
    Ur,
    /// `DC`: the client closed without a clean end.
    Dc,
    /// `DR`: the client reset.
    Dr,
    /// `TR`: the stream was cut short (no close_notify).
    Tr,
    /// `DPE`: not TLS, or a broken handshake or record.
    Dpe,
    /// `HT`: hello or handshake timeout.
    Ht,
    /// `AN`: authentication failed.
    An,
    /// `AZ`: not authorized.
    Az,
    /// `UO`: the limit of a service.
    Uo,
    /// `CL`: connection limit.
    Cl,
    /// `RL`: rate limit.
    Rl,
    /// `OM`: overload.
    Om,
    /// `DT`: lifetime reached.
    Dt,
    /// `SI`: idle.
    Si,
    /// `DN`: cut at the drain deadline.
    Dn,
    /// `RV`: cut by revocation or a policy change.
    Rv,
    /// `IE`: internal error.
    Ie,
}

impl Flag {
    /// The code as it stands in `response_flags`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "-",
            Self::Nr => "NR",
            Self::Uh => "UH",
            Self::Uf => "UF",
            Self::Uc => "UC",
            Self::Ur => "UR",
            Self::Dc => "DC",
            Self::Dr => "DR",
            Self::Tr => "TR",
            Self::Dpe => "DPE",
            Self::Ht => "HT",
            Self::An => "AN",
            Self::Az => "AZ",
            Self::Uo => "UO",
            Self::Cl => "CL",
            Self::Rl => "RL",
            Self::Om => "OM",
            Self::Dt => "DT",
            Self::Si => "SI",
            Self::Dn => "DN",
            Self::Rv => "RV",
            Self::Ie => "IE",
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Facts of the TLS session with the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite, as IANA names it.
    pub cipher: String,
    /// The key exchange group, as IANA names it.
    pub group: String,
    /// Whether the session was resumed.
    pub resumed: bool,
    /// The application protocol that was selected.
    pub alpn: Option<String>,
}

/// What is known of the endpoint's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamFacts {
    /// The endpoint connected to, or the last one tried.
    pub host: SocketAddr,
    /// Our own address on that connection.
    pub local: Option<SocketAddr>,
    /// From the first try to the connection.
    pub connect: Option<Duration>,
    /// How many endpoints were tried.
    pub attempts: u32,
}

/// Everything worth telling about one finished or refused connection.
///
/// It is made once per connection and handed to the observer once.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Unique within this process.
    pub connection_id: u64,
    /// How it ended.
    pub reason: Reason,
    /// The underlying error, where there is one, as text that may hold what a peer said.
    pub error: Option<String>,
    /// When it was accepted.
    pub started: SystemTime,
    /// From accept to the end.
    pub duration: Duration,
    /// The client's address.
    pub downstream_remote: SocketAddr,
    /// Our address as the client dialled it.
    pub downstream_local: SocketAddr,
    /// The server name that the client asked for, lower-cased.
    pub sni: Option<Arc<str>>,
    /// The service it led to.
    pub service: Option<Arc<str>>,
    /// How the service is served.
    pub mode: Option<Mode>,
    /// Who the client proved to be.
    pub peer: Option<Identity>,
    /// The TLS session with the client; absent in passthrough.
    pub tls: Option<TlsFacts>,
    /// How long the TLS handshake took, from the first byte of the hello.
    pub handshake: Option<Duration>,
    /// The endpoint's side.
    pub upstream: Option<UpstreamFacts>,
    /// Bytes of payload from the client.
    pub received: u64,
    /// Bytes of payload to the client.
    pub sent: u64,
    /// True where only audit mode let the caller through.
    pub would_deny: bool,
    /// The number of the generation of configuration that the connection began with.
    pub generation: u64,
}

impl Outcome {
    /// Whether the connection was refused before a byte of it could reach an endpoint.
    pub fn refused(&self) -> bool {
        self.reason.refusal()
    }
}
