//! `verify`: the gateway's own answer, entry by entry, and the service's.

use std::fs;

use crate::{BUNDLE, BY, Folder, SLEEP};

const CONFIG: &str = r#"
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"

[[trust]]
name = "cluster-2"
domain = "cluster.local"
bundle = "cluster-2-ca.pem"

[[trust]]
name = "cluster-1"
domain = "cluster.local"
bundle = "cluster-1-ca.pem"

[[trust]]
domain = "elsewhere"
bundle = "elsewhere-ca.pem"

[[service]]
host = "httpbin.default.svc.cluster.local"
port = 8000
sni = ["*.wide.example"]
allow = ["spiffe://cluster.local/ns/other/sa/*", { id = "spiffe://cluster.local/ns/default/sa/sleep", from = "cluster-1" }]
endpoints = [{ address = "192.0.2.1:80" }]

[[service]]
host = "bound.default.svc.cluster.local"
port = 8000
allow = [{ id = "spiffe://cluster.local/*", from = "cluster-2" }]
endpoints = [{ address = "192.0.2.1:80", labels = { version = "v1" } }]
[[service.subset]]
name = "v1"
labels = { version = "v1" }
allow = ["spiffe://cluster.local/ns/*/sa/sleep"]
[[service.subset]]
name = "v2"
labels = { version = "v1" }

[[service]]
host = "audited.default.svc.cluster.local"
port = 8000
allow = []
authorization = "audit"
endpoints = [{ address = "192.0.2.1:80" }]

[[service]]
host = "ledger.default.svc.cluster.local"
port = 443
mode = "passthrough"
endpoints = [{ address = "192.0.2.1:443" }]
"#;

/// Two clusters of one trust domain and one of another, and a gateway's configuration.
fn clusters() -> Folder {
    let folder = Folder::with_sleep();
    folder.certs(&["ca", "--domain", "cluster.local", "--name", "cluster-2"]).worked();
    folder.certs(&["ca", "--domain", "elsewhere"]).worked();
    folder.write("gateway.toml", CONFIG.as_bytes());
    folder
}

#[test]
fn the_entry_that_accepts_is_named_and_every_other_says_why_not() {
    let folder = clusters();
    // The gateway's own identity need not be there: whom it believes does not depend on it.
    let text = folder.certs(&["verify", "--cert", "sleep.pem", "-c", "gateway.toml"]).worked();
    for said in [
        "trust    cluster-2 (of cluster.local) refuses it: cert_untrusted: no path to a root",
        "trust    cluster-1 (of cluster.local) accepts it",
        "trust    elsewhere (of elsewhere) refuses it: it vouches for elsewhere alone",
        &format!("ACCEPTED: {SLEEP} as vouched for by cluster-1\n"),
    ] {
        assert!(text.contains(said), "{said:?} is missing in:\n{text}");
    }
}

#[test]
fn a_ca_of_one_trust_domain_cannot_vouch_for_another() {
    let folder = clusters();
    // The command itself would not issue this one.
    let by = ["--ca", "elsewhere-ca.pem", "--ca-key", "elsewhere-ca.key"];
    folder.certs(&[&["issue", "--id", SLEEP, "--name", "x"], &by[..]].concat()).failed(1, &["elsewhere"]);
    let pem = (folder.read("elsewhere-ca.pem"), folder.read("elsewhere-ca.key"));
    let ca = landbridge_certs::issue::Ca::from_pem(&pem.0, &pem.1).unwrap();
    let id = landbridge_core::SpiffeId::parse(SLEEP).unwrap();
    let issued = ca.svid(&id, rustls_pki_types::UnixTime::now()).unwrap();
    folder.write("impostor.pem", issued.chain_pem().as_bytes());
    folder
        .certs(&["verify", "--cert", "impostor.pem", "-c", "gateway.toml"])
        .failed(1, &["REFUSED: wrong_trust_domain", "entry elsewhere", "TLS alert 48"]);
}

#[test]
fn a_service_lets_in_whom_its_policy_allows_and_the_grant_is_named() {
    let folder = clusters();
    let ask = |service: &str| {
        folder.certs(&["verify", "--cert", "sleep.pem", "-c", "gateway.toml", "--service", service])
    };
    for service in [
        "httpbin.default.svc.cluster.local:8000",
        "outbound_.8000_._.httpbin.default.svc.cluster.local",
        "OUTBOUND_.8000_._.Httpbin.default.svc.cluster.local",
        "any.wide.example",
    ] {
        let text = ask(service).worked();
        assert!(text.contains(&format!("lets it in, by allow = {SLEEP} from cluster-1")), "{text}");
        assert!(text.ends_with("and may call httpbin.default.svc.cluster.local:8000\n"), "{text}");
    }
    ask("bound.default.svc.cluster.local:8000")
        .failed(1, &["REFUSED: denied_by_policy", "nothing in allow names it", "allow list"]);
    let subset = |name: &str| ask(&format!("outbound_.8000_.{name}_.bound.default.svc.cluster.local"));
    let text = subset("v1").worked();
    assert!(text.contains("lets it in, by allow = spiffe://cluster.local/ns/*/sa/sleep\n"), "{text}");
    assert!(text.ends_with("and may call subset v1 of bound.default.svc.cluster.local:8000\n"), "{text}");
    subset("v2").failed(1, &["REFUSED: denied_by_policy", "may not call subset v2 of bound"]);
    assert!(ask("audited.default.svc.cluster.local:8000").worked().contains("would_deny"));
    ask("ledger.default.svc.cluster.local:443").failed(1, &["passed through", "UNKNOWN"]);
    ask("absent:1")
        .failed(1, &["no service is called \"absent:1\"", "httpbin.default.svc.cluster.local:8000"]);
}

#[test]
fn a_time_to_come_is_asked_about_with_at() {
    let folder = clusters();
    let at =
        |time: &str| folder.certs(&["verify", "--cert", "sleep.pem", "-c", "gateway.toml", "--at", time]);
    at("2999-01-01T00:00:00Z")
        .failed(1, &["EXPIRED", "REFUSED: cert_expired", "a root in cluster-1-ca.pem has expired"]);
    at("1999-01-01T00:00:00Z").failed(1, &["NOT VALID YET", "REFUSED: cert_not_yet_valid"]);
}

#[test]
fn a_key_of_another_certificate_is_told_by_the_words_of_the_gateway() {
    let folder = clusters();
    let with =
        |key: &str| folder.certs(&["verify", "--cert", "sleep.pem", "--key", key, "-c", "gateway.toml"]);
    assert!(with("sleep.key").worked().contains("key      belongs to the certificate"));
    with("cluster-1-ca.key").failed(1, &["key      NO", "does not belong to the certificate", "NOT USABLE"]);
    with("sleep.pem").failed(1, &["sleep.pem holds a certificate", "NOT USABLE"]);
    with("absent").failed(1, &["cannot read absent"]);
}

#[test]
fn a_configuration_that_is_not_valid_is_told_with_its_line() {
    let folder = clusters();
    let verify = |config: &str| folder.certs(&["verify", "--cert", "sleep.pem", "-c", config]);
    folder.write("broken.toml", CONFIG.replace("bundle =", "bundel =").as_bytes());
    verify("broken.toml")
        .failed(1, &["broken.toml:9", "did you mean `bundle`", "landbridge validate -c broken.toml"]);
    fs::remove_file(folder.path("cluster-2-ca.pem")).unwrap();
    verify("gateway.toml").failed(1, &["trust entry cluster-2", "cluster-2-ca.pem"]);
    verify("absent.toml").failed(1, &["cannot read absent.toml"]);
    verify(".").failed(1, &[". is not a configuration file"]);
    folder.write("nobody.toml", b"");
    verify("nobody.toml").failed(1, &["REFUSED: unknown_trust_domain"]);
}

#[test]
fn json_has_the_same_answer_for_programs() {
    let folder = clusters();
    let verify = |service: &str| {
        let arguments = ["verify", "--cert", "sleep.pem", "--key", "sleep.key", "-c", "gateway.toml"];
        let ran = folder.certs(&[&arguments[..], &["--service", service, "--format", "json"]].concat());
        (ran.code, serde_json::from_str::<serde_json::Value>(&ran.out).unwrap())
    };
    let (code, report) = verify("httpbin.default.svc.cluster.local:8000");
    assert_eq!((code, &report["accepted"]), (Some(0), &true.into()));
    assert_eq!((&report["id"], &report["trust"]), (&SLEEP.into(), &"cluster-1".into()));
    assert_eq!(report["trust_entries"][0]["reason"], "cert_untrusted");
    assert_eq!(report["service"]["allows"], true);
    let (code, report) = verify("bound.default.svc.cluster.local:8000");
    assert_eq!((code, &report["accepted"]), (Some(1), &false.into()));
    assert_eq!(report["service"]["allows"], false);
}

#[test]
fn lists_of_several_entries_are_given_by_name() {
    let folder = clusters();
    folder.certs(&[&["crl", "--revoke", "sleep.pem"], &BY[..]].concat()).worked();
    let bundles = [&BUNDLE[..], &["--bundle", "elsewhere=elsewhere-ca.pem"]].concat();
    let verify = [&["verify", "--cert", "sleep.pem"], &bundles[..]].concat();
    folder.certs(&verify).worked();
    folder
        .certs(&[&verify[..], &["--crl", "cluster-1=cluster-1.crl.pem"]].concat())
        .failed(1, &["cert_revoked"]);
}
