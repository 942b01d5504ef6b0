//! How long anything may take, how much the gateway takes on, and which TLS it speaks.

use std::num::NonZeroU32;
use std::time::Duration;

/// How long anything may take. `None` is "off".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// First byte to complete ClientHello, absolute. Default 5 s.
    pub client_hello: Option<Duration>,
    /// The whole handshake, absolute. Default 10 s.
    pub handshake: Option<Duration>,
    /// Each try to connect to an endpoint. Default 3 s.
    pub connect: Option<Duration>,
    /// A try that has not answered by then gets company on another endpoint. Default 250 ms.
    pub connect_hedge: Option<Duration>,
    /// All tries. Default 10 s.
    pub connect_total: Option<Duration>,
    /// No byte either way. Default 1 h.
    pub idle: Option<Duration>,
    /// No byte, once one side has ended. Default 1 h.
    pub half_close: Option<Duration>,
    /// Delivering what was accepted to a side that makes no progress. Default 30 s.
    pub flush: Option<Duration>,
    /// TCP keepalive after this long, then every 10 s, 3 times; earlier and more often where all of that would not
    /// fit into `user_timeout`, so by default after 30 s. Default 60 s.
    pub keepalive: Option<Duration>,
    /// TCP_USER_TIMEOUT. Default 60 s.
    pub user_timeout: Option<Duration>,
    /// The whole drain, from the signal. Default 25 s; "off" waits for the last stream.
    pub drain: Option<Duration>,
    /// Of that: still accepting while load balancers notice. Default 5 s.
    pub drain_lag: Duration,
    /// With `close_on_cert_expiry`: how long a connection outlives its caller's certificate. Default 0.
    pub expiry_grace: Duration,
    /// With `close_on_cert_expiry`: each connection's end is put off further by a random share of this.
    /// Default 10 s.
    pub expiry_jitter: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        Self {
            client_hello: seconds(5),
            handshake: seconds(10),
            connect: seconds(3),
            connect_hedge: Some(Duration::from_millis(250)),
            connect_total: seconds(10),
            idle: seconds(3600),
            half_close: seconds(3600),
            flush: seconds(30),
            keepalive: seconds(60),
            user_timeout: seconds(60),
            drain: seconds(25),
            drain_lag: Duration::from_secs(5),
            expiry_grace: Duration::ZERO,
            expiry_jitter: Duration::from_secs(10),
        }
    }
}

/// How much the gateway takes on. `None` is "auto", computed at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once. Default auto.
    pub connections: Option<usize>,
    /// Handshakes in flight. Default auto: 256 per worker.
    pub handshakes: Option<usize>,
    /// The largest ClientHello, in bytes. Default 16384, at most 65536.
    pub client_hello_bytes: usize,
    /// Connections at once to one service. Default off.
    pub per_service: Option<NonZeroU32>,
    /// Connections at once of one identity. Default off.
    pub per_identity: Option<NonZeroU32>,
    /// Connections at once from one source: an IPv4 address or an IPv6 /64. Default off.
    pub per_source: Option<NonZeroU32>,
    /// New connections a second; as many may come at once. Default off.
    pub per_second: Option<NonZeroU32>,
    /// Memory in bytes that the gateway keeps within by taking on less. Default auto: the cgroup's limit.
    pub memory: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            handshakes: None,
            client_hello_bytes: 16_384,
            per_service: None,
            per_identity: None,
            per_source: None,
            per_second: None,
            memory: None,
        }
    }
}

/// The lowest TLS version that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinTls {
    /// TLS 1.2 with AEAD suites and the extended master secret, and 1.3.
    V1_2,
    /// TLS 1.3 only.
    #[default]
    V1_3,
}

/// The TLS policy of the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TlsPolicy {
    /// Default 1.3.
    pub min: MinTls,
    /// Whether sessions of TLS 1.3 may be resumed. Default false.
    pub resumption: bool,
}
