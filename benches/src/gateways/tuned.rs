//! Each gateway as somebody would run it who wants it fast, in its own words.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use landbridge_streams::Mode;

use super::config::NGINX_STREAM;
use super::{CALLER, Kind, SNI};

/// What differs between jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tuning {
    pub(crate) tickets: Tickets,
    /// How many server names lead to the endpoint; one is [`SNI`], more are those of [`PATTERN`].
    pub(crate) names: u32,
    pub(crate) workers: usize,
}

/// Whether callers may resume their sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tickets {
    Off,
    On,
}

/// The server names, where there are many.
pub(crate) const PATTERN: &str = "s{}.checker.example";

/// A gateway with its addresses and its folder.
pub(super) struct Wanted<'a> {
    pub(super) gateway: SocketAddr,
    pub(super) endpoint: SocketAddr,
    pub(super) mode: Mode,
    pub(super) tuning: Tuning,
    pub(super) folder: &'a Path,
}

/// What a gateway is started with: the files of its folder, and its arguments.
pub(super) struct Start {
    pub(super) files: Vec<(&'static str, String)>,
    pub(super) arguments: Vec<String>,
}

/// What each had, in a line.
pub(crate) fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Landbridge => {
            "defaults; access log (JSON) to a file, metrics on; verifies identities, one grant"
        }
        Kind::Envoy => {
            "concurrency as workers, buffers by default (1 MiB); no access log; matches one URI SAN"
        }
        Kind::Haproxy => {
            "nbthread as workers, tune.bufsize 256 KiB, splice-auto; no log; verifies chains only"
        }
        Kind::Nginx => "proxy_buffer_size 256 KiB, ssl_preread for P; no log; verifies chains only",
        Kind::Afternoon => "tokio-rustls and copy_bidirectional; no log, no limits; verifies chains only",
    }
}

pub(super) fn start(kind: Kind, wanted: &Wanted<'_>) -> Start {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    match kind {
        Kind::Landbridge => Start {
            files: vec![("landbridge.toml", landbridge(wanted))],
            arguments: words(&["run", "-c", "landbridge.toml"]),
        },
        Kind::Envoy => {
            let workers = wanted.tuning.workers.to_string();
            let quiet = ["--disable-hot-restart", "--log-level", "error", "--concurrency", &workers];
            Start {
                files: vec![("envoy.yaml", envoy(wanted))],
                arguments: words(&[&quiet[..], &["-c", "envoy.yaml"]].concat()),
            }
        }
        Kind::Haproxy => Start {
            files: vec![
                ("haproxy.cfg", haproxy(wanted)),
                ("routes.map", pairs(wanted, |_| "endpoint".into())),
            ],
            arguments: words(&["-db", "-f", "haproxy.cfg"]),
        },
        Kind::Nginx => {
            let path = wanted.folder.join("nginx.conf").display().to_string();
            Start {
                files: vec![("nginx.conf", nginx(wanted))],
                arguments: words(&["-e", "stderr", "-c", &path]),
            }
        }
        Kind::Afternoon => afternoon(wanted),
    }
}

/// Every server name with what belongs to it, one pair in a line.
fn pairs(wanted: &Wanted<'_>, to: impl Fn(&Wanted<'_>) -> String) -> String {
    let to = to(wanted);
    names(wanted.tuning.names).fold(String::new(), |mut text, name| {
        // Nothing that is written to a String fails.
        let _ = writeln!(text, "{name} {to}");
        text
    })
}

fn names(count: u32) -> impl Iterator<Item = String> {
    (0..count)
        .map(move |nth| if count == 1 { SNI.to_owned() } else { PATTERN.replace("{}", &nth.to_string()) })
}

fn landbridge(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, mode, tuning, .. } = wanted;
    let mode = match mode {
        Mode::Terminate => format!("mode = \"terminate\"\nallow = [\"{CALLER}\"]"),
        Mode::Passthrough | Mode::Raw => "mode = \"passthrough\"".to_owned(),
    };
    let mut text = format!(
        r#"[listener]
address = "{gateway}"
[tls]
resumption = {resumption}
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"
[[trust]]
name = "callers"
domain = "cluster.local"
bundle = "ca.pem"
[runtime]
workers = {workers}
[admin]
address = "127.0.0.1:0"
[health]
address = "127.0.0.1:0"
[metrics]
address = "127.0.0.1:0"
[log]
access = "access.log"
"#,
        resumption = tuning.tickets == Tickets::On,
        workers = tuning.workers,
    );
    for name in names(tuning.names) {
        let _ = writeln!(
            text,
            "[[service]]\nsni = [\"{name}\"]\n{mode}\nendpoints = [{{ address = \"{endpoint}\" }}]"
        );
    }
    text
}

fn envoy(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, mode, tuning, folder } = wanted;
    let folder = folder.display();
    let tls = match mode {
        Mode::Terminate => format!(
            r#"
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          disable_stateless_session_resumption: {off}
          disable_stateful_session_resumption: {off}
          common_tls_context:
            tls_params: {{tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3, ecdh_curves: [X25519]}}
            tls_certificates:
            - certificate_chain: {{filename: "{folder}/gateway.pem"}}
              private_key: {{filename: "{folder}/gateway.key"}}
            validation_context:
              trusted_ca: {{filename: "{folder}/ca.pem"}}
              match_typed_subject_alt_names:
              - {{san_type: URI, matcher: {{exact: "{CALLER}"}}}}"#,
            off = tuning.tickets == Tickets::Off,
        ),
        Mode::Passthrough | Mode::Raw => String::new(),
    };
    let mut text = format!(
        r#"static_resources:
  clusters:
  - name: endpoint
    type: STATIC
    connect_timeout: 5s
    load_assignment:
      cluster_name: endpoint
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {endpoint}}}}}}}
    circuit_breakers: {{thresholds: [{{max_connections: 100000, max_pending_requests: 100000}}]}}
  listeners:
  - name: gateway
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    listener_filters:
    - name: envoy.filters.listener.tls_inspector
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
    filter_chains:
"#,
        port = gateway.port(),
        endpoint = endpoint.port(),
    );
    for name in names(tuning.names) {
        let _ = writeln!(
            text,
            r#"    - filter_chain_match: {{server_names: ["{name}"]}}
      filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: gateway
          cluster: endpoint{tls}"#
        );
    }
    text
}

fn haproxy(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, mode, tuning, .. } = wanted;
    let (no_cache, no_tickets) = match tuning.tickets {
        Tickets::Off => ("  tune.ssl.cachesize 0\n", " no-tls-tickets"),
        Tickets::On => ("", ""),
    };
    let front = match mode {
        Mode::Terminate => format!(
            "  bind {gateway} ssl crt gateway-both.pem ca-file ca.pem verify required \
             ssl-min-ver TLSv1.3 curves X25519{no_tickets}\n  use_backend %[ssl_fc_sni,map(routes.map)]"
        ),
        Mode::Passthrough | Mode::Raw => format!(
            "  bind {gateway}\n  tcp-request inspect-delay 5s\n  \
             tcp-request content accept if {{ req.ssl_hello_type 1 }}\n  \
             use_backend %[req.ssl_sni,lower,map(routes.map)]"
        ),
    };
    format!(
        "global\n  nbthread {workers}\n  maxconn 4000\n  tune.bufsize 262144\n{no_cache}defaults\n  mode tcp\n  \
         option splice-auto\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\nfrontend gateway\n\
         {front}\nbackend endpoint\n  server endpoint {endpoint}\n",
        workers = tuning.workers,
    )
}

fn nginx(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, mode, tuning, folder } = wanted;
    let folder = folder.display();
    let tickets = if tuning.tickets == Tickets::On { "on" } else { "off" };
    let (name, server) = match mode {
        Mode::Terminate => (
            "ssl_server_name",
            format!(
                "listen {gateway} ssl; ssl_certificate {folder}/gateway.pem; \
                 ssl_certificate_key {folder}/gateway.key; ssl_client_certificate {folder}/ca.pem; \
                 ssl_verify_client on; ssl_protocols TLSv1.3; ssl_ecdh_curve X25519; \
                 ssl_session_tickets {tickets};"
            ),
        ),
        Mode::Passthrough | Mode::Raw => {
            ("ssl_preread_server_name", format!("listen {gateway}; ssl_preread on;"))
        }
    };
    let master = if tuning.workers == 1 { "off" } else { "on" };
    let routes = pairs(wanted, |_| format!("{endpoint};"));
    format!(
        "load_module {NGINX_STREAM};\ndaemon off;\nmaster_process {master};\nworker_processes {workers};\n\
         worker_rlimit_nofile 20000;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n\
         events {{ worker_connections 16384; }}\nstream {{\n  map_hash_max_size 262144;\n  \
         map_hash_bucket_size 128;\n  map ${name} $endpoint {{\n{routes}  }}\n  \
         server {{ {server} proxy_pass $endpoint; proxy_buffer_size 256k; proxy_timeout 1h; }}\n}}\n",
        workers = tuning.workers,
    )
}

fn afternoon(wanted: &Wanted<'_>) -> Start {
    let mut arguments =
        format!("afternoon --listen {} --routes routes --workers {}", wanted.gateway, wanted.tuning.workers);
    if wanted.mode == Mode::Terminate {
        arguments += " --terminate gateway.pem gateway.key ca.pem --tickets ";
        arguments += if wanted.tuning.tickets == Tickets::On { "on" } else { "off" };
    }
    Start {
        files: vec![("routes", pairs(wanted, |wanted| wanted.endpoint.to_string()))],
        arguments: arguments.split(' ').map(str::to_owned).collect(),
    }
}
