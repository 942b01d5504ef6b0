//! What is kept on disk: used where there is no server, never against what was taken away.

use std::fs;

use landbridge_testkit::client::Saw;
use landbridge_testkit::strace::Strace;
use tokio::io::AsyncReadExt;

use crate::stage::{OTHER_MAY, SLEEP_MAY, Stage, echoes};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_was_killed_serves_from_disk_without_a_server() {
    let stage = Stage::set().await;
    let server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    server.until("it is synced", |told| told["state"] == "synced").await;
    gateway.until("it is on disk", |told| !told["snapshot"]["saved_at"].is_null()).await;
    server.kill();
    gateway.kill();
    let mut gateway = stage.start();
    gateway.listens().await;
    assert!(stage.serves(&gateway, "httpbin").await);
    assert_eq!(gateway.status("/healthz/ready"), 200);
    let told = gateway.control();
    assert_eq!((&told["stale"], &told["snapshot"]["began_with"]), (&true.into(), &"present".into()));
    // With a server again it is up to date, and nothing was to be changed.
    let server = stage.serve().await;
    server.until("it is synced", |told| told["state"] == "synced").await;
    gateway.until("it is up to date", |told| told["stale"] == false).await;
    assert!(stage.serves(&gateway, "httpbin").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_taken_away_cuts_its_stream_and_does_not_come_back_from_disk() {
    let stage = Stage::set().await;
    stage.edit("db", &stage.service("db", SLEEP_MAY));
    let server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    gateway.until("it is on disk", |told| !told["snapshot"]["saved_at"].is_null()).await;
    let (mut cut, mut kept) = (stage.stream(&gateway, "httpbin").await, stage.stream(&gateway, "db").await);
    stage.edit("httpbin", &stage.service("httpbin", OTHER_MAY));
    let end = cut.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(Saw::of(&end), Saw::Reset);
    // At once, before anything can be tidied up.
    let mut said = gateway;
    said.process.kill();
    assert!(kept.read(&mut [0; 1]).await.is_err());
    server.kill();

    let mut gateway = stage.start();
    gateway.says("no stream from the control server", 1).await;
    if gateway.process.output().contains("not ready and not listening") {
        // It was killed before the new state was on disk: nothing is served rather than what was taken away.
        let _server = stage.serve().await;
        gateway.listens().await;
    } else {
        gateway.listens().await;
    }
    assert_eq!(stage.ask(&gateway, "httpbin").await, Err(Saw::Alert(49)));
    assert!(stage.serves(&gateway, "db").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_third_start_within_minutes_begins_with_the_generation_before() {
    let stage = Stage::set().await;
    let server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    gateway.until("it is on disk", |told| !told["snapshot"]["saved_at"].is_null()).await;
    stage.edit("db", &stage.service("db", SLEEP_MAY));
    gateway.until("both are there", |told| told["resources"]["service"] == 2).await;
    server.until("it is synced", |told| told["state"] == "synced").await;
    server.kill();
    gateway.kill();
    let mut gateway = stage.start();
    gateway.listens().await;
    assert!(stage.serves(&gateway, "db").await);
    gateway.kill();
    let mut gateway = stage.start();
    gateway.listens().await;
    gateway.says("the third start within minutes", 1).await;
    assert_eq!(gateway.control()["snapshot"]["began_with"], "previous");
    assert_eq!(stage.ask(&gateway, "db").await, Err(Saw::Alert(112)));
    assert!(stage.serves(&gateway, "httpbin").await);
    // A server puts everything right, and a proper end is no crash.
    let _server = stage.serve().await;
    gateway.until("both are there", |told| told["resources"]["service"] == 2).await;
    assert!(stage.serves(&gateway, "db").await);
    gateway.process.signal("TERM");
    gateway.process.finished().await;
    assert!(!fs::exists(stage.path("state/snapshot.starts")).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_or_read_only_is_told_of_and_what_was_sent_is_in_force() {
    let Some(strace) = Strace::find() else { return };
    for (call, error) in [("fsync", "ENOSPC"), ("fsync", "EIO"), ("openat", "EROFS")] {
        let stage = Stage::set().await;
        let _server = stage.serve().await;
        let mut gateway = stage.start();
        gateway.listens().await;
        gateway.until("it is on disk", |told| !told["snapshot"]["saved_at"].is_null()).await;
        let mut stream = stage.stream(&gateway, "httpbin").await;
        let rule = format!("{call}:error={error}");
        let thread = (gateway.process.id(), "stream");
        let Some(injection) = strace.inject_into(thread, &[&rule], stage.world.folder.path()) else { return };
        stage.edit("db", &stage.service("db", SLEEP_MAY));
        gateway.in_force(2).await;
        assert!(stage.serves(&gateway, "db").await, "{error}");
        gateway.says("cannot be kept on disk", 1).await;
        gateway.until("it is told", |told| told["snapshot"]["write_error"].is_string()).await;
        assert_eq!(gateway.metric("landbridge_control_snapshot_failing"), 1, "{error}");
        assert!(gateway.asked(&["status"]).contains("state/snapshot: "));
        assert!(injection.over() > 0);
        gateway.says("kept on disk again", 1).await;
        assert_eq!(gateway.metric("landbridge_control_snapshot_failing"), 0, "{error}");
        echoes(&mut stream).await;
    }
}
