//! Packets that nobody sent: floods of beginnings, and forged ends.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use landbridge_impair::{Faults, Kind, forged};
use landbridge_testkit::client::Saw;
use landbridge_testkit::process::until;
use landbridge_testkit::wire::Wire;
use socket2::{Domain, Protocol, Socket, Type};

use crate::scene::{FIRST, Networks, Scene, counted, echoes, told};

/// From so many addresses, again and again.
const STRANGERS: u16 = 10_000;
/// So many packets may be on their way.
const AHEAD: u64 = 256;
const CALLS: usize = 5;

/// Sends packets as they are.
struct Forger(Socket);

impl Forger {
    /// To be called in a namespace.
    fn new() -> Self {
        const IPPROTO_RAW: i32 = 255;
        Self(Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW))).unwrap())
    }

    fn send(&self, kind: Kind, from: SocketAddrV4, to: SocketAddrV4, sequence: u32) {
        let packet = forged(kind, from, to, sequence);
        self.0.send_to(&packet, &SocketAddr::from(to).into()).unwrap();
    }
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    let SocketAddr::V4(address) = address else { panic!("{address}") };
    address
}

#[tokio::test]
async fn a_flood_of_syns_from_ten_thousand_addresses_keeps_nobody_out() {
    let Some(networks) = Networks::lay(90).await else { return };
    networks.middle.ip("route add 10.5.0.0/16 dev front").await.unwrap();
    networks.middle.sysctl("ipv4/tcp_max_syn_backlog", "256").await;
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let (gateway, over) = (v4(scene.address), Arc::new(AtomicBool::new(false)));
    let stop = over.clone();
    let way = scene.networks.front.forth.clone();
    let so_far = way.delivered();
    let arrived = move || way.delivered() - so_far;
    let flood = scene.networks.near.spawn(async move {
        let forger = Forger::new();
        let (mut rounds, mut sent) = (0, 0);
        while !stop.load(Ordering::Relaxed) || rounds == 0 {
            for stranger in 0..STRANGERS {
                let [high, low] = stranger.to_be_bytes();
                forger.send(
                    Kind::Syn,
                    SocketAddrV4::new(Ipv4Addr::new(10, 5, high, low), 5000),
                    gateway,
                    rounds,
                );
                sent += 1;
                // The forwarder is to keep up; what it can't take would be lost, of the calls as well.
                while arrived() + AHEAD < sent {
                    tokio::task::yield_now().await;
                }
            }
            rounds += 1;
        }
    });
    for _ in 0..CALLS {
        let mut client = scene.call().await;
        echoes(&mut client).await;
        client.finish().await;
        assert_eq!(client.end().await, Saw::End);
    }
    over.store(true, Ordering::Relaxed);
    flood.await.unwrap();
    let cookies = counted(&scene.networks.middle, "SyncookiesSent").await;
    assert!(cookies > 0, "the flood did not fill the queue");
    // Of the strangers none was ever accepted.
    let lines = scene.holds_after(CALLS).await;
    assert!(lines.iter().all(|line| told(line) == ("-", "")), "{lines:?}");
}

#[tokio::test]
async fn a_reset_that_a_firewall_forges_ends_its_own_connection_and_no_other() {
    let Some(networks) = Networks::lay(91).await else { return };
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let mut others: Vec<Wire> = Vec::new();
    for _ in 0..CALLS {
        others.push(scene.call().await);
    }
    let mut client = scene.call().await;
    echoes(&mut client).await;
    scene.networks.front.forth.set(&Faults { reset: 100, ..Faults::default() });
    client.send(b"never to arrive").await;
    let lines = scene.logged(1).await;
    assert_eq!(told(&lines[0]), ("DR", "downstream_reset"), "{lines:?}");
    scene.networks.front.set(&Faults::default());
    for mut other in others {
        echoes(&mut other).await;
        other.finish().await;
        assert_eq!(other.end().await, Saw::End);
    }
    drop(client);
    scene.holds_after(CALLS + 1).await;
}

#[tokio::test]
async fn resets_that_somebody_guesses_end_nothing() {
    const GUESSES: u32 = 1000;
    let Some(networks) = Networks::lay(92).await else { return };
    let endpoint = networks.echo(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let mut client = scene.call().await;
    echoes(&mut client).await;
    let (from, to) = (v4(client.local_addr()), v4(scene.address));
    let guessing = scene.networks.near.run(async move {
        let forger = Forger::new();
        (0..GUESSES).for_each(|guess| forger.send(Kind::Rst, from, to, guess * (u32::MAX / GUESSES)));
    });
    guessing.await;
    until("every guess there", async || {
        (scene.networks.front.forth.delivered() >= u64::from(GUESSES)).then_some(())
    })
    .await;
    echoes(&mut client).await;
    client.finish().await;
    assert_eq!(client.end().await, Saw::End);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
}
