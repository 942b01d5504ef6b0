//! What others make of a stream that is cut short: proof that the checker can fail, and why it has to be there.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use landbridge_streams::{Board, Caller, Endpoint, Load, Mode, Scenario, Score, exchange, hello_config};
use landbridge_testkit::envoy::Template;
use landbridge_testkit::peer;
use landbridge_testkit::process::Process;
use landbridge_testkit::world::World;
use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::balancers::NGINX_STREAM;

const PATIENCE: Duration = Duration::from_secs(60);
const NGINX: &str = "\
daemon off;
master_process off;
pid ${FOLDER}/nginx.pid;
error_log stderr;
load_module ${MODULE};
events {}
stream {
    server {
        listen ${LISTEN} reuseport;
        proxy_pass 127.0.0.1:${ENDPOINT_PORT};
        proxy_half_close on;
    }
}
";

/// A port that is kept for a program: this socket shares it (SO_REUSEPORT) and never listens.
fn reserve() -> (SocketAddr, TcpSocket) {
    let holder = TcpSocket::new_v4().unwrap();
    holder.set_reuseport(true).unwrap();
    holder.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    (holder.local_addr().unwrap(), holder)
}

async fn score(gateway: SocketAddr, listener: TcpListener, scenario: Scenario) -> Score {
    let board = Arc::new(Board::default());
    let endpoint = Arc::new(Endpoint::raw(listener, board.clone(), PATIENCE).unwrap());
    let caller = Caller {
        gateway,
        sni: ServerName::try_from("db.example").unwrap(),
        mode: Mode::Raw,
        tls: hello_config().unwrap(),
        run: 1,
        patience: PATIENCE,
        board,
    };
    let load = Load { scenarios: vec![scenario], first: 0, connections: 10, concurrency: 4, mean: 60_000 };
    let score = exchange(&Arc::new(caller), Some(&endpoint), &load).await;
    Arc::into_inner(endpoint).unwrap().close().await;
    score
}

#[tokio::test]
async fn nginx_hands_on_a_truncated_stream_as_a_clean_end_and_the_checker_says_so() {
    let Some(program) = peer::find("nginx", "apt-get install nginx-light libnginx-mod-stream") else {
        return;
    };
    if !Path::new(NGINX_STREAM).exists() {
        peer::find(NGINX_STREAM, "apt-get install libnginx-mod-stream");
        return;
    }
    let world = World::default();
    let (gateway, _holder) = reserve();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let config = Template::new(NGINX)
        .fill("FOLDER", &[&world.folder.path().to_string_lossy()])
        .fill("MODULE", &[NGINX_STREAM])
        .fill("LISTEN", &[&gateway.to_string()])
        .fill("ENDPOINT_PORT", &[&port]);
    world.folder.write("nginx.conf", config.text());
    let mut command = Command::new(program);
    command.args(["-e", "stderr", "-p"]).arg(world.folder.path()).args(["-c", "nginx.conf"]);
    let mut nginx = Process::start(&mut command, world.folder.path());
    nginx.until("nginx listens", async || TcpStream::connect(gateway).await.ok()).await;

    let address = listener.local_addr().unwrap();
    let peaceful = score(gateway, listener, Scenario::Clean).await;
    assert!(peaceful.is_good(), "{peaceful:#?}");

    let listener = TcpListener::bind(address).await.unwrap();
    let cut = score(gateway, listener, Scenario::ClientResetQueued).await;
    assert!(!cut.is_good());
    // It means to end all of them cleanly; now and then the kernel resets one of which nginx left the answer unread.
    assert!(cut.forth.falsely_clean > 0, "{cut:#?}");
    assert_eq!((cut.forth.exact, cut.forth.wrong), (0, 0), "{cut:#?}");
}
