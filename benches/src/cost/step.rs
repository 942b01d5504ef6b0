//! The steps of a connection beside verification: from the hello to the route and the grant, and a message on its way.

use std::fmt;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use landbridge_certs::HelloReader;
use landbridge_core::policy::{Caller, Grant, IdPattern, Policy};
use landbridge_core::service::Service;
use landbridge_core::table::Answers;
use landbridge_core::{Identity, Snapshot, SpiffeId, Table, TrustName};
use landbridge_splice::{Options, Side, Tally, duplex};
use landbridge_streams::hello_config;
use rustls::ClientConnection;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use self::Step::{Check, Find, Hello, HelloToRoute, Message, Miss};

/// A step to count, and to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole ClientHello, as rustls makes it, to its server name.
    Hello,
    /// The same, and on to its route among so many services.
    HelloToRoute(u32),
    /// A name to its route, among so many services.
    Find(u32),
    /// A name that leads nowhere, among so many.
    Miss(u32),
    /// The grants of a service, the last of which allows.
    Check(u32),
    /// 64 bytes there and back over two plain sides, with both ends of it.
    Message,
}

pub(super) const STEPS: [Step; 8] =
    [Hello, HelloToRoute(10_000), Find(10_000), Find(100_000), Miss(100_000), Check(1), Check(1000), Message];

/// What callgrind collects within; the wildcard is for how the compiler writes paths.
pub(super) const MEASURED: &str = "*cost::step::again*";

/// How often a step is done where a verification is done once: it is that much shorter.
const OFTEN: usize = 20;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hello => f.write_str("hello: a whole ClientHello to its server name"),
            HelloToRoute(count) => write!(f, "hello to route, {count} services"),
            Find(count) => write!(f, "route: a name among {count} services"),
            Miss(count) => write!(f, "route: no such name among {count} services"),
            Check(count) => write!(f, "policy: {count} grants, the last allows"),
            Message => f.write_str("splice: 64 bytes there and back, plain, with both ends"),
        }
    }
}

impl Step {
    /// How many of it are done where so many are asked for.
    pub(super) fn often(times: usize) -> usize {
        times * OFTEN
    }

    /// Sets the step up, and does it so many times; says how long that took without setting up.
    pub(super) fn repeat(self, times: usize) -> anyhow::Result<Duration> {
        match self {
            Hello => {
                let bytes = client_hello()?;
                Ok(again(times, &mut || {
                    black_box(read(black_box(&bytes)));
                }))
            }
            HelloToRoute(count) => {
                let (bytes, table) = (client_hello()?, table(count)?);
                ensure!(
                    read(&bytes).is_some_and(|name| table.find(&name).is_some()),
                    "the hello has no route"
                );
                Ok(again(times, &mut || {
                    black_box(read(black_box(&bytes)).and_then(|name| table.find(&name)));
                }))
            }
            Find(count) => look_up(count, &key(count / 2), times),
            Miss(count) => look_up(count, &key(count), times),
            Check(count) => {
                let policy = policy(count)?;
                let id = SpiffeId::parse(&caller(count))?;
                let caller = Caller::Verified(Identity { trust: TrustName::new("entry"), id });
                ensure!(policy.check(&caller).is_ok(), "the policy decided otherwise");
                Ok(again(times, &mut || {
                    black_box(policy.check(black_box(&caller)).is_ok());
                }))
            }
            Message => messages(times),
        }
    }

    /// Nanoseconds of one, here and now: the least of five tries, which other work disturbs least.
    pub(super) fn nanoseconds(self) -> anyhow::Result<u64> {
        let times = if self == Message { 5000 } else { 50_000 };
        let tries = (0..5).map(|_| self.repeat(times)).collect::<Result<Vec<_>, _>>()?;
        let least = tries.into_iter().min().unwrap_or_default();
        Ok(u64::try_from(least.as_nanos())? / times as u64)
    }
}

/// Does something so many times. All that is counted is within this function, which is never part of another.
#[inline(never)]
fn again(times: usize, what: &mut dyn FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..times {
        what();
    }
    begun.elapsed()
}

fn read(bytes: &[u8]) -> Option<String> {
    let hello = HelloReader::new(16_384).feed(bytes).ok()??;
    hello.sni().map(str::to_owned)
}

/// As a client sends it with the key of the first service.
fn client_hello() -> anyhow::Result<Vec<u8>> {
    let config = hello_config().map_err(|error| anyhow!(error))?;
    let mut bytes = Vec::new();
    ClientConnection::new(config, ServerName::try_from(key(0))?)?.write_tls(&mut bytes)?;
    Ok(bytes)
}

fn host(nth: u32) -> String {
    format!("s{nth}.default.svc.cluster.local")
}

fn key(nth: u32) -> String {
    format!("outbound_.8000_._.{}", host(nth))
}

fn table(count: u32) -> anyhow::Result<Table> {
    let services = (0..count).map(|nth| Service::passthrough(&host(nth), 8000)).collect();
    let snapshot = Snapshot::new(services).map_err(|_| anyhow!("the services collide"))?;
    Ok(Table::compile(&snapshot, &Answers::default(), &Table::default()))
}

fn look_up(count: u32, name: &str, times: usize) -> anyhow::Result<Duration> {
    let table = table(count)?;
    ensure!(table.find(&key(0)).is_some(), "the first service has no route");
    Ok(again(times, &mut || {
        black_box(table.find(black_box(name)));
    }))
}

fn caller(nth: u32) -> String {
    format!("spiffe://cluster.local/ns/default/sa/s{nth:05}")
}

fn policy(count: u32) -> anyhow::Result<Policy> {
    let grant = |nth| anyhow::Ok(Grant { id: IdPattern::parse(&caller(nth))?, from: None, alias_of: None });
    Ok(Policy::allow((1..=count).map(grant).collect::<Result<Vec<_>, _>>()?))
}

/// Client, splice and endpoint on one thread, so that they take turns in one order only.
fn messages(times: usize) -> anyhow::Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut client, mut endpoint, spliced) = runtime.block_on(async {
        let (client, downstream) = connected().await?;
        let (upstream, endpoint) = connected().await?;
        let spliced = tokio::spawn(async move {
            let (options, tally) = (Options::default(), Tally::default());
            let sides = (Side::plain(downstream), Side::plain(upstream));
            duplex(sides.0, sides.1, &options, &tally, std::future::pending()).await
        });
        anyhow::Ok((client, endpoint, spliced))
    })?;
    let mut failed = None;
    let mut message = [7; 64];
    let took = again(times, &mut || {
        let there_and_back = runtime.block_on(async {
            client.write_all(&message).await?;
            endpoint.read_exact(&mut message).await?;
            endpoint.write_all(&message).await?;
            client.read_exact(&mut message).await
        });
        failed = failed.take().or(there_and_back.err());
    });
    spliced.abort();
    failed.map_or(Ok(took), |error| Err(error).context("a message did not come through"))
}

async fn connected() -> anyhow::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let dialled = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    for stream in [&dialled, &accepted] {
        stream.set_nodelay(true)?;
    }
    Ok((dialled, accepted))
}
