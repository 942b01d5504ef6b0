//! Explanations by their words, and that they agree with what decides on the data path.

mod agreement;

use std::path::Path;

use super::*;

/// Two meshes of one domain and a third of another; a service with subsets, one that audits, one without
/// grants, one without endpoints, one passed through.
const CONFIG: &str = r#"
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"
[[trust]]
name = "cluster-1"
domain = "cluster.local"
bundle = "1.pem"
[[trust]]
name = "cluster-2"
domain = "cluster.local"
bundle = "2.pem"
[[trust]]
domain = "example.org"
bundle = "3.pem"

[[service]]
host = "httpbin.default.svc.cluster.local"
port = 8000
sni = ["httpbin.example", "*.apps.example"]
allow = [
  { id = "spiffe://cluster.local/ns/default/sa/sleep", from = "cluster-1" },
  "spiffe://cluster.local/ns/*/sa/web",
  { id = "spiffe://example.org/ns/default/sa/batch", alias_of = "cluster.local" },
  "spiffe://cluster.local/ns/default/sa/batch",
]
endpoints = [
  { address = "10.0.0.7:80" },
  { address = "10.0.0.8:80", weight = 2, priority = 1, labels = { version = "v1" } },
]
[[service.subset]]
name = "v1"
labels = { version = "v1" }
allow = [{ id = "spiffe://cluster.local/ns/*/sa/web", from = "cluster-1" }]
[[service.subset]]
name = "v2"
labels = { version = "v2" }

[[service]]
host = "audited.example"
port = 80
alpn = ["istio"]
authorization = "audit"
endpoints = [{ address = "backend.example:80" }]

[[service]]
host = "nobody.example"
port = 80
endpoints = [{ address = "10.0.0.9:80" }]

[[service]]
sni = ["db.example", "*.db.example"]
mode = "passthrough"
endpoints = [{ address = "10.0.0.10:5432" }]
"#;

const HTTPBIN: &str = "outbound_.8000_._.httpbin.default.svc.cluster.local";

const V1: &str = "outbound_.8000_.v1_.httpbin.default.svc.cluster.local";

fn told(sni: &str, identity: Option<&str>, trust: Option<&str>) -> Explanation {
    let config = Config::from_toml(CONFIG, Path::new("/")).unwrap_or_else(|problems| panic!("{problems}"));
    let call = Call {
        sni: sni.to_owned(),
        identity: identity.map(|id| SpiffeId::parse(id).unwrap()),
        trust: trust.map(TrustName::new),
    };
    explain(&config, &call)
}

/// Everything that is said of one topic.
fn said(story: &Explanation, topic: Topic) -> String {
    let steps = story.steps.iter().filter(|step| step.topic == topic);
    steps
        .flat_map(|step| std::iter::once(&step.says).chain(&step.list))
        .cloned()
        .collect::<Vec<_>>()
        .join("\n")
}

const SLEEP: &str = "spiffe://cluster.local/ns/default/sa/sleep";
const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";

#[test]
fn the_verdict_is_that_of_the_first_step_that_refuses() {
    let refused = Verdict::Refused;
    let v2 = "outbound_.8000_.v2_.httpbin.default.svc.cluster.local";
    let audited = "outbound_.80_._.audited.example";
    let cases = [
        ("", None, None, refused(Reason::NoSni)),
        ("10.0.0.7", None, None, refused(Reason::NoSni)),
        ("::1", None, None, refused(Reason::NoSni)),
        ("a..b", None, None, refused(Reason::SniInvalid)),
        ("outbound|8000||httpbin.default.svc.cluster.local", None, None, refused(Reason::SniInvalid)),
        ("elsewhere.example", Some(SLEEP), None, refused(Reason::SniUnknown)),
        (v2, Some(SLEEP), Some("cluster-1"), refused(Reason::NoEndpoint)),
        (HTTPBIN, Some(SLEEP), Some("cluster-1"), Verdict::LetIn),
        (HTTPBIN, Some(SLEEP), Some("cluster-2"), refused(Reason::Denied)),
        (HTTPBIN, Some(SLEEP), Some("example.org"), refused(Reason::WrongBundle)),
        (HTTPBIN, Some(SLEEP), None, Verdict::LetIn),
        (HTTPBIN, Some(WEB), Some("cluster-2"), Verdict::LetIn),
        (HTTPBIN, Some("spiffe://example.org/a"), None, refused(Reason::Denied)),
        (HTTPBIN, Some("spiffe://stranger/a"), None, refused(Reason::UnknownTrustDomain)),
        (HTTPBIN, None, None, Verdict::LetIn),
        (HTTPBIN, None, Some("example.org"), Verdict::LetIn),
        (HTTPBIN, Some("spiffe://example.org/ns/default/sa/batch"), None, Verdict::LetIn),
        (V1, Some(SLEEP), None, refused(Reason::Denied)),
        (V1, Some(WEB), Some("cluster-1"), Verdict::LetIn),
        (V1, Some(WEB), Some("cluster-2"), refused(Reason::Denied)),
        (audited, Some(SLEEP), None, Verdict::WouldDeny),
        (audited, Some("spiffe://stranger/a"), None, refused(Reason::UnknownTrustDomain)),
        (audited, None, None, Verdict::WouldDeny),
        ("outbound_.80_._.nobody.example", None, None, refused(Reason::Denied)),
        ("db.example", Some("spiffe://stranger/a"), None, Verdict::LetIn),
        ("a.b.db.example", None, None, Verdict::LetIn),
    ];
    for (sni, identity, trust, verdict) in cases {
        assert_eq!(told(sni, identity, trust).verdict, verdict, "{sni} {identity:?} {trust:?}");
    }
}

#[test]
fn a_call_that_is_let_in_is_told_from_name_to_endpoint() {
    let name = HTTPBIN.to_uppercase();
    let story = told(&name, Some(SLEEP), Some("cluster-1"));
    assert_eq!(
        said(&story, Topic::Name),
        format!("a server name that TLS can carry, compared in lower case: {HTTPBIN}")
    );
    assert_eq!(said(&story, Topic::Route), "it is the key of service httpbin.default.svc.cluster.local:8000");
    assert_eq!(
        said(&story, Topic::Endpoints),
        "2, chosen by least_request among those of the lowest priority number that has a usable one: \
         the one with the fewest connections for its weight\n\
         10.0.0.7:80 weight 1, priority 0\n10.0.0.8:80 weight 2, priority 1, version=v1"
    );
    assert!(said(&story, Topic::Tls).contains("presents the gateway's own identity"), "{story:?}");
    assert_eq!(
        said(&story, Topic::Caller),
        format!(
            "{SLEEP}, for whom cluster-1 vouches\nif cluster-1 vouches: let in by allow[0] {SLEEP} from cluster-1"
        )
    );
    assert_eq!(said(&story, Topic::Verdict), "let in");
    let topics = [Topic::Name, Topic::Route, Topic::Endpoints, Topic::Tls, Topic::Caller, Topic::Verdict];
    assert_eq!(story.steps.iter().map(|step| step.topic).collect::<Vec<_>>(), topics);
}

#[test]
fn it_says_by_which_kind_of_name_a_service_was_found() {
    let service = "service httpbin.default.svc.cluster.local:8000";
    let cases = [
        ("httpbin.example", Matched::Name, format!("it is a further name of {service}")),
        (
            "a.b.apps.example",
            Matched::Suffix,
            format!("*.apps.example is the longest suffix that matches; it is a name of {service}"),
        ),
        (
            "outbound_.8000_.v1_.httpbin.default.svc.cluster.local",
            Matched::Key,
            format!("it is the key of subset v1 of {service}\na subset of the endpoints with version=v1"),
        ),
    ];
    for (sni, matched, words) in cases {
        let story = told(sni, None, None);
        assert_eq!(said(&story, Topic::Route), words);
        assert_eq!(story.route.unwrap().matched, matched);
    }
}

#[test]
fn a_caller_who_is_refused_learns_which_grants_there_are_and_which_alert_comes() {
    let story = told(HTTPBIN, Some(SLEEP), Some("cluster-2"));
    assert_eq!(
        said(&story, Topic::Caller),
        format!(
            "{SLEEP}, for whom cluster-2 vouches\n\
             if cluster-2 vouches: refused: none of the 4 grants allows it\n\
             allow[0] {SLEEP} from cluster-1: nobody can meet it, for no trust entry in question vouches for \
             such a caller\n\
             allow[1] spiffe://cluster.local/ns/*/sa/web (vouched for by cluster-2)\n\
             allow[2] spiffe://example.org/ns/default/sa/batch (alias of cluster.local): nobody can meet it, for no \
             trust entry in question vouches for such a caller\n\
             allow[3] spiffe://cluster.local/ns/default/sa/batch (vouched for by cluster-2)"
        )
    );
    assert_eq!(
        said(&story, Topic::Verdict),
        "refused: denied_by_policy (AZ)\n\
         the client sees alert 49 (access_denied), in answer to its certificate; in TLS 1.3 it meets it in its \
         first read\n\
         hint: add the identity to the service's allow list, if it is meant to call"
    );
    let open = told(HTTPBIN, Some(SLEEP), None);
    assert!(said(&open, Topic::Verdict).contains("--trust NAME"), "{open:?}");
}

#[test]
fn where_a_subset_is_asked_for_it_says_whose_list_decides() {
    let web = "spiffe://cluster.local/ns/*/sa/web from cluster-1";
    let own = "the allow list of subset v1 decides, and the service's does not";
    assert_eq!(
        said(&told(V1, Some(SLEEP), Some("cluster-1")), Topic::Caller),
        format!(
            "{SLEEP}, for whom cluster-1 vouches\n{own}\nif cluster-1 vouches: refused: none of the 1 grants allows \
             it\nallow[0] {web} (vouched for by cluster-1)"
        )
    );
    assert_eq!(
        said(&told(V1, Some(WEB), Some("cluster-1")), Topic::Caller),
        format!("{WEB}, for whom cluster-1 vouches\n{own}\nif cluster-1 vouches: let in by allow[0] {web}")
    );
    let v2 = told(&V1.replace("v1", "v2"), Some(WEB), Some("cluster-1"));
    assert_eq!(
        said(&v2, Topic::Caller),
        format!(
            "{WEB}, for whom cluster-1 vouches\nthe service's allow list decides, since subset v2 has none of its \
             own\nif cluster-1 vouches: let in by allow[1] spiffe://cluster.local/ns/*/sa/web"
        )
    );
    assert!(!said(&told(HTTPBIN, None, None), Topic::Caller).contains("decides"));
    let list = |sni: &str| serde_json::to_value(told(sni, None, None)).unwrap()["callers"]["list"].clone();
    assert_eq!((list(V1), list(HTTPBIN)), ("subset".into(), "service".into()));
}

#[test]
fn a_caller_who_is_let_in_by_an_alias_is_told_so() {
    let story = told(HTTPBIN, Some("spiffe://example.org/ns/default/sa/batch"), None);
    let batch = "spiffe://example.org/ns/default/sa/batch";
    assert_eq!(
        said(&story, Topic::Caller),
        format!(
            "{batch}, for whom example.org vouches\n\
             if example.org vouches: let in by an alias, allow[2] {batch} (alias of cluster.local)"
        )
    );
    let json = serde_json::to_value(&story).unwrap();
    assert_eq!(json["callers"]["grants"][2]["alias_of"], "cluster.local");
    assert_eq!(json["callers"]["grants"][3]["alias_of"], serde_json::Value::Null);
}

#[test]
fn what_was_probably_meant_is_told_with_the_one_thing_that_differs() {
    let host = "httpbin.default.svc.cluster.local";
    let cases = [
        (format!("{HTTPBIN}."), Difference::TrailingDot, HTTPBIN.to_owned()),
        ("a.apps.example.".to_owned(), Difference::TrailingDot, "*.apps.example".to_owned()),
        (format!("outbound_.08000_._.{host}"), Difference::LeadingZero, HTTPBIN.to_owned()),
        (format!("outbound_.8001_._.{host}"), Difference::Port, HTTPBIN.to_owned()),
        (format!("outbound_.8000_.v3_.{host}"), Difference::Subset, format!("outbound_.8000_.v1_.{host}")),
        ("outbound_.8000_._.httpbin.default".to_owned(), Difference::Host, HTTPBIN.to_owned()),
        (
            "outbound_.8000_._.httpbim.default.svc.cluster.local".to_owned(),
            Difference::Host,
            HTTPBIN.to_owned(),
        ),
        (host.to_owned(), Difference::Form, HTTPBIN.to_owned()),
        (format!("outbound|8000||{host}"), Difference::Form, HTTPBIN.to_owned()),
        (format!("inbound_.8000_._.{host}"), Difference::Form, HTTPBIN.to_owned()),
        ("apps.example".to_owned(), Difference::NoLabel, "*.apps.example".to_owned()),
        ("htpbin.example".to_owned(), Difference::Letters, "httpbin.example".to_owned()),
        (
            format!("outbound_.80_.v3_.{host}"),
            Difference::PortAndSubset,
            format!("outbound_.8000_.v1_.{host}"),
        ),
        (
            "outbound_.80_.v1_.audited.example".to_owned(),
            Difference::Subset,
            "outbound_.80_._.audited.example".to_owned(),
        ),
    ];
    for (sni, differs, name) in cases {
        let story = told(&sni, None, None);
        let first = story.nearest.first().unwrap_or_else(|| panic!("{sni}: {story:?}"));
        assert_eq!((first.differs, &first.name), (differs, &name), "{sni}");
        assert!(said(&story, Topic::Route).contains(differs.words()), "{story:?}");
        assert!(story.nearest.len() <= 5);
    }
    let story = told("nothing.like.it", None, None);
    assert!(story.nearest.is_empty());
    assert!(said(&story, Topic::Route).ends_with("no name is near it"), "{story:?}");
}

#[test]
fn a_name_that_tls_cannot_carry_is_told_with_the_rule_that_it_breaks() {
    let story = told("a..b", None, None);
    assert_eq!(
        said(&story, Topic::Name),
        "TLS cannot carry this name: each label of a server name has 1 to 63 bytes (RFC 1035 section 2.3.4)"
    );
    assert!(said(&story, Topic::Verdict).contains("alert 47 (illegal_parameter)"), "{story:?}");
}

#[test]
fn an_explanation_is_one_json_object_with_facts_and_words() {
    let json = serde_json::to_value(told(HTTPBIN, Some(SLEEP), None)).unwrap();
    assert_eq!(json["verdict"], serde_json::json!({ "let_in": true, "would_deny": false }));
    assert_eq!(json["route"]["service"], "httpbin.default.svc.cluster.local:8000");
    assert_eq!(json["route"]["endpoints"][1]["labels"]["version"], "v1");
    assert_eq!(json["callers"]["grants"][0]["lets_in"], true);
    assert_eq!(json["callers"]["vouching"][1]["verdict"]["refusal"]["reason"], "denied_by_policy");
    assert_eq!(json["steps"][0]["topic"], "name");
    let json = serde_json::to_value(told("outbound_.1_._.nobody.example", None, None)).unwrap();
    let refusal = &json["verdict"]["refusal"];
    assert_eq!((&refusal["reason"], &refusal["alert"]), (&"no_route".into(), &112.into()));
    assert_eq!(json["nearest"][0]["differs"], "port");
}
