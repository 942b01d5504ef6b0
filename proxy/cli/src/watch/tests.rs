//! What a look at the files finds, without a clock and without events.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use landbridge_certs::issue::Validity;
use landbridge_testkit::pki::{Mesh, Svid};
use landbridge_testkit::world::World;
use notify::Event;
use notify::event::{AccessKind, AccessMode, CreateKind, EventKind};

use super::*;
use crate::load::{Loaded, load};

const EASTWEST: &str = "ns/istio-system/sa/eastwest";

fn loaded(world: &World, more: &str) -> Loaded {
    world.folder.write("gateway.toml", &(World::head() + more));
    load(&world.folder.path().join("gateway.toml")).unwrap_or_else(|complaints| panic!("{complaints:?}"))
}

fn round(number: u64, loaded: Loaded) -> Round {
    Round::new(number, loaded.units, loaded.credentials)
}

fn leaf_of(change: &Change) -> Option<Vec<u8>> {
    let credentials = change.credentials.as_ref()?;
    Some(credentials.own().unwrap().chain()[0].to_vec())
}

fn leaf(svid: &Svid) -> Vec<u8> {
    svid.certificates()[0].to_vec()
}

fn crl(mesh: &Mesh, end: u64) -> String {
    let validity = Validity::starting(at(0), Duration::from_secs(end));
    mesh.ca.crl(&[], validity).unwrap()
}

fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

#[test]
fn files_that_are_written_again_as_they_were_are_no_change() {
    let world = World::default();
    let mut round = round(0, loaded(&world, ""));
    assert!(round.look(UnixTime::now()).is_empty());
    world.folder.write("cluster-1.pem", &world.remote.bundle());
    assert!(round.look(UnixTime::now()).is_empty());
}

#[test]
fn a_pair_is_renewed_whole_and_what_is_wrong_in_between_is_told_once() {
    let world = World::default();
    let mut round = round(0, loaded(&world, ""));
    let fresh = world.local.svid(EASTWEST);
    world.folder.write("gateway.key", &fresh.key);
    let change = round.look(UnixTime::now());
    assert!(change.credentials.is_none());
    assert!(change.kept[0].message.contains("does not belong to the certificate"), "{:?}", change.kept);
    assert!(round.look(UnixTime::now()).is_empty());

    world.folder.write("gateway.pem", &fresh.chain);
    let change = round.look(UnixTime::now());
    assert_eq!((leaf_of(&change), change.renewed), (Some(leaf(&fresh)), vec!["identity".to_owned()]));
    assert!(round.look(UnixTime::now()).is_empty());
}

#[test]
fn a_file_that_is_gone_keeps_what_was_read_and_is_told_when_it_is_back() {
    let world = World::default();
    let mut round = round(0, loaded(&world, ""));
    fs::remove_file(world.folder.path().join("cluster-1.pem")).unwrap();
    let change = round.look(UnixTime::now());
    assert!(change.kept[0].message.contains("No such file"), "{:?}", change.kept);
    assert!(change.credentials.is_none());
    world.folder.write("cluster-1.pem", &world.remote.bundle());
    let change = round.look(UnixTime::now());
    assert_eq!((change.back, change.credentials.is_none()), (vec!["trust.cluster-1".to_owned()], true));
}

#[test]
fn what_is_wrong_with_one_holds_up_no_other() {
    let world = World::default();
    let mut round = round(0, loaded(&world, ""));
    let fresh = world.local.svid(EASTWEST);
    world.folder.write("cluster-1.pem", "-----BEGIN CERTIFICATE-----\nMII");
    world.folder.write_svid("gateway", &fresh);
    let change = round.look(UnixTime::now());
    assert_eq!((leaf_of(&change), change.kept.len()), (Some(leaf(&fresh)), 1));
    assert_eq!(change.credentials.unwrap().trust().entries().len(), 2);
}

#[test]
fn what_was_not_valid_yet_is_renewed_when_it_is_without_being_told_again() {
    let world = World::default();
    let mut round = round(0, loaded(&world, ""));
    let fresh = world.local.svid(EASTWEST);
    world.folder.write_svid("gateway", &fresh);
    let change = round.look(at(1));
    assert!(change.kept[0].message.contains("not valid for another"), "{:?}", change.kept);
    assert!(round.look(at(2)).is_empty());
    assert_eq!(leaf_of(&round.look(UnixTime::now())), Some(leaf(&fresh)));
}

#[test]
fn an_expired_list_replaces_none_that_is_valid_and_any_that_is_not() {
    let world = World::default();
    let now = UnixTime::now().as_secs();
    let trust = "[[trust]]\nname = \"listed\"\ndomain = \"cluster.local\"\n\
        bundle = \"cluster-1.pem\"\ncrl = \"crl.pem\"\n";
    world.folder.write("crl.pem", &crl(&world.remote, now + 1000));
    let mut round = round(0, loaded(&world, trust));
    world.folder.write("crl.pem", &crl(&world.remote, now - 10));
    let change = round.look(at(now));
    assert!(change.kept[0].message.contains("the lists in use are still valid"), "{:?}", change.kept);
    assert!(round.look(at(now)).is_empty());

    // The list in use has ended as well: nothing is lost with it.
    let change = round.look(at(now + 1000));
    assert_eq!((change.renewed, change.warnings.len()), (vec!["trust.listed".to_owned()], 1));
    world.folder.write("crl.pem", &crl(&world.remote, now + 2000));
    let change = round.look(at(now + 1001));
    assert_eq!((change.renewed.len(), change.warnings.len(), change.kept.len()), (1, 0, 0));
}

#[test]
fn the_poll_alone_finds_a_change() {
    let world = World::default();
    let loaded = loaded(&world, "");
    let (_wake, wakes) = channel();
    let (told, mut changes) = unbounded_channel();
    let round = round(7, loaded);
    let fresh = world.local.svid(EASTWEST);
    let watcher =
        Watcher { round, wakes, notices: Notices::new(|| {}), told, poll: Duration::from_millis(5) };
    let thread = thread::spawn(move || watcher.run());
    // Renamed over it, so that no look finds it half-written.
    world.folder.write_svid("fresh", &fresh);
    for ending in ["key", "pem"] {
        let name = |stem: &str| world.folder.path().join(format!("{stem}.{ending}"));
        fs::rename(name("fresh"), name("gateway")).unwrap();
    }
    let renewed = loop {
        let (number, change) = changes.blocking_recv().unwrap();
        assert_eq!(number, 7);
        if change.credentials.is_some() {
            break change;
        }
    };
    assert_eq!(leaf_of(&renewed), Some(leaf(&fresh)));
    drop(changes);
    // With nobody left to tell, the next change ends it.
    world.folder.write_svid("gateway", &world.local.svid(EASTWEST));
    thread.join().unwrap();
}

#[test]
fn a_change_shows_where_the_file_is_and_where_each_link_to_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("volume/..1")).unwrap();
    fs::write(root.join("volume/..1/tls.crt"), "").unwrap();
    symlink("..1", root.join("volume/..data")).unwrap();
    symlink("..data/tls.crt", root.join("volume/tls.crt")).unwrap();
    symlink(root.join("volume"), root.join("certs")).unwrap();

    let file = root.join("certs/tls.crt");
    let places = Places::of([file.as_path()].into_iter());
    let folders: Vec<&Path> = places.folders.iter().map(|path| path.strip_prefix(&root).unwrap()).collect();
    assert_eq!(folders, [Path::new(""), Path::new("volume"), Path::new("volume/..1")]);
    let event = |kind, path: &str| Event::new(kind).add_path(root.join(path));
    let created = EventKind::Create(CreateKind::Any);
    for path in ["certs", "volume/..data", "volume/tls.crt", "volume/..1/tls.crt", "volume"] {
        assert!(places.concern(&event(created, path)), "{path}");
    }
    assert!(!places.concern(&event(created, "volume/access.log")));
    let access = |kind| event(EventKind::Access(kind), "volume/..1/tls.crt");
    assert!(places.concern(&access(AccessKind::Close(AccessMode::Write))));
    assert!(!places.concern(&access(AccessKind::Open(AccessMode::Any))), "it is we who read it");
}

#[test]
fn links_that_lead_in_a_circle_come_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    symlink("b", folder.path().join("a")).unwrap();
    symlink("a", folder.path().join("b")).unwrap();
    let file = folder.path().join("a");
    assert_eq!(Places::of([file.as_path()].into_iter()).folders.len(), 1);
}
