//! Which endpoint a connection goes to, and what becomes of it when one does not answer.

use landbridge::outcome::{Flag, Outcome, Reason};
use landbridge_testkit::client::Saw;
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::{Refusing, Server, Silent};
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};

/// A service with endpoints as written, and further keys.
fn service(endpoints: &[String], more: &str) -> String {
    World::httpbin(&[], more).replace("endpoints = []", &format!("endpoints = [{}]", endpoints.join(", ")))
}

fn at(address: impl std::fmt::Display, more: &str) -> String {
    format!("{{ address = \"{address}\"{more} }}")
}

async fn calls(world: &World, gateway: &mut TestGateway) -> (Result<Vec<u8>, Saw>, Outcome) {
    let answer = world.sidecar().ask(gateway.address, HTTPBIN, b"x").await;
    (answer, gateway.outcome().await)
}

/// Calls, succeeds, and says where it got.
async fn reaches(world: &World, gateway: &mut TestGateway) -> Outcome {
    let (answer, outcome) = calls(world, gateway).await;
    assert_eq!(answer, Ok(b"x".to_vec()), "{outcome:?}");
    assert_eq!(outcome.reason, Reason::Done);
    outcome
}

/// Connections that are held open, each heard by its endpoint.
async fn hold(world: &World, gateway: &TestGateway, count: usize) -> Vec<Wire> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut client = Wire::secure(&world.sidecar(), gateway.address, HTTPBIN).await;
        client.send(b"x").await;
        assert_eq!(client.receive(1).await, b"x");
        held.push(client);
    }
    held
}

#[tokio::test]
async fn one_endpoint_of_three_that_refuses_is_nobody_s_problem() {
    let world = World::default();
    let refusing = Refusing::bind();
    let (second, third) = (Server::echo().await, Server::echo().await);
    let addresses = [refusing.address, second.address, third.address];
    let mut gateway = world.gateway(&World::httpbin(&addresses, "balance = \"round_robin\"")).await;
    let mut retried = 0;
    for _ in 0..50 {
        let upstream = reaches(&world, &mut gateway).await.upstream.unwrap();
        assert_ne!(upstream.host, refusing.address);
        assert!((1..=2).contains(&upstream.attempts), "{upstream:?}");
        retried += upstream.attempts - 1;
    }
    // The first round meets it; then it is passed over for longer and longer.
    assert!((1..=17).contains(&retried), "{retried}");
    assert_eq!(second.accepted() + third.accepted(), 50);
}

#[tokio::test]
async fn the_only_endpoint_s_refusal_is_a_reset_and_while_it_is_passed_over_an_alert_before_server_hello() {
    let world = World::default();
    let refusing = Refusing::bind();
    let address = refusing.address;
    let mut gateway = world.gateway(&World::httpbin(&[address], "")).await;
    // Each refusal doubles the pause, so that sooner or later a caller falls into it on any machine.
    let mut refusals = 0;
    loop {
        let (answer, outcome) = calls(&world, &mut gateway).await;
        assert_eq!((outcome.received, outcome.sent), (0, 0));
        assert!(outcome.refused());
        if answer == Err(Saw::Alert(80)) {
            assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::NoEndpoint, Flag::Uh));
            assert_eq!((outcome.upstream, outcome.peer), (None, None));
            break;
        }
        assert_eq!(answer, Err(Saw::Reset));
        assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::ConnectRefused, Flag::Uf));
        let upstream = outcome.upstream.unwrap();
        assert_eq!((upstream.host, upstream.attempts, upstream.connect), (address, 1, None));
        refusals += 1;
        assert!(refusals < 20, "the pause never came");
    }
    assert!(refusals > 0, "nothing is known of an endpoint before the first call");

    // It is asked again once its pause is over.
    let server = refusing.listen().echo();
    while calls(&world, &mut gateway).await.0 != Ok(b"x".to_vec()) {}
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_subset_leads_to_the_endpoints_with_its_labels_only_and_an_unknown_one_nowhere() {
    let world = World::default();
    let (v1, v2, bare) = (Server::echo().await, Server::echo().await, Server::echo().await);
    let endpoints = [
        at(v1.address, ", labels = { version = \"v1\", zone = \"a\" }"),
        at(v2.address, ", labels = { version = \"v2\" }"),
        at(bare.address, ""),
    ];
    let subsets = "balance = \"round_robin\"\n\
        [[service.subset]]\nname = \"v1\"\nlabels = { version = \"v1\" }\n\
        [[service.subset]]\nname = \"v2\"\nlabels = { version = \"v2\" }\n\
        [[service.subset]]\nname = \"none\"\nlabels = { version = \"v3\" }\n";
    let mut gateway = world.gateway(&service(&endpoints, subsets)).await;
    for (subset, server) in [("v1", &v1), ("v2", &v2)] {
        let sni = HTTPBIN.replace("_._", &format!("_.{subset}_"));
        for _ in 0..6 {
            assert_eq!(world.sidecar().ask(gateway.address, &sni, b"x").await, Ok(b"x".to_vec()));
            assert_eq!(gateway.outcome().await.upstream.unwrap().host, server.address);
        }
        assert_eq!(server.accepted(), 6);
    }
    assert_eq!(bare.accepted(), 0);
    for _ in 0..6 {
        reaches(&world, &mut gateway).await;
    }
    assert_eq!((v1.accepted(), v2.accepted(), bare.accepted()), (8, 8, 2), "the whole service");
    let refused = [("v3", 112, Reason::SniUnknown), ("none", 80, Reason::NoEndpoint)];
    for (subset, alert, reason) in refused {
        let sni = HTTPBIN.replace("_._", &format!("_.{subset}_"));
        assert_eq!(world.sidecar().sees(gateway.address, &sni).await, Saw::Alert(alert));
        assert_eq!(gateway.outcome().await.reason, reason);
    }
}

#[tokio::test]
async fn held_connections_are_spread_by_weight() {
    let world = World::default();
    let (heavy, light) = (Server::echo().await, Server::echo().await);
    let endpoints = [at(heavy.address, ", weight = 3"), at(light.address, "")];
    let gateway = world.gateway(&service(&endpoints, "")).await;
    let _held = hold(&world, &gateway, 40).await;
    assert_eq!((heavy.accepted(), light.accepted()), (30, 10));
}

#[tokio::test]
async fn a_host_name_leads_where_the_file_allows_it_to() {
    let world = World::default();
    let server = Server::echo().await;
    let named = service(&[at(format!("localhost:{}", server.address.port()), "")], "");
    let allowed = format!("[endpoints]\nallow_cidrs = [\"127.0.0.0/8\", \"::1/128\"]\n{named}");
    let mut gateway = world.gateway(&allowed).await;
    for _ in 0..3 {
        assert_eq!(reaches(&world, &mut gateway).await.upstream.unwrap().host, server.address);
    }

    // Loopback is nowhere that a name may lead to unasked.
    let mut gateway = world.gateway(&named).await;
    assert_eq!(world.sidecar().sees(gateway.address, HTTPBIN).await, Saw::Alert(80));
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::NoEndpoint, Flag::Uh));
    assert_eq!(server.accepted(), 3);
}

#[tokio::test]
async fn a_name_that_leads_to_the_gateway_itself_leads_nowhere() {
    let world = World::default();
    let server = Server::echo().await;
    let head = World::head() + "[endpoints]\nallow_cidrs = [\"127.0.0.0/8\", \"::1/128\"]\n";
    let direct = head.clone() + &World::httpbin(&[server.address], "");
    // Whether it listens there or everywhere.
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let mut gateway = TestGateway::start_on(&direct, world.folder.path(), &[listen]).await;
        let port = gateway.address.port();
        gateway.address = ([127, 0, 0, 1], port).into();
        let own = service(&[at(format!("localhost:{port}"), "")], "");
        let other = service(&[at(format!("localhost:{}", server.address.port()), "")], "");
        let services = head.clone() + &own + &other.replace("httpbin", "other");
        gateway.update(&services, world.folder.path()).await;
        // Names are resolved together: when the other one is, this one is too.
        let name = HTTPBIN.replace("httpbin", "other");
        while world.sidecar().ask(gateway.address, &name, b"x").await.is_err() {
            assert_eq!(gateway.outcome().await.reason, Reason::NoEndpoint);
        }
        assert_eq!(gateway.outcome().await.reason, Reason::Done);
        assert_eq!(world.sidecar().sees(gateway.address, HTTPBIN).await, Saw::Alert(80), "{listen}");
        assert_eq!(gateway.outcome().await.reason, Reason::NoEndpoint);
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_gets_company_after_the_hedge_and_the_first_to_connect_wins() {
    let world = World::default();
    let (silent, server) = (Silent::bind().await, Server::echo().await);
    let endpoints = [at(silent.address, ""), at(server.address, ", priority = 1")];
    // Nothing but the hedge can lead to the second endpoint.
    let timeouts = "[timeouts]\nconnect = \"off\"\nconnect_total = \"off\"\nconnect_hedge = \"50ms\"\n";
    let mut gateway = world.gateway(&(timeouts.to_owned() + &service(&endpoints, ""))).await;
    let upstream = reaches(&world, &mut gateway).await.upstream.unwrap();
    assert_eq!((upstream.host, upstream.attempts), (server.address, 2));
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_a_timeout() {
    let world = World::default();
    let silent = Silent::bind().await;
    let timeouts = "[timeouts]\nconnect = \"100ms\"\n";
    let mut gateway = world.gateway(&(timeouts.to_owned() + &World::httpbin(&[silent.address], ""))).await;
    let (answer, outcome) = calls(&world, &mut gateway).await;
    assert_eq!(answer, Err(Saw::Reset));
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::ConnectTimeout, Flag::Uf));
    let upstream = outcome.upstream.unwrap();
    assert_eq!((upstream.host, upstream.attempts), (silent.address, 1));

    // All tries together have a limit too.
    let timeouts = "[timeouts]\nconnect = \"off\"\nconnect_hedge = \"off\"\nconnect_total = \"100ms\"\n";
    let mut gateway = world.gateway(&(timeouts.to_owned() + &World::httpbin(&[silent.address], ""))).await;
    let (answer, outcome) = calls(&world, &mut gateway).await;
    assert_eq!((answer, outcome.reason), (Err(Saw::Reset), Reason::ConnectTimeout));
}

#[tokio::test]
async fn a_higher_priority_number_is_used_only_when_all_lower_ones_fail() {
    let world = World::default();
    let (first, fallback) = (Refusing::bind(), Server::echo().await);
    let endpoints = [at(fallback.address, ", priority = 1"), at(first.address, "")];
    let mut gateway = world.gateway(&service(&endpoints, "")).await;
    for _ in 0..5 {
        assert_eq!(reaches(&world, &mut gateway).await.upstream.unwrap().host, fallback.address);
    }
    // Once it answers and its pause is over, all calls go there again.
    let first = first.listen().echo();
    while reaches(&world, &mut gateway).await.upstream.unwrap().host != first.address {}
    let before = fallback.accepted();
    for _ in 0..5 {
        assert_eq!(reaches(&world, &mut gateway).await.upstream.unwrap().host, first.address);
    }
    assert_eq!(fallback.accepted(), before);
}

#[tokio::test]
async fn a_connection_above_the_limit_is_reset_and_the_others_live_on() {
    let world = World::default();
    let server = Server::echo().await;
    let services = "[limits]\nconnections = 2\n".to_owned() + &World::httpbin(&[server.address], "");
    let mut gateway = world.gateway(&services).await;
    let mut held = hold(&world, &gateway, 2).await;
    let mut third = Wire::dial(gateway.address).await;
    assert_eq!(third.end().await, Saw::Reset);
    let outcome = gateway.outcome().await;
    assert_eq!((outcome.reason, outcome.reason.flag()), (Reason::ConnectionLimit, Flag::Cl));
    assert_eq!(outcome.downstream_remote, third.local_addr());
    for client in &mut held {
        client.send(b"still here").await;
        assert_eq!(client.receive(10).await, b"still here");
    }
    // Who leaves makes room.
    let mut first = held.remove(0);
    first.finish().await;
    assert_eq!(first.end().await, Saw::End);
    assert_eq!(gateway.outcome().await.reason, Reason::Done);
    reaches(&world, &mut gateway).await;
}

#[tokio::test]
async fn source_hash_keeps_a_client_at_its_endpoint() {
    let world = World::default();
    let servers = [Server::echo().await, Server::echo().await, Server::echo().await];
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let mut gateway = world.gateway(&World::httpbin(&addresses, "balance = \"source_hash\"")).await;
    let mut hosts = std::collections::BTreeSet::new();
    for last in 1..=24 {
        let mut own = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let client = Wire::dial_from([127, 0, 0, last], gateway.address).await;
            let mut client = client.calling(&world.sidecar(), HTTPBIN);
            assert_eq!(client.handshake().await, Ok(()));
            client.finish().await;
            assert_eq!(client.end().await, Saw::End);
            own.insert(gateway.outcome().await.upstream.unwrap().host);
        }
        assert_eq!(own.len(), 1, "127.0.0.{last}");
        hosts.append(&mut own);
    }
    assert!(hosts.len() > 1, "clients are spread");
}
