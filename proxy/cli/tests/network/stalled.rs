//! Peers that are there and take nothing: their window is shut.

use std::process::Command;

use landbridge_impair::Namespace;
use landbridge_testkit::client::Saw;
use landbridge_testkit::process::until;
use landbridge_testkit::server::{Endpoint, Server};
use landbridge_testkit::soon;
use landbridge_testkit::wire::noise;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::exact::{Script, exchange};
use crate::scene::{FIRST, Networks, Scene, told};

/// So many ticks without a change are taken for the end of it.
const STEADY: u32 = 30;

/// What a stalled connection may pin in the kernel, on both of its sides: 256 KiB received, 128 KiB unsent, what a
/// shut window had let through, and the kernel's own bookkeeping.
const OF_KERNEL: u64 = 768 * 1024;
/// What it may pin in the gateway: nothing large, where the client never read.
const OWN: u64 = 256 * 1024;
const OWN_OF_ONE_WHO_NEVER_READ: u64 = 64 * 1024;
/// What is left to send when a stream ends: more than small sockets take, and no more than that and the small buffers of
/// a connection whose client has taken little.
const LAST: usize = 20 * 1024;

/// An endpoint that sends without end.
async fn torrent(networks: &Networks) -> Server {
    let endpoint = networks.endpoint(FIRST).await;
    networks
        .far
        .run(async move {
            endpoint.serve(|mut tcp| async move {
                let piece = noise(64 * 1024, 1);
                while tcp.write_all(&piece).await.is_ok() {}
            })
        })
        .await
}

/// Bytes that the kernel holds for the sockets of a namespace, in their queues either way.
async fn held_by_kernel(namespace: &Namespace) -> u64 {
    let output = namespace.run(async { Command::new("ss").args(["-tmnOH"]).output().unwrap() }).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let of = |memory: &str, letter: &str| {
        memory.split(',').find_map(|part| part.strip_prefix(letter)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let memories = text.lines().filter_map(|line| line.split_once("skmem:(")?.1.split(')').next());
    memories.map(|memory| of(memory, "r") + of(memory, "t") + of(memory, "f") + of(memory, "w")).sum()
}

fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Waits until nothing more is taken in for a while.
async fn settled(scene: &Scene) -> u64 {
    let (mut held, mut ticks) = (0, 0);
    until("steady memory", async || {
        let now = held_by_kernel(&scene.networks.middle).await;
        ticks = if now == held { ticks + 1 } else { 0 };
        held = now;
        (ticks >= STEADY).then_some(held)
    })
    .await
}

/// So many clients read so much of a stream without end, and then nothing any more.
async fn cost_a_bounded_amount_of_memory(seed: u64, readers: usize, read: usize) {
    let Some(networks) = Networks::lay(seed).await else { return };
    // What is received waits within the kernel's own bound, which is made the same on every machine.
    networks.middle.sysctl("ipv4/tcp_rmem", "4096 131072 262144").await;
    let endpoint = torrent(&networks).await;
    let scene = Scene::set(networks, &[endpoint.address], "").await;
    let before = resident(scene.id());
    let mut stopped = Vec::new();
    for _ in 0..readers {
        let mut client = scene.call().await;
        client.receive(read).await;
        stopped.push(client);
    }
    let count = u64::try_from(readers).unwrap();
    let kernel = settled(&scene).await / count;
    let own = resident(scene.id()).saturating_sub(before) / count;
    assert!(kernel <= OF_KERNEL, "the kernel holds {kernel} bytes for each");
    let most = if read == 0 { OWN_OF_ONE_WHO_NEVER_READ } else { OWN };
    assert!(own <= most, "the gateway itself holds {own} bytes for each");
    drop(stopped);
    scene.holds_after(readers).await;
}

#[tokio::test]
async fn readers_that_never_read_cost_a_bounded_amount_of_memory() {
    cost_a_bounded_amount_of_memory(80, 200, 0).await;
}

#[tokio::test]
async fn readers_that_stop_when_their_buffers_have_grown_cost_no_more() {
    cost_a_bounded_amount_of_memory(81, 20, 2 * 1024 * 1024).await;
}

#[tokio::test]
async fn an_endpoint_that_does_not_read_for_a_while_holds_its_client_back_and_misses_nothing() {
    let Some(networks) = Networks::lay(84).await else { return };
    networks.middle.sysctl("ipv4/tcp_rmem", "4096 131072 262144").await;
    let listener = networks.far.run(TcpListener::bind((FIRST, 0))).await.unwrap();
    let scene = Scene::set(networks, &[listener.local_addr().unwrap()], "").await;
    let script = Script::new(12 * 1024 * 1024);
    let sending = scene.networks.near.spawn(exchange(scene.stream().await, script));
    let (serving, _) = scene.networks.far.run(async move { listener.accept().await }).await.unwrap();
    assert!(settled(&scene).await <= OF_KERNEL);
    assert!(!sending.is_finished(), "nothing held it back");
    soon("the endpoint's stream", exchange(serving, script.other_end())).await.unwrap();
    soon("the client's stream", sending).await.unwrap().unwrap();
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("-", ""), "{lines:?}");
}

#[tokio::test]
async fn a_peer_that_answers_and_takes_nothing_for_the_user_timeout_is_lost() {
    let Some(networks) = Networks::lay(82).await else { return };
    let endpoint = networks.endpoint(FIRST).await;
    let scene = Scene::set(networks, &[endpoint.address], "user_timeout = \"1s\"").await;
    let mut client = scene.stream().await;
    let serving = scene.networks.far.run(async move { endpoint.accept().await }).await;
    let piece = noise(64 * 1024, 1);
    let ended = async { while client.write_all(&piece).await.is_ok() {} };
    soon("an end", ended).await;
    drop(serving);
    let lines = scene.holds_after(1).await;
    assert_eq!(told(&lines[0]), ("UC", "upstream_lost"), "{lines:?}");
}

#[tokio::test]
async fn a_client_that_does_not_take_the_end_of_a_stream_is_reset_after_the_flush_timeout() {
    let Some(networks) = Networks::lay(83).await else { return };
    let endpoint: Endpoint = networks.endpoint(FIRST).await;
    // The client has room for little, and so has the gateway's kernel; the gateway takes the rest, with its end.
    networks.near.sysctl("ipv4/tcp_rmem", "4096 8192 16384").await;
    networks.middle.sysctl("ipv4/tcp_wmem", "4096 16384 16384").await;
    let scene = Scene::set(networks, &[endpoint.address], "flush = \"1s\"").await;
    let mut client = scene.call().await;
    let sending = scene.networks.far.spawn(async move {
        let mut serving = endpoint.accept().await;
        serving.send(&noise(LAST, 1)).await;
        serving.finish().await;
        serving.end().await
    });
    client.finish().await;
    let lines = scene.logged(1).await;
    assert_eq!(told(&lines[0]), ("DC", "downstream_stalled"), "{lines:?}");
    let (received, end) = client.rest().await;
    assert_eq!(end, Saw::Reset);
    assert!(noise(LAST, 1).starts_with(&received));
    assert!(received.len() < LAST);
    drop(sending);
    scene.holds_after(1).await;
}
