//! The machine, and whether it is quiet enough.

use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::thread::{CpuSet, sched_getaffinity};
use serde::Serialize;

use crate::process;

/// Where the figures come from.
#[derive(Serialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// Cores that were busy before anything began.
    pub(super) busy: f64,
    pub(super) load_before: String,
    pub(super) load_after: String,
    #[serde(skip)]
    pub(super) gateway_cores: CpuSet,
    #[serde(skip)]
    pub(super) load_core: CpuSet,
    #[serde(skip)]
    shared: bool,
}

/// Busier than this, and figures say less.
const QUIET: f64 = 0.1;
const LOOK: Duration = Duration::from_millis(500);

impl Machine {
    /// Looks at it for half a second; the first cores are for the gateway, the next one for the load.
    pub(super) fn look(workers: usize) -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        ensure!(cores.len() >= workers, "--workers: there are {} cores", cores.len());
        let mut gateway_cores = CpuSet::new();
        cores.iter().take(workers).for_each(|core| gateway_cores.set(*core));
        let mut load_core = CpuSet::new();
        let beside = cores.get(workers).or(cores.last()).context("no core")?;
        load_core.set(*beside);
        let shared = cores.len() == workers;
        let before = busy()?;
        let begun = std::time::Instant::now();
        #[expect(clippy::disallowed_methods, reason = "nothing else runs yet, which is what is looked at")]
        std::thread::sleep(LOOK);
        let busy = (busy()? - before) / begun.elapsed().as_secs_f64();
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            processor: processor.map_or("unknown", |(_, model)| model).to_owned(),
            cores: cores.len(),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            busy,
            load_before: process::load_average()?,
            load_after: String::new(),
            gateway_cores,
            load_core,
            shared,
        })
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.busy > QUIET {
            warnings.push(format!(
                "the machine is busy ({:.2} of {} cores before anything began, load average {}): \
                 compare ratios, believe no time",
                self.busy, self.cores, self.load_before
            ));
        }
        if self.shared {
            warnings.push("the load runs on a core of the gateway's: rates and times say nothing".to_owned());
        }
        if cfg!(debug_assertions) {
            warnings.push("a debug build: the load and the baseline are slow".to_owned());
        }
        warnings
    }
}

/// How many seconds all cores have been busy since the machine was started; stolen time is somebody else's work.
fn busy() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().context("/proc/stat is empty")?;
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|number| number.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    let busy: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|index| ticks.get(*index)).sum();
    let second = rustix::param::clock_ticks_per_second();
    Ok(crate::load::to_float(busy) / crate::load::to_float(second))
}
