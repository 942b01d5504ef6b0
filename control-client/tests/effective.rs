//! What updates mean: refused alone, guarded, and in force as a whole.

#![cfg(test)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use landbridge_control_client::effective::{Base, Effective, HeldBack, TrustChange, Verdict};
use landbridge_control_client::session::{Limits, RemovedResource, Session, SetResource, Update};
use landbridge_control_client::wire::{Kind, Name, Node, Version};
use landbridge_control_client::{Guard, Held};
use landbridge_core::config::Config;
use landbridge_core::config::resource::{Decision, Scope, TrustSpec};
use landbridge_core::policy::Policy;
use landbridge_core::service::Service;
use landbridge_core::spiffe::TrustName;

const FILE: &str = r#"
[identity]
certificate = "gateway.pem"
private_key = "gateway.key"
[[trust]]
name = "cluster-1"
domain = "cluster.local"
bundle = "ca.pem"
[[service]]
host = "file.example"
port = 80
allow = ["spiffe://cluster.local/ns/default/sa/sleep"]
endpoints = [{ address = "192.0.2.1:80" }]
"#;

struct Scene {
    effective: Effective,
    held: Held,
    now: Duration,
}

fn base(file: &str) -> Base {
    let config = Config::from_toml(file, Path::new("/")).unwrap();
    let may = Decision::USUAL.into_iter().chain([Decision::Trust]);
    Base {
        services: config.services.clone(),
        trust: config.trust.iter().map(|trust| (trust.name.clone(), trust.domain.clone())).collect(),
        has_identity: config.identity.own.is_some(),
        scope: Scope::of(&config, may),
    }
}

fn check(_: &TrustName, spec: &TrustSpec) -> Result<(), String> {
    if spec.bundle == "good" { Ok(()) } else { Err("expected certificates".to_owned()) }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn set(kind: Kind, called: &str, spec: &str) -> SetResource {
    SetResource { kind, name: name(called), version: Version::of(spec.as_bytes()), spec: spec.into() }
}

/// A service of one host at port 80, with more keys of its spec.
fn service(host: &str, more: &str) -> SetResource {
    set(Kind::Service, &format!("{host}:80"), &format!(r#"{{"host":"{host}","port":80{more}}}"#))
}

fn endpoints(host: &str, last: std::ops::Range<u8>) -> SetResource {
    let objects: Vec<String> = last.map(|last| format!(r#"{{"address":"10.0.0.{last}:80"}}"#)).collect();
    set(Kind::Endpoints, &format!("{host}:80"), &format!(r#"{{"endpoints":[{}]}}"#, objects.join(",")))
}

const SLEEP: &str = r#","allow":["spiffe://cluster.local/ns/default/sa/sleep"]"#;

impl Scene {
    fn new() -> Self {
        Self {
            effective: Effective::new(base(FILE), Guard::DEFAULT_SHARE),
            held: Held::default(),
            now: Duration::from_secs(1000),
        }
    }

    fn judge(&self, set: Vec<SetResource>, removed: &[(Kind, &str)]) -> (Update, Verdict) {
        let removed =
            removed.iter().map(|(kind, called)| RemovedResource { kind: *kind, name: name(called) });
        let update = Update { set, removed: removed.collect(), ..Update::default() };
        let verdict = self.effective.judge(&update, &self.held, self.now, &check);
        (update, verdict)
    }

    /// Puts an update in force as an owner does, and tells what was refused.
    fn apply(&mut self, set: Vec<SetResource>, removed: &[(Kind, &str)]) -> Vec<String> {
        let (update, verdict) = self.judge(set, removed);
        self.accept(&update.set, &update.removed, verdict)
    }

    fn accept(&mut self, set: &[SetResource], removed: &[RemovedResource], verdict: Verdict) -> Vec<String> {
        let refused = verdict.refused.clone();
        let is_refused =
            |kind, name: &Name| refused.iter().any(|refused| refused.kind == kind && refused.name == *name);
        for set in set.iter().chain(&verdict.late).filter(|set| !is_refused(set.kind, &set.name)) {
            self.held.insert(set.kind, set.name.clone(), set.spec.clone());
        }
        let gone: Vec<_> =
            removed.iter().filter(|removed| !is_refused(removed.kind, &removed.name)).cloned().collect();
        Session::new(Node::default(), Limits::default()).handle_removed(&gone, &mut self.held);
        self.effective.accept(verdict);
        refused
            .iter()
            .map(|refused| format!("{} {}: {}: {}", refused.kind, refused.name, refused.field, refused.code))
            .collect()
    }

    fn confirm(&mut self) {
        let confirmed = self.effective.confirm(&self.held, &check);
        assert_eq!(self.accept(&confirmed.set, &confirmed.removed, confirmed.verdict), Vec::<String>::new());
    }

    fn service(&self, host: &str) -> Option<&Arc<Service>> {
        self.effective.snapshot().service(&format!("{host}:80"))
    }

    fn addresses(&self, host: &str) -> usize {
        self.service(host).map_or(0, |service| service.endpoints.len())
    }

    fn grants(&self, host: &str) -> Vec<String> {
        match &self.service(host).unwrap().policy {
            Policy::Grants { allow, .. } => allow.iter().map(ToString::to_string).collect(),
            Policy::EndpointDecides => panic!("it terminates"),
        }
    }
}

#[test]
fn a_service_is_put_together_from_its_spec_its_endpoints_and_the_policies_that_name_it() {
    let mut scene = Scene::new();
    let policy = r#"{"services":["a.example:80"],"allow":["spiffe://cluster.local/ns/*/sa/web"]}"#;
    let sets =
        vec![service("a.example", SLEEP), endpoints("a.example", 1..3), set(Kind::Policy, "web", policy)];
    assert_eq!(scene.apply(sets, &[]), Vec::<String>::new());
    assert_eq!(scene.addresses("a.example"), 2);
    assert_eq!(scene.grants("a.example").len(), 2);
    assert_eq!(scene.addresses("file.example"), 1, "the file's own stays");
    scene.apply(vec![], &[(Kind::Policy, "web")]);
    assert_eq!(scene.grants("a.example").len(), 1);
}

#[test]
fn what_is_refused_is_refused_alone_and_keeps_its_last_good_version() {
    let mut scene = Scene::new();
    scene.apply(vec![service("a.example", SLEEP), endpoints("a.example", 1..3)], &[]);
    let bad = set(Kind::Endpoints, "a.example:80", r#"{"endpoints":[{"address":"10.0.0.7"}]}"#);
    let refused =
        scene.apply(vec![bad, service("b.example", r#","port":81"#), service("c.example", "")], &[]);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused.contains(&"endpoints a.example:80: endpoints[0].address: invalid".to_owned()),
        "{refused:?}"
    );
    assert_eq!(scene.addresses("a.example"), 2);
    assert!(scene.service("b.example").is_none() && scene.service("c.example").is_some());
}

#[test]
fn a_service_is_called_as_its_resource_and_never_as_one_of_the_file() {
    let mut scene = Scene::new();
    let other = set(Kind::Service, "other", r#"{"host":"a.example","port":80}"#);
    assert_eq!(scene.apply(vec![other], &[]), ["service other: : invalid"]);
    assert_eq!(scene.apply(vec![service("file.example", "")], &[]), ["service file.example:80: : conflict"]);
    assert_eq!(scene.grants("file.example").len(), 1);
}

#[test]
fn in_a_conflict_of_names_the_incumbent_stays_and_the_other_waits() {
    let mut scene = Scene::new();
    scene.apply(vec![service("a.example", r#","sni":["shared.example"]"#)], &[]);
    let claims = service("b.example", r#","sni":["shared.example"]"#);
    assert_eq!(scene.apply(vec![claims], &[]), ["service b.example:80: : conflict"]);
    assert!(scene.service("b.example").is_none());
    scene.apply(vec![service("a.example", "")], &[]);
    assert!(scene.service("b.example").is_some(), "the name is free now");
    assert!(scene.held.resource(Kind::Service, "b.example:80").is_some());
}

#[test]
fn the_state_after_the_whole_update_is_judged() {
    let mut scene = Scene::new();
    scene.apply(vec![service("a.example", r#","sni":["shared.example"]"#), service("b.example", "")], &[]);
    let moved = vec![service("b.example", r#","sni":["shared.example"]"#), service("a.example", "")];
    assert_eq!(scene.apply(moved, &[]), Vec::<String>::new());
    assert_eq!(scene.service("b.example").unwrap().names.len(), 1);
}

#[test]
fn a_policy_waits_for_its_service() {
    let mut scene = Scene::new();
    let policy = r#"{"services":["a.example:80"],"allow":["spiffe://cluster.local/ns/*/sa/web"]}"#;
    let refused = scene.apply(vec![set(Kind::Policy, "web", policy)], &[]);
    assert_eq!(refused, ["policy web: services[0]: unknown_reference"]);
    scene.apply(vec![service("a.example", SLEEP)], &[]);
    assert_eq!(scene.grants("a.example").len(), 2);
    assert_eq!(scene.effective.waiting().count(), 0);
}

#[test]
fn taking_trust_or_grants_away_is_told_and_nothing_else_is() {
    let mut scene = Scene::new();
    let trust = r#"{"domain":"far.example","bundle":"good"}"#;
    let far = r#","allow":[{"id":"spiffe://far.example/*","from":"far"}]"#;
    let sets =
        vec![service("a.example", SLEEP), set(Kind::TrustBundle, "far", trust), service("b.example", far)];
    let (update, verdict) = scene.judge(sets, &[]);
    assert!(!verdict.shrinks && verdict.refused.is_empty(), "{verdict:?}");
    assert!(matches!(&verdict.trust[..], [TrustChange::Set(_, _)]));
    scene.accept(&update.set, &[], verdict);

    let more =
        r#","allow":["spiffe://cluster.local/ns/default/sa/sleep","spiffe://cluster.local/ns/*/sa/web"]"#;
    let shrinks = |set: Vec<SetResource>, removed: &[(Kind, &str)]| scene.judge(set, removed).1.shrinks;
    assert!(!shrinks(vec![service("a.example", more), endpoints("a.example", 1..2)], &[]));
    assert!(shrinks(vec![service("a.example", "")], &[]));
    assert!(shrinks(vec![], &[(Kind::Service, "a.example:80")]));
    assert!(shrinks(vec![], &[(Kind::TrustBundle, "far")]));
    assert!(shrinks(
        vec![set(Kind::TrustBundle, "far", &trust.replace("\"good\"", "\"good\",\"crl\":\"x\""))],
        &[]
    ));
    let other = r#","allow":["spiffe://cluster.local/ns/*/sa/web"]"#;
    assert!(shrinks(vec![service("a.example", other)], &[]));
}

#[test]
fn a_bundle_that_cannot_be_used_is_refused_and_the_file_keeps_its_own() {
    let mut scene = Scene::new();
    let bad = set(Kind::TrustBundle, "far", r#"{"domain":"far.example","bundle":"bad"}"#);
    let own = set(Kind::TrustBundle, "cluster-1", r#"{"domain":"far.example","bundle":"good"}"#);
    let refused = scene.apply(vec![bad, own], &[]);
    assert_eq!(refused, ["trust_bundle cluster-1: name: conflict", "trust_bundle far: bundle: invalid"]);
}

#[test]
fn endpoints_still_change_where_a_grant_speaks_of_trust_that_is_gone() {
    let mut scene = Scene::new();
    let far = r#","allow":[{"id":"spiffe://far.example/*","from":"far"}]"#;
    let trust = set(Kind::TrustBundle, "far", r#"{"domain":"far.example","bundle":"good"}"#);
    scene.apply(vec![trust, service("b.example", far), endpoints("b.example", 1..2)], &[]);
    scene.apply(vec![], &[(Kind::TrustBundle, "far")]);
    assert_eq!(scene.apply(vec![endpoints("b.example", 1..4)], &[]), Vec::<String>::new());
    assert_eq!(scene.addresses("b.example"), 3);
    let anew = scene.apply(vec![service("c.example", far)], &[]);
    assert_eq!(anew, ["service c.example:80: allow[0].from: unknown_reference"]);
}

#[test]
fn exposure_follows_the_peers() {
    let mut scene = Scene::new();
    let spec = format!(r#"{SLEEP},"exposure":["west"]"#);
    scene.apply(vec![service("a.example", &spec)], &[]);
    assert_eq!(scene.grants("a.example"), Vec::<String>::new());
    scene.apply(vec![set(Kind::Peer, "west", r#"{"trust":["cluster-1"]}"#)], &[]);
    assert_eq!(scene.grants("a.example").len(), 1);
    let (_, verdict) = scene.judge(vec![], &[(Kind::Peer, "west")]);
    assert!(verdict.shrinks);
}

#[test]
fn a_mass_removal_of_services_is_held_until_it_is_confirmed_and_nothing_else_is() {
    let mut scene = Scene::new();
    let hosts: Vec<String> = (0..20).map(|number| format!("s{number}.example")).collect();
    scene.apply(hosts.iter().map(|host| service(host, SLEEP)).collect(), &[]);
    let names: Vec<String> = hosts.iter().map(|host| format!("{host}:80")).collect();
    let mut removed: Vec<(Kind, &str)> = names.iter().map(|name| (Kind::Service, name.as_str())).collect();
    removed.pop();
    let last = service("s19.example", "");
    let refused = scene.apply(vec![last, service("new.example", "")], &removed);
    assert_eq!(refused.len(), 19);
    assert!(refused.iter().all(|refused| refused.ends_with(": held")), "{refused:?}");
    assert!(scene.service("s0.example").is_some() && scene.service("new.example").is_some());
    assert_eq!(scene.grants("s19.example"), Vec::<String>::new(), "grants shrink at once");
    scene.apply(vec![service("s0.example", SLEEP)], &[]);
    assert_eq!(scene.effective.held_back().count(), 18, "what is sent again is not to go any more");
    scene.confirm();
    assert_eq!(scene.effective.snapshot().len(), 4);
    assert_eq!(scene.effective.held_back().count(), 0);
}

#[test]
fn a_mass_removal_of_endpoints_is_held_and_the_rest_of_the_service_is_in_force() {
    let mut scene = Scene::new();
    let own = |last: std::ops::Range<u8>, more: &str| {
        let objects: Vec<String> = last.map(|last| format!(r#"{{"address":"10.0.1.{last}:80"}}"#)).collect();
        service("own.example", &format!(r#"{more},"endpoints":[{}]"#, objects.join(",")))
    };
    scene.apply(vec![service("a.example", ""), endpoints("a.example", 1..21), own(1..21, SLEEP)], &[]);
    let refused = scene.apply(vec![endpoints("a.example", 1..2), own(1..2, "")], &[]);
    assert_eq!(refused, ["endpoints a.example:80: endpoints: held"]);
    assert_eq!((scene.addresses("a.example"), scene.addresses("own.example")), (20, 20));
    assert_eq!(scene.grants("own.example"), Vec::<String>::new(), "grants shrink at once");
    let held: Vec<&HeldBack> = scene.effective.held_back().map(|(_, held)| held).collect();
    assert!(matches!(held[..], [HeldBack::OwnEndpoints, HeldBack::Endpoints(_)]), "{held:?}");
    // It stays so through changes of other things.
    scene.apply(vec![own(1..3, SLEEP)], &[]);
    assert_eq!(scene.addresses("own.example"), 20);
    let refused = scene.apply(vec![], &[(Kind::Endpoints, "a.example:80")]);
    assert_eq!(refused, ["endpoints a.example:80: : held"]);
    scene.confirm();
    assert_eq!((scene.addresses("a.example"), scene.addresses("own.example")), (0, 2));
}

#[test]
fn another_file_is_judged_with_all_that_is_held() {
    let mut scene = Scene::new();
    scene.apply(vec![service("a.example", SLEEP), endpoints("a.example", 1..3)], &[]);
    let file = FILE.replace("file.example", "a.example");
    let (mut effective, verdict) = scene.effective.rebase(base(&file), &scene.held, &check);
    assert_eq!(verdict.refused.len(), 1);
    effective.accept(verdict);
    let service = effective.snapshot().service("a.example:80").unwrap();
    assert_eq!(service.endpoints.len(), 1, "the file's own");
    let (mut effective, verdict) = effective.rebase(base(FILE), &scene.held, &check);
    effective.accept(verdict);
    assert_eq!(effective.snapshot().service("a.example:80").unwrap().endpoints.len(), 2);
}
