//! `ca`, `intermediate`, `issue` and `renew`: what they write, and where.

use std::fs;
use std::os::unix::fs::symlink;

use crate::{BUNDLE, BY, Folder, SLEEP, facts, mode, names_in};

#[test]
fn a_ca_and_a_leaf_are_written_and_verified_with_the_commands_that_they_name() {
    let folder = Folder::new();
    let mut said = folder.certs(&["ca", "--domain", "cluster.local", "--name", "cluster-1"]).worked();
    for _ in 0..2 {
        let next = said.lines().rev().find_map(|line| line.strip_prefix("  landbridge certs ")).unwrap();
        let arguments: Vec<&str> = next.split(' ').collect();
        said = folder.certs(&arguments).worked();
    }
    assert!(said.ends_with(&format!("ACCEPTED: {SLEEP} as vouched for by cluster.local\n")), "{said}");
    assert_eq!(folder.names(), ["cluster-1-ca.key", "cluster-1-ca.pem", "sleep.key", "sleep.pem"]);
    for name in folder.names() {
        let expected = if folder.read(&name).contains("PRIVATE KEY") { 0o600 } else { 0o644 };
        assert_eq!(mode(&folder.path(&name)), expected, "{name}");
    }
}

#[test]
fn what_a_ca_and_a_leaf_say_is_what_was_asked_for() {
    let folder = Folder::with_sleep();
    let ca = &facts(&folder, "cluster-1-ca.pem")["certificates"][0];
    assert_eq!((&ca["ca"], &ca["subject"]), (&true.into(), &"CN=cluster-1 root".into()));
    assert_eq!(ca["uris"][0], "spiffe://cluster.local");
    let leaf = &facts(&folder, "sleep.pem")["certificates"][0];
    assert_eq!((&leaf["ca"], &leaf["key"]), (&false.into(), &"ECDSA P-256".into()));
    let days = |value: &serde_json::Value| (value["seconds_left"].as_i64().unwrap() + 60) / 86_400;
    assert_eq!((days(ca), days(leaf)), (365, 1));
    assert_eq!(leaf["extended_key_usage"], serde_json::json!(["serverAuth", "clientAuth"]));
    assert!(leaf["rules"].as_array().unwrap().iter().all(|rule| rule["standing"] == "ok"));

    let server = ["issue", "--id", SLEEP, "--name", "server", "--dns", "A.example", "--dns", "*.b.example"];
    let more = ["--ip", "192.0.2.1", "--ip", "2001:db8::1", "--hours", "48", "--algorithm", "p384"];
    folder.certs(&[&server[..], &more, &BY].concat()).worked();
    let leaf = &facts(&folder, "server.pem")["certificates"][0];
    assert_eq!(leaf["dns"], serde_json::json!(["a.example", "*.b.example"]));
    assert_eq!(leaf["ips"], serde_json::json!(["192.0.2.1", "2001:db8::1"]));
    assert_eq!((days(leaf), &leaf["key"]), (2, &"ECDSA P-384".into()));
}

#[test]
fn every_algorithm_makes_a_ca_a_leaf_and_a_list_that_are_believed() {
    for (algorithm, kind) in
        [("p256", "ECDSA P-256"), ("p384", "ECDSA P-384"), ("ed25519", "Ed25519"), ("rsa2048", "RSA 2048")]
    {
        let folder = Folder::new();
        let said = folder
            .certs(&["ca", "--domain", "cluster.local", "--name", "cluster-1", "--algorithm", algorithm])
            .worked();
        assert_eq!(said.contains("Envoy"), algorithm == "ed25519", "{said}");
        folder.certs(&[&["issue", "--id", SLEEP, "--algorithm", algorithm], &BY[..]].concat()).worked();
        folder.certs(&[&["crl"], &BY[..]].concat()).worked();
        assert_eq!(facts(&folder, "sleep.pem")["certificates"][0]["key"], kind);
        let verify = ["verify", "--cert", "sleep.pem", "--key", "sleep.key", "--crl", "cluster-1.crl.pem"];
        folder.certs(&[&verify[..], &BUNDLE].concat()).worked();
    }
}

#[test]
fn an_intermediate_issues_what_the_root_alone_verifies_and_allows_no_ca_below_it() {
    let folder = Folder::with_sleep();
    folder.certs(&[&["intermediate", "--name", "issuing-1"], &BY[..]].concat()).worked();
    let by = ["--ca", "issuing-1.pem", "--ca-key", "issuing-1.key"];
    folder.certs(&[&["issue", "--id", SLEEP, "--name", "web"], &by[..]].concat()).worked();
    folder.certs(&[&["verify", "--cert", "web.pem", "--key", "web.key"], &BUNDLE[..]].concat()).worked();
    let chain = facts(&folder, "web.pem")["certificates"].take();
    assert_eq!(chain.as_array().unwrap().len(), 2);
    assert_eq!(chain[0]["issued_by"], serde_json::json!({ "relation": "in_file", "certificate": 2 }));
    // The intermediate is of the same trust domain, which binds what it issues.
    assert_eq!(chain[1]["uris"][0], "spiffe://cluster.local");
    let foreign = folder.certs(&[&["issue", "--id", "spiffe://other/a"], &by[..]].concat());
    foreign.failed(1, &["issuing-1.pem", "cluster.local", "other"]);
    let below = folder.certs(&[&["intermediate", "--name", "issuing-2"], &by[..]].concat());
    below.failed(1, &["issuing-1.pem", "allows 0 CAs below it"]);

    let roomy = ["intermediate", "--name", "roomy", "--path-length", "1"];
    folder.certs(&[&roomy[..], &BY].concat()).worked();
    let by = ["--ca", "roomy.pem", "--ca-key", "roomy.key"];
    folder.certs(&[&["intermediate", "--name", "deep"], &by[..]].concat()).worked();
    let by = ["--ca", "deep.pem", "--ca-key", "deep.key"];
    folder.certs(&[&["issue", "--id", SLEEP, "--name", "deepest"], &by[..]].concat()).worked();
    folder.certs(&[&["verify", "--cert", "deepest.pem"], &BUNDLE[..]].concat()).worked();
    assert_eq!(facts(&folder, "deepest.pem")["certificates"].as_array().unwrap().len(), 3);
}

#[test]
fn nothing_outlives_its_ca_and_the_command_says_so() {
    let folder = Folder::new();
    folder.certs(&["ca", "--domain", "cluster.local", "--name", "cluster-1", "--days", "1"]).worked();
    let said = folder.certs(&[&["issue", "--id", SLEEP, "--hours", "72"], &BY[..]].concat()).worked();
    assert!(said.contains("sooner than asked: its CA ends then"), "{said}");
    let end = |name| facts(&folder, name)["certificates"][0]["not_after"].take();
    assert_eq!(end("sleep.pem"), end("cluster-1-ca.pem"));
}

#[test]
fn nothing_is_overwritten_or_half_written_without_force() {
    let folder = Folder::with_sleep();
    let (certificate, key) = (folder.read("sleep.pem"), folder.read("sleep.key"));
    let issue = [&["issue", "--id", SLEEP], &BY[..]].concat();
    let said = folder.certs(&issue).failed(1, &["nothing was written", "sleep.pem exists", "--force"]);
    assert!(said.contains("sleep.key exists"), "{said}");
    assert_eq!((folder.read("sleep.pem"), folder.read("sleep.key")), (certificate.clone(), key.clone()));

    // One of two in the way: the other is not written either.
    fs::remove_file(folder.path("sleep.pem")).unwrap();
    folder.certs(&issue).failed(1, &["sleep.key exists"]);
    assert!(!folder.path("sleep.pem").exists());
    assert_eq!(folder.read("sleep.key"), key);

    // A link that leads nowhere is in the way as well; with --force it is replaced, not followed.
    symlink("elsewhere", folder.path("sleep.pem")).unwrap();
    folder.certs(&issue).failed(1, &["sleep.pem exists"]);
    folder.certs(&[&issue[..], &["--force"]].concat()).worked();
    assert!(fs::symlink_metadata(folder.path("sleep.pem")).unwrap().is_file());
    assert_ne!(folder.read("sleep.key"), key);
    assert_eq!(mode(&folder.path("sleep.key")), 0o600);
    assert_eq!(folder.names().len(), 4, "{:?}", folder.names());
}

#[test]
fn files_go_where_they_are_told_and_nowhere_else() {
    let folder = Folder::new();
    let ca = ["ca", "--domain", "cluster.local"];
    let said = folder.certs(&[&ca[..], &["--out", "my pki"]].concat());
    said.failed(1, &["the folder my pki does not exist", "mkdir -p 'my pki'"]);
    fs::create_dir(folder.path("my pki")).unwrap();
    let said = folder.certs(&[&ca[..], &["--out", "my pki"]].concat()).worked();
    assert!(said.contains("--ca 'my pki/cluster.local-ca.pem'"), "{said}");
    assert_eq!(names_in(&folder.path("my pki")), ["cluster.local-ca.key", "cluster.local-ca.pem"]);
    folder.certs(&[&ca[..], &["--cert", "a.crt", "--key", "my pki/a.key"]].concat()).worked();
    assert!(folder.path("a.crt").exists() && folder.path("my pki/a.key").exists());

    for (arguments, code, words) in [
        (&["--cert", "x.pem"][..], 2, "--key"),
        (&["--cert", "x", "--key", "x"][..], 1, "x is meant for both"),
        (&["--cert", "my pki", "--key", "x"][..], 1, "my pki is a folder"),
        (&["--out", "a.crt"][..], 1, "a.crt is not a folder"),
        (&["--out", ".", "--cert", "x", "--key", "y"][..], 2, "--out"),
        (&["--name", "../x"][..], 2, "a name begins with a letter or digit"),
    ] {
        folder.certs(&[&ca[..], arguments].concat()).failed(code, &[words]);
    }
    assert!(!folder.path("x").exists());
}

#[test]
fn a_command_never_writes_over_what_it_reads() {
    let folder = Folder::with_sleep();
    let before = folder.read("cluster-1-ca.key");
    let to = ["--cert", "new.pem", "--key", "./cluster-1-ca.key", "--force"];
    let said = folder.certs(&[&["issue", "--id", SLEEP], &BY[..], &to].concat());
    said.failed(1, &["cluster-1-ca.key is read by this command"]);
    assert_eq!(folder.read("cluster-1-ca.key"), before);
}

#[test]
fn a_renewed_certificate_has_the_same_names_and_new_dates_for_a_new_key_or_the_same() {
    let folder = Folder::with_sleep();
    let more = ["--dns", "a.example", "--ip", "192.0.2.1", "--hours", "5"];
    folder.certs(&[&["issue", "--id", SLEEP, "--force"], &more[..], &BY].concat()).worked();
    let before = facts(&folder, "sleep.pem")["certificates"][0].take();
    let key = folder.read("sleep.key");
    let renew = [&["renew", "sleep.pem"], &BY[..]].concat();
    folder.certs(&renew).failed(1, &["sleep.pem exists", "sleep.key exists", "--force"]);

    let same = [&renew[..], &["--key", "sleep.key"]].concat();
    folder.certs(&same).failed(1, &["sleep.pem exists"]);
    let said = folder.certs(&[&same[..], &["--force"]].concat()).worked();
    assert!(said.contains(&format!("--revoke {}", before["serial"].as_str().unwrap())), "{said}");
    let after = facts(&folder, "sleep.pem")["certificates"][0].take();
    for name in ["subject", "uris", "dns", "ips", "key", "key_usage", "extended_key_usage", "rules"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert_ne!(before["serial"], after["serial"]);
    assert_eq!(folder.read("sleep.key"), key);
    let verify = [&["verify", "--cert", "sleep.pem", "--key", "sleep.key"], &BUNDLE[..]].concat();
    folder.certs(&verify).worked();

    folder.certs(&[&renew[..], &["--force", "--hours", "2", "--algorithm", "p384"]].concat()).worked();
    assert_ne!(folder.read("sleep.key"), key);
    let after = facts(&folder, "sleep.pem")["certificates"][0].take();
    assert_eq!(after["key"], "ECDSA P-384");
    assert!((7_000..=7_200).contains(&after["seconds_left"].as_i64().unwrap()), "{after}");
    folder.certs(&verify).worked();

    fs::create_dir(folder.path("next")).unwrap();
    folder.certs(&[&renew[..], &["--out", "next"]].concat()).worked();
    assert_eq!(names_in(&folder.path("next")), ["sleep.key", "sleep.pem"]);
}
