//! Passing through by pipes: when they are taken, what becomes of the bytes in them, and what happens without.

use std::time::Duration;

use super::kit::{
    Kind, Peer, Role, Seen, Splice, connected, connected_through_small_buffers, eager_pipes, fresh_pipes,
    noise, settled, tcp_pair,
};
use crate::{Cause, Cut, End, Options, Pipes, Side};

const MIB: usize = 1024 * 1024;

fn through(pipes: &'static Pipes) -> Options<'static> {
    Options { pipes: Some(pipes), ..Options::default() }
}

async fn plain_with(options: Options<'static>) -> (Peer, Splice, Peer) {
    let (client, near) = connected(Kind::Plain, Role::Client).await;
    let (endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    (client, Splice::start(near, far, options), endpoint)
}

/// A client that reads nothing yet, while `data` waits for it: some in its window, some in the pipe, some behind it.
async fn stuck(options: Options<'static>, data: &[u8]) -> (Peer, Splice, Peer) {
    let (client, near) = connected_through_small_buffers(Kind::Plain).await;
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let splice = Splice::start(near, far, options);
    endpoint.send(data).await;
    while crate::unacknowledged(&endpoint.tcp).unwrap() > 0 {
        tokio::task::yield_now().await;
    }
    settled().await;
    (client, splice, endpoint)
}

#[tokio::test]
async fn much_data_goes_through_a_pipe_and_small_messages_after_it_do_not() {
    let pipes = fresh_pipes(2);
    let (mut client, splice, mut endpoint) = plain_with(through(pipes)).await;
    // How much comes at a time is the kernel's choice, and on a busy machine it may take its time.
    let mut data = Vec::new();
    while pipes.carried() <= 4 * MIB as u64 && data.len() < 64 * MIB {
        let more = noise(8 * MIB, 40);
        data.extend_from_slice(&more);
        tokio::join!(client.send_deaf(&more), endpoint.receive(data.len()));
    }
    assert!(endpoint.got == data);
    let in_bulk = pipes.carried();
    assert!(in_bulk > 4 * MIB as u64, "{in_bulk} bytes");
    assert!(in_bulk < data.len() as u64, "it began by copying");
    // The first few may still take the pipe; from then on it is left alone.
    for count in 1..=64 {
        client.send(b"ping").await;
        endpoint.receive(data.len() + 4 * count).await;
        if count == 8 {
            assert!(pipes.carried() <= in_bulk + 8 * 4);
        }
    }
    assert!(pipes.carried() <= in_bulk + 8 * 4, "{} bytes", pipes.carried() - in_bulk);
    client.finish().await;
    assert_eq!(endpoint.until_end().await, Seen::Clean);
    endpoint.finish().await;
    assert_eq!(splice.tally.received(), data.len() as u64 + 64 * 4);
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
}

#[tokio::test]
async fn small_messages_take_no_pipe_however_many_there_are() {
    let pipes = fresh_pipes(2);
    let (mut client, _splice, mut endpoint) = plain_with(through(pipes)).await;
    for count in 1..=1000 {
        client.send(&[7; 1000]).await;
        endpoint.receive(count * 1000).await;
    }
    assert_eq!((pipes.carried(), pipes.open_now()), (0, 0));
}

#[tokio::test]
async fn a_hello_that_was_read_already_comes_before_what_goes_through_the_pipe() {
    let pipes = eager_pipes(1);
    let (peer, near) = tcp_pair().await;
    let mut client = Peer::new(peer, None);
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    client.send(b" and the rest").await;
    let splice = Splice::start(Side::plain_with(near, b"hello".to_vec()), far, through(pipes));
    endpoint.receive(18).await;
    assert_eq!(endpoint.got, b"hello and the rest");
    assert_eq!((pipes.carried(), splice.tally.received()), (13, 18));
}

#[tokio::test]
async fn a_pipe_is_lent_only_while_bytes_are_in_it() {
    let pipes = eager_pipes(4);
    let (mut client, splice, mut endpoint) = plain_with(through(pipes)).await;
    let data = noise(MIB, 41);
    tokio::join!(client.send(&data), endpoint.receive(data.len()));
    settled().await;
    assert_eq!((pipes.lent(), pipes.open_now()), (0, 1));
    tokio::join!(endpoint.send(&data), client.receive(data.len()));
    settled().await;
    assert_eq!((pipes.lent(), pipes.open_now()), (0, 1));
    client.finish().await;
    endpoint.finish().await;
    assert!(matches!(splice.ended().await.cause, Cause::Clean));
    assert_eq!(pipes.open_now(), 0, "none is kept when nobody is left who needed one");
}

#[tokio::test]
async fn what_is_in_the_pipe_is_delivered_though_its_sender_has_reset() {
    let (pipes, data) = (eager_pipes(1), noise(200_000, 42));
    let (mut client, splice, endpoint) = stuck(through(pipes), &data).await;
    assert_eq!(pipes.lent(), 1);
    endpoint.abort();
    assert_eq!(client.until_end().await, Seen::Reset);
    assert!(client.got == data, "{} bytes", client.got.len());
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::Reset(End::Upstream)) && ended.delivered, "{ended:?}");
    assert_eq!(pipes.lent(), 0);
}

#[tokio::test]
async fn what_is_in_the_pipe_is_delivered_before_a_fin() {
    let (pipes, data) = (eager_pipes(1), noise(200_000, 43));
    let (mut client, splice, mut endpoint) = stuck(through(pipes), &data).await;
    endpoint.finish().await;
    assert_eq!(client.until_end().await, Seen::Clean);
    assert!(client.got == data, "{} bytes", client.got.len());
    assert_eq!(splice.tally.sent(), data.len() as u64);
    assert!(pipes.carried() > 100_000);
}

#[tokio::test]
async fn what_is_in_the_pipe_is_delivered_within_the_budget_of_a_cut() {
    let (pipes, data) = (eager_pipes(1), noise(200_000, 44));
    let (mut client, mut splice, _endpoint) = stuck(through(pipes), &data).await;
    assert_eq!(pipes.lent(), 1);
    splice.cut(Cut::Flush(Duration::from_secs(60)));
    assert_eq!(client.until_end().await, Seen::Reset);
    // What had not come into the pipe was not accepted.
    assert!(data.starts_with(&client.got) && client.got.len() as u64 == splice.tally.sent());
    let ended = splice.ended().await;
    assert!(matches!(ended.cause, Cause::Cut) && ended.delivered, "{ended:?}");
}

#[tokio::test]
async fn a_pipe_with_bytes_in_it_is_closed_and_never_lent_again() {
    let data = noise(200_000, 45);
    for how in ["cut", "flush limit", "idle", "drop"] {
        let pipes = eager_pipes(1);
        let soon = Some(Duration::from_millis(50));
        let options = match how {
            "idle" => Options { idle: soon, flush: soon, ..through(pipes) },
            _ => Options { flush: soon, ..through(pipes) },
        };
        let (mut client, mut splice, endpoint) = stuck(options, &data).await;
        assert_eq!((pipes.lent(), pipes.open_now()), (1, 1), "{how}");
        match how {
            "cut" => splice.cut(Cut::Now),
            "flush limit" => drop(endpoint.abort()),
            "drop" => splice.task.abort(),
            _ => {}
        }
        match splice.task.await {
            Ok(ended) => assert!(!ended.delivered, "{how}: {ended:?}"),
            Err(error) => assert!(error.is_cancelled()),
        }
        assert_eq!((pipes.lent(), pipes.open_now()), (0, 0), "{how}");
        assert_eq!(client.until_end().await, Seen::Reset, "{how}");
        assert!(data.starts_with(&client.got));
    }
}

#[tokio::test]
async fn where_all_pipes_are_lent_bytes_are_copied() {
    let (pipes, data) = (eager_pipes(1), noise(200_000, 46));
    let (mut slow, _splice, mut sender) = stuck(through(pipes), &data).await;
    assert_eq!(pipes.lent(), 1);
    let before = pipes.carried();
    let (mut client, _other, mut endpoint) = plain_with(through(pipes)).await;
    let more = noise(4 * MIB, 47);
    tokio::join!(endpoint.send(&more), client.receive(more.len()));
    assert!(client.got == more);
    assert_eq!((pipes.carried(), pipes.open_now()), (before, 1));
    // The first gives its pipe back, and then there is one for the second.
    slow.receive(data.len()).await;
    assert!(slow.got == data);
    sender.finish().await;
    endpoint.send(&more).await;
    client.receive(2 * more.len()).await;
    assert!(client.got.ends_with(&more));
    assert!(pipes.carried() > before + data.len() as u64, "{} then {}", before, pipes.carried());
}

#[tokio::test]
async fn without_pipes_everything_is_copied() {
    let pipes = eager_pipes(0);
    let (mut client, _splice, mut endpoint) = plain_with(through(pipes)).await;
    let data = noise(4 * MIB, 48);
    tokio::join!(client.send(&data), endpoint.receive(data.len()));
    assert!(endpoint.got == data);
    assert_eq!((pipes.carried(), pipes.open_now()), (0, 0));
}

#[tokio::test]
async fn while_memory_is_short_no_pipe_is_taken() {
    static LEAN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
    let pipes = fresh_pipes(1);
    let options = Options { lean: Some(&LEAN), ..through(pipes) };
    let (mut client, _splice, mut endpoint) = plain_with(options).await;
    let data = noise(4 * MIB, 49);
    tokio::join!(client.send(&data), endpoint.receive(data.len()));
    assert!(endpoint.got == data);
    assert_eq!((pipes.carried(), pipes.open_now()), (0, 0));
}

#[tokio::test]
async fn what_comes_after_urgent_data_is_neither_lost_nor_waited_for() {
    // splice(2) stops at the mark, and once FIN has come it says zero there, as at an end.
    for finishes_at_once in [true, false] {
        let pipes = eager_pipes(1);
        let (mut client, _splice, mut endpoint) = plain_with(through(pipes)).await;
        let data = noise(100_000, 50);
        client.send(&data).await;
        socket2::SockRef::from(&client.tcp).send_out_of_band(b"!").unwrap();
        client.send(&data).await;
        if finishes_at_once {
            client.finish().await;
            assert_eq!(endpoint.until_end().await, Seen::Clean);
        } else {
            endpoint.receive(2 * data.len()).await;
        }
        assert!(endpoint.got == [&data[..], &data[..]].concat(), "{} bytes", endpoint.got.len());
    }
}

#[tokio::test]
async fn where_the_kernel_will_not_splice_into_the_pipe_bytes_are_copied() {
    // What is no pipe can't be spliced into: EINVAL, from the kernel itself.
    let (read, write) = std::os::unix::net::UnixStream::pair().unwrap();
    let pipes: &'static Pipes = Box::leak(Box::new(Pipes::of(read.into(), write.into())));
    let (mut client, splice, mut endpoint) = plain_with(through(pipes)).await;
    let data = noise(4 * MIB, 51);
    let send = async {
        client.send(&data).await;
        client.finish().await;
    };
    let ((), seen) = tokio::join!(send, endpoint.until_end());
    assert_eq!(seen, Seen::Clean);
    assert!(endpoint.got == data);
    endpoint.send(b"answer").await;
    endpoint.abort();
    assert_eq!((client.until_end().await, &client.got[..]), (Seen::Reset, &b"answer"[..]));
    assert!(matches!(splice.ended().await.cause, Cause::Reset(End::Upstream)));
    assert_eq!((pipes.carried(), pipes.lent()), (0, 0));
}

#[tokio::test]
async fn where_the_kernel_will_not_splice_out_of_the_pipe_its_bytes_are_delivered_by_copying() {
    let (pipes, data) = (eager_pipes(1), noise(200_000, 52));
    let (peer, near) = tcp_pair().await;
    socket2::SockRef::from(&peer).set_recv_buffer_size(4096).unwrap();
    socket2::SockRef::from(&near).set_send_buffer_size(4096).unwrap();
    let same_socket = socket2::SockRef::from(&near).try_clone().unwrap();
    let mut client = Peer::new(peer, None);
    let (mut endpoint, far) = connected(Kind::Plain, Role::Endpoint).await;
    let splice = Splice::start(Side::plain(near), far, through(pipes));
    endpoint.send(&data).await;
    settled().await;
    assert_eq!(pipes.lent(), 1);
    let before = pipes.carried();
    // Nothing is spliced to what only appends: EINVAL, from the kernel itself. A socket doesn't care otherwise.
    let flags = rustix::fs::fcntl_getfl(&same_socket).unwrap();
    rustix::fs::fcntl_setfl(&same_socket, flags | rustix::fs::OFlags::APPEND).unwrap();
    drop(same_socket);
    endpoint.finish().await;
    assert_eq!(client.until_end().await, Seen::Clean);
    assert!(client.got == data, "{} bytes", client.got.len());
    assert_eq!((pipes.carried(), pipes.lent(), splice.tally.sent()), (before, 0, data.len() as u64));
}
