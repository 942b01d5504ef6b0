//! Trust by the stream: only where the gateway's file lets it.

use std::fs;

use landbridge_testkit::client::{Saw, Sidecar};
use landbridge_testkit::pki::Mesh;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{SLEEP_MAY, Stage, sni};

const BUNDLE: &str = "[[trust]]\nname = 'cluster-3'\ndomain = 'cluster.local'\nbundle = 'cluster-3.pem'\n";
const THIRD_MAY: &str = "{ id = 'spiffe://cluster.local/ns/default/sa/sleep', from = 'cluster-3' }";

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_refused_unless_the_file_says_that_the_stream_may_bring_one() {
    let stage = Stage::set().await;
    let third = Mesh::new("cluster.local");
    stage.world.folder.write("fleet/trust/cluster-3.pem", &third.bundle());
    stage.world.folder.write("fleet/trust/third.toml", BUNDLE);
    let server = stage.serve().await;
    let mut gateway = stage.start();
    gateway.listens().await;
    let told = gateway.until("it is refused", |told| told["refused_count"] == 1).await;
    let refused = &told["refused"][0];
    assert_eq!((&refused["type"], &refused["code"]), (&"trust_bundle".into(), &"forbidden".into()));
    assert!(stage.serves(&gateway, "httpbin").await);
    server.until("the server knows", |told| told["state"] == "refusing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_a_bundle_that_the_stream_brought_are_let_in_and_cut_when_it_is_gone() {
    let stage = Stage::set().await;
    let third = Mesh::new("cluster.local");
    let caller = Sidecar::new(&third.svid("ns/default/sa/sleep"), &stage.world.local.bundle());
    let server = stage.serve().await;
    let mut gateway = stage.start_with(&Stage::file("may = ['service', 'endpoints', 'policy', 'trust']", ""));
    gateway.listens().await;
    let refused = caller.ask(gateway.address(), &sni("httpbin"), b"hello").await;
    assert_eq!(refused, Err(Saw::Alert(48)), "nobody knows its CA");

    stage.world.folder.write("fleet/trust/cluster-3.pem", &third.bundle());
    stage.world.folder.write("fleet/trust/third.toml", BUNDLE);
    stage.edit("httpbin", &stage.service("httpbin", &format!("{SLEEP_MAY}, {THIRD_MAY}")));
    server.until("it is synced", |told| told["state"] == "synced" && told["seq"].as_str() > Some("1")).await;
    gateway.until("the bundle is there", |told| told["resources"]["trust_bundle"] == 1).await;
    gateway.until("nothing is refused", |told| told["refused_count"] == 0).await;
    let mut stream = caller.connect(gateway.address(), &sni("httpbin")).await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0; 1]).await.unwrap();
    let mut of_another = stage.stream(&gateway, "httpbin").await;

    stage.edit("httpbin", &stage.service("httpbin", SLEEP_MAY));
    fs::remove_file(stage.path("fleet/trust/third.toml")).unwrap();
    assert_eq!(Saw::of(&stream.read(&mut [0; 1]).await.unwrap_err()), Saw::Reset);
    gateway.until("the bundle is gone", |told| told["resources"]["trust_bundle"] == 0).await;
    let refused = caller.ask(gateway.address(), &sni("httpbin"), b"hello").await;
    assert_eq!(refused, Err(Saw::Alert(48)));
    crate::stage::echoes(&mut of_another).await;
}
