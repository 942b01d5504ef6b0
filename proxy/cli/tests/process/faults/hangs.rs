//! A worker that is stuck, which a thread is whose system call does not return.

use landbridge_testkit::command::{Running, http_get};
use landbridge_testkit::process::until;
use landbridge_testkit::strace::Strace;

use super::Scene;
use crate::metrics::value;

async fn until_live(running: &Running, status: u16) -> String {
    until("liveness to change", async || {
        let (now, body) = http_get(running.health, "/healthz/live");
        (now == status).then_some(body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_fails_liveness_until_it_goes_on() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::with("", &["--hang-after", "1s"]).await;
    let folder = scene.world.folder.path();
    let Some(injection) = strace.hold(&scene.running, "worker-0", "?epoll_wait,epoll_pwait", folder) else {
        return;
    };
    scene.running.event("a worker hangs");
    assert_eq!(until_live(&scene.running, 503).await, "not live: a worker hangs\n");
    assert_eq!(http_get(scene.running.health, "/healthz/ready").0, 200, "that is another question");
    assert_eq!(value(&scene.running, "landbridge_workers_hanging"), 1);
    injection.over();
    scene.running.event("goes on");
    until_live(&scene.running, 200).await;
    assert_eq!(value(&scene.running, "landbridge_workers_hanging"), 0);
    scene.oracle.stream_is_exact().await;
    let hangs = scene.running.events().iter().filter(|event| event.contains("a worker hangs")).count();
    assert_eq!(hangs, 1);
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}
