//! What is accepted, and what it means.

use super::*;

const SAMPLE: &str = include_str!("sample.toml");

#[test]
fn the_documented_file_is_valid_as_it_stands() {
    let config = meant(SAMPLE);
    assert_eq!(config.services.services().len(), 1);
}

#[test]
fn an_empty_file_is_valid_and_serves_nothing() {
    assert_eq!(
        said(""),
        "gateway.toml:1:1: warning: service: there is no service, so nothing is served\n  help: add a [[service]]"
    );
}
