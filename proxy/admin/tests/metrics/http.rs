//! Metrics over HTTP, and what Prometheus's own tool says of them.

use std::io::Write;
use std::process::{Command, Stdio};

use landbridge_admin::serve_metrics;
use landbridge_testkit::command::http_get;
use landbridge_testkit::peer;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::net::TcpListener;

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn both_paths_answer_with_the_text_format_and_others_with_a_hint() {
    let scene = Scene::set("").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_metrics(listener, scene.metrics.clone(), scene.watched()));
    for path in ["/stats/prometheus", "/metrics"] {
        let (status, body) = http_get(address, path);
        assert_eq!(status, 200, "{body}");
        assert!(body.contains("# TYPE landbridge_connections_total counter\n"), "{body}");
        assert!(body.contains("\nprocess_open_fds "), "{body}");
    }
    assert_eq!(http_get(address, "/").0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_accepts_gzip_gets_the_same_text_in_less() {
    let Some(curl) = peer::find("curl", "apt-get install curl") else { return };
    let scene = Scene::set("").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    tokio::spawn(serve_metrics(listener, scene.metrics.clone(), scene.watched()));
    let said = |arguments: &[&str]| {
        let output = Command::new(&curl).args(["-sS", "-D", "-"]).args(arguments).arg(&url).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let end = output.stdout.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        (String::from_utf8(output.stdout[..end].to_vec()).unwrap(), output.stdout[end..].to_vec())
    };
    let (head, packed) = said(&["-H", "accept-encoding: gzip"]);
    assert!(
        head.contains("content-encoding: gzip\r\n") && head.contains("vary: accept-encoding\r\n"),
        "{head}"
    );
    assert!(packed.starts_with(&[0x1f, 0x8b]));
    let (_, opened) = said(&["--compressed"]);
    let (head, plain) = said(&[]);
    assert!(!head.contains("content-encoding"), "{head}");
    // What the process itself uses may differ between two scrapes.
    let ours = |body: &[u8]| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.lines().filter(|line| !line.starts_with("process_")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ours(&opened), ours(&plain));
    assert!(packed.len() * 3 < plain.len(), "{} of {}", packed.len(), plain.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_to_complain_about() {
    let Some(promtool) = peer::find("promtool", "apt-get install prometheus") else { return };
    let (endpoint, nobody) = (Server::echo().await, Server::nobody().await);
    let mut scene = Scene::set(&World::httpbin(&[endpoint.address, nobody], "")).await;
    for _ in 0..4 {
        let answer = scene.world.sidecar().ask(scene.gateway.address, HTTPBIN, b"hello").await;
        assert_eq!(answer, Ok(b"hello".to_vec()));
        scene.gateway.outcome().await;
    }
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(scene.scrape().0.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
