//! Listening sockets that are passed on to the process, as systemd does for a socket unit.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use landbridge_testkit::client::Saw;
use landbridge_testkit::command::{Running, http_get};
use landbridge_testkit::server::Endpoint;
use landbridge_testkit::wire::Wire;
use landbridge_testkit::world::{HTTPBIN, World};

use crate::{LANDBRIDGE, PORTS};

/// Whoever passes on its standard input as the first socket, and says so; `$1` is for whom.
const PASS_ON: &str = "exec 3<&0 0</dev/null; LISTEN_PID=$1; [ $1 = self ] && LISTEN_PID=$$; \
    export LISTEN_PID LISTEN_FDS=1; shift; exec \"$@\"";

fn passing_on(world: &World, whom: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", PASS_ON, "sh", whom, LANDBRIDGE, "run", "--workers", "2", "-c"]);
    command.arg(world.folder.path().join("gateway.toml"));
    command
}

fn world(endpoint: &Endpoint) -> World {
    let world = World::default();
    let drain = "[timeouts]\ndrain_lag = \"off\"\ndrain = \"1h\"\n";
    let toml = PORTS.to_owned() + &World::head() + &World::httpbin(&[endpoint.address], "") + drain;
    world.folder.write("gateway.toml", &toml);
    world
}

fn input(listener: &TcpListener) -> Stdio {
    OwnedFd::from(listener.try_clone().unwrap()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_passed_on_refuses_nobody_between_one_process_and_the_next() {
    let endpoint = Endpoint::bind().await;
    let world = world(&endpoint);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for round in 0..3 {
        // Nobody accepts yet: the kernel completes these, and keeps what they say.
        let mut callers = Vec::new();
        for _ in 0..10 {
            callers.push(Wire::hold_hello(&world.sidecar(), address, HTTPBIN).await);
        }
        let mut running = Running::reading(&mut passing_on(&world, "self"), input(&listener));
        assert_eq!(running.address, address, "not the one of the file");
        for mut client in callers {
            assert_eq!(client.handshake().await, Ok(()));
            client.send(b"early").await;
            let mut server = endpoint.accept().await;
            assert_eq!(server.receive(5).await, b"early", "round {round}");
            client.finish().await;
            server.finish().await;
            assert_eq!((client.end().await, server.end().await), (Saw::End, Saw::End));
        }
        running.signal("TERM");
        assert!(running.event("stopped").contains("cut=0"));
        let (status, log) = running.ended();
        assert_eq!((status.code(), log.len()), (Some(0), 10));
        assert!(log.iter().all(|line| line.contains("\"response_flags\":\"-\"")), "{log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_meant_for_another_process_is_left_alone() {
    let endpoint = Endpoint::bind().await;
    let world = world(&endpoint);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let running = Running::reading(&mut passing_on(&world, "1"), input(&listener));
    assert_ne!(running.address, listener.local_addr().unwrap());
    assert_eq!(http_get(running.health, "/healthz/live").0, 200);
}

#[tokio::test]
async fn what_cannot_be_accepted_from_is_refused_at_the_start() {
    let endpoint = Endpoint::bind().await;
    let world = world(&endpoint);
    let refused = |input: Stdio| {
        let Output { status, stderr, .. } = passing_on(&world, "self").stdin(input).output().unwrap();
        assert_eq!(status.code(), Some(1));
        String::from_utf8(stderr).unwrap()
    };
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let said = refused(OwnedFd::from(datagrams).into());
    assert!(said.contains("the socket 1 that was passed on (LISTEN_FDS)"), "{said}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let said = refused(OwnedFd::from(connected).into());
    assert!(said.contains("does not listen; expected ListenStream="), "{said}");
    assert!(refused(Stdio::null()).contains("(LISTEN_FDS)"));
}
