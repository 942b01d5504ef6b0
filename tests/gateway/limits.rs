//! What the gateway takes on, and who gets it when there is not enough for all.

use landbridge::outcome::{Flag, Reason};
use landbridge::{Level, Outcome};
use landbridge_testkit::client::{Saw, Sidecar};
use landbridge_testkit::gateway::TestGateway;
use landbridge_testkit::server::Server;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};
use tokio::net::TcpStream;

const HERE: [u8; 4] = [127, 0, 0, 1];
const THERE: [u8; 4] = [127, 0, 0, 2];

struct Scene {
    world: World,
    gateway: TestGateway,
    server: Server,
}

impl Scene {
    async fn set(limits: &str) -> Self {
        let (world, server) = (World::default(), Server::echo().await);
        let services = World::httpbin(&[server.address], "").replace(
            "allow = [",
            "allow = [{ id = \"spiffe://cluster.local/ns/default/sa/*\", from = \"cluster-1\" }, ",
        );
        let gateway = world.gateway(&format!("[limits]\n{limits}\n{services}")).await;
        Self { world, gateway, server }
    }

    /// A client of `source` that has sent nothing.
    async fn silent(&self, source: [u8; 4]) -> Wire {
        Wire::dial_from(source, self.gateway.address).await
    }

    async fn calling(&self, source: [u8; 4], sidecar: &Sidecar) -> Wire {
        self.silent(source).await.calling(sidecar, HTTPBIN)
    }

    /// A client of `source` that is served.
    async fn served(&self, source: [u8; 4]) -> Wire {
        self.served_as(source, &self.world.sidecar()).await
    }

    async fn served_as(&self, source: [u8; 4], sidecar: &Sidecar) -> Wire {
        let mut client = self.calling(source, sidecar).await;
        assert_eq!(client.handshake().await, Ok(()));
        echoes(&mut client).await;
        client
    }

    async fn leaves(&mut self, mut client: Wire) {
        client.finish().await;
        assert_eq!(client.end().await, Saw::End);
        assert_eq!(self.gateway.outcome().await.reason, Reason::Done);
    }
}

async fn echoes(client: &mut Wire) {
    client.send(b"ping").await;
    assert_eq!(client.receive(4).await, b"ping");
}

fn is(outcome: &Outcome, reason: Reason, flag: Flag) {
    assert_eq!((outcome.reason, outcome.reason.flag()), (reason, flag), "{outcome:?}");
}

#[tokio::test]
async fn a_source_has_no_more_connections_than_one_may_have_and_others_are_not_touched() {
    let mut scene = Scene::set("per_source = 2").await;
    let mut held = vec![scene.served(HERE).await, scene.served(HERE).await];
    let mut third = scene.calling(HERE, &scene.world.sidecar()).await;
    assert_eq!(third.end().await, Saw::Reset);
    is(&scene.gateway.outcome().await, Reason::SourceLimit, Flag::Cl);
    let mut other = scene.served(THERE).await;
    for client in held.iter_mut().chain([&mut other]) {
        echoes(client).await;
    }
    let first = held.remove(0);
    scene.leaves(first).await;
    scene.served(HERE).await;
}

#[tokio::test]
async fn an_identity_has_no_more_connections_than_one_may_have_wherever_it_calls_from() {
    let mut scene = Scene::set("per_identity = 1").await;
    let mut first = scene.served(HERE).await;
    let mut second = scene.calling(THERE, &scene.world.sidecar()).await;
    // The handshake is over when the gateway knows for sure who calls.
    assert_eq!(second.handshake().await, Ok(()));
    assert_eq!(second.end().await, Saw::Reset);
    is(&scene.gateway.outcome().await, Reason::IdentityLimit, Flag::Cl);
    let other = scene.world.remote.svid("ns/default/sa/other");
    let _other = scene.served_as(HERE, &scene.world.sidecar_of(&other)).await;
    echoes(&mut first).await;
    assert_eq!(scene.server.accepted(), 2, "no endpoint was asked for the second");
    scene.leaves(first).await;
    scene.served(HERE).await;
}

#[tokio::test]
async fn a_service_that_has_all_it_may_have_is_an_alert_before_server_hello() {
    let mut scene = Scene::set("per_service = 1").await;
    // Whoever is not known yet takes no place of the service's.
    let _stranger = scene.silent(THERE).await;
    let mut half = scene.calling(THERE, &scene.world.sidecar()).await;
    let hello = half.flight();
    half.send_raw(&hello).await;
    let first = scene.served(HERE).await;
    let mut second = scene.calling(HERE, &scene.world.sidecar()).await;
    assert_eq!(second.handshake().await, Err(Saw::Alert(80)));
    is(&scene.gateway.outcome().await, Reason::ServiceLimit, Flag::Uo);
    scene.leaves(first).await;
    scene.served(HERE).await;
}

#[tokio::test]
async fn more_new_connections_than_may_come_in_a_second_are_reset() {
    let mut scene = Scene::set("per_second = 1").await;
    let mut clients = Vec::new();
    while scene.gateway.handle.count(Reason::RateLimit) == 0 {
        // Who is reset at once may not even see its connection made.
        clients.extend(TcpStream::connect(scene.gateway.address).await);
    }
    is(&scene.gateway.outcome().await, Reason::RateLimit, Flag::Rl);
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_makes_room_for_another_source() {
    let mut scene = Scene::set("handshakes = 1").await;
    let mut stuck = scene.calling(THERE, &scene.world.sidecar()).await;
    let hello = stuck.flight();
    stuck.send_raw(&hello).await;
    scene.gateway.until("a handshake in flight", |handle| handle.handshakes() == 1).await;
    let first = scene.served(HERE).await;
    is(&scene.gateway.outcome().await, Reason::HandshakeLimit, Flag::Om);
    assert_eq!(stuck.end().await, Saw::Reset);
    scene.leaves(first).await;
}

#[tokio::test]
async fn connections_that_stay_silent_make_room_for_those_that_speak() {
    let mut scene = Scene::set("connections = 4").await;
    let mut silent = vec![scene.silent(THERE).await, scene.silent(THERE).await];
    scene.gateway.until("both to be accepted", |handle| handle.accepted() == 2).await;
    let client = scene.served(HERE).await;
    is(&scene.gateway.outcome().await, Reason::HandshakeLimit, Flag::Om);
    assert_eq!(silent.remove(0).end().await, Saw::Reset, "the older of the two");
    scene.leaves(client).await;
}

#[tokio::test]
async fn when_memory_is_nearly_used_up_idle_connections_go_and_none_come_until_it_is_not() {
    let mut scene = Scene::set("memory_mib = 512").await;
    let mut client = scene.served(HERE).await;
    assert_eq!(scene.gateway.handle.memory_level(), Level::Calm);
    let ballast = vec![1u8; 512 << 20];
    assert_eq!(client.end().await, Saw::Reset);
    is(&scene.gateway.outcome().await, Reason::Shed, Flag::Om);
    let mut refused = scene.silent(HERE).await;
    assert_eq!(refused.end().await, Saw::Reset);
    is(&scene.gateway.outcome().await, Reason::Overload, Flag::Om);
    assert_eq!(scene.gateway.handle.memory_level(), Level::Shedding);
    assert_eq!(ballast.last(), Some(&1));
    drop(ballast);
    scene.gateway.until("memory to be free again", |handle| handle.memory_level() == Level::Calm).await;
    scene.served(HERE).await;
}
