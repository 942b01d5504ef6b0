//! `landbridge explain`: what it tells, how it exits, and that the gateway does what it tells.

use std::process::Command;

use landbridge_testkit::client::{Saw, Sidecar};
use landbridge_testkit::command::Running;
use landbridge_testkit::server::Server;
use landbridge_testkit::world::{HTTPBIN, World};
use serde_json::Value;

use crate::{LANDBRIDGE, PORTS};

const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";

/// Exit code, standard output and standard error.
fn explain(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(LANDBRIDGE);
    command.arg("explain").args(arguments).args(["-c", "gateway.toml"]).current_dir(world.folder.path());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn verdict(world: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, text, _) = explain(world, &[arguments, &["--format", "json"]].concat());
    let story: Value = serde_json::from_str(&text).unwrap();
    (code, story["verdict"].clone())
}

fn world(toml: &str) -> World {
    let world = World::default();
    world.folder.write("gateway.toml", toml);
    world
}

#[test]
fn a_call_is_told_step_by_step() {
    let world = world(&(World::head() + &World::httpbin(&["192.0.2.1:80".parse().unwrap()], "")));
    let (code, text, _) = explain(&world, &[HTTPBIN, "--identity", SLEEP, "--trust", "cluster-1"]);
    let expected = format!(
        "\
name       a server name that TLS can carry
route      it is the key of service httpbin.default.svc.cluster.local:8000
endpoints  one
           - 192.0.2.1:80 weight 1, priority 0
tls        terminated: the gateway presents the gateway's own identity and demands the caller's certificate
           - ALPN: the first of the client's list among istio-http/1.1, istio-http/1.0, istio-h2, istio, h2, \
http/1.1; none if nothing overlaps
caller     {SLEEP}, for whom cluster-1 vouches
           - if cluster-1 vouches: let in by allow[0] {SLEEP} from cluster-1
verdict    let in
"
    );
    assert_eq!((code, text), (Some(0), expected));
}

/// What is documented of the command.
const REFERENCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/routing.md"));

#[test]
fn the_transcript_of_the_reference_is_what_it_prints() {
    let world = world(&(World::head() + &World::httpbin(&["192.0.2.1:80".parse().unwrap()], "")));
    let (_, rest) = REFERENCE.split_once("```text\n$ landbridge explain ").unwrap();
    let (command, rest) = rest.split_once('\n').unwrap();
    let documented = rest.split_once("```").unwrap().0;
    let (code, text, _) = explain(&world, &[command.split(' ').next().unwrap()]);
    assert_eq!((code, text.as_str()), (Some(1), documented));
}

#[test]
fn it_needs_no_file_but_the_configuration() {
    let toml = World::head() + &World::httpbin(&["192.0.2.1:80".parse().unwrap()], "");
    let world = world(&toml.replace("cluster-1.pem", "absent.pem").replace("gateway.key", "absent.key"));
    assert_eq!(explain(&world, &[HTTPBIN]).0, Some(0));
}

#[test]
fn what_cannot_be_answered_exits_2_and_says_why() {
    let broken = world("[listener]\nadress = \"127.0.0.1:0\"\n");
    let (code, _, said) = explain(&broken, &[HTTPBIN]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("gateway.toml:2:1: error") && said.contains("did you mean `address`?"), "{said}");

    let world = world(&(World::head() + &World::httpbin(&["192.0.2.1:80".parse().unwrap()], "")));
    let (code, _, said) = explain(&world, &[HTTPBIN, "--trust", "cluster-3"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("its entries are: cluster-1, cluster-2"), "{said}");
    let (code, _, said) = explain(&world, &[HTTPBIN, "--identity", "sleep"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("a SPIFFE ID begins with"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_tells_is_what_the_gateway_does() {
    let endpoint = Server::echo().await;
    let more =
        "sni = [\"*.apps.example\"]\n[[service.subset]]\nname = \"v1\"\nlabels = { version = \"v1\" }\n";
    let audited = format!(
        "[[service]]\nhost = \"audited.example\"\nport = 80\nauthorization = \"audit\"\nendpoints = [{{ address = \
         \"{}\" }}]\n",
        endpoint.address
    );
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], more) + &audited;
    let world = world(&(toml + "[timeouts]\ndrain_lag = \"off\"\n"));
    let running = Running::start(LANDBRIDGE, &world.folder.path().join("gateway.toml"), &[]);

    let bad = world.remote.svid("ns/default/sa/bad");
    let local = world.local.svid("ns/default/sa/sleep");
    let callers: [(&str, &str, Sidecar); 3] = [
        ("cluster-1", SLEEP, world.sidecar()),
        ("cluster-1", "spiffe://cluster.local/ns/default/sa/bad", world.sidecar_of(&bad)),
        ("cluster-2", SLEEP, world.sidecar_of(&local)),
    ];
    let names = [
        HTTPBIN,
        "OUTBOUND_.8000_._.httpbin.default.svc.cluster.local",
        "outbound_.08000_._.httpbin.default.svc.cluster.local",
        "outbound_.8000_.v1_.httpbin.default.svc.cluster.local",
        "outbound_.80_._.audited.example",
        "x.y.apps.example",
        "apps.example",
        "10.0.0.7",
    ];
    let mut let_in = 0;
    for (trust, identity, sidecar) in &callers {
        for name in names {
            let (code, told) = verdict(&world, &[name, "--identity", identity, "--trust", trust]);
            let alert = told["refusal"]["alert"].as_u64().map(|alert| u8::try_from(alert).unwrap());
            let expected = match alert {
                None => Ok(b"hello".to_vec()),
                Some(alert) => Err(Saw::Alert(alert)),
            };
            let seen = sidecar.ask(running.address, name, b"hello").await;
            assert_eq!(seen, expected, "{name} by {identity} of {trust}: {told}");
            assert_eq!(code, Some(i32::from(alert.is_some())), "{name}: {told}");
            let_in += i32::from(alert.is_none());
        }
    }
    assert_eq!(let_in, 3 + 3, "each name of the service for the first caller, and the audited one for all");
}
