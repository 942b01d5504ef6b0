//! `crl`: lists that only grow.

use std::fs;

use crate::{BUNDLE, BY, Folder, SLEEP, facts};

const LIST: [&str; 2] = ["--crl", "cluster-1.crl.pem"];

fn revoked(folder: &Folder, list: usize) -> Vec<String> {
    let facts = facts(folder, "cluster-1.crl.pem")["revocation_lists"][list].take();
    let revoked = facts["revoked"].as_array().unwrap().iter();
    revoked.map(|it| it["serial"].as_str().unwrap().to_owned()).collect()
}

fn number(folder: &Folder) -> u64 {
    facts(folder, "cluster-1.crl.pem")["revocation_lists"][0]["number"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_list_begins_empty_grows_and_forgets_nothing() {
    let folder = Folder::with_sleep();
    let crl = |more: &[&str]| folder.certs(&[&["crl"], &BY[..], more].concat());
    let verify = || folder.certs(&[&["verify", "--cert", "sleep.pem"], &BUNDLE[..], &LIST].concat());
    let said = crl(&[]).worked();
    assert!(said.contains("revokes 0 of its certificates (0 of them new)"), "{said}");
    verify().worked();

    let said = crl(&["--revoke", "sleep.pem"]).worked();
    assert!(said.contains("revokes 1 of its certificates (1 of them new)"), "{said}");
    verify().failed(1, &["cert_revoked", "TLS alert 44"]);
    let serial = facts(&folder, "sleep.pem")["certificates"][0]["serial"].as_str().unwrap().to_owned();
    assert_eq!(revoked(&folder, 0), [serial.as_str()]);
    let since = facts(&folder, "cluster-1.crl.pem")["revocation_lists"][0]["revoked"][0]["since"].take();

    // Again, by serial number this time, beside two more.
    let before = number(&folder);
    let said = crl(&["--revoke", &serial, "--revoke", "0xFF01", "--revoke", "80", "--days", "30"]).worked();
    assert!(said.contains("revokes 3 of its certificates (2 of them new)"), "{said}");
    assert_eq!(revoked(&folder, 0), [serial.as_str(), "00:ff:01", "00:80"]);
    assert!(number(&folder) > before);
    let list = facts(&folder, "cluster-1.crl.pem")["revocation_lists"][0].take();
    assert_eq!(list["revoked"][0]["since"], since);
    assert!(list["seconds_left"].as_i64().unwrap() > 29 * 86_400);
    crl(&[]).worked();
    assert_eq!(revoked(&folder, 0).len(), 3);
    assert!(number(&folder) > before + 1);
    assert_eq!(crate::mode(&folder.path("cluster-1.crl.pem")), 0o644);
}

#[test]
fn lists_that_are_extended_at_the_same_time_lose_nothing() {
    let folder = Folder::with_sleep();
    std::thread::scope(|scope| {
        for serial in 0x10..0x20 {
            let folder = &folder;
            scope.spawn(move || {
                let serial = format!("{serial:x}");
                folder.certs(&[&["crl", "--revoke", &serial], &BY[..]].concat()).worked();
            });
        }
    });
    assert_eq!(revoked(&folder, 0).len(), 16);
}

#[test]
fn one_file_holds_the_lists_of_every_ca_on_the_path() {
    let folder = Folder::with_sleep();
    folder.certs(&[&["intermediate", "--name", "issuing-1"], &BY[..]].concat()).worked();
    let by = ["--ca", "issuing-1.pem", "--ca-key", "issuing-1.key"];
    folder.certs(&[&["issue", "--id", SLEEP, "--name", "web"], &by[..]].concat()).worked();
    folder.certs(&[&["crl"], &BY[..]].concat()).worked();
    let verify = || folder.certs(&[&["verify", "--cert", "web.pem"], &BUNDLE[..], &LIST].concat());
    verify().failed(1, &["revocation_unknown"]);
    let said = folder.certs(&[&["crl"], &by[..], &LIST].concat()).worked();
    assert!(said.contains("also in it, as it was: the list of \"CN=cluster-1 root\""), "{said}");
    verify().worked();
    folder.certs(&[&["crl", "--revoke", "web.pem"], &by[..], &LIST].concat()).worked();
    verify().failed(1, &["cert_revoked"]);
    assert_eq!((revoked(&folder, 0).len(), revoked(&folder, 1).len()), (1, 0));
    // The root revokes the intermediate itself.
    folder.certs(&[&["crl", "--revoke", "issuing-1.pem"], &BY[..]].concat()).worked();
    assert_eq!((revoked(&folder, 0).len(), revoked(&folder, 1).len()), (1, 1));
}

#[test]
fn a_list_that_cannot_be_kept_is_not_replaced() {
    let folder = Folder::with_sleep();
    folder.certs(&[&["crl", "--revoke", "sleep.pem"], &BY[..]].concat()).worked();
    let text = folder.read("cluster-1.crl.pem");

    // The same name and key identifier, and another signature.
    let mut der: Vec<u8> = der_of(&text);
    let last = der.len() - 1;
    der[last] ^= 1;
    let forged = armored("X509 CRL", &der);
    folder.write("cluster-1.crl.pem", forged.as_bytes());
    let said = folder.certs(&[&["crl"], &BY[..]].concat());
    said.failed(1, &["cluster-1.crl.pem", "this CA did not sign it"]);
    assert_eq!(folder.read("cluster-1.crl.pem"), forged);

    folder.write("cluster-1.crl.pem", b"nonsense");
    folder.certs(&[&["crl"], &BY[..]].concat()).failed(1, &["no revocation list in cluster-1.crl.pem"]);
    let cut = text.replace("-----END X509 CRL-----", "");
    folder.write("cluster-1.crl.pem", cut.as_bytes());
    folder.certs(&[&["crl"], &BY[..]].concat()).failed(1, &["cluster-1.crl.pem is broken PEM"]);

    // A CA of the same name and another key keeps the list of the first as another's.
    folder.write("cluster-1.crl.pem", text.as_bytes());
    fs::create_dir(folder.path("new")).unwrap();
    folder.certs(&["ca", "--domain", "cluster.local", "--name", "cluster-1", "--out", "new"]).worked();
    let by = ["--ca", "new/cluster-1-ca.pem", "--ca-key", "new/cluster-1-ca.key"];
    folder.certs(&[&["crl"], &by[..], &LIST].concat()).worked();
    assert_eq!((revoked(&folder, 0).len(), revoked(&folder, 1).len()), (0, 1));
}

#[test]
fn only_a_certificate_of_this_ca_or_a_serial_number_is_revoked() {
    let folder = Folder::with_sleep();
    folder.certs(&["ca", "--domain", "cluster.local", "--name", "other"]).worked();
    folder
        .certs(&[
            "ca",
            "--domain",
            "cluster.local",
            "--name",
            "cluster-1",
            "--cert",
            "twin.pem",
            "--key",
            "twin.key",
        ])
        .worked();
    let other =
        ["issue", "--id", SLEEP, "--name", "foreign", "--ca", "other-ca.pem", "--ca-key", "other-ca.key"];
    folder.certs(&other).worked();
    let twin = ["issue", "--id", SLEEP, "--name", "twins", "--ca", "twin.pem", "--ca-key", "twin.key"];
    folder.certs(&twin).worked();
    for (what, words) in [
        ("foreign.pem", &["cannot revoke foreign.pem", "issued by", "other root"][..]),
        ("twins.pem", &["cannot revoke twins.pem", "another key"][..]),
        ("absent.pem", &["neither a file nor a serial number"][..]),
        ("sleep.key", &["sleep.key holds a private key"][..]),
        ("zz", &["neither a file nor a serial number"][..]),
    ] {
        folder.certs(&[&["crl", "--revoke", what], &BY[..]].concat()).failed(1, words);
    }
    assert!(!folder.path("cluster-1.crl.pem").exists());
}

/// The DER of the one section of a PEM text.
fn der_of(pem: &str) -> Vec<u8> {
    use rustls_pki_types::CertificateRevocationListDer;
    use rustls_pki_types::pem::PemObject as _;
    CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

/// One PEM section.
fn armored(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in der.chunks(3) {
        let all = [chunk[0], *chunk.get(1).unwrap_or(&0), *chunk.get(2).unwrap_or(&0)];
        let bits = u32::from(all[0]) << 16 | u32::from(all[1]) << 8 | u32::from(all[2]);
        for place in 0..4 {
            let sextet = usize::try_from(bits >> (18 - 6 * place) & 0x3f).unwrap();
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
