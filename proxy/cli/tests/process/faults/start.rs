//! What keeps the process from starting, and what a running one is told by signals.

use std::fs;
use std::process::Command;
use std::time::Duration;

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::http_get;
use landbridge_testkit::process::Process;
use landbridge_testkit::strace::Strace;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::time::timeout;

use super::Scene;
use crate::{LANDBRIDGE, PORTS};

fn world() -> World {
    let world = World::default();
    world.folder.write("gateway.toml", &(PORTS.to_owned() + &World::head() + &World::httpbin(&[], "")));
    world
}

#[test]
fn too_few_open_files_are_told_with_how_many_there_must_be() {
    let world = world();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" run -c gateway.toml", LANDBRIDGE])
        .current_dir(world.folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the limit of 64 open files") && text.contains("at least 258"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_cannot_be_started_is_told_and_nothing_serves_by_halves() {
    let Some(strace) = Strace::find() else { return };
    let world = world();
    let folder = world.folder.path();
    // The logs, two workers and who waits for them, and the watcher.
    for first in 1..=6 {
        let rule = format!("?clone3,?clone:error=EAGAIN:when={first}+");
        let mut command = strace.starting(&[&rule], LANDBRIDGE, folder);
        command.args(["run", "--workers", "2", "-c", "gateway.toml"]);
        let ended = Process::start(&mut command, folder).finished().await;
        assert!(!ended.success, "{first}: {}", ended.output);
        let last = ended.output.lines().last().unwrap_or_default();
        assert!(last.starts_with("landbridge: cannot "), "{first}: {}", ended.output);
        assert!(last.contains("os error 11"), "{first}: {}", ended.output);
        assert!(!ended.output.contains("panicked"), "{first}: {}", ended.output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_randomness_of_the_kernel_it_does_not_start() {
    let Some(strace) = Strace::find() else { return };
    let world = world();
    let folder = world.folder.path();
    // As by a seccomp filter. That the call is not there at all is told by ENOSYS: then it is read from /dev/urandom.
    let mut command = strace.starting(&["getrandom:error=EPERM"], LANDBRIDGE, folder);
    command.args(["run", "-c", "gateway.toml"]);
    let ended = Process::start(&mut command, folder).finished().await;
    assert!(!ended.success, "{}", ended.output);
    assert!(ended.output.contains("getrandom"), "{}", ended.output);
    assert!(!ended.output.contains("listening"), "{}", ended.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_getrandom_is_not_there_keys_are_made_from_dev_urandom() {
    let Some(strace) = Strace::find() else { return };
    let world = world();
    let folder = world.folder.path();
    let mut keys = Vec::new();
    for name in ["one", "two"] {
        let mut command = strace.starting(&["getrandom:error=ENOSYS"], LANDBRIDGE, folder);
        command.args(["certs", "ca", "--domain", "cluster.local", "--name", name]);
        let ended = Process::start(&mut command, folder).finished().await;
        assert!(ended.success, "{}", ended.output);
        keys.push(fs::read_to_string(folder.join(format!("{name}-ca.key"))).unwrap());
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_stopped_for_longer_than_its_limits_goes_on_where_it_was() {
    let limits = "[timeouts]\nclient_hello = \"1s\"\nidle = \"1s\"\n";
    let mut scene = Scene::with(limits, &["--hang-after", "1s"]).await;
    scene.oracle.talk();
    let mut caller = Wire::hold_hello(&scene.world.sidecar(), scene.running.address, HTTPBIN).await;
    scene.running.signal("STOP");
    scene.running.until_state('T').await;
    let hello = caller.flight();
    caller.send_raw(&hello).await;
    let silence = timeout(Duration::from_millis(1500), caller.heard()).await;
    assert!(silence.is_err(), "whoever is stopped answers nobody");
    scene.running.signal("CONT");
    assert_eq!(http_get(scene.running.health, "/healthz/live"), (200, "live\n".to_owned()));

    scene.oracle.talk_goes_on(2).await;
    assert_eq!(caller.handshake().await, Ok(()));
    caller.send(b"patience").await;
    caller.finish().await;
    assert_eq!(caller.rest().await, (b"patience".to_vec(), Saw::End));
    scene.oracle.counts_a_call();
    scene.oracle.hush().await;
    assert!(!scene.running.events().iter().any(|event| event.contains("hangs")));
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigpipe_is_nothing_to_it() {
    let mut scene = Scene::set().await;
    scene.oracle.talk();
    scene.running.signal("PIPE");
    scene.oracle.talk_goes_on(2).await;
    scene.oracle.hush().await;
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_notices_of_the_file_system_it_polls_and_says_so() {
    let Some(strace) = Strace::find() else { return };
    let mut scene = Scene::set().await;
    let folder = scene.world.folder.path();
    let rule = "inotify_add_watch:error=ENOSPC";
    let Some(injection) = strace.inject(&scene.running, &[rule], folder) else { return };
    // A configuration that is applied is watched anew.
    scene.running.signal("HUP");
    scene.running.event("certificates are polled instead");
    injection.over();
    assert_eq!(scene.oracle.holds(scene.running).await, [""; 0]);
}
