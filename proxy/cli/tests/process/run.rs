//! `landbridge run`: what it says, what it serves, what it refuses to start with.

use std::net::TcpListener;
use std::process::Command;

use landbridge_testkit::command::{Running, http_get};
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};

use crate::{LANDBRIDGE, PORTS};

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_from_a_file_serves_logs_and_answers_for_its_health() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "");
    world.folder.write("gateway.toml", &(toml + "[timeouts]\ndrain_lag = \"off\"\n"));
    let mut running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    // It is bound before its workers accept.
    while http_get(running.health, "/healthz/ready").0 == 503 {}
    assert_eq!(http_get(running.health, "/healthz/ready"), (200, "ready\n".to_owned()));
    assert_eq!(http_get(running.health, "/healthz/live"), (200, "live\n".to_owned()));
    assert_eq!(http_get(running.health, "/elsewhere").0, 404);

    let answer = world.sidecar().ask(running.address, HTTPBIN, b"hello").await;
    assert_eq!(answer, Ok(b"hello".to_vec()));
    running.signal("TERM");
    running.event("stopped");
    let (status, log) = running.ended();
    assert_eq!(status.code(), Some(0));
    assert_eq!(log.len(), 1, "{log:?}");
    let line: serde_json::Value = serde_json::from_str(&log[0]).unwrap();
    assert_eq!(line["response_flags"], "-");
    assert_eq!(line["requested_server_name"], HTTPBIN);
    assert_eq!(line["downstream_peer_uri_san"], "spiffe://cluster.local/ns/default/sa/sleep");
    assert_eq!((&line["bytes_received"], &line["bytes_sent"]), (&5.into(), &5.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_debug_level_each_caller_that_is_let_in_is_told_with_its_grant() {
    let world = World::default();
    let endpoint = Server::echo().await;
    let subset = "[[service.subset]]\nname = \"v1\"\nlabels = { all = \"yes\" }\nallow = [\n\
        { id = \"spiffe://elsewhere.example/*\", alias_of = \"cluster.local\" },\n\
        { id = \"spiffe://cluster.local/*\", alias_of = \"elsewhere.example\" },\n]";
    let address = format!("address = \"{}\"", endpoint.address);
    let service = World::httpbin(&[endpoint.address], subset)
        .replace(&address, &format!("{address}, labels = {{ all = \"yes\" }}"));
    let toml = PORTS.to_owned() + &World::head() + &service + "[timeouts]\ndrain_lag = \"off\"\n";
    world.folder.write("gateway.toml", &toml);
    let config = world.folder.path().join("gateway.toml");
    let mut running = Running::start(LANDBRIDGE, &config, &["--log-level", "info,landbridge=debug"]);
    let id = "spiffe://cluster.local/ns/default/sa/sleep";
    let cases = [
        (HTTPBIN.to_owned(), format!("index=0 grant={id} from cluster-1 alias=false generation=1")),
        (
            HTTPBIN.replace("_._", "_.v1_"),
            "index=1 grant=spiffe://cluster.local/* (alias of elsewhere.example) alias=true generation=1"
                .to_owned(),
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(world.sidecar().ask(running.address, &name, b"x").await, Ok(b"x".to_vec()));
        let line = running.event("permitted");
        let caller = format!("identity={id} trust=cluster-1");
        assert!(line.contains(&expected) && line.contains(&caller), "{line}");
        assert!(line.contains("httpbin.default.svc.cluster.local:8000"), "{line}");
        assert_eq!(line.contains("subset=\"v1\""), name != HTTPBIN, "{line}");
    }
}

#[test]
fn what_keeps_it_from_starting_is_said_in_a_sentence_and_exits_1() {
    let world = World::default();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ports = PORTS.replacen("127.0.0.1:0", &address.to_string(), 1);
    world.folder.write("taken.toml", &(ports + &World::head() + &World::httpbin(&[], "")));
    world.folder.write("broken.toml", "[listener]\nadress = \"127.0.0.1:0\"\n");
    let cases = [
        ("taken.toml", format!("cannot listen on {address}"), "another process has the port"),
        ("broken.toml", "there is no such key".to_owned(), "did you mean `address`?"),
        ("absent.toml", "cannot be opened".to_owned(), "No such file"),
    ];
    for (file, said, also) in cases {
        let path = world.folder.path().join(file);
        let output = Command::new(LANDBRIDGE).arg("run").arg("-c").arg(&path).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&said) && text.contains(also), "{file}: {text}");
    }
}

#[test]
fn a_wrong_use_exits_2_and_version_names_revision_and_crypto() {
    let output = Command::new(LANDBRIDGE).args(["run"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = Command::new(LANDBRIDGE).args(["--version"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("revision: ") && text.contains("aws-lc-rs"), "{text}");
}
