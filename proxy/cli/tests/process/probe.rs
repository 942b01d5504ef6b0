//! `landbridge probe`: a health check that needs nothing else in the image.

use std::process::Command;

use landbridge_testkit::command::Running;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::World;

use crate::{LANDBRIDGE, PORTS};

/// Exit code, standard output, standard error.
fn probe(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(LANDBRIDGE).arg("probe").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_gateway_is_asked_for_its_health_until_it_drains() {
    let world = World::default();
    let drain = "[timeouts]\ndrain_lag = \"1h\"\ndrain = \"2h\"\n";
    world.folder.write("gateway.toml", &(PORTS.to_owned() + &World::head() + drain));
    let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    let url = |path: &str| format!("http://{}{path}", running.health);
    // It is bound before its workers accept.
    while probe(&[&url("/healthz/ready")]).0 != Some(0) {}
    let ready = probe(&[&url("/healthz/ready")]);
    assert_eq!(ready, (Some(0), "200 OK: ready\n".to_owned(), String::new()));
    assert_eq!(probe(&[&url("/elsewhere")]).0, Some(1));
    let metrics = format!("http://localhost:{}/metrics", running.metrics.port());
    assert_eq!(probe(&[&metrics]).0, Some(0));
    running.signal("TERM");
    while probe(&[&url("/healthz/ready")]).0 == Some(0) {}
    let draining = probe(&[&url("/healthz/ready")]);
    assert_eq!(draining.1, "503 Service Unavailable: not ready: draining\n");
    assert_eq!(probe(&[&url("/healthz/live")]).0, Some(0));
    // The drain would last for hours; a second signal ends it.
    running.signal("TERM");
    running.ended();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said_and_exits_1_or_2() {
    let nobody = Server::nobody().await;
    let (code, _, said) = probe(&[&format!("http://{nobody}/")]);
    assert!(code == Some(1) && said.contains("cannot ask http://") && said.contains("refused"), "{said}");

    let silent = Server::start(|tcp| async move {
        let _held = tcp;
        std::future::pending::<()>().await;
    })
    .await;
    let (code, _, said) = probe(&[&format!("http://{}/", silent.address), "--timeout", "50ms"]);
    assert!(code == Some(1) && said.contains("no answer within 50ms"), "{said}");

    let greeter = Server::greeter("220 not HTTP\r\n").await;
    assert_eq!(probe(&[&format!("http://{}/", greeter.address)]).0, Some(1));
    let (code, _, said) = probe(&["https://127.0.0.1/"]);
    assert!(code == Some(1) && said.contains("only http"), "{said}");
    assert_eq!(probe(&[]).0, Some(2));
    assert_eq!(probe(&["http://["]).0, Some(2));
}
