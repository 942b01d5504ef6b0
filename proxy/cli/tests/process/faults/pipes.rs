//! Pipes and splice(2) that are refused while a service is passed through: its bytes are copied instead.

use landbridge_testkit::client::{Saw, client_hello};
use landbridge_testkit::server::Endpoint;
use landbridge_testkit::strace::Strace;
use landbridge_testkit::wire::{Wire, noise};
use landbridge_testkit::world::{HTTPBIN, World};

use super::Scene;

/// Enough for a pipe to be asked for again and again, and where that is refused, once more after a while.
const MUCH: usize = 16 << 20;

/// A gateway that passes a further service through to an endpoint in the test's hands.
struct Victim {
    scene: Scene,
    listening: Endpoint,
    hello: Vec<u8>,
}

impl Victim {
    async fn set() -> Self {
        let listening = Endpoint::bind().await;
        let service = World::httpbin_passed_through(&[listening.address], "");
        let scene = Scene::with(&service.replace("httpbin.default", "victim.default"), &[]).await;
        let name = HTTPBIN.replace("httpbin.default", "victim.default");
        let hello = client_hello(&scene.world.sidecar(), &name);
        Self { scene, listening, hello }
    }

    /// Carries much in both directions, and then both ends.
    async fn carries_much(&mut self, rule: &str) {
        let mut client = Wire::dial(self.scene.running.address).await;
        client.send_raw(&self.hello).await;
        let mut endpoint = self.listening.accept().await;
        assert_eq!(endpoint.receive(self.hello.len()).await, self.hello);
        let (question, answer) = (noise(MUCH, 1), noise(MUCH, 2));
        let ((), heard) = tokio::join!(client.send_raw(&question), endpoint.receive(MUCH));
        assert!(heard == question, "{rule}");
        let ((), heard) = tokio::join!(endpoint.send_raw(&answer), client.receive(MUCH));
        assert!(heard == answer, "{rule}");
        client.finish().await;
        assert_eq!(endpoint.end().await, Saw::End, "{rule}");
        endpoint.finish().await;
        assert_eq!(client.end().await, Saw::End, "{rule}");
        self.scene.oracle.counts_a_call();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_pipes_or_splice_are_refused_bytes_are_copied_and_none_is_lost() {
    let Some(strace) = Strace::find() else { return };
    let mut victim = Victim::set().await;
    // The first splice of a pipe moves nothing, and the last rules let some calls of a stream be: in and out by turns.
    let cases = [
        "pipe2:error=EMFILE",
        "pipe2:error=EPERM",
        "fcntl:error=EPERM",
        "splice:error=EPERM",
        "splice:error=ENOSYS",
        "splice:error=ENOMEM:when=6+2",
        "splice:error=EINVAL:when=7+2",
        "splice:error=EINTR:when=3..99+2",
    ];
    for rule in cases {
        let folder = victim.scene.world.folder.path();
        let Some(injection) = strace.inject(&victim.scene.running, &[rule], folder) else { return };
        victim.carries_much(rule).await;
        assert!(injection.over() > 0, "{rule}");
        victim.scene.oracle.stream_is_exact().await;
    }
    assert_eq!(victim.scene.oracle.holds(victim.scene.running).await, [""; 0]);
}
