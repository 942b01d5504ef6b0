//! Names: of types, of functions, of tests.

use crate::items::{attributes, trait_implementations};
use crate::lexer::words;
use crate::tree::{Source, assert_none, sources};

/// Words that say nothing about a type.
const EMPTY: [&str; 8] = ["Manager", "Handler", "Helper", "Helpers", "Util", "Utils", "Info", "Data"];

#[test]
fn no_type_is_called_manager_handler_helper_util_info_or_data() {
    assert_none("names that say nothing", &empty_type_names(&sources()));
}

#[test]
fn no_function_begins_with_get() {
    assert_none("a getter is named for what it returns", &getters(&sources()));
}

#[test]
fn tests_are_named_as_sentences() {
    assert_none("a test's name is a sentence of at least three words", &curt_tests(&sources()));
}

fn empty_type_names(sources: &[Source]) -> Vec<String> {
    let ours = |source: &&Source| {
        ["proxy/", "certs/", "control-"].iter().any(|folder| source.path.starts_with(folder))
    };
    let mut findings = Vec::new();
    for source in sources.iter().filter(ours) {
        let words = words(&source.code);
        let traits = trait_implementations(&source.code, &words);
        for pair in words.windows(2) {
            let [(_, keyword), (at, name)] = pair else {
                continue;
            };
            if traits.iter().any(|body| body.contains(at)) {
                continue;
            }
            let defines = ["struct", "enum", "trait", "type", "union"].contains(keyword);
            let empty = defines && camel_words(name).iter().any(|word| EMPTY.contains(&word.as_str()));
            if empty {
                findings.push(source.finding(*at, name));
            }
        }
    }
    findings
}

fn getters(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for pair in words(&source.code).windows(2) {
            let [(_, "fn"), (at, name)] = pair else { continue };
            if name.starts_with("get_") {
                findings.push(source.finding(*at, name));
            }
        }
    }
    findings
}

fn curt_tests(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for (at, name) in tests(&source.code) {
            if name.split('_').count() < 3 || name.starts_with("test_") {
                findings.push(source.finding(at, name));
            }
        }
    }
    findings
}

/// Every test: the offset of its attribute, and its name.
pub(crate) fn tests(code: &str) -> Vec<(usize, &str)> {
    let attributes = attributes(code).into_iter().filter(|(_, text)| is_test(text));
    attributes
        .map(|(at, _)| {
            let words = words(&code[at..]);
            (at, words.windows(2).find(|pair| pair[0].1 == "fn").map_or("", |pair| pair[1].1))
        })
        .collect()
}

/// `#[test]`, `#[tokio::test]`, with or without arguments.
fn is_test(attribute: &str) -> bool {
    let path = attribute.split('(').next().unwrap_or("");
    path.rsplit("::").next().map(str::trim) == Some("test")
}

fn camel_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for char in name.chars() {
        match words.last_mut() {
            Some(word) if !char.is_uppercase() => word.push(char),
            _ => words.push(char.to_string()),
        }
    }
    words
}

#[test]
fn names_that_break_the_law_are_caught() {
    let types = Source::new(
        "certs/src/a.rs",
        "struct ConnectionManager;\nstruct Manage;\nenum Database {}\ntrait TlsUtil {}\n\
         impl Body for A {\n type Data = B;\n}\nimpl A {\n type Data = B;\n}\n",
    );
    assert_eq!(
        empty_type_names(&[types]),
        ["certs/src/a.rs:1: ConnectionManager", "certs/src/a.rs:4: TlsUtil", "certs/src/a.rs:9: Data"]
    );
    let getter = Source::new("certs/src/a.rs", "fn get() {}\nfn get_name() {}\n");
    assert_eq!(getters(&[getter]), ["certs/src/a.rs:2: get_name"]);
    let tests = "#[test]\nfn works() {}\n#[tokio::test(x)]\nasync fn test_that_it_works() {}\n\
        #[test]\nfn a_stream_ends() {}\n#[cfg(test)]\nfn x() {}\n";
    let found = curt_tests(&[Source::new("tests/a.rs", tests)]);
    assert_eq!(found, ["tests/a.rs:1: works", "tests/a.rs:3: test_that_it_works"]);
}
