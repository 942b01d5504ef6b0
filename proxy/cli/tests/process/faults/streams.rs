//! Calls on connections that fail: of dialling, of reading and of writing.

use std::time::Duration;

use landbridge_testkit::client::Saw;
use landbridge_testkit::server::Endpoint;
use landbridge_testkit::soon;
use landbridge_testkit::strace::Strace;
use landbridge_testkit::wire::{Wire, noise};
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::Scene;

/// A gateway that has a further service, whose endpoint is in the test's hands.
struct Victim {
    scene: Scene,
    listening: Endpoint,
    name: String,
}

/// One connection of it.
struct Ends {
    client: Wire,
    endpoint: Wire,
}

impl Victim {
    async fn set() -> Self {
        let listening = Endpoint::bind().await;
        let service = World::httpbin(&[listening.address], "").replace("httpbin.default", "victim.default");
        let scene = Scene::with(&service, &[]).await;
        Self { scene, listening, name: HTTPBIN.replace("httpbin.default", "victim.default") }
    }

    async fn connect(&self) -> Ends {
        let sidecar = self.scene.world.sidecar();
        let mut client = Wire::secure(&sidecar, self.scene.running.address, &self.name).await;
        let mut endpoint = self.listening.accept().await;
        client.send(b"one").await;
        assert_eq!(endpoint.receive(3).await, b"one");
        endpoint.send(b"two").await;
        assert_eq!(client.receive(3).await, b"two");
        Ends { client, endpoint }
    }
}

fn fields(line: &str) -> (String, String) {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    (text("response_flags"), text("upstream_transport_failure_reason"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_dialled_for_want_of_something_here_is_refused_with_the_error_and_not_blamed() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::set().await;
    let cases = [
        ("socket:error=EMFILE:when=1", 24),
        ("socket:error=ENOMEM:when=1", 12),
        ("socket:error=ENOBUFS:when=1", 105),
        ("connect:error=ENOBUFS:when=1", 105),
        ("connect:error=EADDRNOTAVAIL:when=1", 99),
        // The first is for the client.
        ("epoll_ctl:error=ENOSPC:when=2", 28),
    ];
    for (rule, _) in cases {
        let folder = scene.world.folder.path();
        let Some(injection) = strace.inject(&scene.running, &[rule], folder) else { return };
        let saw = scene.world.sidecar().sees(scene.running.address, HTTPBIN).await;
        assert_eq!((saw, injection.count()), (Saw::Reset, 1), "{rule}");
        injection.over();
        // There is one endpoint; if it had been passed over, this would be an alert.
        scene.oracle.call_is_served(&scene.running).await;
        scene.oracle.stream_is_exact().await;
    }
    let told = scene.oracle.holds(scene.running).await;
    assert_eq!(told.len(), cases.len(), "{told:?}");
    for (line, (rule, number)) in told.iter().zip(cases) {
        let (flag, reason) = fields(line);
        assert_eq!(flag, "UF", "{rule}");
        assert!(reason.contains(&format!("os error {number})")), "{rule}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_or_a_write_that_fails_ends_its_own_connection_by_a_reset_and_no_byte_is_wrong() {
    const WRITES: &str = "sendto,sendmsg,writev:error=ENOBUFS:when=1";
    const READS: &str = "recvfrom,recvmsg:error=ENOMEM:when=1";
    let Some(strace) = Strace::find() else { return };
    let mut victim = Victim::set().await;
    let said = noise(5000, 9);
    let cases = [(READS, true, "DC"), (READS, false, "UC"), (WRITES, true, "UC"), (WRITES, false, "DC")];
    for (rule, client_speaks, _) in cases {
        let Ends { mut client, mut endpoint } = victim.connect().await;
        let (running, folder) = (&victim.scene.running, victim.scene.world.folder.path());
        let Some(injection) = strace.inject(running, &[rule], folder) else { return };
        let (speaker, listener) =
            if client_speaks { (&mut client, &mut endpoint) } else { (&mut endpoint, &mut client) };
        speaker.send(&said).await;
        let (heard, end) = listener.rest().await;
        assert!(said.starts_with(&heard), "{rule}: {} bytes that were not said", heard.len());
        assert_eq!((end, speaker.end().await), (Saw::Reset, Saw::Reset), "{rule} {client_speaks}");
        injection.over();
        victim.scene.oracle.stream_is_exact().await;
    }
    let told = victim.scene.oracle.holds(victim.scene.running).await;
    let flags: Vec<String> = told.iter().map(|line| fields(line).0).collect();
    assert_eq!(flags, cases.map(|(_, _, flag)| flag));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_interrupted_again_and_again_change_nothing() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::set().await;
    // Bounded, and over before strace is: where it lets go in the middle of a call, that fails with ENOSYS.
    let rules = [
        "recvfrom:error=EINTR:when=1..59+2",
        "sendto:error=EINTR:when=1..59+2",
        "writev:error=EINTR:when=1..59+2",
        "accept4:error=EINTR:when=1..5+2",
        "?epoll_wait,epoll_pwait:error=EINTR:when=1..58+3",
    ];
    scene.oracle.talk();
    let folder = scene.world.folder.path();
    let Some(injection) = strace.inject(&scene.running, &rules, folder) else { return };
    for _ in 0..3 {
        scene.oracle.call_is_served(&scene.running).await;
    }
    while ["recvfrom", "sendto", "writev"].iter().any(|call| injection.count_of(call) < 30) {
        scene.oracle.talk_goes_on(1).await;
    }
    injection.over();
    scene.oracle.hush().await;
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_wake_ups_that_claim_to_block_again_and_again_lose_nothing() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::set().await;
    // Connections are read by recvfrom; these two are for logs, for signals and between threads.
    let rules = ["read:error=EAGAIN:when=1..9+2", "write:error=EAGAIN:when=1..9+2"];
    scene.oracle.talk();
    let folder = scene.world.folder.path();
    let Some(injection) = strace.inject(&scene.running, &rules, folder) else { return };
    for _ in 0..5 {
        scene.oracle.call_is_served(&scene.running).await;
    }
    scene.oracle.talk_goes_on(5).await;
    assert!(injection.over() > 0);
    scene.oracle.hush().await;
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_the_administrator_kills_is_a_reset_on_both_sides() {
    use std::process::Command;

    use landbridge_testkit::peer::{find, skip};

    let Some(ss) = find("ss", "apt-get install iproute2") else { return };
    let mut victim = Victim::set().await;
    for of_client in [true, false] {
        let Ends { mut client, mut endpoint } = victim.connect().await;
        let wire = if of_client { &client } else { &endpoint };
        let (own, peer) = (wire.peer_addr(), wire.local_addr());
        let filter = format!("src = {own} and dst = {peer}");
        let killed = Command::new(&ss).args(["-K", "-t", "-n", "-H", &filter]).output().unwrap();
        let said = String::from_utf8_lossy(&killed.stdout).into_owned();
        if !said.contains(&peer.port().to_string()) {
            return skip(
                "ss -K kills no sockets here; to enable: root, and a kernel with CONFIG_INET_DIAG_DESTROY",
            );
        }
        assert_eq!((client.end().await, endpoint.end().await), (Saw::Reset, Saw::Reset), "{filter}");
        victim.scene.oracle.stream_is_exact().await;
    }
    let told = victim.scene.oracle.holds(victim.scene.running).await;
    let flags: Vec<String> = told.iter().map(|line| fields(line).0).collect();
    assert_eq!(flags, ["DR", "UR"]);
}

/// One direction of a stream: what is sent piece by piece, and whoever collects it at the other end.
struct Direction<W> {
    writer: W,
    sent: Vec<u8>,
    heard: JoinHandle<Vec<u8>>,
}

impl<W: AsyncWrite + Unpin> Direction<W> {
    fn new(writer: W, mut reader: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let heard = tokio::spawn(async move {
            let mut heard = Vec::new();
            reader.read_to_end(&mut heard).await.unwrap();
            heard
        });
        Self { writer, sent: Vec::new(), heard }
    }

    async fn say(&mut self, piece: &[u8]) {
        self.writer.write_all(piece).await.unwrap();
        self.writer.flush().await.unwrap();
        self.sent.extend_from_slice(piece);
    }

    async fn arrives_exactly(mut self) {
        self.writer.shutdown().await.unwrap();
        let heard = soon("the end of what was said", self.heard).await.unwrap();
        assert!(heard == self.sent, "{} bytes were heard of {}", heard.len(), self.sent.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_that_claim_to_block_again_and_again_lose_nothing_and_change_no_order() {
    let Some(strace) = Strace::find() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = World::httpbin(&[listener.local_addr().unwrap()], "");
    let mut scene = Scene::with(&service.replace("httpbin.default", "victim.default"), &[]).await;
    let name = HTTPBIN.replace("httpbin.default", "victim.default");
    let client = scene.world.sidecar().connect(scene.running.address, &name).await.unwrap();
    let endpoint = soon("a call of the endpoint", listener.accept()).await.unwrap().0;
    let (from_client, to_client) = tokio::io::split(client);
    let (from_endpoint, to_endpoint) = tokio::io::split(endpoint);
    // The kernel tells of an edge once: who was told a lie hears of the next piece, so neither side stops talking.
    let mut forth = Direction::new(to_client, from_endpoint);
    let mut back = Direction::new(to_endpoint, from_client);
    let calls = ["recvfrom", "sendto"];
    let rules = calls.map(|call| format!("{call}:error=EAGAIN:when=1..59+2"));
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let folder = scene.world.folder.path();
    let Some(injection) = strace.inject(&scene.running, &rules, folder) else { return };
    // Less than the gateway can pass on: buffers that are full would silence who is to talk.
    let mut turn = interval(Duration::from_millis(2));
    let talk = async {
        for piece in 0.. {
            turn.tick().await;
            forth.say(&noise(100, 2 * piece)).await;
            back.say(&noise(100, 2 * piece + 1)).await;
            if calls.iter().all(|call| injection.count_of(call) >= 30) {
                break;
            }
        }
    };
    soon("calls that claim to block", talk).await;
    injection.over();
    let ((), ()) = tokio::join!(forth.arrives_exactly(), back.arrives_exactly());
    scene.oracle.counts_a_call();
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}
