//! Generations that are whole, and every way in which one may not be.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::held::Position;
use crate::wire::Seq;

const ORDER: [Generation; 2] = [Generation::Present, Generation::Previous];
const SPEC: &str = r#"{"host":"a.example","port":80}"#;

fn header(seq: u64) -> Header {
    let position = Position { epoch: "e1".to_owned(), seq: Seq(seq), whole: true };
    Header::new(position, ["e0".to_owned()], 1_800_000_000)
}

fn save(store: &Store, seq: u64, names: &[&str]) {
    let resources = names.iter().map(|name| (Kind::Service, *name, Version::of(SPEC.as_bytes()), SPEC));
    store.save(&header(seq), resources).unwrap();
}

fn seq(store: &Store) -> Result<u64, Vec<&'static str>> {
    let (loaded, passed) = store.load(&ORDER);
    loaded
        .map(|loaded| loaded.header.position.seq.0)
        .ok_or(passed.iter().map(|passed| passed.error.as_str()).collect())
}

fn scene() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path().join("snapshot"));
    (dir, store)
}

#[test]
fn what_was_saved_is_loaded_with_its_versions() {
    let (_dir, store) = scene();
    assert_eq!(seq(&store), Err(vec!["absent", "absent"]));
    save(&store, 7, &["a:80", "b:80"]);
    let (loaded, passed) = store.load(&ORDER);
    let loaded = loaded.unwrap();
    assert!(passed.is_empty());
    assert_eq!(loaded.header, header(7));
    let kept: Vec<_> =
        loaded.resources.iter().map(|kept| (kept.kind, kept.name.as_str(), kept.spec.get())).collect();
    assert_eq!(kept, [(Kind::Service, "a:80", SPEC), (Kind::Service, "b:80", SPEC)]);
    assert_eq!(loaded.resources[0].version, Version::of(SPEC.as_bytes()));
    let mode = fs::metadata(store.file(Generation::Present)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "who may call whom is nobody else's business");
}

#[test]
fn the_generation_before_is_kept_and_only_that() {
    let (dir, store) = scene();
    for seq in [1, 2, 3] {
        save(&store, seq, &[]);
    }
    assert_eq!(seq(&store).unwrap(), 3);
    assert_eq!(store.load(&[Generation::Previous]).0.unwrap().header.position.seq.0, 2);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_text_cut_at_any_byte_is_passed_over_for_the_generation_before() {
    let (_dir, store) = scene();
    save(&store, 1, &["a:80"]);
    save(&store, 2, &["a:80", "b:80"]);
    let whole = fs::read(store.file(Generation::Present)).unwrap();
    for length in 0..whole.len() {
        fs::write(store.file(Generation::Present), &whole[..length]).unwrap();
        assert_eq!(seq(&store).unwrap(), 1, "cut after {length} bytes");
    }
    fs::write(store.file(Generation::Present), [&whole[..], b"\n"].concat()).unwrap();
    assert_eq!(seq(&store).unwrap(), 1, "something behind its end");
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let (_dir, store) = scene();
    save(&store, 1, &[]);
    save(&store, 2, &["a:80"]);
    let whole = fs::read(store.file(Generation::Present)).unwrap();
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << bit;
            fs::write(store.file(Generation::Present), flipped).unwrap();
            assert_eq!(seq(&store).unwrap(), 1, "bit {bit} of byte {place}");
        }
    }
}

#[test]
fn what_a_later_version_wrote_is_named_as_such_and_what_is_foreign_too() {
    let (_dir, store) = scene();
    let file = store.file(Generation::Present);
    fs::write(&file, "{\"landbridge_snapshot\":2,\"whatever\":[]}\n").unwrap();
    assert_eq!(seq(&store), Err(vec!["newer", "absent"]));
    fs::write(&file, "#!/bin/sh\n").unwrap();
    assert_eq!(seq(&store), Err(vec!["foreign", "absent"]));
    fs::write(&file, "").unwrap();
    assert_eq!(seq(&store), Err(vec!["torn", "absent"]));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(seq(&store), Err(vec!["foreign", "absent"]));
}

#[test]
fn a_spec_that_is_not_its_version_is_refused_though_the_checksum_is_right() {
    let (_dir, store) = scene();
    let wrong = [(Kind::Service, "a:80", Version::of(b"{}"), SPEC)];
    store.save(&header(1), wrong).unwrap();
    let (_, passed) = store.load(&ORDER);
    assert_eq!(passed[0].error.to_string(), "line 2: the version of service a:80 is not that of its spec");
}

#[test]
fn what_is_forgotten_is_in_no_generation() {
    let (dir, store) = scene();
    save(&store, 1, &["a:80"]);
    save(&store, 2, &["a:80"]);
    fs::write(dir.path().join("snapshot.unfinished"), "left by a crash").unwrap();
    store.forget().unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    store.forget().unwrap();
    save(&store, 3, &[]);
    assert_eq!(seq(&store).unwrap(), 3);
}

#[test]
fn a_save_that_fails_leaves_both_generations() {
    let (dir, store) = scene();
    save(&store, 1, &[]);
    save(&store, 2, &[]);
    // A folder in the way can't be removed as a file.
    fs::create_dir(dir.path().join("snapshot.unfinished")).unwrap();
    assert!(store.save(&header(3), []).is_err());
    assert_eq!(seq(&store).unwrap(), 2);
    assert_eq!(store.load(&[Generation::Previous]).0.unwrap().header.position.seq.0, 1);
}
