//! Certificates, bundles and keys that change while the process runs, without a signal.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::Running;
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, SLEEP, World};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::metrics::value;
use crate::{LANDBRIDGE, PORTS};

const RENEWED: &str = "renewed from changed files";
const APPLIED: &str = "configuration applied";
const KEPT: &str = "not renewed";

struct Scene {
    world: World,
    _endpoint: Server,
    running: Running,
}

impl Scene {
    async fn set(world: World, head: &str) -> Self {
        let endpoint = Server::echo().await;
        let toml = PORTS.to_owned() + head + &World::httpbin(&[endpoint.address], "");
        world.folder.write("gateway.toml", &toml);
        let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
        Self { world, _endpoint: endpoint, running }
    }

    async fn usual() -> Self {
        Self::set(World::default(), &World::head()).await
    }

    fn fresh(&self) -> Svid {
        self.world.local.svid("ns/istio-system/sa/eastwest")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.folder.path().join(name)
    }

    /// A live stream of a caller, proven by one echoed byte.
    async fn stream_of(&self, caller: &Svid) -> TlsStream<TcpStream> {
        let sidecar = self.world.sidecar_of(caller);
        let mut stream = sidecar.connect(self.running.address, HTTPBIN).await.unwrap();
        works(&mut stream).await;
        stream
    }

    async fn stream(&self) -> TlsStream<TcpStream> {
        self.stream_of(&self.world.sleep_svid()).await
    }

    /// The leaf that a new handshake is shown.
    async fn presented(&self) -> CertificateDer<'static> {
        let stream = self.stream().await;
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    }

    /// Waits until the new certificate is in use, and proves it.
    async fn presents(&mut self, fresh: &Svid) {
        self.running.event(RENEWED);
        self.running.event(APPLIED);
        assert_eq!(self.presented().await, fresh.certificates()[0]);
    }

    fn refused(&self) -> u64 {
        value(&self.running, "landbridge_certificate_reloads_total{result=\"refused\"}")
    }
}

async fn works(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_written_in_place_are_renewed_under_a_live_stream() {
    let mut scene = Scene::usual().await;
    let mut stream = scene.stream().await;
    let before = scene.presented().await;
    let fresh = scene.fresh();
    assert_ne!(before, fresh.certificates()[0]);
    fs::write(scene.path("gateway.pem"), &fresh.chain).unwrap();
    fs::write(scene.path("gateway.key"), &fresh.key).unwrap();
    scene.presents(&fresh).await;
    works(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_renamed_over_are_renewed_again_and_again() {
    let mut scene = Scene::usual().await;
    let mut stream = scene.stream().await;
    for _ in 0..3 {
        let fresh = scene.fresh();
        scene.world.folder.write_svid("next", &fresh);
        fs::rename(scene.path("next.pem"), scene.path("gateway.pem")).unwrap();
        fs::rename(scene.path("next.key"), scene.path("gateway.key")).unwrap();
        scene.presents(&fresh).await;
    }
    works(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_of_kubernetes_is_renewed_when_its_data_link_is_swapped() {
    let world = World::default();
    let volume = world.folder.path().join("certs");
    let put = |world: &World, stamp: &str, svid: &Svid| {
        fs::create_dir_all(volume.join(stamp)).unwrap();
        world.folder.write(&format!("certs/{stamp}/tls.crt"), &svid.chain);
        world.folder.write(&format!("certs/{stamp}/tls.key"), &svid.key);
        symlink(stamp, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    };
    put(&world, "..1", &world.local.svid("ns/istio-system/sa/eastwest"));
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), volume.join(name)).unwrap();
    }
    let pair = "certificate = \"gateway.pem\"\nprivate_key = \"gateway.key\"";
    let mut scene = Scene::set(world, &World::head().replace(pair, "directory = \"certs\"")).await;
    let mut stream = scene.stream().await;
    for (old, new) in [("..1", "..2"), ("..2", "..3")] {
        let fresh = scene.fresh();
        put(&scene.world, new, &fresh);
        fs::remove_dir_all(volume.join(old)).unwrap();
        scene.presents(&fresh).await;
    }
    assert_eq!(scene.refused(), 0, "a swap is atomic");
    works(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_before_its_certificate_is_refused_until_both_are_there() {
    let mut scene = Scene::usual().await;
    let before = scene.presented().await;
    let fresh = scene.fresh();
    scene.world.folder.write("gateway.key", &fresh.key);
    let told = scene.running.event("does not belong to the certificate");
    assert!(told.contains("gateway.key") && told.contains(KEPT), "{told}");
    assert_eq!(scene.presented().await, before);
    while scene.refused() < 1 {}
    scene.world.folder.write("gateway.pem", &fresh.chain);
    scene.presents(&fresh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_deleted_or_broken_leave_the_old_ones_serving() {
    let mut scene = Scene::usual().await;
    let mut stream = scene.stream().await;
    let before = scene.presented().await;
    fs::remove_file(scene.path("gateway.pem")).unwrap();
    fs::remove_file(scene.path("gateway.key")).unwrap();
    let told = scene.running.event(KEPT);
    assert!(told.contains("gateway.pem") && told.contains("No such file"), "{told}");
    assert_eq!(scene.presented().await, before);

    scene.world.folder.write("cluster-1.pem", "-----BEGIN CERTIFICATE-----\nMIIB");
    let told = scene.running.event("cluster-1.pem");
    assert!(told.contains(KEPT), "{told}");
    assert_eq!(scene.presented().await, before);
    while scene.refused() < 2 {}

    let fresh = scene.fresh();
    scene.world.folder.write_svid("gateway", &fresh);
    scene.presents(&fresh).await;
    works(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_that_is_taken_away_cuts_its_callers_and_nobody_else() {
    let world = World::default();
    let other = Mesh::new("cluster.local");
    world.folder.write("cluster-1.pem", &(world.remote.bundle() + &other.bundle()));
    let mut scene = Scene::set(world, &World::head()).await;
    let mut kept = scene.stream().await;
    let mut cut = scene.stream_of(&other.svid(SLEEP)).await;
    scene.world.folder.write("next.pem", &scene.world.remote.bundle());
    fs::rename(scene.path("next.pem"), scene.path("cluster-1.pem")).unwrap();
    let told = scene.running.event(RENEWED);
    assert!(told.contains("trust.cluster-1") && !told.contains("identity"), "{told}");
    assert_eq!(Saw::of(&cut.read(&mut [0; 1]).await.unwrap_err()), Saw::Reset);
    works(&mut kept).await;
    let refused = scene.world.sidecar_of(&other.svid(SLEEP)).sees(scene.running.address, HTTPBIN).await;
    assert_eq!(refused, Saw::Alert(48));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sighup_the_files_of_the_new_configuration_are_watched() {
    let mut scene = Scene::usual().await;
    let first = scene.fresh();
    scene.world.folder.write_svid("moved", &first);
    let toml = fs::read_to_string(scene.path("gateway.toml")).unwrap();
    scene.world.folder.write("gateway.toml", &toml.replace("\"gateway.", "\"moved."));
    scene.running.signal("HUP");
    scene.running.event(APPLIED);
    assert_eq!(scene.presented().await, first.certificates()[0]);

    let second = scene.fresh();
    scene.world.folder.write_svid("moved", &second);
    scene.presents(&second).await;
}
