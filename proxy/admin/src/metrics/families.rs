//! Every metric by name: the list that docs/metrics.md holds too.

use super::labels::{ISTIO, SIZE};
use super::library::{Counter, Counters, Gauge, Gauges, Histogram, MetricsError, Registry};

/// Upper bounds of a handshake's duration: its floor is a fifth of a millisecond, its limit 10 s.
const HANDSHAKE: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Upper bounds of the time to connect: within a node, a zone, a region; then hedges and time limits.
const CONNECT: [f64; 13] =
    [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 3.0, 10.0];
/// Upper bounds of a connection's life: from one request to more than a day.
const CONNECTION: [f64; 11] =
    [0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0];

/// Handles to every metric of our own making.
pub(crate) struct Families {
    pub(crate) istio: Istio,
    pub(crate) build: Gauges<3>,
    pub(crate) active: Gauges<1>,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counters<1>,
    pub(crate) cut: Counters<1>,
    pub(crate) handshakes: Counters<3>,
    pub(crate) handshakes_in_flight: Gauge,
    pub(crate) handshake: Histogram,
    pub(crate) connect: Histogram,
    pub(crate) connect_failures: Counters<2>,
    pub(crate) connection: Histogram,
    pub(crate) endpoints: Gauges<2>,
    pub(crate) certificates: Gauges<3>,
    pub(crate) certificate_reloads: Counters<1>,
    pub(crate) config_applied: Gauges<1>,
    pub(crate) config_updates: Counters<2>,
    pub(crate) control: Control,
    pub(crate) draining: Gauge,
    pub(crate) memory_pressure: Gauge,
    pub(crate) around: Around,
    pub(crate) overflow: Counter,
}

/// Handles to what the stream of configuration counts.
pub(crate) struct Control {
    pub(crate) connected: Gauge,
    pub(crate) nacks: Counter,
    pub(crate) snapshot_fails: Gauge,
}

/// Handles to what the process around the gateway counts.
pub(crate) struct Around {
    pub(crate) workers_hanging: Gauge,
    pub(crate) clock_jumps: Counter,
    pub(crate) log_dropped: Counter,
    pub(crate) events_dropped: Counter,
}

/// Handles to the metrics that Istio's proxies have too.
#[derive(Clone)]
pub(crate) struct Istio {
    pub(crate) opened: Counters<SIZE>,
    pub(crate) closed: Counters<SIZE>,
    pub(crate) sent: Counters<SIZE>,
    pub(crate) received: Counters<SIZE>,
}

impl Families {
    /// Registers every metric, those of the process itself included.
    pub(crate) fn register(all: &mut Registry) -> Result<Self, MetricsError> {
        let families = Self {
            istio: Istio::register(all)?,
            build: all.gauges(
                ("landbridge_build_info", "Always 1; what is running."),
                ["version", "revision", "crypto"],
            )?,
            active: all.gauges(
                ("landbridge_connections_active", "Open connections; the mode is unknown until one is let in."),
                ["mode"],
            )?,
            accepted: all.counter(("landbridge_connections_total", "Connections that were accepted."))?,
            refused: all.counters(
                ("landbridge_connections_refused_total", "Connections refused before a byte of them could reach an endpoint, by the reason of the access log."),
                ["reason"],
            )?,
            cut: all.counters(
                ("landbridge_connections_cut_total", "Connections that the gateway ended before they ended by themselves, by the reason of the access log."),
                ["reason"],
            )?,
            handshakes: all.counters(
                ("landbridge_handshakes_total", "TLS handshakes with clients, result full, resumed or failed; what was refused before ServerHello is not among them."),
                ["result", "version", "group"],
            )?,
            handshakes_in_flight: all.gauge((
                "landbridge_handshakes_in_flight",
                "TLS handshakes with clients that are going on.",
            ))?,
            handshake: all.histogram(
                ("landbridge_handshake_duration_seconds", "From accept to the end of a TLS handshake that succeeded."),
                &HANDSHAKE,
            )?,
            connect: all.histogram(
                ("landbridge_upstream_connect_duration_seconds", "From the first try to a connection to an endpoint."),
                &CONNECT,
            )?,
            connect_failures: all.counters(
                ("landbridge_upstream_connect_failures_total", "Connections that reached no endpoint after all tries, kind refused, timeout, failed, tls or no_endpoint."),
                ["service", "kind"],
            )?,
            connection: all.histogram(
                ("landbridge_connection_duration_seconds", "From accept to end of connections that were let in."),
                &CONNECTION,
            )?,
            endpoints: all.gauges(
                ("landbridge_route_endpoints", "Endpoints of a service, state usable, or failing: passed over since connecting failed."),
                ["service", "state"],
            )?,
            certificates: all.gauges(
                ("landbridge_certificate_expiration_timestamp_seconds", "When a certificate expires: kind leaf of an identity, or root for the first root of a trust entry to do so."),
                ["kind", "trust_domain", "source"],
            )?,
            certificate_reloads: all.counters(
                ("landbridge_certificate_reloads_total", "How often certificates, bundles and revocation lists were read, result applied or refused."),
                ["result"],
            )?,
            config_applied: all.gauges(
                ("landbridge_config_last_applied_timestamp_seconds", "When a configuration was last applied."),
                ["source"],
            )?,
            config_updates: all.counters(
                ("landbridge_config_updates_total", "Configurations that were read, result applied or refused."),
                ["source", "result"],
            )?,
            control: Control::register(all)?,
            draining: all.gauge(("landbridge_draining", "1 while the gateway drains, else 0."))?,
            memory_pressure: all.gauge((
                "landbridge_memory_pressure",
                "How short memory is: 0 calm, 1 lean, 2 careful, 3 refusing, 4 shedding.",
            ))?,
            around: Around::register(all)?,
            overflow: all.counter(
                ("landbridge_metric_series_overflow_total", "Connections counted under the label value other, since there were too many distinct ones."),
            )?,
        };
        all.process()?;
        Ok(families)
    }
}

impl Control {
    fn register(all: &mut Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            connected: all
                .gauge(("landbridge_control_connected", "1 while the stream of configuration is open."))?,
            nacks: all.counter((
                "landbridge_control_nacks_total",
                "Resources of the stream of configuration that were refused.",
            ))?,
            snapshot_fails: all.gauge((
                "landbridge_control_snapshot_failing",
                "1 while the configuration of the stream cannot be kept on disk.",
            ))?,
        })
    }
}

impl Around {
    fn register(all: &mut Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            workers_hanging: all.gauge((
                "landbridge_workers_hanging",
                "Workers that have not come round for so long that liveness fails.",
            ))?,
            clock_jumps: all.counter((
                "landbridge_clock_jumps_total",
                "How often the wall clock has moved by more than 10 s against the monotonic one.",
            ))?,
            log_dropped: all.counter((
                "landbridge_access_log_dropped_total",
                "Access-log lines that were lost, since their target did not take them.",
            ))?,
            events_dropped: all.counter((
                "landbridge_events_dropped_total",
                "Events that were lost, since standard error did not take them.",
            ))?,
        })
    }
}

impl Istio {
    fn register(all: &mut Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            opened: all.counters(
                ("istio_tcp_connections_opened_total", "Connections that were let in to a service."),
                ISTIO,
            )?,
            closed: all.counters(
                ("istio_tcp_connections_closed_total", "Connections that were let in and have ended."),
                ISTIO,
            )?,
            sent: all.counters(
                (
                    "istio_tcp_sent_bytes_total",
                    "Bytes of payload sent to clients, those of running connections included.",
                ),
                ISTIO,
            )?,
            received: all.counters(
                (
                    "istio_tcp_received_bytes_total",
                    "Bytes of payload received from clients, those of running connections included.",
                ),
                ISTIO,
            )?,
        })
    }
}
