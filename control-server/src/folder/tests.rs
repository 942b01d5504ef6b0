//! Tests of a folder: what its files say together, and what stays where something is wrong.

use std::fs;

use landbridge_control_client::wire::Kind;
use landbridge_testkit::pki::Mesh;
use tempfile::TempDir;

use super::*;
use crate::resource::Audience;

struct World {
    dir: TempDir,
    folder: Folder,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (_, name, _) in PARTS {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let folder = Folder::new(dir.path());
        let world = Self { dir, folder };
        for (name, text) in files {
            world.write(name, text);
        }
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// What is served, as `KIND NAME`, and what is said, without the folder's name.
    fn loaded(&mut self) -> (Vec<String>, Vec<String>) {
        let loaded = self.folder.load().unwrap();
        let mut served: Vec<String> = loaded.entries.iter().map(|entry| entry.key().to_string()).collect();
        served.sort();
        let dir = format!("{}/", self.dir.path().display());
        let said = loaded.problems.iter().map(|problem| problem.to_string().replace(&dir, "")).collect();
        (served, said)
    }
}

fn service(host: &str, more: &str) -> String {
    format!(
        "[[service]]\nhost = '{host}'\nport = 80\nallow = ['spiffe://td/*']\nendpoints = [{{ address = '10.0.0.7:80' }}]\n{more}\n"
    )
}

#[test]
fn each_part_becomes_resources_and_a_policy_one_for_each_of_its_services() {
    let mesh = Mesh::new("td");
    let mut world = World::new(&[
        ("services/a.toml", &format!("exposure = ['cluster-1']\n{}{}", service("a", ""), service("b", ""))),
        ("services/c.toml", "[[service]]\nhost = 'c'\nport = 80\nmode = 'passthrough'\nendpoints = []\n"),
        ("services/d.toml", "[[service]]\nhost = 'd.shop.svc.x'\nport = 80\nallow = ['spiffe://td/*']\n"),
        ("endpoints/d.json", r#"{"service": "d.shop.svc.x:80", "endpoints": [{"address": "10.0.0.9:80"}]}"#),
        (
            "policies/p.toml",
            "[[policy]]\nname = 'p'\nservices = ['a:80', 'b:80']\nallow = ['spiffe://td/*']\n",
        ),
        (
            "peers/p.toml",
            "[[peer]]\nname = 'cluster-1'\ntrust = ['cluster-1']\ngateways = ['203.0.113.7:15443']\n",
        ),
        ("trust/t.toml", "[[trust]]\nname = 'cluster-1'\ndomain = 'td'\nbundle = 'ca.pem'\n"),
        ("trust/ca.pem", &mesh.bundle()),
    ]);
    let (served, said) = world.loaded();
    assert_eq!(
        served,
        [
            "endpoints a:80",
            "endpoints b:80",
            "endpoints c:80",
            "endpoints d.shop.svc.x:80",
            "peer cluster-1",
            "policy p/a:80",
            "policy p/b:80",
            "service a:80",
            "service b:80",
            "service c:80",
            "service d.shop.svc.x:80",
            "trust_bundle cluster-1",
        ]
    );
    assert!(said.iter().all(|line| line.contains("warning")), "{said:?}");
    let loaded = world.folder.load().unwrap();
    let line = |kind, name: &str| {
        let entry =
            loaded.entries.iter().find(|entry| entry.key().kind == kind && entry.key().name.as_str() == name);
        String::from_utf8(entry.unwrap().line().to_vec()).unwrap()
    };
    assert!(line(Kind::Service, "a:80").ends_with(
        "\"spec\":{\"allow\":[\"spiffe://td/*\"],\"exposure\":[\"cluster-1\"],\"host\":\"a\",\"port\":80}}\n"
    ));
    assert!(line(Kind::Policy, "p/a:80").contains(r#""services":["a:80"]"#));
    assert!(line(Kind::TrustBundle, "cluster-1").contains("BEGIN CERTIFICATE"));
    let audience = |name: &str| {
        loaded.entries.iter().find(|entry| entry.key().name.as_str() == name).unwrap().audience()
    };
    assert!(
        matches!(audience("d.shop.svc.x:80"), Audience::Service { namespace, .. } if namespace == "shop")
    );
}

#[test]
fn what_is_wrong_in_a_file_takes_nothing_away_and_hurts_nothing_beside_it() {
    let both = format!("{}{}", service("a", ""), service("b", ""));
    let mut world = World::new(&[("services/a.toml", &both), ("services/c.toml", &service("c", ""))]);
    let before = world.loaded();
    assert_eq!(before.1, Vec::<String>::new());
    // Wrong inside one: the other is still as it is written.
    world.write(
        "services/a.toml",
        &format!("{}{}", service("a", "balance = 'none'"), service("b", "balance = 'random'")),
    );
    let (served, said) = world.loaded();
    assert_eq!(served, before.0);
    assert!(said[0].starts_with("services/a.toml:6:11: error: service[0].balance: expected"), "{said:?}");
    let entries = world.folder.load().unwrap().entries;
    let line = |name: &str| {
        let of = |entry: &&Entry| entry.key().kind == Kind::Service && entry.key().name.as_str() == name;
        String::from_utf8(entries.iter().find(of).unwrap().line().to_vec()).unwrap()
    };
    assert!(line("b:80").contains("random") && !line("a:80").contains("none"));
    // No TOML at all, and not even text.
    for broken in ["[[service", "\u{0}"] {
        world.write("services/a.toml", broken);
        let (served, said) = world.loaded();
        assert_eq!(served, before.0);
        assert!(said[0].starts_with("services/a.toml:1:"), "{said:?}");
    }
    fs::write(world.dir.path().join("services/a.toml"), [0xff]).unwrap();
    assert_eq!(world.loaded().0, before.0);
    // A file that is gone takes what it said with it.
    fs::remove_file(world.dir.path().join("services/a.toml")).unwrap();
    assert_eq!(world.loaded(), (vec!["endpoints c:80".to_owned(), "service c:80".to_owned()], Vec::new()));
}

#[test]
fn whoever_has_a_name_keeps_it() {
    let mut world = World::new(&[("services/b.toml", &service("b", "sni = ['x']"))]);
    let before = world.loaded();
    world.write("services/a.toml", &format!("{}{}", service("a", "sni = ['x']"), service("b", "")));
    let (served, said) = world.loaded();
    assert_eq!(served, before.0);
    assert!(
        said[0].contains("services/a.toml:1:1: error: a:80: x leads to service b:80 already"),
        "{said:?}"
    );
    assert!(said[1].contains("services/a.toml:7:1: error: b:80: service b:80 is in "), "{said:?}");
    // One that wants a name which another has stays what it was.
    world.write("services/a.toml", &service("a", ""));
    assert_eq!(world.loaded().0.len(), 4);
    world.write("services/a.toml", &service("a", "sni = ['x']"));
    let (served, said) = world.loaded();
    assert_eq!((served.len(), said.len()), (4, 1));
    // Once it is free, it is its own.
    world.write("services/b.toml", &service("b", ""));
    let (served, said) = world.loaded();
    assert_eq!((served.len(), said.len()), (4, 0));
}

#[test]
fn endpoints_as_json_are_held_to_the_same_rules_and_told_by_their_lines() {
    let bare = "[[service]]\nhost = 'a'\nport = 80\nallow = ['spiffe://td/*']\n";
    let mut world = World::new(&[("services/a.toml", bare)]);
    let text = "{\n \"service\": \"a:80\",\n \"endpoints\": [\n  {\"address\": \"10.0.0.7:80\"},\n  {\"address\": \"10.0.0.8\", \"wieght\": 2}\n ]\n}";
    world.write("endpoints/a.json", text);
    let (served, said) = world.loaded();
    assert_eq!(served, ["service a:80"]);
    let said: Vec<&String> = said.iter().filter(|line| line.contains("error")).collect();
    assert!(
        said[0].starts_with("endpoints/a.json:5:1: error: endpoints[1].address: expected IP:port"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("endpoints/a.json:5:1: error: endpoints[1].wieght: there is no such key"),
        "{said:?}"
    );
    for (text, expected) in [
        ("{", "endpoints/a.json:1:1: error: EOF"),
        ("{}", "endpoints/a.json:1:1: error: service: missing"),
        (r#"{"service": 1, "endpoints": []}"#, "endpoints/a.json:1:1: error: service: invalid type"),
        (
            r#"{"service": "a:80", "endpoints": [], "x": 1}"#,
            "endpoints/a.json:1:1: error: x: there is no such key",
        ),
        (r#"{"service": "a:80", "endpoints": [null]}"#, "endpoints/a.json:1:1: error: endpoints[0]: "),
    ] {
        world.write("endpoints/a.json", text);
        let (_, said) = world.loaded();
        assert!(said.iter().any(|line| line.starts_with(expected)), "{text}: {said:?}");
    }
    world.write("endpoints/a.json", r#"{"service": "a:80", "endpoints": [{"address": "10.0.0.7:80"}]}"#);
    assert_eq!(world.loaded().0, ["endpoints a:80", "service a:80"]);
    // Not both.
    world.write("services/a.toml", &service("a", ""));
    let (served, said) = world.loaded();
    assert_eq!(served, ["endpoints a:80", "service a:80"]);
    assert!(
        said[0].contains("endpoints/a.json:1:1: error: a:80: the service has endpoints of its own"),
        "{said:?}"
    );
}

#[test]
fn a_bundle_that_changes_is_read_again_and_one_that_is_broken_is_not() {
    let (mesh, other) = (Mesh::new("td"), Mesh::new("td"));
    let mut world = World::new(&[
        ("trust/t.toml", "[[trust]]\ndomain = 'td'\nbundle = 'ca.pem'\n"),
        ("trust/ca.pem", &mesh.bundle()),
    ]);
    let version = |world: &mut World| world.folder.load().unwrap().entries[0].version();
    let first = version(&mut world);
    world.write("trust/ca.pem", "-----BEGIN CERTIFICATE-----\n");
    assert_eq!(version(&mut world), first);
    assert!(world.loaded().1[0].starts_with("trust/t.toml:1:1: error: trust.td: "));
    world.write("trust/ca.pem", &other.bundle());
    assert_ne!(version(&mut world), first);
    assert_eq!(world.loaded().1, Vec::<String>::new());
}

#[test]
fn a_folder_that_is_gone_is_an_error_and_not_empty() {
    let world = World::new(&[("services/a.toml", &service("a", ""))]);
    let mut folder = world.folder;
    assert_eq!(folder.load().unwrap().entries.len(), 2);
    world.dir.close().unwrap();
    assert!(folder.load().is_err());
}
