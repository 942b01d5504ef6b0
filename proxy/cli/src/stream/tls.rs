//! How the stream's servers are reached, and how both sides prove who they are.

use std::sync::Arc;

use anyhow::Context as _;
use landbridge::Desired;
use landbridge::config::{ControlConfig, ControlServer, MinTls};
use landbridge_certs::{Origination, TlsContext, Verdict};
use landbridge_control_client::client::{Address, Credentials, Server, TlsSource};
use landbridge_core::policy::{Grant, IdPattern};
use landbridge_core::service::UpstreamTls;
use rustls::pki_types::ServerName;
use tokio::sync::watch;

/// The servers in order of preference. Certificates and bundles are those of the file, as they are at each connection.
pub(super) fn servers(
    control: &ControlConfig,
    file: &watch::Receiver<Desired>,
) -> anyhow::Result<Vec<Server>> {
    let grants = control.server_identities.iter();
    let grants = grants.map(|id| Grant { id: IdPattern::Exact(id.clone()), from: None, alias_of: None });
    let expected = Arc::new(UpstreamTls { server_identities: grants.collect() });
    let context = Arc::new(TlsContext::new(MinTls::V1_3).context("cannot speak TLS to control servers")?);
    let servers = control.servers.iter().map(|server| {
        let via = control.via.as_ref().map(|(host, port)| Address::Tcp { host: host.clone(), port: *port });
        let (address, tls) = match server {
            ControlServer::Unix(path) => (Address::Unix(path.clone()), None),
            ControlServer::Loopback { host, port } => {
                (Address::Tcp { host: host.clone(), port: *port }, None)
            }
            ControlServer::Tls { host, port } => {
                let name = ServerName::try_from(host.clone()).context("no name for TLS")?;
                let own = Address::Tcp { host: host.clone(), port: *port };
                (via.unwrap_or(own), Some(source(name, context.clone(), expected.clone(), file.clone())))
            }
        };
        Ok(Server { authority: server.authority(), address, tls })
    });
    servers.collect()
}

fn source(
    server_name: ServerName<'static>,
    context: Arc<TlsContext>,
    expected: Arc<UpstreamTls>,
    file: watch::Receiver<Desired>,
) -> TlsSource {
    TlsSource::new(move || {
        let credentials = file.borrow().credentials.clone();
        let key = credentials.own().ok_or("the gateway has no certificate of its own: add [identity]")?;
        let config = context.client_config(Origination {
            trust: credentials.trust().clone(),
            key,
            expected: expected.clone(),
            alpn: vec![b"h2".to_vec()],
            verdict: Verdict::new(),
        });
        Ok(Credentials { config, server_name: server_name.clone() })
    })
}
