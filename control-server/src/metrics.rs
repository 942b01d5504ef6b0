//! Metrics in Prometheus's text format (`exposition_formats.md`): few, and read when they are asked for.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use crate::roster::Roster;
use crate::store::Store;

/// All metrics.
pub(crate) fn metrics(store: &Store, roster: &Roster, problems: usize) -> String {
    let mut text = String::new();
    family(&mut text, "landbridge_control_gateways", "gauge", "Connected gateways by state.");
    for (state, count) in roster.states(store) {
        let _ = writeln!(text, "landbridge_control_gateways{{state=\"{state}\"}} {count}");
    }
    let totals = &roster.totals;
    let resources = u64::try_from(store.len()).unwrap_or(u64::MAX);
    let plain = [
        ("landbridge_control_resources", "gauge", "Resources that are served.", resources),
        (
            "landbridge_control_problems",
            "gauge",
            "Errors and warnings of what is served from.",
            u64::try_from(problems).unwrap_or(u64::MAX),
        ),
        ("landbridge_control_seq", "gauge", "The number of the last change.", store.seq()),
        (
            "landbridge_control_streams_total",
            "counter",
            "Streams that were begun.",
            totals.streams.load(Ordering::Relaxed),
        ),
        (
            "landbridge_control_refused_streams_total",
            "counter",
            "Connections and streams that were refused.",
            totals.refused_streams.load(Ordering::Relaxed),
        ),
        (
            "landbridge_control_acks_total",
            "counter",
            "Updates that a gateway applied as a whole.",
            totals.acks.load(Ordering::Relaxed),
        ),
        (
            "landbridge_control_nacks_total",
            "counter",
            "Updates of which a gateway refused something.",
            totals.nacks.load(Ordering::Relaxed),
        ),
        (
            "landbridge_control_sent_bytes_total",
            "counter",
            "Bytes of lines that were sent.",
            totals.sent_bytes.load(Ordering::Relaxed),
        ),
        (
            "landbridge_control_received_bytes_total",
            "counter",
            "Bytes of lines that came.",
            totals.received_bytes.load(Ordering::Relaxed),
        ),
    ];
    for (name, kind, help, value) in plain {
        family(&mut text, name, kind, help);
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
