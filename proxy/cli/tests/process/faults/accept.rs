//! accept(2) that fails, for want of descriptors or for anything else.

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::http_get;
use landbridge_testkit::strace::Strace;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::HTTPBIN;

use super::Scene;

/// What is told each time the worker pauses.
const PAUSES: &str = "cannot accept; trying again";

#[tokio::test(flavor = "multi_thread")]
async fn without_descriptors_it_pauses_ever_longer_and_serves_who_waited_once_there_are_some() {
    let mut scene = Scene::set().await;
    scene.oracle.talk();
    // Fewer than are open already.
    scene.running.limit_open_files(Some(3));
    let mut waiting = Wire::hold_hello(&scene.world.sidecar(), scene.running.address, HTTPBIN).await;
    for pause in [10, 20, 40, 80] {
        let event = scene.running.event(PAUSES);
        assert!(event.contains("os error 24"), "{event}");
        assert!(event.contains(&format!("pause_ms={pause}")), "{event}");
    }
    scene.oracle.talk_goes_on(2).await;
    let health = scene.running.health;
    let asked = tokio::task::spawn_blocking(move || http_get(health, "/healthz/live"));
    scene.running.event("cannot accept an HTTP connection");

    scene.running.limit_open_files(None);
    assert_eq!(asked.await.unwrap().0, 200);
    assert_eq!(waiting.handshake().await, Ok(()));
    waiting.send(b"late").await;
    waiting.finish().await;
    assert_eq!(waiting.rest().await, (b"late".to_vec(), Saw::End));
    scene.oracle.counts_a_call();
    scene.oracle.hush().await;
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_accept_fails_with_costs_no_connection_and_no_listener() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::set().await;
    scene.oracle.talk();
    let errors =
        ["ECONNABORTED", "EINTR", "EPERM", "EPROTO", "ENETDOWN", "ENOBUFS", "ENOMEM", "ENFILE", "EMFILE"];
    for error in errors {
        let rule = format!("accept4:error={error}:when=1..2");
        let folder = scene.world.folder.path();
        let Some(injection) = strace.inject(&scene.running, &[&rule], folder) else { return };
        scene.oracle.call_is_served(&scene.running).await;
        assert_eq!(http_get(scene.running.health, "/healthz/ready").0, 200);
        // Two for the worker, and two for the thread that answers for its health.
        assert_eq!(injection.over(), 4, "{error}");
    }
    scene.oracle.hush().await;
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_one_connection_that_goes_on_and_on_ends_in_pauses_too() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::set().await;
    let rule = "accept4:error=EPERM:when=1..67";
    let folder = scene.world.folder.path();
    let Some(injection) = strace.inject(&scene.running, &[rule], folder) else { return };
    scene.oracle.call_is_served(&scene.running).await;
    // It passes over sixty-four in a row.
    for pause in [10, 20, 40] {
        let event = scene.running.event(PAUSES);
        assert!(event.contains("os error 1)"), "{event}");
        assert!(event.contains(&format!("pause_ms={pause}")), "{event}");
    }
    assert_eq!(injection.over(), 67);
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_epoll_has_no_room_for_ends_and_the_next_is_served() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::set().await;
    for error in ["ENOMEM", "ENOSPC"] {
        let rule = format!("epoll_ctl:error={error}:when=1");
        let folder = scene.world.folder.path();
        let Some(injection) = strace.inject(&scene.running, &[&rule], folder) else { return };
        let saw = scene.world.sidecar().sees(scene.running.address, HTTPBIN).await;
        assert!(matches!(saw, Saw::Reset | Saw::Cut), "{saw:?}");
        injection.over();
        scene.running.event(PAUSES);
        scene.oracle.call_is_served(&scene.running).await;
    }
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}
