//! Three namespaces in a row, clients, gateway and endpoints, with an impaired link on either side of the
//! gateway; and what must hold after every fault.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use landbridge_impair::{Direction, Link, Namespace, Plug};
use landbridge_testkit::command::{Running, http_get};
use landbridge_testkit::peer;
use landbridge_testkit::process::until;
use landbridge_testkit::server::{Endpoint, Server};
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::LANDBRIDGE;
use crate::bystander::{self, Bystander};

/// Where the gateway listens, as the clients see it.
pub(crate) const FRONT: &str = "10.1.0.1";
/// The endpoints' first address.
pub(crate) const FIRST: &str = "10.2.0.2";
/// The endpoints' second address.
pub(crate) const SECOND: &str = "10.2.0.3";

/// The networks.
pub(crate) struct Networks {
    /// Where the clients are: 10.1.0.2, fd01::2, fe80::2.
    pub(crate) near: Namespace,
    /// Where the gateway is: 10.1.0.1, fd01::1, fe80::1 in front, 10.2.0.1, fd02::1 behind.
    pub(crate) middle: Namespace,
    /// Where the endpoints are: 10.2.0.2, 10.2.0.3, fd02::2.
    pub(crate) far: Namespace,
    /// Forth is from the clients to the gateway.
    pub(crate) front: Link,
    /// Forth is from the gateway to the endpoints.
    pub(crate) back: Link,
}

impl Networks {
    /// Lays them; `None` where that can't be done here, which is said.
    pub(crate) async fn lay(seed: u64) -> Option<Self> {
        if let Err(error) = Namespace::new() {
            peer::skip(&format!(
                "no network namespace can be made ({error}); to enable: run the tests as root"
            ));
            return None;
        }
        peer::find("ip", "apt-get install iproute2")?;
        if !Path::new("/dev/net/tun").exists() {
            peer::absent(
                "/dev/net/tun",
                "modprobe tun, or docker run --device /dev/net/tun --cap-add NET_ADMIN",
            );
            return None;
        }
        Some(Self::laid(seed).await.expect("networks can be laid"))
    }

    async fn laid(seed: u64) -> io::Result<Self> {
        let (near, middle, far) = (Namespace::new()?, Namespace::new()?, Namespace::new()?);
        let clients = ["10.1.0.2/24", "fd01::2/64", "fe80::2/64"];
        let gateway = ["10.1.0.1/24", "fd01::1/64", "fe80::1/64"];
        let front = Link::lay(plug(&near, "near", &clients), plug(&middle, "front", &gateway), seed).await?;
        let gateway = ["10.2.0.1/24", "fd02::1/64"];
        let endpoints = ["10.2.0.2/24", "10.2.0.3/24", "fd02::2/64"];
        let back = Link::lay(plug(&middle, "back", &gateway), plug(&far, "far", &endpoints), !seed).await?;
        // Repetitions after 30 ms at the least, not 200 ms: what is tested takes the less time.
        near.ip("route replace 10.1.0.0/24 dev near src 10.1.0.2 rto_min 30ms").await?;
        middle.ip("route replace 10.1.0.0/24 dev front src 10.1.0.1 rto_min 30ms").await?;
        middle.ip("route replace 10.2.0.0/24 dev back src 10.2.0.1 rto_min 30ms").await?;
        far.ip("route replace 10.2.0.0/24 dev far src 10.2.0.2 rto_min 30ms").await?;
        Ok(Self { near, middle, far, front, back })
    }

    /// An endpoint on a free port of this address.
    pub(crate) async fn endpoint(&self, address: &str) -> Endpoint {
        let address: IpAddr = address.parse().unwrap();
        self.far.run(Endpoint::at(address)).await
    }

    /// An endpoint that sends back what it receives.
    pub(crate) async fn echo(&self, address: &str) -> Server {
        let endpoint = self.endpoint(address).await;
        self.far.run(async move { endpoint.echo() }).await
    }
}

fn plug<'a>(namespace: &'a Namespace, name: &'a str, addresses: &'a [&'a str]) -> Plug<'a> {
    Plug { namespace, name, addresses }
}

/// The real binary in the middle of the networks, and a bystander.
pub(crate) struct Scene {
    pub(crate) networks: Networks,
    pub(crate) world: World,
    /// Where the gateway listens, as the clients dial it.
    pub(crate) address: SocketAddr,
    gateway: Running,
    bystander: Bystander,
    /// How many the gateway has open with nobody but the bystander.
    descriptors: usize,
}

impl Scene {
    /// The usual service with these endpoints, and these timeouts.
    pub(crate) async fn set(networks: Networks, endpoints: &[SocketAddr], timeouts: &str) -> Self {
        Self::serving(networks, &World::httpbin(endpoints, ""), timeouts).await
    }

    /// Any services.
    pub(crate) async fn serving(networks: Networks, services: &str, timeouts: &str) -> Self {
        Self::listening(networks, "[::]", services, timeouts).await
    }

    /// A listener on this address; the clients dial it, or 10.1.0.1 where it is any.
    pub(crate) async fn listening(networks: Networks, on: &str, services: &str, timeouts: &str) -> Self {
        let world = World::default();
        let echo = networks.middle.run(Bystander::endpoint()).await;
        let toml = format!(
            "[listener]\naddress = \"{on}:0\"\n[health]\naddress = \"127.0.0.1:0\"\n[metrics]\naddress = \"127.0.0.1:0\"\n\
             [admin]\naddress = \"127.0.0.1:0\"\n[log]\naccess = \"access.log\"\n\
             [timeouts]\ndrain_lag = \"off\"\n{timeouts}\n{}{services}{}",
            World::head(),
            Bystander::service(echo.address)
        );
        world.folder.write("gateway.toml", &toml);
        let config = world.folder.path().join("gateway.toml");
        let gateway = networks.middle.run(async move { Running::start(LANDBRIDGE, &config, &[]) }).await;
        let ip =
            if gateway.address.ip().is_unspecified() { FRONT.parse().unwrap() } else { gateway.address.ip() };
        let address = SocketAddr::new(ip, gateway.address.port());
        let bystander = networks.middle.run(Bystander::begin(world.sidecar(), address, echo)).await;
        let descriptors = descriptors(gateway.id());
        Self { networks, world, address, gateway, bystander, descriptors }
    }

    /// The usual caller's end of a connection to the usual service, byte by byte in the test's hands.
    pub(crate) async fn call(&self) -> Wire {
        self.call_at(self.address, HTTPBIN).await
    }

    /// The usual caller's end of a connection to any service, at any address of the gateway.
    pub(crate) async fn call_at(&self, address: SocketAddr, name: &'static str) -> Wire {
        let sidecar = self.world.sidecar();
        self.networks.near.run(async move { Wire::secure(&sidecar, address, name).await }).await
    }

    /// The same as a stream.
    pub(crate) async fn stream(&self) -> TlsStream<TcpStream> {
        let (sidecar, address) = (self.world.sidecar(), self.address);
        let connecting = async move { sidecar.connect(address, HTTPBIN).await };
        self.networks.near.run(connecting).await.expect("the gateway answers")
    }

    /// The process id of the gateway.
    pub(crate) fn id(&self) -> u32 {
        self.gateway.id()
    }

    /// Waits until so many connections have been logged, the bystander's apart, and returns their lines.
    pub(crate) async fn logged(&self, count: usize) -> Vec<Value> {
        until("the access log", async || Some(self.log()).filter(|lines| lines.len() >= count)).await
    }

    fn log(&self) -> Vec<Value> {
        // It is not there before its first line.
        let text = fs::read_to_string(self.world.folder.path().join("access.log")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// Checks what must hold after every fault: the bystander was not troubled, nothing is left open, there is
    /// one line for each of so many connections, nothing panicked, and the gateway stops as it should.
    pub(crate) async fn holds_after(self, connections: usize) -> Vec<Value> {
        self.logged(connections).await;
        let id = self.id();
        until("descriptors back to where they were", async || {
            (descriptors(id) <= self.descriptors).then_some(())
        })
        .await;
        let networks = self.networks;
        networks.middle.run(self.bystander.was_not_troubled()).await;
        let metrics = self.gateway.metrics;
        until("as many connections counted, and none open", async || {
            let (_, page) = networks.middle.run(async move { http_get(metrics, "/metrics") }).await;
            let total = format!("landbridge_connections_total {}", connections + 1);
            let mut active = page.lines().filter(|line| line.starts_with("landbridge_connections_active"));
            (page.contains(&total) && active.all(|line| line.ends_with(" 0"))).then_some(())
        })
        .await;
        self.gateway.signal("TERM");
        let (status, _) = self.gateway.ended();
        assert_eq!(status.code(), Some(0));
        let text = fs::read_to_string(self.world.folder.path().join("access.log")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), connections + 1, "{text}");
        assert!(lines.iter().all(|line| line["response_flags"] != "IE"), "{text}");
        let (bystander, others): (Vec<Value>, Vec<Value>) =
            lines.into_iter().partition(|line| line["requested_server_name"] == bystander::NAME);
        assert_eq!(bystander.iter().map(told).collect::<Vec<_>>(), [("-", "")], "{text}");
        others
    }
}

/// Flag and reason of a line.
pub(crate) fn told(line: &Value) -> (&str, &str) {
    let word = |key: &str| line[key].as_str().unwrap_or_default();
    (word("response_flags"), word("response_code_details"))
}

/// Checks that what is sent comes back.
pub(crate) async fn echoes(wire: &mut Wire) {
    wire.send(b"are you there").await;
    assert_eq!(wire.receive(13).await, b"are you there");
}

/// Waits until so many more packets have vanished on their way there.
pub(crate) async fn swallows(direction: &Direction, count: u64) {
    let so_far = direction.swallowed();
    until("packets that vanish", async || (direction.swallowed() >= so_far + count).then_some(())).await;
}

/// What the kernel has counted in a namespace, by the name that `nstat` gives it after `TcpExt`.
pub(crate) async fn counted(namespace: &Namespace, name: &str) -> u64 {
    let reading = namespace.run(async { fs::read_to_string("/proc/thread-self/net/netstat") });
    let text = reading.await.expect("the kernel counts");
    let mut rows = text.lines().filter(|line| line.starts_with("TcpExt:")).map(str::split_whitespace);
    let (names, numbers) = (rows.next().unwrap(), rows.next().unwrap());
    let found = names.zip(numbers).find(|(found, _)| *found == name);
    found.expect("a name that the kernel knows").1.parse().unwrap()
}

fn descriptors(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).expect("the gateway runs").count()
}
