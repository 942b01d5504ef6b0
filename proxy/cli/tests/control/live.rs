//! Changes while everything runs: what is seen of them, and what of servers that come and go.

use std::fs;

use landbridge_testkit::client::Saw;
use landbridge_testkit::process::until;

use crate::stage::{SLEEP_MAY, Stage, echoes};

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configuration_it_neither_listens_nor_is_ready_until_a_server_has_sent_one() {
    let stage = Stage::set().await;
    let mut gateway = stage.start();
    gateway.says("not ready and not listening for mTLS", 1).await;
    gateway.says("no stream from the control server", 1).await;
    assert_eq!((gateway.status("/healthz/ready"), gateway.status("/healthz/live")), (503, 200));
    assert_eq!(gateway.control()["connected"], serde_json::Value::Null);
    assert!(!gateway.process.output().contains("listening for mTLS\""));
    let server = stage.serve().await;
    gateway.listens().await;
    until("it is ready", async || (gateway.status("/healthz/ready") == 200).then_some(())).await;
    assert!(stage.serves(&gateway, "httpbin").await);
    server.until("it is synced", |told| told["state"] == "synced").await;
    let told = gateway.control();
    assert_eq!((&told["stale"], &told["resources"]["service"]), (&false.into(), &1.into()));
    assert_eq!(gateway.metric("landbridge_control_connected"), 1);
    let said = gateway.asked(&["status"]);
    assert!(said.starts_with("connected  to ") && said.contains("1 service"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_what_the_next_connection_sees_and_an_open_stream_goes_on() {
    let stage = Stage::set().await;
    let _server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    let mut stream = stage.stream(&gateway, "httpbin").await;
    assert_eq!(stage.ask(&gateway, "db").await, Err(Saw::Alert(112)));
    stage.edit("db", &stage.service("db", SLEEP_MAY));
    gateway.in_force(2).await;
    assert!(stage.serves(&gateway, "db").await);
    echoes(&mut stream).await;

    // The gateway's own file beside it: both are served, and what the file has stays its own.
    let own = stage.service("own", SLEEP_MAY);
    stage.world.folder.write("gateway.toml", &Stage::file("", &own));
    gateway.process.signal("HUP");
    until("the file's service is served", async || stage.serves(&gateway, "own").await.then_some(())).await;
    assert!(stage.serves(&gateway, "db").await);
    stage.edit("own", &stage.service("own", SLEEP_MAY));
    gateway.says("own.default.svc.cluster.local:8000", 2).await;
    let told = gateway.until("the conflict", |told| told["refused_count"] == 1).await;
    assert_eq!(told["refused"][0]["code"], "conflict");
    assert!(stage.serves(&gateway, "own").await);
    echoes(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_named_everywhere_and_the_rest_of_the_update_is_in_force() {
    let stage = Stage::set().await;
    let server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    // What no server can know: the gateway has no identity of this name.
    let wrong = stage.service("wrong", SLEEP_MAY) + "identity = 'nobody'\n" + &stage.service("db", SLEEP_MAY);
    stage.edit("more", &wrong);
    gateway.in_force(2).await;
    assert!(stage.serves(&gateway, "db").await && stage.serves(&gateway, "httpbin").await);
    assert_eq!(stage.ask(&gateway, "wrong").await, Err(Saw::Alert(112)));
    let name = "wrong.default.svc.cluster.local:8000";
    gateway.says(&format!("name={name} field=\"identity\""), 1).await;
    let told = gateway.until("it is told", |told| told["refused_count"] == 1).await;
    assert_eq!(
        (&told["refused"][0]["name"], &told["refused"][0]["field"]),
        (&name.into(), &"identity".into())
    );
    assert_eq!(gateway.metric("landbridge_control_nacks_total"), 1);
    let told = server.until("the server knows", |told| told["state"] == "refusing").await;
    assert_eq!(
        (&told["refused"][0]["name"], &told["refused"][0]["field"]),
        (&name.into(), &"identity".into())
    );
    let said = gateway.asked(&["status"]);
    assert!(said.contains(&format!("refused    service {name}: identity ")), "{said}");
    // Put right, it is served.
    stage.edit("more", &wrong.replace("identity = 'nobody'\n", ""));
    server.until("it is synced", |told| told["state"] == "synced").await;
    assert!(stage.serves(&gateway, "wrong").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_server_a_gateway_goes_on_and_with_the_next_one_it_resumes() {
    let stage = Stage::set().await;
    let server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    let mut stream = stage.stream(&gateway, "httpbin").await;
    server.kill();
    gateway.says("no stream from the control server", 1).await;
    echoes(&mut stream).await;
    assert!(stage.serves(&gateway, "httpbin").await);
    gateway.until("it is cut off", |told| told["connected"].is_null()).await;
    assert_eq!(gateway.status("/healthz/ready"), 200);
    assert_eq!(gateway.metric("landbridge_control_connected"), 0);

    // Changed while nobody looked.
    stage.edit("db", &stage.service("db", SLEEP_MAY));
    let server = stage.serve().await;
    gateway.in_force(2).await;
    assert!(stage.serves(&gateway, "db").await && stage.serves(&gateway, "httpbin").await);
    server.until("it is synced", |told| told["state"] == "synced").await;
    echoes(&mut stream).await;
    assert_eq!(
        fs::read_to_string(stage.path("state/snapshot")).unwrap().matches("\"name\":\"db.").count(),
        2
    );
}
