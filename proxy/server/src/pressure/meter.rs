//! How much memory is used, as whoever would kill the process counts it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use landbridge_core::config::Limits;

/// What is measured, and the limit that it is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meter {
    kind: Kind,
    limit: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The cgroup's memory, without pages of files that can be dropped.
    Cgroup { usage: PathBuf, stat: PathBuf, inactive: &'static str },
    /// The process's resident memory.
    Process,
}

/// Version 2, then version 1: limit, usage, statistics, and what the pages are called that can be dropped.
const CGROUPS: [(&str, &str, &str, &str); 2] = [
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
];

impl Meter {
    /// What `limits` hold the gateway to: a number of bytes, else the cgroup's limit, if it has one.
    pub(crate) fn of(limits: &Limits) -> Option<Self> {
        limits.memory.map(Self::process).or_else(Self::cgroup)
    }

    /// Holds the process's own memory against `limit` bytes.
    fn process(limit: u64) -> Self {
        Self { kind: Kind::Process, limit }
    }

    /// Finds the limit of the cgroup that the process is in, seen from inside its container; `None` without one.
    fn cgroup() -> Option<Self> {
        Self::cgroup_at(Path::new("/sys/fs/cgroup"))
    }

    fn cgroup_at(root: &Path) -> Option<Self> {
        CGROUPS.iter().find_map(|(limit, usage, stat, inactive)| {
            let limit: u64 = fs::read_to_string(root.join(limit)).ok()?.trim().parse().ok()?;
            let kind = Kind::Cgroup { usage: root.join(usage), stat: root.join(stat), inactive };
            // Version 1 says "unlimited" as a number close to 2^63.
            (limit < 1 << 60).then_some(Self { kind, limit })
        })
    }

    /// In bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// In bytes.
    ///
    /// # Errors
    /// A file of the kernel that can't be read or understood.
    pub(crate) fn used(&self) -> io::Result<u64> {
        match &self.kind {
            Kind::Cgroup { usage, stat, inactive } => {
                let used = number(&fs::read_to_string(usage)?)?;
                let stat = fs::read_to_string(stat)?;
                let line = stat.lines().find_map(|line| line.strip_prefix(inactive));
                Ok(used.saturating_sub(line.map_or(Ok(0), number)?))
            }
            Kind::Process => {
                let statm = fs::read_to_string("/proc/self/statm")?;
                let pages = number(statm.split(' ').nth(1).unwrap_or_default())?;
                Ok(pages * rustix::param::page_size() as u64)
            }
        }
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_some_memory() {
        let used = Meter::process(1 << 30).used().unwrap();
        assert!((1 << 20..1 << 36).contains(&used), "{used}");
    }

    #[test]
    fn a_cgroup_counts_what_cannot_be_dropped_in_both_versions() {
        let root = std::env::temp_dir().join(format!("landbridge-meter-{}", std::process::id()));
        for (limit, usage, stat, inactive) in CGROUPS {
            fs::create_dir_all(root.join(limit).parent().unwrap()).unwrap();
            fs::write(root.join(limit), "max\n").unwrap();
            assert_eq!(Meter::cgroup_at(&root), None, "{limit}");
            fs::write(root.join(limit), "9223372036854771712\n").unwrap();
            assert_eq!(Meter::cgroup_at(&root), None, "{limit}");
            fs::write(root.join(limit), "1000000\n").unwrap();
            fs::write(root.join(usage), "900\n").unwrap();
            fs::write(root.join(stat), format!("anon 5\n{inactive} 300\n")).unwrap();
            let meter = Meter::cgroup_at(&root).unwrap();
            assert_eq!((meter.limit(), meter.used().unwrap()), (1_000_000, 600), "{limit}");
            fs::remove_dir_all(&root).unwrap();
        }
        fs::create_dir_all(&root).unwrap();
        assert_eq!(Meter::cgroup_at(&root), None);
        fs::remove_dir_all(&root).unwrap();
    }
}
