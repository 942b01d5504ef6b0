//! What docs/sidecar.md shows is what the tests run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scene::example;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The examples of this folder that are about sidecars.
fn examples() -> Vec<String> {
    let entries = fs::read_dir(docs().join("examples")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("san-") || name.starts_with("sidecar-")).collect()
}

#[test]
fn every_configuration_that_the_document_shows_is_an_example_to_the_letter() {
    let document = fs::read_to_string(docs().join("sidecar.md")).unwrap();
    let texts: Vec<String> = examples().iter().map(|name| example(name)).collect();
    let mut shown = 0;
    for block in document.split("\n```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        if ["yaml", "toml"].contains(&language) {
            assert!(texts.iter().any(|example| example.trim_end() == text.trim_end()), "no example:\n{text}");
            shown += 1;
        }
    }
    assert!(shown >= 4, "only {shown} blocks found");
}

#[test]
fn the_document_links_every_example_of_a_sidecar() {
    let document = fs::read_to_string(docs().join("sidecar.md")).unwrap();
    for name in examples() {
        assert!(document.contains(&format!("](examples/{name})")), "{name} is not linked");
    }
}
