//! Tests of the table, by name and by what survives a change.

mod changes;

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::endpoint::{Asking, Choice};
use crate::policy::{Authorization, Caller, Grant, IdPattern, Policy, Unseen};
use crate::service::{
    About, Alpn, Balance, EndpointSpec, Labels, MissingCloseNotify, Mode, SendProxy, Subset, Target,
};
use crate::snapshot::Conflict;
use crate::sni::NamePattern;

fn labels(version: &str) -> Labels {
    [("version".to_owned(), version.to_owned())].into()
}

fn endpoint(last: u8, version: &str) -> EndpointSpec {
    EndpointSpec {
        target: Target::Address(SocketAddr::from(([192, 0, 2, last], 80))),
        weight: 1,
        priority: 0,
        about: About { locality: None, labels: labels(version) }.boxed(),
    }
}

fn service(host: &str, names: &[&str]) -> Service {
    Service {
        name: format!("{host}:8000").as_str().into(),
        has_host: true,
        names: names.iter().map(|name| NamePattern::parse(name).unwrap()).collect(),
        mode: Mode::Terminate,
        policy: Policy::allow(Vec::new()),
        alpn: Alpn::AsOffered,
        identity: None,
        balance: Balance::RoundRobin,
        endpoints: [endpoint(1, "v1"), endpoint(2, "v2")].into(),
        subsets: [
            Subset { name: "v1".into(), labels: labels("v1"), allow: None },
            Subset { name: "v3".into(), labels: labels("v3"), allow: None },
        ]
        .into(),
        close_on_cert_expiry: false,
        missing_close_notify: MissingCloseNotify::Reset,
        send_proxy: SendProxy::Off,
        upstream_tls: None,
    }
}

fn compile(services: Vec<Service>) -> Table {
    Table::compile(&Snapshot::new(services).unwrap(), &Answers::default(), &Table::default())
}

fn found<'a>(table: &'a Table, name: &str) -> Option<&'a str> {
    table.find(name).map(|route| &*route.service.name)
}

#[test]
fn the_key_of_a_port_is_looked_up_as_an_exact_string() {
    let table = compile(vec![service("httpbin.default.svc.cluster.local", &[])]);
    let key = "outbound_.8000_._.httpbin.default.svc.cluster.local";
    assert!(table.find(key).is_some());
    let strangers = [
        "outbound_.08000_._.httpbin.default.svc.cluster.local",
        "outbound_.80_._.httpbin.default.svc.cluster.local",
        "outbound_.8000_.v2_.httpbin.default.svc.cluster.local",
        "inbound_.8000_._.httpbin.default.svc.cluster.local",
        "outbound_.8000_._.httpbin.default.svc.cluster.local.",
        "httpbin.default.svc.cluster.local",
        "",
    ];
    for name in strangers {
        assert!(table.find(name).is_none(), "{name}");
    }
}

#[test]
fn a_subset_leads_to_its_own_endpoints_only_even_if_it_has_none() {
    let table = compile(vec![service("h.example", &[])]);
    let addresses = |name| -> Vec<SocketAddr> {
        table.find(name).unwrap().pool.members().iter().map(|member| member.endpoint.address()).collect()
    };
    assert_eq!(addresses("outbound_.8000_._.h.example").len(), 2);
    assert_eq!(addresses("outbound_.8000_.v1_.h.example"), [SocketAddr::from(([192, 0, 2, 1], 80))]);
    assert!(addresses("outbound_.8000_.v3_.h.example").is_empty());
}

#[test]
fn a_subset_s_list_is_in_force_for_its_own_name_and_the_service_s_for_all_others() {
    let grants = |text: &str| -> Vec<Grant> {
        let id = IdPattern::parse(text).unwrap();
        vec![Grant { id, from: None, alias_of: None }]
    };
    let (service_s, subset_s) = (grants("spiffe://td/ns/a/sa/b"), grants("spiffe://td/ns/a/sa/c"));
    let names = ["v1", "v3"].map(|subset| format!("outbound_.8000_.{subset}_.h.example"));
    let [v1, v3] = &names;
    for authorization in [Authorization::Enforce, Authorization::Audit] {
        let mut it = service("h.example", &["also.example"]);
        it.policy = Policy::Grants { allow: service_s.clone().into(), authorization };
        it.subsets[0].allow = Some(subset_s.clone());
        let policies = |service: &Service, name: &str| {
            let table = compile(vec![service.clone()]);
            let route = table.find(name).unwrap();
            (route.policy().clone(), route.has_own_list())
        };
        let own = Policy::Grants { allow: subset_s.clone().into(), authorization };
        assert_eq!(policies(&it, v1), (own, true));
        for name in [v3, "also.example", "outbound_.8000_._.h.example"] {
            assert_eq!(policies(&it, name), (it.policy.clone(), false), "{name}");
        }
        // An empty list is a list: nobody.
        it.subsets[0].allow = Some(Vec::new());
        assert_eq!(policies(&it, v1).0, Policy::Grants { allow: Vec::new().into(), authorization });
    }
    // Where nobody is seen, a list lets nobody in.
    let mut passed = Service { policy: Policy::EndpointDecides, ..service("h.example", &[]) };
    passed.subsets[0].allow = Some(subset_s);
    let table = compile(vec![passed]);
    let unseen = Caller::Unseen(Unseen::Passthrough);
    assert!(table.find(v1).unwrap().policy().check(&unseen).is_err());
    assert!(table.find(v3).unwrap().policy().check(&unseen).is_ok());
}

#[test]
fn an_exact_name_wins_over_a_suffix_and_a_longer_suffix_over_a_shorter() {
    let table = compile(vec![
        service("short.example", &["*.example.com"]),
        service("long.example", &["*.b.example.com"]),
        service("exact.example", &["a.b.example.com"]),
    ]);
    assert_eq!(found(&table, "a.b.example.com"), Some("exact.example:8000"));
    assert_eq!(found(&table, "x.b.example.com"), Some("long.example:8000"));
    assert_eq!(found(&table, "x.y.b.example.com"), Some("long.example:8000"));
    assert_eq!(found(&table, "b.example.com"), Some("short.example:8000"));
    assert_eq!(found(&table, "example.com"), None);
    assert_eq!(found(&table, "notexample.com"), None);
}

#[test]
fn what_is_known_of_an_endpoint_outlives_a_change() {
    let first = compile(vec![service("h.example", &[])]);
    let key = "outbound_.8000_._.h.example";
    let known = first.find(key).unwrap().pool.members()[0].endpoint.clone();
    let _held = known.begin();
    known.failed(Duration::from_secs(1));

    let mut changed = service("h.example", &["also.example"]);
    changed.endpoints = [endpoint(3, "v1"), EndpointSpec { weight: 5, ..endpoint(1, "v1") }].into();
    let second = Table::compile(&Snapshot::new(vec![changed]).unwrap(), &Answers::default(), &first);
    let members = second.find(key).unwrap().pool.members();
    assert!(Arc::ptr_eq(&members[1].endpoint, &known));
    assert_eq!((members[1].weight, members[1].endpoint.active()), (5, 1));
    // Every name of the service, old or new, shares it.
    assert!(Arc::ptr_eq(&second.find("also.example").unwrap().pool.members()[1].endpoint, &known));
}

#[test]
fn the_round_goes_on_after_a_change() {
    let asking = Asking { now: Duration::ZERO, random: 0, source: IpAddr::from([192, 0, 2, 9]) };
    let mut table = compile(vec![service("h.example", &[])]);
    let snapshot = Snapshot::new(vec![service("h.example", &[])]).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let route = table.find("outbound_.8000_._.h.example").unwrap();
        seen.insert(route.pool.choose(&asking, &[], Choice::Usable).unwrap().address());
        table = Table::compile(&snapshot, &Answers::default(), &table);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_host_name_has_every_address_of_its_answer_and_none_before_it() {
    let mut by_name = service("h.example", &[]);
    let host = HostPort { host: "pods.example".into(), port: 80 };
    by_name.endpoints =
        [EndpointSpec { target: Target::Host(host.clone()), ..endpoint(1, "v1") }, endpoint(7, "v1")].into();
    let snapshot = Snapshot::new(vec![by_name]).unwrap();
    assert_eq!(snapshot.hosts(), std::slice::from_ref(&host));
    let key = "outbound_.8000_._.h.example";
    let before = Table::compile(&snapshot, &Answers::default(), &Table::default());
    assert_eq!(before.find(key).unwrap().pool.members().len(), 1);
    let addresses = [7, 8, 9].map(|last| SocketAddr::from(([192, 0, 2, last], 80)));
    let after = Table::compile(&snapshot, &Arc::new([(host, addresses.to_vec())].into()), &before);
    // 192.0.2.7 is given twice and counts once.
    assert_eq!(after.find(key).unwrap().pool.members().len(), 3);
}

#[test]
fn names_that_collide_are_refused_all_at_once() {
    let conflicts = Snapshot::new(vec![
        service("a.example", &["x.example", "*.y.example"]),
        service("b.example", &["x.example", "*.y.example"]),
        service("a.example", &[]),
    ])
    .unwrap_err();
    assert_eq!(conflicts.len(), 3);
    assert!(matches!(&conflicts[2], Conflict::Service { index: 2, .. }));
    // An exact name under somebody else's suffix is no conflict: the exact one wins.
    assert!(
        Snapshot::new(vec![service("a.example", &["*.z.example"]), service("b.example", &["c.z.example"])])
            .is_ok()
    );
}
