//! What the documents claim to be tested: each test that they name is there.

use landbridge_core::outcome::Reason;

use crate::lexer::{code_of, line_of};
use crate::names::tests;
use crate::tree::{assert_none, read, root};

/// The documents that name tests, as "[`name`](path of its file)".
const DOCUMENTS: [&str; 3] = ["docs/identity.md", "docs/faults.md", "SECURITY.md"];

#[test]
fn every_test_that_a_document_names_is_in_the_file_that_it_names() {
    let open = |path: &str| std::fs::read_to_string(root().join(path)).unwrap_or_default();
    let findings: Vec<String> =
        DOCUMENTS.iter().flat_map(|document| untrue(document, &read(document), &open)).collect();
    assert_none("no such test", &findings);
}

#[test]
fn every_row_of_what_is_tried_names_a_test_or_says_why_there_is_none() {
    assert_none(
        "name a test, or say in so many words: no test, because",
        &unfounded(&read("docs/identity.md")),
    );
}

#[test]
fn every_fault_names_a_test_or_says_why_there_is_none() {
    assert_none("name a test, or say in so many words: no test, because", &untested(&read("docs/faults.md")));
}

/// `open` returns a file's text, by its path from the root.
fn untrue(document: &str, text: &str, open: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut findings = Vec::new();
    for (at, _) in text.match_indices("[`") {
        let Some((name, rest)) = text[at + 2..].split_once("`](") else { continue };
        let Some((path, _)) = rest.split_once(')') else { continue };
        if !path.contains(".rs") {
            continue;
        }
        let code = code_of(&open(path.trim_start_matches("../")));
        if !tests(&code).iter().any(|(_, test)| *test == name) {
            findings.push(format!("{document}:{}: {name} in {path}", line_of(text, at)));
        }
    }
    findings
}

/// Reads the rows that begin with a number.
fn unfounded(text: &str) -> Vec<String> {
    let rows = text.lines().enumerate().filter(|(_, line)| {
        line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    });
    let numbered: Vec<(usize, &str)> = rows.collect();
    let mut findings = Vec::new();
    if numbered.len() < 25 {
        findings.push(format!("docs/identity.md:1: only {} rows", numbered.len()));
    }
    for (index, row) in numbered {
        let cells: Vec<&str> = row.split(" | ").collect();
        let so = match cells.as_slice() {
            [_, _, seen, reason, tests] => {
                (tests.contains(".rs)") || tests.contains("no test, because ")) && is_seen(seen, reason)
            }
            _ => false,
        };
        if !so {
            findings.push(format!("docs/identity.md:{}: {row}", index + 1));
        }
    }
    findings
}

/// Reads the rows that begin with a letter and two digits: each once, as many as there are known faults at least.
fn untested(text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for (index, row) in text.lines().enumerate() {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [first, _, _, tests] = cells.as_slice() else { continue };
        let number = first
            .strip_prefix("| ")
            .filter(|it| it.len() == 3 && it.ends_with(|last: char| last.is_ascii_digit()));
        let Some(number) = number else {
            continue;
        };
        if known.contains(&number) || !(tests.contains(".rs)") || tests.contains("no test, because ")) {
            findings.push(format!("docs/faults.md:{}: {row}", index + 1));
        }
        known.push(number);
    }
    if known.len() < 158 {
        findings.push(format!("docs/faults.md:1: only {} rows", known.len()));
    }
    findings
}

/// Whether each word is a reason's, and its alert, or none, is what is seen.
fn is_seen(seen: &str, words: &str) -> bool {
    words.split('`').skip(1).step_by(2).all(|word| {
        let reason = Reason::ALL.iter().find(|reason| reason.word() == word);
        reason.is_some_and(|reason| match reason.alert() {
            Some(alert) => seen.contains(&format!("alert {alert}")),
            None => seen.contains("RST") || seen.contains("without an alert"),
        })
    })
}

#[test]
fn a_test_that_is_not_there_is_caught() {
    let open = |path: &str| match path {
        "tests/a.rs" => {
            "#[test]\nfn it_is_so() {}\n#[tokio::test]\nasync fn so_is_this() {}\nfn helper() {}\n"
        }
        _ => "",
    };
    let text = "[`it_is_so`](../tests/a.rs), [`so_is_this`](../tests/a.rs)\n[`helper`](../tests/a.rs)\n\
        [`it_is_so`](../tests/b.rs)\n[`word`](a.md)\n// [`gone`](tests/a.rs)\n";
    let open = |path: &str| open(path).to_owned();
    assert_eq!(
        untrue("docs/x.md", text, &open),
        [
            "docs/x.md:2: helper in ../tests/a.rs",
            "docs/x.md:3: it_is_so in ../tests/b.rs",
            "docs/x.md:5: gone in tests/a.rs"
        ]
    );
    let row = |number: usize| format!("| A{number:02} | a | b | [`x`](y.rs) |\n");
    let faults: String =
        (0..99).map(row).chain((0..59).map(|number| row(number).replace('A', "B"))).collect();
    assert!(untested(&faults).is_empty());
    let rest = "| C01 | a | b | later |\n| B01 | a | b | no test, because of c |\n";
    assert_eq!(
        untested(&(faults.clone() + rest)),
        [
            "docs/faults.md:159: | C01 | a | b | later |",
            "docs/faults.md:160: | B01 | a | b | no test, because of c |"
        ]
    );
    assert_eq!(untested(&row(1)), ["docs/faults.md:1: only 1 rows"]);
    let rows = "| 1 | a | alert 112 | `no_sni` | [`x`](y.rs) |\n".repeat(25);
    assert!(unfounded(&rows).is_empty());
    let rest = "| 26 | a | b | – | no test, because of c |\n| 27 | a | b | – | later |\n\
        | 28 | a | alert 111 | `no_sni` | [`x`](y.rs) |\n";
    assert_eq!(
        unfounded(&(rows + rest)),
        [
            "docs/identity.md:27: | 27 | a | b | – | later |",
            "docs/identity.md:28: | 28 | a | alert 111 | `no_sni` | [`x`](y.rs) |"
        ]
    );
}
