//! The same job for each gateway, in its own words.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::{CALLER, SNI};

/// Where Debian puts it.
pub(super) const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// What a gateway is wanted for.
pub(super) struct Wanted<'a> {
    pub(super) gateway: SocketAddr,
    pub(super) endpoint: SocketAddr,
    pub(super) terminates: bool,
    pub(super) idle: Duration,
    pub(super) folder: &'a Path,
}

pub(super) fn landbridge(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, idle, .. } = wanted;
    let mode = if wanted.terminates {
        format!("mode = \"terminate\"\nallow = [\"{CALLER}\"]")
    } else {
        "mode = \"passthrough\"".to_owned()
    };
    format!(
        r#"[listener]
address = "{gateway}"
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"
[[trust]]
name = "callers"
domain = "cluster.local"
bundle = "ca.pem"
[timeouts]
idle = "{idle}s"
half_close = "{idle}s"
[admin]
address = "127.0.0.1:0"
[health]
address = "127.0.0.1:0"
[metrics]
address = "127.0.0.1:0"
[log]
access = "off"
[[service]]
sni = ["{SNI}"]
{mode}
endpoints = [{{ address = "{endpoint}" }}]
"#,
        idle = idle.as_secs()
    )
}

pub(super) fn envoy(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, idle, folder, .. } = wanted;
    let folder = folder.display();
    let tls = format!(
        r#"
      transport_socket:
        name: envoy.transport_sockets.tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          require_client_certificate: true
          common_tls_context:
            tls_certificates:
            - certificate_chain: {{filename: "{folder}/gateway.pem"}}
              private_key: {{filename: "{folder}/gateway.key"}}
            validation_context:
              trusted_ca: {{filename: "{folder}/ca.pem"}}
              match_typed_subject_alt_names:
              - {{san_type: URI, matcher: {{exact: "{CALLER}"}}}}"#
    );
    format!(
        r#"static_resources:
  listeners:
  - name: gateway
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    listener_filters:
    - name: envoy.filters.listener.tls_inspector
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector
    filter_chains:
    - filter_chain_match: {{server_names: ["{SNI}"]}}
      filters:
      - name: envoy.filters.network.tcp_proxy
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: gateway
          cluster: endpoint
          idle_timeout: {idle}s{tls}
  clusters:
  - name: endpoint
    type: STATIC
    connect_timeout: 5s
    load_assignment:
      cluster_name: endpoint
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {endpoint}}}}}}}
"#,
        port = gateway.port(),
        endpoint = endpoint.port(),
        idle = idle.as_secs(),
        tls = if wanted.terminates { tls.as_str() } else { "" },
    )
}

pub(super) fn haproxy(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, idle, .. } = wanted;
    let front = if wanted.terminates {
        format!(
            "  bind {gateway} ssl crt gateway-both.pem ca-file ca.pem verify required alpn istio\n  \
             use_backend endpoint if {{ ssl_fc_sni {SNI} }}"
        )
    } else {
        format!(
            "  bind {gateway}\n  tcp-request inspect-delay 5s\n  \
             tcp-request content accept if {{ req.ssl_hello_type 1 }}\n  \
             use_backend endpoint if {{ req.ssl_sni {SNI} }}"
        )
    };
    let idle = idle.as_secs();
    format!(
        "global\n  nbthread 1\n  maxconn 2000\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
         timeout client {idle}s\n  timeout server {idle}s\nfrontend gateway\n{front}\n\
         backend endpoint\n  server endpoint {endpoint}\n"
    )
}

pub(super) fn nginx(wanted: &Wanted<'_>) -> String {
    let Wanted { gateway, endpoint, idle, folder, .. } = wanted;
    let (folder, idle) = (folder.display(), idle.as_secs());
    let server = if wanted.terminates {
        format!(
            "listen {gateway} ssl; ssl_certificate {folder}/gateway.pem; ssl_certificate_key {folder}/gateway.key; \
             ssl_client_certificate {folder}/ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3; \
             proxy_pass {endpoint}; proxy_half_close on;"
        )
    } else {
        format!("listen {gateway}; ssl_preread on; proxy_pass $endpoint; proxy_half_close on;")
    };
    format!(
        "load_module {NGINX_STREAM};\ndaemon off;\nmaster_process off;\npid {folder}/nginx.pid;\n\
         error_log {folder}/nginx.log;\nevents {{ worker_connections 2000; }}\n\
         stream {{\n  map $ssl_preread_server_name $endpoint {{ {SNI} {endpoint}; }}\n  \
         server {{ {server} proxy_timeout {idle}s; }}\n}}\n"
    )
}
