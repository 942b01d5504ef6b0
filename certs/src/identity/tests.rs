//! Identities from text and from files, and what is told where they are none.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::issue::{Algorithm, CaOptions, Issued, LeafOptions};
use crate::testing::{SLEEP, at, id, leaf, now, root};

fn issued() -> Issued {
    root("root").svid(&id(SLEEP), now()).unwrap()
}

fn from(certificate: &str, key: &str) -> Result<KeyPair, IdentityError> {
    KeyPair::from_pem(certificate.as_bytes(), key.as_bytes(), now())
}

fn error(certificate: &str, key: &str) -> String {
    from(certificate, key).unwrap_err().to_string()
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Files in `folder` under these names.
fn pair(folder: &Path, names: (&str, &str), issued: &Issued) -> KeyPairFiles {
    let (certificate, private_key) = (folder.join(names.0), folder.join(names.1));
    write(&certificate, &issued.chain_pem(), 0o644);
    write(&private_key, &issued.key_pem(), 0o600);
    KeyPairFiles::Pair { certificate, private_key }
}

#[test]
fn a_pair_knows_who_it_is_and_shows_no_secret() {
    let issued = issued();
    let pair = from(&issued.chain_pem(), &issued.key_pem()).unwrap();
    assert_eq!(pair.id(), Some(&id(SLEEP)));
    assert!(pair.not_after() > now());
    assert_eq!(pair.chain(), issued.chain);
    let shown = format!("{pair:?}");
    assert!(shown.starts_with(&format!("KeyPair {{ id: Some(\"{SLEEP}\"), not_after: ")), "{shown}");
    assert!(shown.len() < 200, "{shown}");
}

#[test]
fn nothing_that_holds_a_key_shows_a_byte_of_it() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let pair = from(&issued.chain_pem(), &issued.key_pem()).unwrap();
    let shown = [
        format!("{pair:?} {pair:#?}"),
        format!("{:?}", pair.certified().key),
        format!("{ca:?}"),
        format!("{issued:?}"),
        format!("{:?}", issued.key),
    ]
    .concat();
    let mut secrets: Vec<String> = Vec::new();
    for pem in [issued.key_pem(), ca.key_pem()] {
        secrets.extend(pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    }
    // The scalar of a P-256 key is 32 bytes at offset 36 of its PKCS#8 (RFC 5915).
    let scalar = &issued.key.secret_der()[36..68];
    secrets.push(format!("{:?}", &scalar[..4]).trim_matches(['[', ']']).to_owned());
    let [a, b, c, d] = *scalar.first_chunk().unwrap();
    secrets.push(format!("{:08x}", u32::from_be_bytes([a, b, c, d])));
    for secret in secrets {
        assert!(!shown.contains(&secret), "{shown}");
    }
}

#[test]
fn a_certificate_without_a_spiffe_id_is_a_pair_without_an_id() {
    let mut options = LeafOptions::new(now());
    options.dns = vec!["gateway.example".into()];
    let issued = root("root").issue(&options).unwrap();
    assert_eq!(from(&issued.chain_pem(), &issued.key_pem()).unwrap().id(), None);
}

#[test]
fn line_ends_of_windows_other_sections_and_one_file_for_both_are_fine() {
    let issued = issued();
    let crlf = |text: String| text.replace('\n', "\r\n");
    assert!(from(&crlf(issued.chain_pem()), &crlf(issued.key_pem())).is_ok());
    let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    assert!(from(&issued.chain_pem(), &format!("{parameters}{}", issued.key_pem())).is_ok());
    let both = issued.key_pem() + &issued.chain_pem();
    assert!(from(&both, &both).is_ok());
}

#[test]
fn keys_of_each_algorithm_are_usable() {
    let ca = root("root");
    for algorithm in [Algorithm::P256, Algorithm::P384, Algorithm::Ed25519, Algorithm::Rsa2048] {
        let issued = leaf(&ca, |leaf| leaf.algorithm = algorithm);
        assert!(from(&issued.chain_pem(), &issued.key_pem()).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn keys_in_their_older_encodings_are_usable() {
    // PKCS#8 wraps PKCS#1 and SEC1: the key is the content of its one OCTET STRING (RFC 5208).
    let ca = root("root");
    let cases = [(Algorithm::P256, "EC PRIVATE KEY", 26), (Algorithm::Rsa2048, "RSA PRIVATE KEY", 26)];
    for (algorithm, label, offset) in cases {
        let issued = leaf(&ca, |leaf| leaf.algorithm = algorithm);
        let inner = inner_key(issued.key.secret_der(), offset);
        let pem = crate::issue::tests::pem(label, inner);
        let found = from(&issued.chain_pem(), &pem);
        assert!(found.is_ok(), "{label}: {}", found.unwrap_err());
    }
}

/// The content of the OCTET STRING, which begins near `offset`.
fn inner_key(pkcs8: &[u8], offset: usize) -> &[u8] {
    (0..offset + 8)
        .find_map(|start| {
            let rest = pkcs8.get(start..)?;
            let header = match rest {
                [4, 0x82, ..] => 4,
                [4, 0x81, ..] => 3,
                [4, length, ..] if *length < 0x80 => 2,
                _ => return None,
            };
            rest.get(header..).filter(|content| content.starts_with(&[0x30]))
        })
        .unwrap()
}

#[test]
fn what_is_wrong_with_the_text_is_told_precisely() {
    let (one, other) = (issued(), issued());
    let (chain, key) = (one.chain_pem(), one.key_pem());
    let two_keys = format!("{key}{}", other.key_pem());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAMCAQU=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let junk = "-----BEGIN PRIVATE KEY-----\nMAMCAQU=\n-----END PRIVATE KEY-----\n";
    let cases: [(&str, &str, &str); 11] = [
        ("", &key, "no certificate in the certificate; PEM is expected: -----BEGIN CERTIFICATE-----"),
        (&key, &key, "no certificate in the certificate; PEM is expected: -----BEGIN CERTIFICATE-----"),
        (&chain, &chain, "no private key in the private key; PEM is expected: -----BEGIN PRIVATE KEY-----"),
        (
            &chain,
            &two_keys,
            "the private key has 2 private keys; leave the one that belongs to the certificate",
        ),
        (
            &chain,
            encrypted,
            "the private key in the private key is encrypted; decrypt it with: openssl pkey -in the private key",
        ),
        (
            &chain,
            legacy,
            "the private key in the private key is encrypted; decrypt it with: openssl pkey -in the private key",
        ),
        (&chain, junk, "the private key in the private key cannot be used: "),
        (
            &chain,
            &key.replace("-----END", "---END"),
            "the private key is broken PEM: the line -----END PRIVATE KEY----- is missing",
        ),
        (
            "-----BEGIN CERTIFICATE----\nAAAA\n",
            &key,
            "the certificate is broken PEM: a -----BEGIN line does not end in five dashes",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n",
            &key,
            "the first certificate in the certificate cannot be decoded: ",
        ),
        (
            &chain,
            &other.key_pem(),
            "the private key in the private key does not belong to the certificate in the certificate; was only one of them renewed?",
        ),
    ];
    for (certificate, key, text) in cases {
        let error = error(certificate, key);
        assert!(error.starts_with(text), "{error}");
    }
}

#[test]
fn a_chain_in_the_wrong_order_is_told_from_a_foreign_key() {
    let ca = root("root");
    let middle = ca.intermediate("middle", &CaOptions::new(now())).unwrap();
    let issued = middle.svid(&id(SLEEP), now()).unwrap();
    let mut reversed = issued.clone();
    reversed.chain.reverse();
    assert_eq!(
        error(&reversed.chain_pem(), &issued.key_pem()),
        "the private key in the private key belongs to certificate 2 of the certificate; the leaf comes first, then its issuers"
    );
}

#[test]
fn only_a_leaf_that_is_valid_now_is_taken() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let load = |time| KeyPair::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes(), time);
    let end = load(now()).unwrap().not_after();
    assert!(load(end).is_ok());
    let error = load(at(end, 5)).unwrap_err().to_string();
    assert_eq!(error, "the certificate in the certificate expired 5 s ago; renew it");
    let start = at(end, -86_460);
    assert!(load(start).is_ok());
    let error = load(at(start, -7)).unwrap_err().to_string();
    assert_eq!(error, "the certificate in the certificate is not valid for another 7 s; compare the clocks");
}

#[test]
fn a_pair_is_loaded_from_its_two_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = pair(folder.path(), ("a.pem", "a.key"), &issued());
    assert_eq!(KeyPair::load(&files, now()).unwrap().id(), Some(&id(SLEEP)));
    fs::remove_file(folder.path().join("a.key")).unwrap();
    let error = KeyPair::load(&files, now()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("a.key: No such file"), "{error}");
}

#[test]
fn the_file_names_of_istio_gke_and_cert_manager_are_known() {
    for names in
        [("cert-chain.pem", "key.pem"), ("certificates.pem", "private_key.pem"), ("tls.crt", "tls.key")]
    {
        let folder = tempfile::tempdir().unwrap();
        pair(folder.path(), names, &issued());
        let files = KeyPairFiles::Directory(folder.path().to_owned());
        assert!(KeyPair::load(&files, now()).is_ok(), "{names:?}");
    }
}

#[test]
fn a_folder_without_a_pair_is_told_what_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("tls.crt"), "", 0o644);
    let files = KeyPairFiles::Directory(folder.path().to_owned());
    let error = KeyPair::load(&files, now()).unwrap_err().to_string();
    let text = "; looked for cert-chain.pem and key.pem (Istio), certificates.pem and private_key.pem (GKE), \
                tls.crt (found) and tls.key (cert-manager)";
    assert!(error.ends_with(text), "{error}");
    assert!(error.contains(&folder.path().display().to_string()), "{error}");
}

#[test]
fn a_key_that_everybody_may_read_is_refused_and_one_for_its_group_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let files = pair(folder.path(), ("a.pem", "a.key"), &issued());
    let key = folder.path().join("a.key");
    for mode in [0o400, 0o600, 0o640, 0o440, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        assert!(KeyPair::load(&files, now()).is_ok(), "{mode:o}");
    }
    for mode in [0o644, 0o604, 0o666, 0o602, 0o601] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let error = KeyPair::load(&files, now()).unwrap_err().to_string();
        assert!(error.contains(&format!("(mode {mode:04o}); run: chmod o-rwx ")), "{error}");
    }
}

#[test]
fn a_link_is_followed_to_the_mode_that_counts_and_a_projected_secret_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (real, data) = (folder.path().join("real"), folder.path().join("..data"));
    fs::create_dir(&real).unwrap();
    pair(&real, ("tls.crt", "tls.key"), &issued());
    symlink(&real, &data).unwrap();
    for name in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
    }
    let files = KeyPairFiles::Directory(folder.path().to_owned());
    assert!(KeyPair::load(&files, now()).is_ok());
    fs::set_permissions(real.join("tls.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(KeyPair::load(&files, now()).is_ok(), "as the kubelet writes it");
    // The same file by a link of somebody's own.
    fs::remove_file(folder.path().join("tls.key")).unwrap();
    symlink(real.join("tls.key"), folder.path().join("tls.key")).unwrap();
    let error = KeyPair::load(&files, now()).unwrap_err().to_string();
    assert!(error.contains("(mode 0644)"), "{error}");
}

#[test]
fn what_is_no_file_or_too_large_a_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = pair(folder.path(), ("a.pem", "a.key"), &issued());
    let certificate = folder.path().join("a.pem");
    let text = fs::read_to_string(&certificate).unwrap();
    fs::write(&certificate, text.clone() + &"\n".repeat((1 << 20) - text.len())).unwrap();
    assert!(KeyPair::load(&files, now()).is_ok(), "exactly 1 MiB");
    fs::write(&certificate, text.clone() + &"\n".repeat((1 << 20) - text.len() + 1)).unwrap();
    let error = KeyPair::load(&files, now()).unwrap_err().to_string();
    assert!(error.ends_with("a.pem is larger than the 1048576 bytes that are read"), "{error}");
    fs::remove_file(&certificate).unwrap();
    fs::create_dir(&certificate).unwrap();
    let error = KeyPair::load(&files, now()).unwrap_err().to_string();
    assert!(error.ends_with("a.pem is not a regular file"), "{error}");
}
