//! What is wrong is said in words that help, whatever the files are.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::Duration;

use landbridge_certs::issue::{Ca, CaOptions, LeafOptions, Usage, Validity};
use landbridge_core::SpiffeId;
use rustls_pki_types::UnixTime;

use crate::{BY, Folder, SLEEP};

const REQUEST: &str = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";
const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";

/// A folder with one file of every bad kind beside the good ones.
fn bad_files() -> Folder {
    let folder = Folder::with_sleep();
    folder.write("empty", b"");
    folder.write("binary", &(0..=255u8).cycle().take(4096).collect::<Vec<_>>());
    folder.write("huge", "x\n".repeat(1 << 20).as_bytes());
    folder.write("request", REQUEST.as_bytes());
    folder.write("encrypted", ENCRYPTED.as_bytes());
    folder.write("cut", folder.read("sleep.pem").split_at(200).0.as_bytes());
    folder.write("garbled", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    folder.write("public", b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n");
    folder.write("der", b"\x30\x82\x01\x00");
    folder.write("two-keys", (folder.read("sleep.key") + &folder.read("cluster-1-ca.key")).as_bytes());
    folder.write("open.key", folder.read("cluster-1-ca.key").as_bytes());
    fs::set_permissions(folder.path("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    symlink("nowhere", folder.path("dangling")).unwrap();
    let made = Command::new("mkfifo").arg(folder.path("pipe")).status().unwrap();
    assert!(made.success());
    folder
}

/// What each bad file is called when a certificate is expected.
const AS_CERTIFICATE: [(&str, &str); 13] = [
    ("absent", "cannot read absent"),
    ("dangling", "cannot read dangling"),
    ("empty", "empty"),
    ("binary", "binary"),
    ("huge", "huge is larger than the 1048576 bytes"),
    ("folder", "folder is not a regular file"),
    ("pipe", "pipe is not a regular file"),
    ("request", "request"),
    ("cut", "cut is broken PEM"),
    ("garbled", "cannot be decoded"),
    ("public", "public"),
    ("der", "openssl x509 -inform der"),
    ("sleep.key", "private key"),
];

#[test]
fn every_command_says_of_a_bad_certificate_file_what_it_is() {
    let folder = bad_files();
    for (file, said) in AS_CERTIFICATE {
        let ca = ["--ca", file, "--ca-key", "cluster-1-ca.key"];
        let bundle = format!("cluster.local={file}");
        let bundles = ["--bundle", "cluster.local=cluster-1-ca.pem"];
        let commands: [&[&str]; 6] = [
            &[&["intermediate", "--name", "x"], &ca[..]].concat(),
            &[&["issue", "--id", SLEEP, "--name", "x"], &ca[..]].concat(),
            &[&["crl", "--crl", "x"], &ca[..]].concat(),
            &[&["renew", file, "--cert", "x.pem", "--new-key", "x.key"], &BY[..]].concat(),
            &[&["verify", "--cert", file], &bundles[..]].concat(),
            &["verify", "--cert", "sleep.pem", "--bundle", &bundle],
        ];
        for command in commands {
            // A key is no bundle, and that is told by the words for bundles.
            let told = if command.contains(&bundle.as_str()) && file == "sleep.key" {
                "no certificate"
            } else {
                said
            };
            folder.certs(command).failed(1, &[file, told]);
        }
        if file != "sleep.key" {
            folder.certs(&["inspect", file]).failed(1, &[file]);
        }
    }
    for name in ["x", "x.pem", "x.key"] {
        assert!(!folder.path(name).exists(), "{name}");
    }
}

#[test]
fn every_command_says_of_a_bad_key_file_what_it_is() {
    let folder = bad_files();
    for (file, said) in [
        ("absent", "cannot read absent"),
        ("empty", "no private key in empty"),
        ("binary", "no private key in binary"),
        ("huge", "huge is larger than"),
        ("folder", "folder is not a regular file"),
        ("pipe", "pipe is not a regular file"),
        ("encrypted", "openssl pkey -in encrypted"),
        ("two-keys", "two-keys has 2 private keys"),
        ("open.key", "chmod o-rwx open.key"),
        ("sleep.pem", "sleep.pem holds a certificate"),
        ("sleep.key", "does not belong to the CA in cluster-1-ca.pem"),
    ] {
        let by = ["--ca", "cluster-1-ca.pem", "--ca-key", file];
        for command in [
            &[&["intermediate", "--name", "x"], &by[..]].concat()[..],
            &[&["issue", "--id", SLEEP, "--name", "x"], &by[..]].concat(),
            &[&["crl", "--crl", "x"], &by[..]].concat(),
            &[&["renew", "sleep.pem", "--cert", "x.pem", "--new-key", "x.key"], &by[..]].concat(),
        ] {
            folder.certs(command).failed(1, &[said]);
        }
    }
    for (file, said) in [
        ("cluster-1-ca.key", "does not belong to it"),
        ("encrypted", "openssl pkey -in encrypted"),
        ("sleep.pem", "holds a certificate"),
    ] {
        let renew = ["renew", "sleep.pem", "--key", file, "--cert", "x.pem"];
        folder.certs(&[&renew[..], &BY].concat()).failed(1, &[said]);
    }
    assert!(!folder.path("x.pem").exists());
}

#[test]
fn only_a_ca_that_is_one_and_is_valid_now_issues() {
    let folder = Folder::with_sleep();
    let now = UnixTime::now();
    let at = |seconds: u64| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let day = Duration::from_secs(86_400);
    let root = |from: u64| {
        let options = CaOptions { validity: Validity::starting(at(from), day), ..CaOptions::new(now) };
        Ca::root("dated root", &options).unwrap()
    };
    let (old, young) = (root(now.as_secs() - 172_800), root(now.as_secs() + 172_800));
    // A CA in name that may not sign: basic constraints without key usage keyCertSign.
    let id = SpiffeId::parse(SLEEP).unwrap();
    let mute = LeafOptions { ca: true, usages: vec![Usage::DigitalSignature], ..LeafOptions::svid(&id, now) };
    let mute = old.issue(&mute).unwrap();
    for (name, certificate, key) in [
        ("old", old.certificate_pem(), old.key_pem()),
        ("young", young.certificate_pem(), young.key_pem()),
        ("mute", mute.chain_pem(), mute.key_pem()),
        ("two", old.certificate_pem() + &young.certificate_pem(), old.key_pem()),
    ] {
        folder.write(&format!("{name}.pem"), certificate.as_bytes());
        folder.write(&format!("{name}.key"), key.as_bytes());
    }
    for (name, said) in [
        ("old", "the CA in old.pem has expired"),
        ("young", "the CA in young.pem is not valid yet"),
        ("mute", "the CA in mute.pem may not sign certificates"),
        ("two", "certificate 2 of two.pem did not issue certificate 1"),
        ("sleep", "certificate 1 of sleep.pem is not a CA's"),
    ] {
        let by = ["--ca", &format!("{name}.pem"), "--ca-key", &format!("{name}.key")];
        folder.certs(&[&["issue", "--id", SLEEP, "--name", "x"], &by[..]].concat()).failed(1, &[said]);
    }
}

#[test]
fn only_the_ca_that_issued_a_certificate_renews_it() {
    let folder = Folder::with_sleep();
    folder.certs(&["ca", "--domain", "cluster.local", "--name", "other"]).worked();
    let other = ["--ca", "other-ca.pem", "--ca-key", "other-ca.key", "--force"];
    folder.certs(&[&["renew", "sleep.pem"], &other[..]].concat()).failed(
        1,
        &["cannot renew sleep.pem", "CN=cluster-1 root", "CN=other root", "give the CA that issued it"],
    );
    let ca = ["renew", "cluster-1-ca.pem", "--cert", "x.pem", "--new-key", "x.key"];
    folder.certs(&[&ca[..], &BY].concat()).failed(1, &["it is a CA's", "landbridge certs ca"]);
}

#[test]
fn a_wrong_use_exits_2_and_says_what_was_expected() {
    let folder = Folder::with_sleep();
    let issue = |more: &[&str]| folder.certs(&[&["issue"], &BY[..], more].concat());
    for (more, said) in [
        (&[][..], "--id"),
        (&["--id", "sleep"], "a SPIFFE ID begins with \"spiffe://\""),
        (&["--id", "spiffe://cluster.local"], "has a path after its trust domain"),
        (&["--id", "spiffe://Cluster.local/a"], "lower-case letters"),
        (&["--id", SLEEP, "--id", SLEEP], "--id"),
        (&["--id", SLEEP, "--hours", "0"], "0"),
        (&["--id", SLEEP, "--hours", "a day"], "a day"),
        (&["--id", SLEEP, "--hours", "99999999999"], "99999999999"),
        (&["--id", SLEEP, "--dns", "192.0.2.1"], "use --ip"),
        (&["--id", SLEEP, "--dns", "a..b"], "each label"),
        (&["--id", SLEEP, "--ip", "a.example"], "a.example"),
        (&["--id", SLEEP, "--algorithm", "dsa"], "p256"),
    ] {
        issue(more).failed(2, &[said]);
    }
    let verify = |more: &[&str]| folder.certs(&[&["verify", "--cert", "sleep.pem"], more].concat());
    for (more, code, said) in [
        (&[][..], 2, "--bundle"),
        (&["--bundle", "cluster-1-ca.pem"], 2, "expected NAME=DOMAIN=FILE"),
        (&["--bundle", "a=B=cluster-1-ca.pem"], 2, "lower-case letters"),
        (&["--bundle", "=b=c"], 2, "none of them empty"),
        (&["--crl", "x", "-c", "gateway.toml"], 2, "--crl"),
        (&["--service", "x:1", "--bundle", "a=b=c"], 2, "--service"),
        (&["--bundle", "a=b=c", "--at", "tomorrow"], 2, "2031-01-31T12:00:00Z"),
        (&["--bundle", "a=b=c", "--crl", "z=x"], 1, "with the name of one --bundle"),
        (&["--bundle", "a=b=c", "--bundle", "d=b=c", "--crl", "x"], 1, "with the name of one --bundle"),
        (&["--bundle", "a=b=c", "--crl", "x", "--crl", "y"], 1, "put both lists into one file"),
        (&["--bundle", "a=b=cluster-1-ca.pem", "--bundle", "a=b=cluster-1-ca.pem"], 1, "are called a"),
    ] {
        verify(more).failed(code, &[said]);
    }
    for (arguments, said) in [
        (&["ca"][..], "--domain"),
        (&["ca", "--domain", "Cluster.Local"], "lower-case letters"),
        (&["inspect"], "<FILE>"),
        (&["forge"], "unrecognized subcommand"),
    ] {
        folder.certs(arguments).failed(2, &[said]);
    }
}
