//! What fuzzing has found worth keeping is tried by every run of the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use landbridge_fuzzing::TARGETS;

use self::folder::{fuzz, names, paths};

#[cfg(test)]
mod folder {
    use super::*;

    pub(super) fn fuzz() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
    }

    /// What is in a folder of `fuzz/`.
    pub(super) fn paths(folder: &str) -> Vec<PathBuf> {
        fs::read_dir(fuzz().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// The names of it, without their endings.
    pub(super) fn names(folder: &str) -> BTreeSet<String> {
        paths(folder).iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn every_input_of_the_corpus_is_taken_by_its_target() {
    for (name, target) in TARGETS {
        let inputs = paths(&format!("corpus/{name}"));
        assert!(!inputs.is_empty(), "no input for {name} in fuzz/corpus");
        for input in inputs {
            // Shown where the target fails.
            println!("{}", input.display());
            target(&fs::read(&input).unwrap());
        }
    }
}

#[test]
fn every_seed_is_taken_by_its_target() {
    let mut seeded = BTreeSet::new();
    for (name, input) in landbridge_fuzzing::seeds::seeds() {
        println!("{name}: {input:02x?}");
        let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
        target(&input);
        seeded.insert(name);
    }
    assert_eq!(seeded, TARGETS.iter().map(|(name, _)| *name).collect());
}

#[test]
fn every_target_has_a_program_and_a_corpus_and_there_are_no_others() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in &targets {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target} is no [[bin]] of fuzz/Cargo.toml"
        );
    }
}
