//! `inspect`: what files say, in words and in JSON.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use landbridge_certs::issue::{Ca, LeafOptions, Purpose, Usage};
use landbridge_core::{SpiffeId, TrustDomain};
use rustls_pki_types::UnixTime;
use serde_json::json;

use crate::{BY, Folder, SLEEP, facts};

#[test]
fn a_chain_a_key_and_a_root_are_told_together() {
    let folder = Folder::with_sleep();
    let text = folder.certs(&["inspect", "sleep.pem", "sleep.key", "cluster-1-ca.pem"]).worked();
    for said in [
        "sleep.pem: 1 certificate\n",
        "certificate 1: a leaf\n",
        &format!("URI           {SLEEP}\n"),
        "key           ECDSA P-256\n",
        "(certificate 1 of cluster-1-ca.pem, which signed it)",
        "ok     one URI SAN: 1\n",
        "ok     extended key usage clientAuth: serverAuth, clientAuth\n",
        "belongs to    certificate 1 of sleep.pem\n",
        "certificate 1: a root CA\n",
        "CN=cluster-1 root (itself)\n",
    ] {
        assert!(text.contains(said), "{said:?} is missing in:\n{text}");
    }
    assert!(!text.contains("BROKEN") && !text.contains("PRIVATE KEY"), "{text}");
}

#[test]
fn a_broken_chain_is_told_at_the_place_where_it_breaks() {
    let folder = Folder::with_sleep();
    folder.certs(&[&["intermediate", "--name", "issuing-1"], &BY[..]].concat()).worked();
    let by = ["--ca", "issuing-1.pem", "--ca-key", "issuing-1.key"];
    folder.certs(&[&["issue", "--id", SLEEP, "--name", "web"], &by[..]].concat()).worked();
    let parts = [folder.read("web.pem"), folder.read("sleep.pem"), folder.read("issuing-1.pem")];
    let leaf = parts[0].split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    folder.write("jumbled.pem", [leaf, &parts[1], &parts[2]].concat().as_bytes());
    let text = folder.certs(&["inspect", "jumbled.pem"]).worked();
    assert!(text.contains("certificate 3, which signed it and should come right AFTER it"), "{text}");
    assert!(text.contains("NOT in this file: what follows does not belong to the chain"), "{text}");

    // Another CA of the same name did not sign it.
    folder.certs(&["ca", "--domain", "cluster.local", "--name", "cluster-1", "--force"]).worked();
    folder.write("twin.pem", (parts[1].clone() + &folder.read("cluster-1-ca.pem")).as_bytes());
    let text = folder.certs(&["inspect", "twin.pem"]).worked();
    assert!(text.contains("certificate 2 has this name and did NOT sign it"), "{text}");
}

#[test]
fn each_rule_of_x509_svid_is_told_by_itself() {
    let folder = Folder::new();
    let now = UnixTime::now();
    let ca = Ca::for_domain(&TrustDomain::parse("cluster.local").unwrap(), now).unwrap();
    let good = LeafOptions::svid(&SpiffeId::parse(SLEEP).unwrap(), now);
    let two = vec![SLEEP.to_owned(), "spiffe://cluster.local/b".to_owned()];
    for (options, rule, standing) in [
        (LeafOptions { uris: vec![], ..good.clone() }, "one URI SAN", "broken"),
        (LeafOptions { uris: two, ..good.clone() }, "one URI SAN", "broken"),
        (
            LeafOptions { uris: vec!["https://a.example/b".into()], ..good.clone() },
            "a workload's SPIFFE ID",
            "broken",
        ),
        (
            LeafOptions { usages: vec![Usage::DigitalSignature, Usage::CrlSign], ..good.clone() },
            "not a CA",
            "broken",
        ),
        (LeafOptions { usages: vec![], ..good.clone() }, "key usage digitalSignature", "broken"),
        (
            LeafOptions { purposes: vec![Purpose::ServerAuth], ..good.clone() },
            "extended key usage clientAuth",
            "partly",
        ),
        (
            LeafOptions { purposes: vec![Purpose::EmailProtection], ..good.clone() },
            "extended key usage clientAuth",
            "broken",
        ),
        (LeafOptions { purposes: vec![], ..good.clone() }, "extended key usage clientAuth", "ok"),
        (
            LeafOptions { ca: true, usages: vec![Usage::KeyCertSign], ..good.clone() },
            "a CA names a trust domain, or nothing",
            "broken",
        ),
        (LeafOptions { ca: true, ..good }, "key usage keyCertSign", "broken"),
    ] {
        folder.write("leaf.pem", ca.issue(&options).unwrap().chain_pem().as_bytes());
        let certificate = facts(&folder, "leaf.pem")["certificates"][0].take();
        let rules = certificate["rules"].as_array().unwrap();
        let found = rules.iter().find(|it| it["rule"] == rule).unwrap();
        assert_eq!(found["standing"], standing, "{found}");
        assert_eq!(
            folder.certs(&["inspect", "leaf.pem"]).worked().contains("BROKEN"),
            rules.iter().any(|it| it["standing"] == "broken")
        );
    }
}

#[test]
fn a_key_tells_whose_it_is_or_that_it_is_nobodys_and_who_can_take_it() {
    let folder = Folder::with_sleep();
    let belongs = |files: &[&str]| folder.certs(&[&["inspect"], files].concat()).worked();
    let text = belongs(&["cluster-1-ca.key", "sleep.pem"]);
    assert!(text.contains("belongs to    NONE of the certificates here"), "{text}");
    let text = belongs(&["sleep.key"]);
    assert!(text.contains("name the certificate's file too"), "{text}");
    folder.write("both.pem", (folder.read("sleep.pem") + &folder.read("sleep.key")).as_bytes());
    let text = belongs(&["both.pem"]);
    assert!(text.contains("both.pem: 1 certificate, 1 private key"), "{text}");
    assert!(text.contains("belongs to    certificate 1 of both.pem") && !text.contains("EXPOSED"), "{text}");
    fs::set_permissions(folder.path("both.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(belongs(&["both.pem"]).contains("EXPOSED"), "{text}");
}

#[test]
fn json_says_the_same_for_programs_and_keeps_errors_apart() {
    let folder = Folder::with_sleep();
    folder.certs(&[&["crl", "--revoke", "sleep.pem"], &BY[..]].concat()).worked();
    let files = ["sleep.pem", "absent", "sleep.key", "cluster-1-ca.pem", "cluster-1.crl.pem"];
    let ran = folder.certs(&[&["inspect", "--format", "json"], &files[..]].concat());
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("cannot read absent"), "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["errors"][0]["file"], "absent");
    let [chain, key, _, crl] = report["files"].as_array().unwrap().as_slice() else { panic!("{report}") };
    let leaf = &chain["certificates"][0];
    assert_eq!(leaf["uris"], json!([SLEEP]));
    let issued_by = json!({ "relation": "in_other_file", "file": "cluster-1-ca.pem", "certificate": 1 });
    assert_eq!(leaf["issued_by"], issued_by);
    assert_eq!(leaf["sha256"].as_str().unwrap().len(), 95);
    let belongs_to = json!({ "file": "sleep.pem", "certificate": 1 });
    assert_eq!(key["private_keys"][0]["belongs_to"], belongs_to);
    assert_eq!(key["private_keys"][0]["exposed"], false);
    assert_eq!(crl["revocation_lists"][0]["revoked"][0]["serial"], leaf["serial"]);
}

#[test]
fn a_spiffe_trust_bundle_is_read_and_what_looks_like_one_is_told() {
    let folder = Folder::with_sleep();
    let base64: String =
        folder.read("cluster-1-ca.pem").lines().filter(|line| !line.starts_with('-')).collect();
    let bundle = json!({
        "spiffe_sequence": 1,
        "keys": [{ "kty": "EC", "use": "x509-svid", "x5c": [base64] }, { "kty": "EC", "use": "jwt-svid" }],
    });
    folder.write("bundle.json", bundle.to_string().as_bytes());
    let text = folder.certs(&["inspect", "bundle.json", "sleep.pem"]).worked();
    assert!(text.contains("bundle.json: a SPIFFE trust bundle with 1 certificate"), "{text}");
    assert!(text.contains("(certificate 1 of bundle.json, which signed it)"), "{text}");
    folder.write("none.json", b"{\"keys\": []}");
    let text = folder.certs(&["inspect", "none.json"]).worked();
    assert!(
        text.contains("none.json: a SPIFFE trust bundle with no key: nobody is to be believed by it"),
        "{text}"
    );
    folder.write("jwt.json", b"{\"keys\": [{\"use\": \"jwt-svid\"}]}");
    folder.certs(&["inspect", "jwt.json"]).failed(1, &["jwt.json", "x509-svid"]);
    folder.write("broken.json", b"{\"keys\": ");
    folder.certs(&["inspect", "broken.json"]).failed(1, &["broken.json is not a SPIFFE trust bundle"]);
}

#[test]
fn a_request_and_a_public_key_are_refused_by_name() {
    let folder = Folder::new();
    for (label, said) in [
        ("CERTIFICATE REQUEST", "is a request for a certificate (CSR)"),
        ("NEW CERTIFICATE REQUEST", "is a request for a certificate (CSR)"),
        ("PUBLIC KEY", "is a public key without a certificate"),
        ("ENCRYPTED PRIVATE KEY", "is encrypted"),
        ("PKCS7", "no certificate, private key or revocation list"),
    ] {
        let pem = format!("-----BEGIN {label}-----\nMAA=\n-----END {label}-----\n");
        folder.write("file.pem", pem.as_bytes());
        folder.certs(&["inspect", "file.pem"]).failed(1, &["file.pem", said]);
    }
}

#[test]
fn a_reader_who_has_heard_enough_is_no_mistake() {
    use std::process::{Command, Stdio};
    let folder = Folder::with_sleep();
    let mut command = Command::new(crate::LANDBRIDGE);
    let files = ["sleep.pem"; 100];
    command.args(["certs", "inspect"]).args(files).current_dir(folder.path(""));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn names_in_a_certificate_cannot_move_the_terminals_cursor() {
    let folder = Folder::new();
    let hostile = "a\u{1b}[2J\u{202e}b\nSHA-256 forged";
    let options = landbridge_certs::issue::CaOptions::new(UnixTime::now());
    let ca = Ca::root(hostile, &options).unwrap();
    folder.write("hostile.pem", ca.certificate_pem().as_bytes());
    let text = folder.certs(&["inspect", "hostile.pem"]).worked();
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("\nSHA"), "{text}");
    assert!(text.contains(r"\u{1b}[2J"), "{text}");
}
