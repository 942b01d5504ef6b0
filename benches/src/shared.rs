//! `shared`: what threads pay for what all connections share, by themselves and side by side.
//!
//! These are the kinds of things that a connection of the gateway touches, in the same sizes, and nothing else is
//! done in between: as bad as it can get. The gateway does each of them once or twice for a connection.

use std::collections::HashMap;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use arc_swap::ArcSwap;
use clap::Args;
use tokio::sync::Semaphore;

use crate::process;

/// What threads pay for what all connections share: nanoseconds of each thread's processor time
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Up to how many threads, doubling.
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// How often each thread does each thing.
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    times: u64,
    /// How often all is done; the least counts, which other work disturbs least.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,
}

/// Shards of the registry, as in the gateway.
const SHARDS: usize = 64;
/// Open connections meanwhile.
const OPEN: u64 = 10_000;

/// A line of the access log is about as long.
static LINE: [u8; 900] = [b'-'; 900];

/// Something that all threads do to the same thing; the number is new each time.
type Thing = Box<dyn Fn(u64) + Send + Sync>;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ensure!(arguments.threads > 0 && arguments.times > 0 && arguments.rounds > 0, "expected at least one");
    let mut counts = vec![1];
    while let Some(next) = counts.last().map(|count| count * 2).filter(|next| *next <= arguments.threads) {
        counts.push(next);
    }
    say(&format!("load average {}", process::load_average()?));
    let heads: Vec<String> = counts.iter().map(|count| format!("{count} thread(s), ns")).collect();
    say(&format!("| what | {} |\n|---|{}", heads.join(" | "), "---|".repeat(counts.len())));
    for (name, thing) in things() {
        let thing: Arc<dyn Fn(u64) + Send + Sync> = thing.into();
        let mut cells = Vec::new();
        for &threads in &counts {
            let mut least = f64::MAX;
            for _ in 0..arguments.rounds {
                least = least.min(side_by_side(&thing, threads, arguments.times)?);
            }
            cells.push(format!("{least:.0}"));
        }
        say(&format!("| {name} | {} |", cells.join(" | ")));
    }
    Ok(ExitCode::SUCCESS)
}

fn things() -> Vec<(&'static str, Thing)> {
    let counter = AtomicU64::new(0);
    let (active, open) = (AtomicU32::new(0), Arc::new(Semaphore::new(100_000)));
    let current = ArcSwap::from_pointee([0_u64; 16]);
    let generation = Arc::new([0_u64; 16]);
    let shards: Vec<Mutex<HashMap<u64, Arc<u64>>>> = (0..SHARDS).map(|_| Mutex::default()).collect();
    for id in 0..OPEN {
        insert(&shards, id);
    }
    let (line, pending) = (Mutex::new(0), Mutex::new(Vec::new()));
    vec![
        ("a count: one relaxed addition", Box::new(move |_| _ = counter.fetch_add(1, Ordering::Relaxed))),
        (
            "an endpoint's connections: one up, one down",
            Box::new(move |_| {
                active.fetch_add(1, Ordering::Relaxed);
                active.fetch_sub(1, Ordering::Relaxed);
            }),
        ),
        (
            "the limit on connections: a permit taken and given back",
            Box::new(move |_| drop(black_box(open.clone().try_acquire_owned()))),
        ),
        (
            "the generation: loaded and let go (arc-swap, a count of references)",
            Box::new(move |_| drop(black_box(current.load_full()))),
        ),
        ("a count of references: one more, one less", Box::new(move |_| drop(black_box(generation.clone())))),
        (
            "the registry: in and out of 1 of 64 locked shards, 10 000 open",
            Box::new(move |id| {
                insert(&shards, OPEN + id);
                shard(&shards, OPEN + id).remove(&(OPEN + id));
            }),
        ),
        (
            "a lock, and as good as nothing behind it",
            Box::new(move |id| *line.lock().unwrap_or_else(PoisonError::into_inner) = id),
        ),
        (
            "the access log: 900 bytes copied to a locked buffer of 64 KiB",
            Box::new(move |_| {
                let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
                // As if its writer had taken them.
                if pending.len() >= 64 * 1024 {
                    pending.clear();
                }
                pending.extend_from_slice(&LINE);
            }),
        ),
    ]
}

fn insert(shards: &[Mutex<HashMap<u64, Arc<u64>>>], id: u64) {
    shard(shards, id).insert(id, Arc::new(id));
}

fn shard(
    shards: &[Mutex<HashMap<u64, Arc<u64>>>],
    id: u64,
) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<u64>>> {
    let index = usize::try_from(id).unwrap_or(0) % shards.len();
    #[expect(clippy::indexing_slicing, reason = "a remainder by the length is within")]
    shards[index].lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nanoseconds of its own processor time that a thread needs for each.
fn side_by_side(thing: &Arc<dyn Fn(u64) + Send + Sync>, threads: usize, times: u64) -> anyhow::Result<f64> {
    let start = Arc::new(Barrier::new(threads));
    let workers: Vec<_> = (0..threads as u64)
        .map(|nth| {
            let (thing, start) = (thing.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                let before = own_cpu()?;
                for id in 0..times {
                    // Numbers of connections are given out in turn.
                    thing(id * threads as u64 + nth);
                }
                anyhow::Ok(own_cpu()?.saturating_sub(before))
            })
        })
        .collect();
    let mut all = Duration::ZERO;
    for worker in workers {
        all += worker.join().ok().context("a thread panicked")??;
    }
    Ok(all.as_secs_f64() * 1e9 / crate::load::to_float(times * threads as u64))
}

/// The processor time of this thread.
fn own_cpu() -> anyhow::Result<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
}

#[expect(clippy::print_stdout, reason = "what was measured is what this command is for")]
fn say(text: &str) {
    println!("{text}");
}
