//! What a job cost, as text or as JSON.

use std::io::Write;

use serde_json::{Value, json};

use super::job::{Job, Kind};
use super::meter::{Done, to_float};
use crate::verify::Format;

pub(super) fn tell(job: &Job, done: &Done, format: Format) -> anyhow::Result<()> {
    let text = match format {
        Format::Text => text(job, done),
        Format::Json => format!("{:#}\n", value(done)),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

fn text(job: &Job, done: &Done) -> String {
    let seconds = done.wall.as_secs_f64().max(1e-9);
    let mut lines = Vec::new();
    if done.bytes > 0 {
        let rate = to_float(done.bytes) / seconds / 1e9;
        lines.push(format!("{} bytes in {seconds:.2} s: {rate:.3} GB/s", done.bytes));
    } else {
        let rate = to_float(done.operations) / seconds;
        lines.push(format!("{} operations in {seconds:.2} s: {rate:.0} a second", done.operations));
    }
    let figures = [50.0, 90.0, 99.0, 99.9, 100.0].map(|at| format!("{:.0}", done.percentile(at)));
    if done.took.len() > 1 {
        lines.push(format!("took, µs, p50 p90 p99 p99.9 max: {}", figures.join(" ")));
    }
    let shaken = done.handshakes;
    lines.push(format!(
        "handshakes: {} full, {} resumed, {} after a retry",
        shaken.full, shaken.resumed, shaken.retried
    ));
    if let Some(cpu) = done.cpu {
        lines.push(format!(
            "the gateway's CPU: {:.3} s, {:.2} of a core",
            cpu.as_secs_f64(),
            cpu.as_secs_f64() / seconds
        ));
    }
    let each = done.cpu_each().filter(|_| done.bytes == 0).map(|each| format!("{each:.2} µs each"));
    let bulk = done.cpu_per_gigabyte().map(|bulk| format!("{bulk:.3} s for each GB"));
    lines.extend(each.or(bulk).map(|figure| format!("the gateway's CPU: {figure}")));
    let first = done.memory.first().map_or(0, |(_, bytes)| *bytes);
    for (when, bytes) in &done.memory {
        let more = to_float(bytes.saturating_sub(first)) / 1024.0 / to_float(job.connections.max(1) as u64);
        lines.push(format!(
            "resident memory {when}: {:.1} MiB, {more:.1} KiB more for each connection",
            to_float(*bytes) / 1_048_576.0
        ));
    }
    if job.kind == Kind::OpenLoop {
        lines.push(format!("each timed from when it was due, at {} a second", job.rate));
    }
    lines.join("\n") + "\n"
}

fn value(done: &Done) -> Value {
    let memory: serde_json::Map<String, Value> =
        done.memory.iter().map(|(when, bytes)| ((*when).to_owned(), json!(bytes))).collect();
    let took: serde_json::Map<String, Value> = [50.0, 90.0, 99.0, 99.9, 100.0]
        .into_iter()
        .map(|at| (format!("p{at}"), json!(done.percentile(at))))
        .collect();
    json!({
        "operations": done.operations,
        "bytes": done.bytes,
        "seconds": done.wall.as_secs_f64(),
        "cpu_seconds": done.cpu.map(|cpu| cpu.as_secs_f64()),
        "cpu_us_each": done.cpu_each(),
        "cpu_seconds_per_gigabyte": done.cpu_per_gigabyte(),
        "took_us": took,
        "handshakes": {
            "full": done.handshakes.full,
            "resumed": done.handshakes.resumed,
            "retried": done.handshakes.retried,
        },
        "resident_bytes": memory,
    })
}
