//! One vocabulary: what the documents say of a reason is what the code does.

use std::collections::BTreeMap;

use landbridge_core::outcome::Reason;

use crate::tree::{assert_none, read};

const DOCUMENT: &str = "docs/access-log.md";

#[test]
fn every_reason_is_documented_with_its_flag_and_its_alert() {
    assert_none("the table of reasons and the code differ", &differences(&read(DOCUMENT)));
}

#[test]
fn what_other_documents_say_of_a_reason_is_so() {
    let findings: Vec<String> = ["docs/routing.md", "docs/ends.md", "docs/identity.md"]
        .iter()
        .flat_map(|path| misquoted(path, &read(path)))
        .collect();
    assert_none("a reason is not what a document says of it", &findings);
}

/// Reads the tables whose last column is headed "reason": a row that names reasons there must say, before
/// it, the alert of each ("alert 112", or "RST" for none) or the flag of each.
fn misquoted(path: &str, document: &str) -> Vec<String> {
    let mut of_reasons = false;
    let mut findings = Vec::new();
    for (number, line) in document.lines().enumerate() {
        let Some(cells) = line.strip_prefix("| ").and_then(|rest| rest.strip_suffix(" |")) else {
            of_reasons &= line.starts_with('|');
            continue;
        };
        let Some((said, words)) = cells.rsplit_once(" | ") else {
            continue;
        };
        if !of_reasons {
            of_reasons = words.starts_with("reason");
            continue;
        }
        for word in words.split('`').skip(1).step_by(2) {
            let so = Reason::ALL.iter().find(|reason| reason.word() == word).is_some_and(|reason| {
                let alert = reason.alert().map_or("RST".to_owned(), |number| format!("alert {number} "));
                said.contains(&alert) || said.contains(&format!("`{}`", reason.flag()))
            });
            if !so {
                findings.push(format!("{path}:{}: {word} is not so: {said}", number + 1));
            }
        }
    }
    findings
}

/// Reads the rows that begin with "| <a id="word"></a>`word` | `FLAG` | alert |".
fn differences(document: &str) -> Vec<String> {
    let mut rows = BTreeMap::new();
    for (number, line) in document.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        if let ["", word, flag, alert, _, ""] = cells.as_slice()
            && let Some((anchor, word)) =
                word.strip_prefix("<a id=\"").and_then(|rest| rest.split_once("\"></a>`"))
            && anchor == word
        {
            rows.insert(word.to_owned(), (number + 1, format!("{flag} {alert}")));
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
    findings
        .extend(rows.iter().map(|(word, (line, _))| format!("{DOCUMENT}:{line}: no such reason: {word}")));
    findings
}

#[test]
fn a_table_that_differs_from_the_code_is_caught() {
    let rows = "| <a id=\"no_sni\"></a>`no_sni` | `NR` | 111 | x |\n\
        | <a id=\"none_such\"></a>`none_such` | `NR` | – | x |\n\
        | <a id=\"bad_sni\"></a>`no_route` | `NR` | 112 | x |\n\
        | <a id=\"connect_refused\"></a>`connect_refused` | `UF` | – | x |\n";
    let found = differences(rows);
    assert!(found.contains(&"docs/access-log.md:1: no_sni is NR 112, not NR 111".to_owned()), "{found:?}");
    assert!(found.contains(&"docs/access-log.md:2: no such reason: none_such".to_owned()), "{found:?}");
    assert!(!found.iter().any(|it| it.contains("connect_refused")), "{found:?}");
    assert!(found.iter().any(|it| it.contains("bad_sni is missing")), "{found:?}");
    assert!(
        found.iter().any(|it| it.contains("no_route is missing")),
        "an anchor of another name: {found:?}"
    );
}

#[test]
fn a_document_that_misquotes_a_reason_is_caught() {
    let table = "| x | y |\n|---|---|\n| a | `none_such` |\n\n| x | reason |\n|---|---|\n\
        | alert 112 (x) | `no_sni` |\n| alert 11 (x) | `no_sni` |\n| RST, `DR` | `connect_refused`, `no_route` |\n\
        | `DR` | `downstream_reset`, `none_such` |\n";
    let lines: Vec<String> = misquoted("x.md", table);
    assert_eq!(
        lines,
        [
            "x.md:8: no_sni is not so: alert 11 (x)",
            "x.md:9: no_route is not so: RST, `DR`",
            "x.md:10: none_such is not so: `DR`"
        ]
    );
}
