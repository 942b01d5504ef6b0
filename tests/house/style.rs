//! What a file may contain: module documents, no `mod.rs`, no bare ignore, no sleep in tests, `unsafe` in one
//! place.

use crate::items::attributes;
use crate::lexer::words;
use crate::tree::{Source, assert_none, files, sources};

const UNSAFE_MAY_STAND_IN: &str = "proxy/splice/src/sys.rs";

#[test]
fn no_module_lives_in_a_file_called_mod_rs() {
    assert_none("name it foo.rs beside foo/", &files("/mod.rs"));
}

#[test]
fn every_source_file_begins_by_saying_what_it_is_for() {
    assert_none("must begin with a //! comment", &undocumented(&sources()));
}

#[test]
fn no_test_is_ignored_without_a_reason() {
    assert_none("say why: #[ignore = \"reason\"]", &bare_ignores(&sources()));
}

#[test]
fn no_test_sleeps() {
    assert_none("wait for the event, or use paused time and a timeout", &sleeps(&sources()));
}

#[test]
fn unsafe_stands_in_one_file_only() {
    assert_none("unsafe may stand only in proxy/splice/src/sys.rs", &unsafe_code(&sources()));
}

#[test]
fn the_core_reads_no_clock_and_does_no_io() {
    assert_none("time and entropy are arguments; I/O is done elsewhere", &impure(&sources()));
}

fn undocumented(sources: &[Source]) -> Vec<String> {
    let bare =
        sources.iter().filter(|it| it.path.contains("src/") && !it.text.trim_start().starts_with("//!"));
    bare.map(|source| source.finding(0, "no //! at the top")).collect()
}

fn bare_ignores(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (at, text) in attributes(&source.code) {
            let conditional =
                text.starts_with("cfg_attr") && text.trim_end_matches([')', ' ']).ends_with("ignore");
            // The reason itself is blanked out of the code, so look at the text.
            let empty = text.starts_with("ignore") && source.text[at..].starts_with("#[ignore = \"\"");
            if text == "ignore" || conditional || empty {
                findings.push(source.finding(at, "ignored without a reason"));
            }
        }
    }
    findings
}

fn sleeps(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (at, word) in words(&source.code) {
            if ["sleep", "sleep_until", "sleep_ms"].contains(&word) && source.in_test(at) {
                findings.push(source.finding(at, word));
            }
        }
    }
    findings
}

fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path != UNSAFE_MAY_STAND_IN) {
        for (at, word) in words(&source.code) {
            if word == "unsafe" {
                findings.push(source.finding(at, word));
            }
        }
    }
    findings
}

fn impure(sources: &[Source]) -> Vec<String> {
    const IMPURE: [&str; 10] = [
        "Instant::now",
        "SystemTime::now",
        ".elapsed()",
        "std::fs",
        "std::env",
        "std::process",
        "std::thread",
        "TcpStream",
        "UdpSocket",
        "ToSocketAddrs",
    ];
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("proxy/core/src/")) {
        for pattern in IMPURE {
            let uses = source.code.match_indices(pattern).filter(|(at, _)| !source.in_test(*at));
            findings.extend(uses.map(|(at, _)| source.finding(at, pattern)));
        }
    }
    findings
}

#[test]
fn files_that_break_the_law_are_caught() {
    let bare = Source::new("certs/src/a.rs", "// A.\nfn a() {}\n");
    assert_eq!(undocumented(&[bare]), ["certs/src/a.rs:1: no //! at the top"]);

    let ignored = "#[ignore]\nfn a() {}\n#[ignore = \"needs root\"]\nfn b() {}\n\
        #[cfg_attr(unix, ignore)]\nfn c() {}\n#[ignore = \"\"]\nfn d() {}\n";
    let lines: Vec<_> = bare_ignores(&[Source::new("tests/a.rs", ignored)]);
    assert_eq!(lines.len(), 3, "{lines:?}");

    let slept =
        "//! sleep(1)\nfn a() { sleep(b); }\n#[cfg(test)]\nmod tests {\n    use std::thread::sleep;\n}\n";
    assert_eq!(sleeps(&[Source::new("certs/src/a.rs", slept)]), ["certs/src/a.rs:5: sleep"]);
    assert_eq!(sleeps(&[Source::new("tests/a/main.rs", "fn a() { tokio::time::sleep(b) }\n")]).len(), 1);

    let code = "#![deny(unsafe_code)]\n// unsafe\nfn a() { unsafe { b() } }\n";
    assert_eq!(unsafe_code(&[Source::new("certs/src/a.rs", code)]), ["certs/src/a.rs:3: unsafe"]);
    assert!(unsafe_code(&[Source::new(UNSAFE_MAY_STAND_IN, code)]).is_empty());

    let clock = Source::new("proxy/core/src/a.rs", "fn a() { Instant::now(); }\n");
    assert_eq!(impure(&[clock]), ["proxy/core/src/a.rs:1: Instant::now"]);
}
