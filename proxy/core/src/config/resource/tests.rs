//! Tests of resources: what their specs mean, every mistake by its exact words, and that the file says the same.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::config::Config;
use crate::policy::Policy;
use crate::service::Service;

const FILE: &str = "[identity]
certificate = 'gateway.pem'
private_key = 'gateway.key'
[identities.other]
certificate = 'other.pem'
private_key = 'other.key'
[listener]
address = '10.0.0.1:15443'
[[trust]]
name = 'cluster-1'
domain = 'cluster.local'
bundle = 'ca.pem'
[[trust]]
name = 'cluster-2'
domain = 'cluster.local'
bundle = 'ca2.pem'
";

fn file(more: &str) -> Config {
    Config::from_toml(&format!("{FILE}{more}"), std::path::Path::new("/etc")).unwrap()
}

fn scope() -> Scope {
    let all = [Decision::Trust, Decision::Audit, Decision::Passthrough];
    Scope::of(&file(""), Decision::USUAL.into_iter().chain(all))
}

fn said<T: fmt::Debug>(lowered: Lowered<T>) -> Vec<String> {
    let objections = lowered.unwrap_err();
    assert!(!objections.is_empty());
    objections.iter().map(|objection| format!("{} {objection}", objection.code)).collect()
}

const FULL: &str = r#"{"host": "Httpbin.example", "port": 8000, "sni": ["h.example"],
    "allow": ["spiffe://cluster.local/ns/a/sa/b", {"id": "spiffe://cluster.local/ns/*/sa/web", "from": "cluster-1"}],
    "endpoints": [{"address": "10.0.0.7:80", "weight": 2, "labels": {"version": "v1"}}, {"address": "pods.example:80"}],
    "identity": "other", "balance": "round_robin", "alpn": ["h2"], "send_proxy": "v2", "close_on_cert_expiry": true,
    "subset": [{"name": "v1", "labels": {"version": "v1"}, "allow": []}],
    "upstream_tls": {"server_identities": ["spiffe://cluster.local/*"]}, "mode": null}"#;

#[test]
fn a_service_means_what_the_same_service_means_in_the_file() {
    let written = file(
        "[[service]]
host = 'httpbin.example'
port = 8000
sni = ['h.example']
allow = ['spiffe://cluster.local/ns/a/sa/b', { id = 'spiffe://cluster.local/ns/*/sa/web', from = 'cluster-1' }]
endpoints = [{ address = '10.0.0.7:80', weight = 2, labels = { version = 'v1' } }, { address = 'pods.example:80' }]
identity = 'other'
balance = 'round_robin'
alpn = ['h2']
send_proxy = 'v2'
close_on_cert_expiry = true
subset = [{ name = 'v1', labels = { version = 'v1' }, allow = [] }]
upstream_tls = { server_identities = ['spiffe://cluster.local/*'] }
",
    );
    let spec = service(FULL, &scope()).unwrap();
    assert_eq!(spec.service, **written.services.sorted()[0]);
    assert_eq!((spec.lists_endpoints, spec.exposure), (true, None));
}

#[test]
fn every_mistake_of_a_service_is_told_with_its_field_and_as_the_file_tells_it() {
    let spec = r#"{"host": "a.example", "port": "80", "mod": "terminate", "allow": ["sleep", {"id": "spiffe://cluster.local/*",
        "from": "cluster-3"}], "endpoints": [{"adress": "10.0.0.7:80"}, {"address": "10.0.0.8", "weight": 0}],
        "identity": "othr", "exposur": [], "balance": 9999999999999999999999, "alpn": [1.5, null], "host": "b"}"#;
    assert_eq!(
        said(service(spec, &scope())),
        [
            "invalid mod: there is no such key; did you mean `mode`?",
            "invalid exposur: there is no such key; did you mean `exposure`?",
            "invalid host: `host` is written twice; keep one of the two",
            "invalid port: expected a number from 1 to 65535, found \"80\"; write the number without quotes: 80",
            "invalid endpoints[0].adress: there is no such key; did you mean `address`?",
            "invalid endpoints[1].weight: expected a number from 1 to 1000000, found 0",
            "invalid balance: expected \"least_request\", \"round_robin\", \"random\" or \"source_hash\", \
             found 10000000000000000000000",
            "invalid alpn[0]: expected a text in quotes, found 1.5",
            "invalid alpn[1]: expected a text in quotes, found null",
            "invalid endpoints[0].address: missing; \
             add where the endpoint is, such as address = \"10.0.0.7:80\"",
            "invalid endpoints[1].address: expected IP:port or host:port, found \"10.0.0.8\"; \
             add the port, as in \"10.0.0.7:80\"",
            "invalid allow[0]: \"sleep\" is no SPIFFE ID or pattern: a SPIFFE ID begins with \"spiffe://\", \
             in lower case",
            "unknown_reference allow[1].from: there is no [[trust]] entry named \"cluster-3\"; \
             did you mean `cluster-1`?",
            "unknown_reference identity: there is no [identities.othr]; did you mean `other`?",
        ]
    );
}

#[test]
fn what_the_file_does_not_let_the_stream_decide_is_forbidden_where_it_is_said() {
    let nothing = Scope::of(&file(""), []);
    let spec = r#"{"host": "a.example", "port": 80, "allow": [], "authorization": "audit", "endpoints": [],
        "subset": [{"name": "v1", "labels": {"v": "1"}, "allow": []}]}"#;
    let fields = |lowered: Lowered<ServiceSpec>| -> Vec<String> {
        let objections = lowered.unwrap_err();
        assert!(objections.iter().all(|objection| objection.code == Code::Forbidden), "{objections:?}");
        objections.into_iter().map(|objection| objection.field).collect()
    };
    assert_eq!(
        fields(service(spec, &nothing)),
        ["", "endpoints", "allow", "subset[0].allow", "authorization"]
    );
    assert_eq!(
        said(service(spec, &Scope::of(&file(""), Decision::USUAL))),
        [
            "forbidden authorization: this gateway doesn't let the stream decide that: \"audit\" is not in control.may"
        ]
    );
    let through = r#"{"sni": ["a.example"], "mode": "passthrough", "endpoints": []}"#;
    assert_eq!(fields(service(through, &Scope::of(&file(""), Decision::USUAL))), ["mode"]);
    assert!(service(through, &scope()).is_ok());
    assert!(endpoints(r#"{"endpoints": []}"#, &nothing).is_err());
    assert!(policy(r#"{"services": [], "allow": []}"#, &nothing).is_err());
    let bundle = r#"{"domain": "cluster.local", "bundle": "PEM"}"#;
    assert!(trust_bundle(bundle, &Scope::of(&file(""), Decision::USUAL)).is_err());
    assert!(trust_bundle(bundle, &scope()).is_ok());
}

#[test]
fn no_address_of_the_stream_leads_where_it_is_never_meant_to_nor_round_nor_outside() {
    let at = |address: &str, scope: &Scope| {
        endpoints(&format!(r#"{{"endpoints": [{{"address": "{address}"}}]}}"#), scope)
    };
    for address in ["127.0.0.1:80", "169.254.169.254:80", "[::ffff:127.0.0.1]:80", "10.0.0.1:15443"] {
        let objections = at(address, &scope()).unwrap_err();
        assert_eq!(
            (objections[0].field.as_str(), objections[0].code),
            ("endpoints[0].address", Code::Forbidden)
        );
    }
    assert!(at("10.0.0.1:80", &scope()).is_ok());
    let narrow =
        Scope::of(&file("[endpoints]\nallow_cidrs = ['192.0.2.0/24', '127.0.0.1']"), Decision::USUAL);
    assert!(at("10.0.0.1:80", &narrow).is_err() && at("192.0.2.1:80", &narrow).is_ok());
    assert!(at("127.0.0.1:80", &narrow).is_ok());
    assert!(at("127.0.0.1:80", &narrow.listening(vec!["[::]:80".parse().unwrap()])).is_err());
    // Whatever address the machine has, a listener at a wildcard is there.
    let wide =
        scope().listening(vec!["[::]:80".parse().unwrap()]).on_machine(|ip| ip.to_string() == "10.0.0.7");
    assert!(at("10.0.0.7:80", &wide).is_err() && at("[::ffff:10.0.0.7]:80", &wide).is_err());
    assert!(at("10.0.0.7:81", &wide).is_ok() && at("10.0.0.8:80", &wide).is_ok());
}

fn grants(service: &Service) -> Vec<String> {
    let Policy::Grants { allow, .. } = &service.policy else { panic!("{service:?}") };
    allow.iter().map(ToString::to_string).collect()
}

#[test]
fn a_service_is_assembled_of_its_own_spec_its_endpoints_its_policies_and_its_peers() {
    let scope = scope();
    let spec = r#"{"host": "a.example", "port": 80, "exposure": ["near", "gone"], "allow": ["spiffe://cluster.local/ns/a/sa/b",
        {"id": "spiffe://cluster.local/ns/a/sa/c", "from": "cluster-1"},
        {"id": "spiffe://cluster.local/ns/a/sa/d", "from": "cluster-2"}],
        "subset": [{"name": "v1", "labels": {"v": "1"}, "allow": ["spiffe://cluster.local/*"]}]}"#;
    let spec = service(spec, &scope).unwrap();
    assert!(!spec.lists_endpoints);
    let pods = endpoints(r#"{"endpoints":[{"address":"10.0.0.7:80"}]}"#, &scope).unwrap();
    let policy = policy(
        r#"{"services": ["a"], "allow": ["spiffe://cluster.local/ns/a/sa/b", "spiffe://cluster.local/ns/x/sa/*"]}"#,
        &scope,
    )
    .unwrap();
    let near =
        peer(r#"{"trust": ["cluster-1"], "gateways": ["203.0.113.7:15443"], "network": "n"}"#).unwrap();
    let find = |name: &str| (name == "near").then_some(&near);
    let assembled = spec.assemble(Some(&pods), [&policy], find).unwrap();
    assert_eq!(*assembled.endpoints, *pods);
    assert_eq!(
        grants(&assembled),
        [
            "spiffe://cluster.local/ns/a/sa/b from cluster-1",
            "spiffe://cluster.local/ns/a/sa/c from cluster-1",
            "spiffe://cluster.local/ns/x/sa/* from cluster-1",
        ]
    );
    let of_subset = assembled.subsets[0].allow.as_deref().unwrap();
    assert_eq!(of_subset[0].to_string(), "spiffe://cluster.local/* from cluster-1");
    // A peer that isn't known has no callers.
    let nobody = spec.assemble(None, [&policy], |_| None).unwrap();
    assert_eq!((grants(&nobody), nobody.subsets[0].allow.as_deref()), (Vec::new(), Some(&[][..])));
    // Without an exposure everybody whom a grant allows.
    let open = ServiceSpec { exposure: None, ..spec.clone() }.assemble(None, [&policy], find).unwrap();
    assert_eq!(grants(&open).len(), 4);
    assert!(open.endpoints.is_empty());
    // An exposure to a great many is refused, not carried out.
    let trust = (0..70_000).map(|number| TrustName::new(&format!("cluster-{number}"))).collect();
    let all = PeerSpec { trust, ..PeerSpec::default() };
    assert_eq!(spec.assemble(None, [], |_| Some(&all)).unwrap_err().field, "exposure");
}

#[test]
fn endpoints_of_the_service_s_own_spec_are_not_replaced_by_a_resource() {
    let scope = scope();
    let spec = service(r#"{"host": "a.example", "port": 80, "endpoints": []}"#, &scope).unwrap();
    let pods = endpoints(r#"{"endpoints":[{"address":"10.0.0.7:80"}]}"#, &scope).unwrap();
    assert!(spec.lists_endpoints);
    assert!(spec.assemble(Some(&pods), [], |_| None).unwrap().endpoints.is_empty());
}

#[test]
fn other_resources_tell_their_mistakes_in_the_same_words() {
    let scope = scope();
    assert_eq!(said(endpoints("{}", &scope)), ["invalid endpoints: missing; write [] if there is none"]);
    assert_eq!(
        said(endpoints(r#"{"endpoints":[{"address":"10.0.0.7:80"},{"address":"10.0.0.7:80"}]}"#, &scope)),
        ["invalid endpoints[1].address: 10.0.0.7:80 is an endpoint of this service already; \
          list it once, with a weight if it is to get more"]
    );
    assert_eq!(
        said(policy(r#"{"services": ["a", "a", ""], "alow": []}"#, &scope)),
        [
            "invalid alow: there is no such key; did you mean `allow`?",
            "invalid allow: missing; write [] if there is none",
            "invalid services[1]: is listed twice; remove one of the two",
            "invalid services[2]: may not be empty",
        ]
    );
    assert_eq!(
        said(trust_bundle(r#"{"domain": "Cluster", "crl": 1}"#, &scope)),
        [
            "invalid crl: expected a text in quotes, found 1",
            "invalid bundle: missing",
            "invalid domain: \"Cluster\" is no trust domain: a trust domain consists of lower-case letters, digits, \
             '.', '-' and '_'",
        ]
    );
    assert_eq!(
        said(peer(r#"{"gateways": ["203.0.113.7"]}"#)),
        ["invalid gateways[0]: expected IP:port or host:port, found \"203.0.113.7\"; \
          add the port, as in \"10.0.0.7:80\""]
    );
    assert_eq!(
        said(service(r#"{"sni": ["a.b"], "mode": "passthrough", "exposure": []}"#, &scope)),
        [
            "invalid exposure: cannot be kept with mode = \"passthrough\": the gateway does not see who calls; \
          remove it, or let the gateway terminate TLS"
        ]
    );
}

#[test]
fn a_spec_that_nobody_writes_in_good_faith_is_refused_and_soon() {
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let many = |text: &str, count: usize| format!("{{\"endpoints\":[{}null]}}", text.repeat(count));
    let keys = (0..100_000).map(|number| format!("\"k{number}\":0,")).collect::<Vec<_>>().concat();
    let hostile = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\u{0}".to_owned(),
        "{}{}".to_owned(),
        open.clone(),
        open + &close,
        "{\"a\":".repeat(100_000),
        " ".repeat(LONGEST + 1),
        many("0,", 600_000),
        many("{},", 100_000),
        many("1e999,", 10),
        many("-9223372036854775809,", 10),
        many("{\"labels\":{\"a\":\"b\",\"a\":null}},", 1000),
        format!("{{{keys}\"endpoints\":[]}}"),
    ];
    let start = Instant::now();
    for text in &hostile {
        let shown: String = text.chars().take(40).collect();
        let scope = scope();
        for told in [
            said(service(text, &scope)),
            said(endpoints(text, &scope)),
            said(policy(text, &scope)),
            said(trust_bundle(text, &scope)),
        ] {
            assert!(told.len() <= OBJECTIONS, "{shown}");
            assert!(told.iter().all(|line| line.len() < 1000), "{shown}: {told:?}");
        }
        let _ = peer(text);
    }
    // Far more than it takes, and far less than anything quadratic would.
    assert!(start.elapsed() < Duration::from_secs(60), "took {:?}", start.elapsed());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = service(&text, &scope());
    }

    #[test]
    fn no_change_of_a_good_spec_makes_it_panic(
        cut in 0..FULL.len(),
        gone in 0..40usize,
        put in "[\\[\\]\":{},0-9a-z. ]{0,6}",
    ) {
        let mut text: Vec<char> = FULL.chars().collect();
        let cut = cut.min(text.len());
        let end = (cut + gone).min(text.len());
        text.splice(cut..end, put.chars());
        let text: String = text.into_iter().collect();
        let scope = scope();
        let _ = (service(&text, &scope), endpoints(&text, &scope), policy(&text, &scope), peer(&text));
    }
}
