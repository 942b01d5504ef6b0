//! Which crate may use which, and what each manifest must say.

use std::collections::BTreeMap;
use std::process::Command;

use crate::tree::{assert_none, files, read, root};

/// A crate, and those of ours that it may use. What is not listed may use nothing of ours.
const ARROWS: [(&str, &[&str]); 8] = [
    ("landbridge-core", &[]),
    ("landbridge-splice", &[]),
    ("landbridge-certs", &["landbridge-core"]),
    ("landbridge-control-client", &["landbridge-core"]),
    ("landbridge-control-server", &["landbridge-control-client", "landbridge-certs", "landbridge-core"]),
    ("landbridge", &["landbridge-splice", "landbridge-certs", "landbridge-core"]),
    ("landbridge-admin", &["landbridge", "landbridge-core"]),
    (
        "landbridge-cli",
        &[
            "landbridge",
            "landbridge-admin",
            "landbridge-certs",
            "landbridge-control-client",
            "landbridge-control-server",
            "landbridge-core",
        ],
    ),
];

/// Crates that stand beside the gateway: they may use all of it, and nothing of it may use them.
const BESIDE: [&str; 6] = [
    "landbridge-tests",
    "landbridge-testkit",
    "landbridge-streams",
    "landbridge-fuzzing",
    "landbridge-impair",
    "landbridge-benches",
];

/// Crates of others that would pull down a wall.
const WALLS: [(&str, &[&str]); 3] = [
    ("landbridge-core", &["tokio", "rustls", "libc", "rustix", "socket2", "anyhow"]),
    ("landbridge", &["hyper", "hyper-util", "http", "prometheus", "clap", "tracing-subscriber", "anyhow"]),
    ("landbridge-splice", &["hyper", "serde", "anyhow"]),
];

/// A section of a manifest with its keys, each with line and value.
type Sections = BTreeMap<String, Vec<(usize, String, String)>>;

#[test]
fn every_arrow_between_crates_points_down() {
    assert_none("not among the arrows", &check(&wrong_arrows));
}

#[test]
fn no_crate_pulls_in_what_its_wall_keeps_out() {
    assert_none("keep this out", &check(&through_the_wall));
}

#[test]
fn every_crate_takes_its_lints_from_the_workspace() {
    assert_none("add [lints] workspace = true", &check(&own_lints));
}

#[test]
fn the_core_links_no_tokio_no_rustls_and_no_libc() {
    let tree = dependency_tree("landbridge-core");
    assert!(tree.iter().any(|name| name == "serde"), "not the tree of landbridge-core: {tree:?}");
    let linked: Vec<_> =
        tree.into_iter().filter(|name| ["tokio", "rustls", "libc"].contains(&name.as_str())).collect();
    assert_none("landbridge-core links", &linked);
}

/// Every package that a crate links, itself included.
fn dependency_tree(package: &str) -> Vec<String> {
    // First without the network: whoever runs this test has just built all of it.
    let mut complaint = String::new();
    for offline in [&["--offline"][..], &[]] {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--locked"])
            .args(offline)
            .current_dir(root())
            .output()
            .unwrap();
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            return text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
        }
        complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    panic!("cargo tree --package {package}: {complaint}");
}

fn check(law: &dyn Fn(&str, &Sections) -> Vec<String>) -> Vec<String> {
    let manifests: Vec<String> = files("Cargo.toml").into_iter().filter(|path| path.contains('/')).collect();
    assert!(manifests.len() >= ARROWS.len(), "found only {manifests:?}");
    manifests.iter().flat_map(|path| law(path, &sections(&read(path)))).collect()
}

fn wrong_arrows(path: &str, manifest: &Sections) -> Vec<String> {
    let name = name_of(manifest);
    if BESIDE.contains(&name.as_str()) || name.contains("fuzz") {
        return Vec::new();
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(of, _)| *of == name) else {
        return vec![format!("{path}:1: {name} has no place among the arrows")];
    };
    linked(manifest)
        .into_iter()
        .filter(|(_, used)| used.starts_with("landbridge") && !allowed.contains(&used.as_str()))
        .map(|(line, used)| format!("{path}:{line}: {name} may not use {used}"))
        .collect()
}

fn through_the_wall(path: &str, manifest: &Sections) -> Vec<String> {
    let name = name_of(manifest);
    let walls = WALLS.iter().filter(|(of, _)| *of == name).flat_map(|(_, kept_out)| kept_out.iter());
    let kept_out: Vec<&str> = walls.copied().collect();
    linked(manifest)
        .into_iter()
        .filter(|(_, used)| kept_out.contains(&used.as_str()))
        .map(|(line, used)| format!("{path}:{line}: {name} may not use {used}"))
        .collect()
}

fn own_lints(path: &str, manifest: &Sections) -> Vec<String> {
    let says = |section: &str, wanted: &str| {
        let keys = manifest.get(section).map(Vec::as_slice).unwrap_or_default();
        keys.iter().any(|(_, key, value)| key == wanted && value == "true")
    };
    let inherited = says("lints", "workspace") || says("", "lints.workspace");
    if inherited { Vec::new() } else { vec![format!("{path}:1: lints of its own")] }
}

/// What a crate links, tests aside, with the line that says so.
fn linked(manifest: &Sections) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (section, keys) in manifest {
        let table = section.rsplit_once("dependencies");
        let Some((before, behind)) = table else { continue };
        if before.ends_with("dev-") {
            continue;
        }
        if let Some(name) = behind.strip_prefix('.') {
            found.push((keys.first().map_or(1, |(line, ..)| *line), name.to_owned()));
            continue;
        }
        for (line, key, value) in keys {
            let renamed = value.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            let name = renamed.unwrap_or_else(|| key.split('.').next().unwrap_or(key));
            found.push((*line, name.to_owned()));
        }
    }
    found
}

fn name_of(manifest: &Sections) -> String {
    let keys = manifest.get("package").map(Vec::as_slice).unwrap_or_default();
    let name = keys.iter().find(|(_, key, _)| key == "name").map(|(_, _, value)| value.trim_matches('"'));
    name.unwrap_or("").to_owned()
}

/// The part of TOML that our manifests use: tables, and one key to a line.
fn sections(text: &str) -> Sections {
    let mut found = Sections::new();
    let mut section = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or("").trim();
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = title.trim_matches(['[', ']']).replace('"', "");
            found.entry(section.clone()).or_default();
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let entry = (number + 1, key.trim().replace('"', ""), value.trim().to_owned());
            found.entry(section.clone()).or_default().push(entry);
        }
    }
    found
}

#[test]
fn manifests_that_break_the_law_are_caught() {
    let of = |text: &str| sections(text);
    let up = of("[package]\nname = \"landbridge-core\"\n[dependencies]\n\
            landbridge-certs.workspace = true\ntokio = \"1\"\n[dev-dependencies]\n\
            landbridge = \"1\"\n");
    assert_eq!(
        wrong_arrows("a/Cargo.toml", &up),
        ["a/Cargo.toml:4: landbridge-core may not use landbridge-certs"]
    );
    assert_eq!(through_the_wall("a/Cargo.toml", &up), ["a/Cargo.toml:5: landbridge-core may not use tokio"]);
    assert_eq!(own_lints("a/Cargo.toml", &up), ["a/Cargo.toml:1: lints of its own"]);

    let hidden = of("[package]\nname = \"landbridge-splice\"\n[target.'cfg(unix)'.dependencies]\n\
            ours = { package = \"landbridge-core\", path = \"x\" }\n\
            [build-dependencies.landbridge-certs]\npath = \"y\"\n[lints]\nworkspace = true\n");
    assert_eq!(wrong_arrows("b/Cargo.toml", &hidden).len(), 2);
    assert!(own_lints("b/Cargo.toml", &hidden).is_empty());

    let stranger = of("[package]\nname = \"landbridge-new\"\n");
    assert_eq!(
        wrong_arrows("c/Cargo.toml", &stranger),
        ["c/Cargo.toml:1: landbridge-new has no place among the arrows"]
    );
}
