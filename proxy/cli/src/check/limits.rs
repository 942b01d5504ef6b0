//! Whether the machine grants what the configuration allows.

use std::fs;

use landbridge::Capacity;
use landbridge::config::Limits;

use super::report::Report;

/// What the gateway asks for as its accept queue; the kernel's own default since 5.4.
const ACCEPT_QUEUE: u64 = 4096;
/// Fewer connections than this are worth a word where nobody asked for a number.
const FEW: usize = 1000;

pub(super) fn check(report: &mut Report, limits: &Limits) {
    match Capacity::measure(limits) {
        Ok(capacity) => {
            open_files(report, limits, &capacity);
            memory(report, &capacity);
        }
        Err(error) => report.fail("open files", error.to_string(), ""),
    }
    let path = "/proc/sys/net/core/somaxconn";
    let queue = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    accept_queue(report, queue);
}

fn open_files(report: &mut Report, limits: &Limits, capacity: &Capacity) {
    const RAISE: &str = "raise the limit (ulimit -n, LimitNOFILE=), or lower limits.connections";
    let connections = limits.connections.unwrap_or(capacity.connections);
    let needed = Capacity { connections, ..*capacity }.open_files_needed();
    let Some(limit) = capacity.open_files else {
        report.ok("open files", format!("unlimited; {connections} connections"));
        return;
    };
    if limits.connections.is_some() && limit < needed {
        report.fail("open files", format!("{limit}, and {connections} connections need {needed}"), RAISE);
    } else if limits.connections.is_none() && connections < FEW {
        report.warn(
            "open files",
            format!("{limit}, and {capacity}"),
            "that is few: raise the limit, or memory",
        );
    } else {
        report.ok("open files", format!("{limit}; {connections} connections"));
    }
}

fn memory(report: &mut Report, capacity: &Capacity) {
    let Some(limit) = capacity.memory else {
        report.ok("memory", "no limit");
        return;
    };
    let (limit, needed) = (limit >> 20, capacity.memory_needed() >> 20);
    if needed > limit {
        let detail = format!("{limit} MiB, and {} connections may need {needed} MiB", capacity.connections);
        report.warn("memory", detail, "raise the limit, or lower limits.connections");
    } else {
        report.ok("memory", format!("{limit} MiB"));
    }
}

fn accept_queue(report: &mut Report, queue: Option<u64>) {
    match queue {
        Some(length) if length < ACCEPT_QUEUE => report.warn(
            "accept queue",
            format!("net.core.somaxconn is {length}: a burst of more connections than that is delayed"),
            "sysctl -w net.core.somaxconn=4096, in the network namespace of the gateway",
        ),
        Some(length) => report.ok("accept queue", format!("net.core.somaxconn is {length}")),
        None => report.warn("accept queue", "net.core.somaxconn cannot be read", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limits: &Limits, open_files: u64, memory_mib: u64) -> String {
        let connections = limits.connections.unwrap_or(500);
        let capacity = Capacity {
            connections,
            handshakes: 1,
            buffers: 8 << 20,
            pipes: 0,
            cores: 1,
            open_files: Some(open_files),
            memory: Some(memory_mib << 20),
        };
        let mut report = Report::default();
        open_files_and_memory(&mut report, limits, &capacity);
        report.to_string()
    }

    fn open_files_and_memory(report: &mut Report, limits: &Limits, capacity: &Capacity) {
        open_files(report, limits, capacity);
        memory(report, capacity);
    }

    #[test]
    fn a_number_that_the_limits_do_not_carry_fails_and_few_by_themselves_warn() {
        let asked = Limits { connections: Some(10_000), ..Limits::default() };
        let told_of_asked = told(&asked, 1024, 100);
        assert!(
            told_of_asked.contains("fail  open files  1024, and 10000 connections need 20256"),
            "{told_of_asked}"
        );
        assert!(told_of_asked.contains("warn  memory  100 MiB, and 10000 connections"), "{told_of_asked}");
        let enough = told(&asked, 1 << 20, 1 << 20);
        assert_eq!(enough.matches("ok    ").count(), 2, "{enough}");
        assert!(told(&Limits::default(), 1256, 1 << 20).contains("warn  open files"));
    }

    #[test]
    fn a_short_accept_queue_is_worth_a_warning() {
        for (queue, word) in [(Some(128), "warn"), (Some(4096), "ok"), (None, "warn")] {
            let mut report = Report::default();
            accept_queue(&mut report, queue);
            assert!(report.to_string().starts_with(word), "{report}");
        }
    }
}
