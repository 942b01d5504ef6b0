//! Administration over HTTP: what it tells, what it does, and for whom.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::{Running, http_say};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{LANDBRIDGE, PORTS};

const INTENT: &str = "x-landbridge-admin: 1\r\n";

struct Scene {
    world: World,
    endpoint: Server,
    running: Running,
}

impl Scene {
    async fn set(ports: &str) -> Self {
        let world = World::default();
        let endpoint = Server::echo().await;
        let toml = ports.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "");
        world.folder.write("gateway.toml", &toml);
        let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
        Self { world, endpoint, running }
    }

    /// Status, head and body.
    fn ask(&self, method: &str, path: &str, headers: &str) -> (u16, String, String) {
        let host = if headers.contains("host:") { "" } else { "host: localhost:15000\r\n" };
        let request = format!("{method} {path} HTTP/1.1\r\n{host}{headers}connection: close\r\n\r\n");
        http_say(&self.running.admin(), &request)
    }

    fn told(&self, path: &str) -> Value {
        let (status, head, body) = self.ask("GET", path, "");
        assert_eq!(status, 200, "{path}: {body}");
        assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
        serde_json::from_str(&body).unwrap()
    }
}

/// The usual ports, with administration on a socket in the folder of the file.
fn on_socket() -> String {
    let (head, _) = PORTS.split_once("[admin]").unwrap();
    head.to_owned() + "[admin]\naddress = \"unix:admin.sock\"\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_how_the_gateway_is_what_it_serves_and_who_is_connected() {
    let scene = Scene::set(PORTS).await;
    let mut stream = scene.world.sidecar().connect(scene.running.address, HTTPBIN).await.unwrap();
    stream.write_all(b"ping").await.unwrap();
    stream.read_exact(&mut [0; 4]).await.unwrap();
    // It is bound before its workers accept.
    while scene.ask("GET", "/ready", "").0 != 200 {}

    let overview = scene.told("/api/v1/overview");
    assert_eq!(
        (&overview["phase"], &overview["generation"], &overview["drain"]),
        (&json!("serving"), &json!(1), &Value::Null)
    );
    assert_eq!(
        (&overview["connections"]["active"], &overview["connections"]["accepted"]),
        (&json!(1), &json!(1))
    );
    assert!(overview["connections"]["limit"].as_u64().unwrap() > 0);
    assert_eq!(
        (&overview["handshakes"]["in_flight"], &overview["memory"]["level"]),
        (&json!(0), &json!("calm"))
    );
    assert_eq!(overview["version"], env!("CARGO_PKG_VERSION"));
    assert!(!overview["node"]["id"].as_str().unwrap().is_empty());

    let services = scene.told("/api/v1/services?limit=1");
    let name = "httpbin.default.svc.cluster.local:8000";
    let service = json!({ "name": name, "mode": "terminate", "endpoints": { "usable": 1, "failing": 0 } });
    assert_eq!(services, json!({ "services": [service], "next": name }));
    assert_eq!(
        scene.told(&format!("/api/v1/services?after={name}")),
        json!({ "services": [], "next": null })
    );

    let connections = scene.told("/api/v1/connections");
    let one = &connections["connections"][0];
    assert_eq!(
        (&one["service"], &one["state"], &connections["next"]),
        (&json!(name), &json!("open"), &Value::Null)
    );
    assert_eq!(
        (&one["trust"], &one["peer"]),
        (&json!("cluster-1"), &json!("spiffe://cluster.local/ns/default/sa/sleep"))
    );
    assert_eq!((&one["bytes_received"], &one["bytes_sent"]), (&json!(4), &json!(4)));
    assert!(one["client"].as_str().unwrap().starts_with("127.0.0.1:") && one["age_ms"].is_u64());
    let beyond = scene.told(&format!("/api/v1/connections?after={}", one["id"]));
    assert_eq!(beyond, json!({ "connections": [], "next": null }));
    for wrong in ["limit=0", "limit=1001", "limit=x", "after=x", "else=1"] {
        assert_eq!(scene.ask("GET", &format!("/api/v1/connections?{wrong}"), "").0, 400, "{wrong}");
    }
    for path in ["/", "/help"] {
        let (status, head, body) = scene.ask("GET", path, "");
        assert!(
            status == 200 && body.contains("POST  /drain") && head.contains("text/plain"),
            "{head}{body}"
        );
    }
    assert_eq!(scene.ask("GET", "/config_dump", "").0, 404);
    assert_eq!(scene.ask("GET", "/healthz/live", "").2, "live\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_takes_post_intent_and_nobody_elses_page() {
    let scene = Scene::set(PORTS).await;
    while scene.ask("GET", "/ready", "").0 != 200 {}
    for path in ["/drain", "/reload"] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let (status, head, _) = scene.ask(method, path, INTENT);
            assert_eq!(status, 405, "{method} {path}");
            assert!(
                head.to_lowercase().contains("allow: post")
                    && !head.to_lowercase().contains("access-control"),
                "{head}"
            );
        }
        for headers in [
            String::new(),
            "x-landbridge-admin: yes\r\n".to_owned(),
            format!("{INTENT}host: evil.example\r\n"),
            format!("{INTENT}host: 10.0.0.1:15000\r\n"),
            format!("{INTENT}host: localhost\r\nhost: localhost\r\n"),
            format!("{INTENT}origin: http://evil.example\r\n"),
            format!("{INTENT}origin: null\r\n"),
        ] {
            assert_eq!(scene.ask("POST", path, &headers).0, 403, "{path} {headers}");
        }
        let large = format!("{INTENT}content-length: 20000\r\n");
        assert_eq!(scene.ask("POST", path, &large).0, 413, "{path}");
        let huge = format!("{INTENT}x-padding: {}\r\n", "x".repeat(40_000));
        assert_eq!(scene.ask("POST", path, &huge).0, 431, "{path}");
    }
    let (status, _, _) = http_say(
        &scene.running.admin(),
        &format!(
            "POST /drain HTTP/1.1\r\nhost: localhost\r\n{INTENT}transfer-encoding: chunked\r\nconnection: close\r\n\r\n5000\r\n{}\r\n0\r\n\r\n",
            "x".repeat(0x5000)
        ),
    );
    assert_eq!(status, 413);
    for path in ["/", "/ready", "/api/v1/overview", "/api/v1/services", "/api/v1/connections"] {
        assert_eq!(scene.ask("POST", path, INTENT).0, 405, "{path}");
        assert_eq!(scene.ask("GET", path, "host: evil.example\r\n").0, 403, "{path}");
        let (_, head, _) = scene.ask("GET", path, "");
        let head = head.to_lowercase();
        assert!(
            head.contains("cache-control: no-store") && head.contains("x-content-type-options: nosniff"),
            "{head}"
        );
        assert!(!head.contains("access-control"), "{head}");
    }
    let overview = scene.told("/api/v1/overview");
    assert_eq!((&overview["phase"], &overview["generation"]), (&json!("serving"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_says_what_became_of_it_and_keeps_the_last_good_configuration() {
    let scene = Scene::set(PORTS).await;
    let good = fs::read_to_string(scene.world.folder.path().join("gateway.toml")).unwrap();
    let added = good.clone()
        + &World::httpbin(&[scene.endpoint.address], "").replace("httpbin.default", "added.default");
    let other = HTTPBIN.replace("httpbin", "added");

    scene.world.folder.write("gateway.toml", &(added.clone() + "unknown_key = 1\n"));
    let (status, _, body) = scene.ask("POST", "/reload", INTENT);
    let refused: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &refused["result"]), (422, &json!("refused")));
    assert!(refused["problems"][0].as_str().unwrap().contains("there is no such key"), "{refused}");
    assert_eq!(scene.world.sidecar().sees(scene.running.address, &other).await, Saw::Alert(112));
    assert_eq!(scene.world.sidecar().ask(scene.running.address, HTTPBIN, b"old").await, Ok(b"old".to_vec()));

    scene.world.folder.write("gateway.toml", &(added + "[timeouts]\nidle = \"2h\"\n"));
    let (status, _, body) = scene.ask("POST", "/reload", INTENT);
    let applied: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &applied["result"]), (200, &json!("applied")));
    assert!(applied["warnings"][0].as_str().unwrap().contains("take effect at a restart"), "{applied}");
    while scene.told("/api/v1/overview")["generation"] == 1 {}
    assert_eq!(scene.world.sidecar().ask(scene.running.address, &other, b"new").await, Ok(b"new".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_is_its_owner_s_alone_and_gone_when_the_process_is() {
    let mut scene = Scene::set(&on_socket()).await;
    let place = scene.running.admin();
    let path = PathBuf::from(place.strip_prefix("unix:").unwrap());
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    // Neither intent nor host: the kernel says who asks.
    assert_eq!(http_say(&place, "POST /reload HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").0, 200);
    assert_eq!(http_say(&place, "GET /drain HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").0, 405);

    let second = Command::new(LANDBRIDGE)
        .arg("run")
        .arg("-c")
        .arg(scene.world.folder.path().join("gateway.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(second.status.code() == Some(1) && said.contains("another process listens there"), "{said}");
    assert!(path.exists());

    let drain = Command::new(LANDBRIDGE).args(["drain", "--wait", "--admin", &place]).output().unwrap();
    let said = String::from_utf8(drain.stdout).unwrap();
    assert!(drain.status.success() && said.ends_with("stopped\n"), "{said}");
    scene.running.event("stopped");
    assert_eq!(scene.running.ended().0.code(), Some(0));
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_nobody_listens_on_is_replaced_and_anything_else_is_left_alone() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = on_socket() + &World::head() + &World::httpbin(&[endpoint.address], "");
    world.folder.write("gateway.toml", &toml);
    let path = world.folder.path().join("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    assert_eq!(
        http_say(&running.admin(), "GET /live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").0,
        200
    );
    drop(running);

    // It was killed, so its socket is still there; in its place now is a file.
    fs::remove_file(&path).unwrap();
    world.folder.write("admin.sock", "precious");
    let refused = Command::new(LANDBRIDGE)
        .arg("run")
        .arg("-c")
        .arg(world.folder.path().join("gateway.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("no socket"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_holds_anything_of_a_key() {
    let scene = Scene::set(PORTS).await;
    let key = fs::read_to_string(scene.world.folder.path().join("gateway.key")).unwrap();
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    assert!(!lines.is_empty());
    let mut answers = String::new();
    for path in ["/", "/ready", "/live", "/api/v1/overview", "/api/v1/services", "/api/v1/connections"] {
        answers += &scene.ask("GET", path, "").2;
    }
    answers += &scene.ask("POST", "/reload", INTENT).2;
    // A key that is broken is complained of, not shown.
    scene.world.folder.write("gateway.key", &key.replace("-----END", ""));
    let (status, _, body) = scene.ask("POST", "/reload", INTENT);
    assert_eq!(status, 422, "{body}");
    answers += &body;
    answers += &scene.ask("POST", "/drain", INTENT).2;
    assert!(!answers.contains("BEGIN PRIVATE KEY"), "{answers}");
    for line in lines {
        assert!(!answers.contains(line), "{answers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_reach_is_warned_of_and_nobody_changes_anything_through_it() {
    let (head, _) = PORTS.split_once("[admin]").unwrap();
    let scene = Scene::set(&(head.to_owned() + "[admin]\naddress = \"0.0.0.0:0\"\n")).await;
    assert!(scene.running.said().iter().any(|line| line.contains("admin.address: nobody is authenticated")));
    let validated = Command::new(LANDBRIDGE)
        .arg("validate")
        .arg("-c")
        .arg(scene.world.folder.path().join("gateway.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8(validated.stdout).unwrap();
    assert!(validated.status.success() && said.contains("warning: admin.address"), "{said}");

    // From an address of this machine that is not a loopback one, where there is any; nothing is sent to find out.
    let probe = UdpSocket::bind("0.0.0.0:0").unwrap();
    let Ok(own) = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr()) else { return };
    let admin: SocketAddr = scene.running.admin().parse().unwrap();
    let from_outside = SocketAddr::new(own.ip(), admin.port()).to_string();
    let request =
        |line: &str| format!("{line} HTTP/1.1\r\nhost: localhost\r\n{INTENT}connection: close\r\n\r\n");
    assert_eq!(http_say(&from_outside, &request("GET /live")).0, 200);
    let (status, _, body) = http_say(&from_outside, &request("POST /drain"));
    assert_eq!((status, &*body), (403, "expected a client on this machine\n"));
}
