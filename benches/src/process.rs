//! What a process of the machine has, as /proc tells, and what this one may have.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The processor time that all threads of a process have had, to the nanosecond.
pub(crate) fn cpu(process: u32) -> anyhow::Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        let spent: u64 = text.split_whitespace().next().context("schedstat is empty")?.parse()?;
        sum += spent;
    }
    Ok(Duration::from_nanos(sum))
}

/// The processor time of a process and all that descend from it.
pub(crate) fn cpu_of_all(process: u32) -> anyhow::Result<Duration> {
    tree(process).into_iter().map(cpu).sum()
}

/// How many bytes of a process and all that descend from it are resident.
pub(crate) fn resident_of_all(process: u32) -> anyhow::Result<u64> {
    let resident = |process: u32| match fs::read_to_string(format!("/proc/{process}/smaps_rollup")) {
        // Counted page by page; the other is a sum that threads add to now and then, but anybody may read it.
        Ok(counted) => Ok(field(&counted, "Rss:")? * 1024),
        Err(_) => Ok(resident_and_threads(process)?.0),
    };
    tree(process).into_iter().map(resident).sum()
}

/// A process and all that descend from it.
pub(crate) fn tree(process: u32) -> Vec<u32> {
    let mut found = vec![process];
    let mut next = 0;
    while let Some(process) = found.get(next) {
        let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        let children: Vec<u32> = threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
            .collect();
        found.extend(children);
        next += 1;
    }
    found
}

/// How many bytes of a process are resident, and how many threads it has.
pub(crate) fn resident_and_threads(process: u32) -> anyhow::Result<(u64, u64)> {
    Ok((status(process, "VmRSS:")? * 1024, status(process, "Threads:")?))
}

/// How many bytes of a process were resident at most.
pub(crate) fn peak_resident(process: u32) -> anyhow::Result<u64> {
    Ok(status(process, "VmHWM:")? * 1024)
}

/// A number that /proc/PID/status has.
fn status(process: u32, name: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    field(&status, name)
}

fn field(text: &str, name: &str) -> anyhow::Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    Ok(value.with_context(|| format!("expected a line {name}, the process may have ended"))?.parse()?)
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(process: u32) -> anyhow::Result<u64> {
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count() as u64)
}

/// The machine's load average of the last minute.
pub(crate) fn load_average() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Takes all the open files that the hard limit allows, and says how many that are.
pub(crate) fn raise_open_files() -> anyhow::Result<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum.unwrap_or(u64::MAX))
}

/// The gateway's program: the one that was named, or the one beside this.
pub(crate) fn landbridge(named: Option<&Path>) -> anyhow::Result<String> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let path = named.map_or_else(|| own.with_file_name("landbridge"), Path::to_owned);
    ensure!(path.is_file(), "no gateway at {}; build it (landbridge-cli) or say --gateway", path.display());
    path.to_str().map(str::to_owned).context("the gateway's path is not UTF-8")
}
