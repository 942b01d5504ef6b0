//! The gateway's own client at this server: neither is made for the other's tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use landbridge_control_client::Held;
use landbridge_control_client::client::{Address, Client, Config, Feed, Server};
use landbridge_control_client::session::{Event, Limits};
use landbridge_control_client::wire::{Kind, Name, Node, Refused};
use landbridge_testkit::soon;

use crate::world::{World, endpoints, service};

struct Gateway {
    held: Arc<Mutex<Held>>,
    feed: Feed,
}

impl Gateway {
    /// A gateway that goes to these servers, in this order.
    fn at(worlds: &[&World]) -> Self {
        let server = |world: &&World| {
            let address = world.address();
            Server {
                authority: address.to_string(),
                address: Address::Tcp { host: address.ip().to_string(), port: address.port() },
                tls: None,
            }
        };
        let node = Node { id: "gateway-0".to_owned(), ..Node::default() };
        let config = Config { node, servers: worlds.iter().map(server).collect(), limits: Limits::default() };
        let held = Arc::new(Mutex::new(Held::default()));
        let (client, feed) = Client::new(config, held.clone());
        tokio::spawn(client.run());
        Self { held, feed }
    }

    /// Takes one update, but for what is refused.
    async fn takes(&mut self, refused: Vec<Refused>) {
        loop {
            match soon("an update", self.feed.next()).await.unwrap() {
                Event::Update(_) => return self.feed.answer(refused).await,
                Event::Welcome(_) => {}
                Event::Refused(refused) => panic!("{refused:?}"),
            }
        }
    }

    /// Takes updates until it holds what the server of this world serves.
    async fn follows(&mut self, world: &World) {
        soon("the same on both sides", async {
            loop {
                let told = world.server.told()["gateways"][0].clone();
                if told["state"] == "synced" && told["seq"].as_str() == Some(&world.store.seq().to_string()) {
                    let held = self.held.lock().unwrap().digest().to_string();
                    assert_eq!(told["digest"], held);
                    assert_eq!(told["expected_digest"], held);
                    return;
                }
                tokio::select! {
                    event = self.feed.next() => match event.unwrap() {
                        Event::Update(_) => self.feed.answer(Vec::new()).await,
                        Event::Welcome(_) => {}
                        Event::Refused(refused) => panic!("{refused:?}"),
                    },
                    () = tokio::task::yield_now() => {}
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn it_is_told_everything_and_each_change() {
    let world = World::plain().await;
    world.put((0..300).map(|name| service(&format!("service-{name}:80"), "", 0)));
    world.put([endpoints("service-0:80", 1, 50)]);
    let mut gateway = Gateway::at(&[&world]);
    gateway.follows(&world).await;
    assert_eq!(gateway.held.lock().unwrap().of(Kind::Service).count(), 300);
    world.put([service("service-1:80", "", 1), endpoints("service-0:80", 2, 50)]);
    gateway.follows(&world).await;
    world.remove(Kind::Service, "service-2:80");
    gateway.follows(&world).await;
    assert_eq!(gateway.held.lock().unwrap().of(Kind::Service).count(), 299);
}

#[tokio::test]
async fn what_it_refuses_is_offered_again_with_the_next_change() {
    let world = World::plain().await;
    world.put([service("a:80", "", 0), service("b:80", "", 0)]);
    let mut gateway = Gateway::at(&[&world]);
    gateway
        .takes(vec![Refused {
            kind: Kind::Service,
            name: Name::parse("a:80").unwrap(),
            version: None,
            field: String::new(),
            code: "invalid".to_owned(),
            text: "expected something else".to_owned(),
        }])
        .await;
    let told = world.told("it refuses", |told| told["state"] == "refusing").await;
    assert_eq!(told["refused"][0]["name"], "a:80");
    world.put([service("b:80", "", 1)]);
    gateway.follows(&world).await;
}

#[tokio::test]
async fn from_one_server_to_the_other_and_back_it_holds_what_is_served() {
    let (one, other) = (World::plain().await, World::plain().await);
    for world in [&one, &other] {
        world.put((0..300).map(|name| service(&format!("service-{name}:80"), "", 0)));
    }
    other.put([service("service-7:80", "", 1)]);
    let mut gateway = Gateway::at(&[&one, &other]);
    gateway.follows(&one).await;
    let first = one.address();
    one.go(Duration::ZERO).await;
    gateway.follows(&other).await;
    // The first is back, with nothing of what it knew but its place.
    let again = World::at(first).await;
    again.put((0..299).map(|name| service(&format!("service-{name}:80"), "", 2)));
    other.go(Duration::ZERO).await;
    gateway.follows(&again).await;
    assert_eq!(gateway.held.lock().unwrap().of(Kind::Service).count(), 299);
}
