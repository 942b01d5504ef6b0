//! One vocabulary: what the documents say of a reason is what the code does.

use std::collections::BTreeMap;

use landbridge_core::outcome::Reason;

use crate::tree::{assert_none, read};

const DOCUMENT: &str = "docs/access-log.md";

#[test]
fn every_reason_is_documented_with_its_flag_and_its_alert() {
    assert_none(
        "the table of reasons and the code differ",
        &differences(&read(DOCUMENT)),
    );
}

/// Reads the rows that begin with "| `word` | `FLAG` | alert |".
fn differences(document: &str) -> Vec<String> {
    let mut rows = BTreeMap::new();
    for (number, line) in document.lines().enumerate() {
        let cells: Vec<&str> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        if let ["", word, flag, alert, _, ""] = cells.as_slice()
            && line.starts_with("| `")
        {
            rows.insert((*word).to_owned(), (number + 1, format!("{flag} {alert}")));
        }
    }
    let mut findings = Vec::new();
    for reason in Reason::ALL {
        let alert = reason.alert().map_or("–".to_owned(), |number| number.to_string());
        let coded = format!("{} {alert}", reason.flag());
        match rows.remove(reason.word()) {
            None => findings.push(format!("{DOCUMENT}:1: {reason} is missing ({coded})")),
            Some((line, written)) if written != coded => {
                findings.push(format!("{DOCUMENT}:{line}: {reason} is {coded}, not {written}"));
            }
            Some(_) => {}
        }
    }
    findings.extend(
        rows.iter()
            .map(|(word, (line, _))| format!("{DOCUMENT}:{line}: no such reason: {word}")),
    );
    findings
}

#[test]
fn a_table_that_differs_from_the_code_is_caught() {
    let rows = "| `no_sni` | `NR` | 111 | x |\n| `none_such` | `NR` | – | x |\n\
        | `connect_refused` | `UF` | – | x |\n";
    let found = differences(rows);
    assert!(
        found.contains(&"docs/access-log.md:1: no_sni is NR 112, not NR 111".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"docs/access-log.md:2: no such reason: none_such".to_owned()),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|it| it.contains("connect_refused")),
        "{found:?}"
    );
    assert!(
        found.iter().any(|it| it.contains("bad_sni is missing")),
        "{found:?}"
    );
}
