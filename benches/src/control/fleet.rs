//! Many gateways at one server: the client that the gateway has, so many times in one process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use landbridge_control_client::Held;
use landbridge_control_client::client::{Address, Client, Config, Server};
use landbridge_control_client::session::{Event, Limits};
use landbridge_control_client::wire::Node;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::Arguments;
use super::figures::Figures;
use super::probe::Endpoints;
use super::scene::{ANYWHERE, called_at, store};
use super::serving::Serving;
use crate::process::resident_of_all;

const STEP: &str = "fleet";

/// When the first and the last gateway had put its n-th update in force, in microseconds since 1970.
struct Round {
    first: u64,
    last: u64,
}

/// The process of the gateways. It is killed when this is dropped.
struct Gateways {
    child: Child,
    rounds: Lines<BufReader<ChildStdout>>,
}

pub(super) fn measure(arguments: &Arguments, figures: &mut Figures) -> anyhow::Result<()> {
    let endpoints = Endpoints::start()?;
    let [(first, _), (second, _)] = endpoints.each;
    let services = arguments.fewer_services.div_ceil(100);
    let kept = store(services, arguments.endpoints, first)?;
    figures.count(STEP, "gateways", arguments.gateways as u64);
    figures.count(STEP, "services", services as u64);
    let serving = Serving::start(kept.clone(), ANYWHERE)?;
    let address = serving.address;
    let own = std::process::id();
    let (empty, before) = (resident_of_all(own)?, own_cpu()?);
    let began = now();
    let mut gateways = Gateways::start(arguments.gateways, address)?;
    let round = gateways.round()?;
    figures.time(STEP, "all have everything, from the start of their process", micros(round.last, began));
    let resident = resident_of_all(own)?.saturating_sub(resident_of_all(gateways.child.id())?);
    let each = resident.saturating_sub(empty) / arguments.gateways as u64;
    figures.bytes(STEP, "resident of the server for each gateway", each);
    figures.time(STEP, "processor time of the server until then", own_cpu()?.saturating_sub(before));

    let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
    // An even number, so that they end where they began.
    for nth in 0..arguments.changes.div_ceil(10).next_multiple_of(2) {
        let edit = called_at(if nth % 2 == 0 { second } else { first })?;
        let since = now();
        kept.apply([edit]);
        let round = gateways.round()?;
        firsts.push(micros(round.first, since));
        lasts.push(micros(round.last, since));
    }
    figures.times(STEP, "one change, in force at the first gateway", firsts);
    figures.times(STEP, "one change, in force at the last gateway", lasts);

    let (began, before) = (now(), own_cpu()?);
    drop(serving);
    let _serving = Serving::start(store(services, arguments.endpoints, first)?, address)?;
    let round = gateways.round()?;
    figures.time(STEP, "server restarted: the first gateway is told again", micros(round.first, began));
    figures.time(STEP, "server restarted: the last gateway is told again", micros(round.last, began));
    figures.time(STEP, "processor time of the server until then", own_cpu()?.saturating_sub(before));
    Ok(())
}

impl Gateways {
    fn start(count: usize, server: SocketAddr) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["control", "--gateways", &count.to_string(), "--server", &server.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the gateways")?;
        let output = child.stdout.take().context("they have no output")?;
        Ok(Self { child, rounds: BufReader::new(output).lines() })
    }

    /// Waits until all have put one more update in force.
    fn round(&mut self) -> anyhow::Result<Round> {
        let line = self.rounds.next().context("the process of the gateways has ended")??;
        let mut times = line.split_whitespace().map(str::parse);
        let mut time = || times.next().context("expected two times");
        Ok(Round { first: time()??, last: time()?? })
    }
}

impl Drop for Gateways {
    fn drop(&mut self) {
        // Either fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of the gateways: a line whenever all of them have had as many updates.
pub(super) fn gateways(server: SocketAddr, count: usize) -> anyhow::Result<()> {
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        // Closed when the parent ends.
        let _lines = std::io::stdin().lines().count();
        let _over = end.send(());
    });
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (told, updates) = unbounded_channel();
        for number in 0..count {
            tokio::spawn(gateway(number, server, told.clone()));
        }
        drop(told);
        tokio::select! {
            over = rounds(count, updates) => over,
            _ended = ended => Ok(()),
        }
    })
}

/// One gateway, which takes whatever it is told.
async fn gateway(number: usize, server: SocketAddr, told: UnboundedSender<usize>) {
    let address = Address::Tcp { host: server.ip().to_string(), port: server.port() };
    let server = Server { authority: server.to_string(), address, tls: None };
    let node = Node { id: format!("gateway-{number}"), ..Node::default() };
    let config = Config { node, servers: vec![server], limits: Limits::default() };
    let (client, mut feed) = Client::new(config, Arc::new(Mutex::new(Held::default())));
    tokio::spawn(client.run());
    let mut count = 0;
    while let Some(event) = feed.next().await {
        if let Event::Update(_) = event {
            feed.answer(Vec::new()).await;
            if told.send(count).is_err() {
                return;
            }
            count += 1;
        }
    }
}

async fn rounds(count: usize, mut updates: UnboundedReceiver<usize>) -> anyhow::Result<()> {
    let mut open: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
    while let Some(round) = updates.recv().await {
        let now = now();
        let (had, first) = open.entry(round).or_insert((0, now));
        *had += 1;
        ensure!(*had <= count, "more updates than gateways");
        if *had == count {
            let mut output = std::io::stdout().lock();
            writeln!(output, "{first} {now}")?;
            output.flush()?;
            open.remove(&round);
        }
    }
    Ok(())
}

/// The processor time of this process, threads that have ended included.
fn own_cpu() -> anyhow::Result<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn micros(at: u64, since: u64) -> Duration {
    Duration::from_micros(at.saturating_sub(since))
}
