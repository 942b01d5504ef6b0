//! The list of metrics: in the code, in the documents, and by the rules of Prometheus.

use std::fmt::Write;

use super::library::Registry;
use super::*;

/// The table of docs/metrics.md, as the code has it.
fn table() -> String {
    let mut registry = Registry::default();
    Families::register(&mut registry).unwrap();
    let mut table = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for metric in registry.described() {
        let labels: Vec<String> = if metric.name.starts_with("istio_") {
            vec!["Istio's, see below".to_owned()]
        } else {
            metric.labels.iter().map(|label| format!("`{label}`")).collect()
        };
        let (name, kind, help) = (&metric.name, metric.kind, &metric.help);
        writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    table
}

#[test]
fn the_document_has_the_same_metrics_as_the_code() {
    let document = include_str!("../../../../docs/metrics.md");
    let table = table();
    assert!(document.contains(&table), "docs/metrics.md should contain:\n\n{table}");
    for label in labels::ISTIO {
        assert!(document.contains(&format!("| `{label}` | ")), "docs/metrics.md lacks the label {label}");
    }
}

#[test]
fn names_say_what_they_count_and_in_which_unit() {
    let mut registry = Registry::default();
    Families::register(&mut registry).unwrap();
    for metric in registry.described() {
        let name = &metric.name;
        assert_eq!(metric.kind == "counter", name.ends_with("_total"), "{name}");
        assert!(metric.help.ends_with('.'), "{name}: a sentence");
        assert!(!metric.help.contains('|'), "{name}: would break the table");
        assert!(["landbridge_", "istio_tcp_", "process_"].iter().any(|it| name.starts_with(it)), "{name}");
    }
}
