//! `log.access_format`: the line of one call, as a process writes it, in each format.

use landbridge_testkit::command::Running;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;

use crate::{LANDBRIDGE, PORTS};

/// The one line of one call of five bytes that were echoed.
async fn line_in(format: &str) -> String {
    let world = World::default();
    let endpoint = Server::echo().await;
    let log = format!("[timeouts]\ndrain_lag = \"off\"\n[log]\naccess_format = \"{format}\"\n");
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "") + &log;
    world.folder.write("gateway.toml", &toml);
    let mut running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);
    let answer = world.sidecar().ask(running.address, HTTPBIN, b"hello").await;
    assert_eq!(answer, Ok(b"hello".to_vec()));
    running.signal("TERM");
    running.event("stopped");
    let (_, log) = running.ended();
    let [line] = log.as_slice() else { panic!("{log:?}") };
    line.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_numbers_and_the_keys_of_both() {
    let line: Value = serde_json::from_str(&line_in("json").await).unwrap();
    assert_eq!((&line["bytes_received"], &line["response_code"]), (&5.into(), &0.into()));
    assert_eq!((&line["requested_server_name"], &line["trust"]), (&HTTPBIN.into(), &"cluster-1".into()));
    assert_eq!(line["method"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn asm_has_the_keys_of_alibaba_and_every_value_is_a_string() {
    let line: Value = serde_json::from_str(&line_in("asm").await).unwrap();
    assert_eq!((&line["bytes_received"], &line["response_code"]), (&"5".into(), &"0".into()));
    assert_eq!((&line["requested_server_name"], &line["trace_id"]), (&HTTPBIN.into(), &"-".into()));
    assert!(line.as_object().unwrap().values().all(Value::is_string), "{line}");
    assert!(line.get("trust").is_none(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_the_line_of_istio() {
    let line = line_in("text").await;
    assert!(line.starts_with('[') && line.contains("] \"- - -\" 0 - - - \"-\" 5 5 "), "{line}");
    let end = format!(" {HTTPBIN} httpbin.default.svc.cluster.local:8000");
    assert!(line.ends_with(&end), "{line}");
}
