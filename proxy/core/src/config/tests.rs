//! Tests of the configuration file: what is accepted, and every mistake by its exact words.

mod accepted;
mod allow;
mod apart;
mod defaults;
mod hostile;
mod mistakes;
mod services;

use std::time::Duration;

use super::*;

fn parsed(text: &str) -> Parsed {
    let source = Source { name: "gateway.toml".to_owned(), dir: PathBuf::from("/etc/landbridge") };
    parse(text, &source)
}

/// Everything that is said about a text, errors and warnings.
fn said(text: &str) -> String {
    match parsed(text) {
        Ok(accepted) => accepted.warnings.to_string(),
        Err(problems) => problems.to_string(),
    }
}

/// The configuration that a text without any problem means.
fn meant(text: &str) -> Config {
    let accepted = parsed(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    assert_eq!(accepted.warnings.iter().count(), 0, "{}\n{text}", accepted.warnings);
    accepted.config
}

/// What a service needs around it, in seven lines.
const AROUND: &str = "[identity]
certificate = 'gateway.pem'
private_key = 'gateway.key'
[[trust]]
name = 'cluster-1'
domain = 'cluster.local'
bundle = 'ca.pem'
";

/// A whole file with one service of these lines; the first of them is line 9.
fn with_service(lines: &str) -> String {
    format!("{AROUND}[[service]]\n{lines}\n")
}

/// One good service less some lines.
fn good_service(more: &str) -> String {
    with_service(&format!(
        "host = 'h.example'\nport = 80\nallow = ['spiffe://cluster.local/*']\nendpoints = [{{ address = '10.0.0.7:80' }}]\n{more}"
    ))
}
