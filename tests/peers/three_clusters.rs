//! One entry gateway in front of three clusters, as Tencent's multi-cluster mesh lays it out: the entry
//! passes each name through to the gateway of its cluster, which terminates and reaches its own service.

use std::net::SocketAddr;

use landbridge::outcome::Reason;
use landbridge::service::Mode;
use landbridge_testkit::client::Sidecar;
use landbridge_testkit::envoy::Envoy;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::http;
use landbridge_testkit::pki::{Folder, Mesh};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{SLEEP, World};

use crate::scene::{GATEWAY_ID, envoy, sidecar_of, told};

/// The services, one in each cluster, and what each answers.
const SERVICES: [(&str, &str); 3] =
    [("orders", "orders of east\n"), ("stock", "stock of west\n"), ("bills", "bills of north\n")];

/// A cluster with its own CA, gateway and service.
struct Cluster {
    world: World,
    gateway: TestGateway,
    endpoint: Server,
}

impl Cluster {
    async fn start(callers: &Mesh, name: &str, answer: &'static str) -> Self {
        let world = World::default();
        world.folder.write("cluster-1.pem", &callers.bundle());
        let endpoint = Server::http(answer).await;
        let service = World::httpbin(&[endpoint.address], "").replace("httpbin", name);
        let gateway = world.gateway(&service).await;
        Self { world, gateway, endpoint }
    }
}

/// The three clusters, the callers' CA, and the entry in front.
async fn scene() -> (Mesh, Vec<Cluster>, TestGateway) {
    let callers = Mesh::new("cluster.local");
    let mut clusters = Vec::new();
    let mut services = String::new();
    for (name, answer) in SERVICES {
        let cluster = Cluster::start(&callers, name, answer).await;
        services.push_str(&passed_through(name, cluster.gateway.address));
        clusters.push(cluster);
    }
    // The entry has no certificate and believes nobody: it reads names, and the rest is none of its business.
    let entry = TestGateway::start(&services, Folder::default().path()).await;
    (callers, clusters, entry)
}

fn passed_through(name: &str, gateway: SocketAddr) -> String {
    format!(
        r#"
[[service]]
host = "{name}.default.svc.cluster.local"
port = 8000
mode = "passthrough"
endpoints = [{{ address = "{gateway}" }}]
"#
    )
}

fn sni(name: &str) -> String {
    format!("outbound_.8000_._.{name}.default.svc.cluster.local")
}

/// Checks what entry and cluster tell of one call, and that no other cluster was reached.
async fn both_told(entry: &mut TestGateway, clusters: &mut [Cluster], called: usize) {
    let passed = told(entry).await;
    assert_eq!(passed.reason, Reason::Done, "{:?}", passed.error);
    assert_eq!((passed.mode, passed.peer, passed.tls), (Some(Mode::Passthrough), None, None));
    assert_eq!(passed.sni.as_deref(), Some(sni(SERVICES[called].0).as_str()));
    assert_eq!(passed.upstream.unwrap().host, clusters[called].gateway.address);
    let ended = told(&mut clusters[called].gateway).await;
    assert_eq!(ended.reason, Reason::Done, "{:?}", ended.error);
    assert_eq!(ended.peer.unwrap().id.as_str(), "spiffe://cluster.local/ns/default/sa/sleep");
    assert_eq!(ended.upstream.unwrap().host, clusters[called].endpoint.address);
    for cluster in clusters {
        assert!(cluster.gateway.told_everything());
    }
}

#[tokio::test]
async fn three_names_through_one_entry_reach_three_clusters_and_each_answers_for_itself() {
    let (callers, mut clusters, mut entry) = scene().await;
    let roots: String = clusters.iter().map(|cluster| cluster.world.local.bundle()).collect();
    let sidecar = Sidecar::new(&callers.svid(SLEEP), &roots);
    for (index, (name, answer)) in SERVICES.into_iter().enumerate() {
        let stream = sidecar.connect(entry.address, &sni(name)).await.unwrap();
        let answered = http::ask_over(stream, name, "/").await.unwrap();
        assert_eq!((answered.status, answered.body.as_str()), (200, answer));
        both_told(&mut entry, &mut clusters, index).await;
    }
}

#[tokio::test]
async fn envoy_reaches_three_clusters_through_one_entry_and_verifies_the_gateway_of_each() {
    let Some(program) = envoy() else { return };
    let (callers, mut clusters, mut entry) = scene().await;
    let caller = callers.svid(SLEEP);
    for (index, (name, answer)) in SERVICES.into_iter().enumerate() {
        // A sidecar that believes the CA of this one cluster, so that no other could have answered.
        let template = sidecar_of(&clusters[index].world, &caller, &[entry.address], &[GATEWAY_ID]);
        let folder = &clusters[index].world.folder;
        let sidecar = Envoy::start(&program, template.replace("httpbin", name), folder).await;
        let answered = http::ask(sidecar.listener("http").await, name, "/").await.unwrap();
        assert_eq!((answered.status, answered.body.as_str()), (200, answer));
        both_told(&mut entry, &mut clusters, index).await;
    }
}
