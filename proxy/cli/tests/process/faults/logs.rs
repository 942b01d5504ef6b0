//! Logs that nobody reads: full or closed, they cost lines and nothing else.

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::Unread;

use super::Scene;
use crate::metrics::value;

/// Calls that are refused, so that each has a line.
const CALLS: usize = 64;

/// At debug level each call has events, several hundred bytes of them; a pipe of one page is soon full.
const TALKATIVE: [&str; 2] = ["--log-level", "debug"];

impl Scene {
    async fn refuses_many(&self) {
        let stranger = "outbound_.1_._.nobody.default.svc.cluster.local";
        for _ in 0..CALLS {
            let saw = self.world.sidecar().sees(self.running.address, stranger).await;
            assert_eq!(saw, Saw::Alert(112));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_reads_hold_up_no_connection_and_no_end() {
    for unread in [Unread::Full, Unread::Closed] {
        let mut scene = Scene::with("", &TALKATIVE).await;
        scene.running.unhear(unread);
        for _ in 0..CALLS {
            scene.oracle.call_is_served(&scene.running).await;
        }
        // What is merely not read has room in the queue for a while.
        while unread == Unread::Closed && value(&scene.running, "landbridge_events_dropped_total") == 0 {}
        assert_eq!(scene.oracle.holds(scene.running).await, [""; 0], "{unread:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_log_that_is_read_at_the_end_only_holds_up_no_connection_and_is_whole() {
    let mut scene = Scene::set().await;
    scene.running.unread_access_log(Unread::Full);
    scene.refuses_many().await;
    assert_eq!(scene.oracle.holds(scene.running).await.len(), CALLS);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_log_that_is_closed_costs_lines_that_are_counted() {
    let mut scene = Scene::set().await;
    scene.running.unread_access_log(Unread::Closed);
    scene.refuses_many().await;
    while value(&scene.running, "landbridge_access_log_dropped_total") < CALLS as u64 {}
    scene.oracle.call_is_served(&scene.running).await;
    scene.oracle.leaves().await;
    scene.running.signal("TERM");
    scene.running.event("stopped");
    assert_eq!(scene.running.ended().0.code(), Some(0));
}
