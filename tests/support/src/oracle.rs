//! What has to hold whatever is done to a gateway: somebody else's stream stays exact, nothing is left open, each
//! connection has its one line, and the next caller is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use crate::client::Sidecar;
use crate::command::{Running, http_get};
use crate::process::until;
use crate::soon;
use crate::wire::noise;
use crate::world::{HTTPBIN, World};

/// What goes out and has to come back in one round of the bystander.
const ROUND: usize = 40_000;

/// A bystander of the fault, and what was so before it.
pub struct Oracle {
    sidecar: Sidecar,
    /// Absent while it talks.
    bystander: Option<Bystander>,
    talk: Option<Talk>,
    open_files: u64,
    /// Calls of our own, each with a line in the access log.
    calls: usize,
}

/// A stream to an endpoint that sends back what it gets.
struct Bystander {
    stream: TlsStream<TcpStream>,
    rounds: u64,
}

/// The bystander, talking in the background.
struct Talk {
    stop: Arc<AtomicBool>,
    rounds: watch::Receiver<u64>,
    task: JoinHandle<Bystander>,
}

impl Oracle {
    /// Looks at a gateway that serves [`HTTPBIN`] by an echo, before anything is done to it.
    pub async fn look(world: &World, running: &Running) -> Self {
        let sidecar = world.sidecar();
        // It is bound before its workers accept.
        until("a gateway that is ready", async || {
            (http_get(running.health, "/healthz/ready").0 == 200).then_some(())
        })
        .await;
        let stream = soon("the bystander", sidecar.connect(running.address, HTTPBIN)).await.unwrap();
        let mut bystander = Bystander { stream, rounds: 0 };
        bystander.round().await;
        let open_files = open_files(running);
        Self { sidecar, bystander: Some(bystander), talk: None, open_files, calls: 1 }
    }

    /// Checks that the bystander's stream, which is silent, is exact still.
    pub async fn stream_is_exact(&mut self) {
        self.bystander.as_mut().expect("a bystander that is silent").round().await;
    }

    /// Checks that a call is served.
    pub async fn call_is_served(&mut self, running: &Running) {
        let answer = soon("a call", self.sidecar.ask(running.address, HTTPBIN, b"still here")).await;
        assert_eq!(answer, Ok(b"still here".to_vec()));
        self.calls += 1;
    }

    /// Counts a call that the test itself made, and that was served.
    pub fn counts_a_call(&mut self) {
        self.calls += 1;
    }

    /// Ends the bystander's stream, as any client would.
    pub async fn leaves(self) {
        let mut stream = self.bystander.expect("a bystander that is silent").stream;
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        soon("the bystander's end", stream.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(rest, b"");
    }

    /// Lets the bystander talk until [`hush`](Self::hush).
    pub fn talk(&mut self) {
        let mut bystander = self.bystander.take().expect("a bystander that is silent");
        let stop = Arc::new(AtomicBool::new(false));
        let (told, rounds) = watch::channel(bystander.rounds);
        let over = stop.clone();
        let task = tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                bystander.round().await;
                told.send_replace(bystander.rounds);
            }
            bystander
        });
        self.talk = Some(Talk { stop, rounds, task });
    }

    /// Waits until the bystander has had so many more exact rounds of its talk.
    pub async fn talk_goes_on(&mut self, more: u64) {
        let rounds = &mut self.talk.as_mut().expect("a bystander that talks").rounds;
        let then = *rounds.borrow() + more;
        soon("rounds of the bystander", rounds.wait_for(|rounds| *rounds >= then)).await.unwrap();
    }

    /// Ends the talk.
    pub async fn hush(&mut self) {
        let talk = self.talk.take().expect("a bystander that talks");
        talk.stop.store(true, Ordering::SeqCst);
        self.bystander = Some(soon("the bystander", talk.task).await.unwrap());
    }

    /// Checks that nothing has come of the fault but what was told: the stream is exact, descriptors are back, and a
    /// call is served. Then ends the stream and the gateway.
    ///
    /// Returns the lines of the access log that are not of the oracle's own calls, which are all fine.
    pub async fn holds(mut self, running: Running) -> Vec<String> {
        self.stream_is_exact().await;
        self.call_is_served(&running).await;
        let before = self.open_files;
        until("as many open files as before", async || (open_files(&running) <= before).then_some(())).await;
        let calls = self.calls;
        self.leaves().await;
        running.signal("TERM");
        let (status, lines) = running.ended();
        assert_eq!(status.code(), Some(0));
        assert!(!lines.iter().any(|line| line.contains("internal_error")), "{lines:?}");
        let (fine, told): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| line.contains("\"response_flags\":\"-\""));
        assert_eq!(fine.len(), calls, "{fine:?}");
        told
    }
}

impl Bystander {
    async fn round(&mut self) {
        self.rounds += 1;
        let sent = noise(ROUND, self.rounds);
        let mut came_back = vec![0; ROUND];
        let (mut from, mut to) = tokio::io::split(&mut self.stream);
        let talk = async {
            let sending = async {
                to.write_all(&sent).await?;
                to.flush().await
            };
            tokio::try_join!(sending, async { from.read_exact(&mut came_back).await.map(drop) })
        };
        soon("what was sent to come back", talk).await.expect("the bystander's stream is open");
        assert!(came_back == sent, "the bystander's stream is not exact in round {}", self.rounds);
    }
}

/// How many files the gateway has open, as it says; the question costs one.
fn open_files(running: &Running) -> u64 {
    let (status, body) = http_get(running.metrics, "/metrics");
    assert_eq!(status, 200);
    let line = body.lines().find(|line| line.starts_with("process_open_fds ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}
