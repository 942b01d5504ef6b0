//! A table that grew by changes is the table that is compiled from scratch, and what didn't change is shared.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::snapshot::Change;

const HOSTS: [&str; 6] = ["a.example", "b.example", "c.example", "d.example", "e.example", "f.example"];
const NAMES: [&str; 7] =
    ["x.example", "*.x.example", "y.example", "*.example", "z.x.example", "*.y.example", "w.example"];
const PODS: [&str; 3] = ["pods.example", "more.example", "gone.example"];

/// A service by numbers, so that few are many different ones.
fn one(host: usize, names: &[usize], endpoints: &[u8], grant: u8) -> Service {
    let names: BTreeSet<usize> = names.iter().copied().collect();
    let names: Vec<&str> = names.iter().map(|name| NAMES[*name]).collect();
    let mut it = service(HOSTS[host], &names);
    it.endpoints = endpoints.iter().map(|last| spec(*last)).collect();
    it.mode = if grant == 9 { Mode::Passthrough } else { Mode::Terminate };
    let id = IdPattern::parse(&format!("spiffe://td/{grant}")).unwrap();
    it.policy = match it.mode {
        Mode::Terminate => Policy::allow(vec![Grant { id, from: None, alias_of: None }]),
        Mode::Passthrough => Policy::EndpointDecides,
    };
    it.identity = (grant == 8).then(|| "other".into());
    it.subsets = it.subsets.iter().take(usize::from(grant % 3)).cloned().collect();
    it
}

/// Addresses below 200, then host names.
fn spec(last: u8) -> EndpointSpec {
    if last < 200 {
        return endpoint(last, if last.is_multiple_of(2) { "v1" } else { "v2" });
    }
    let host = HostPort { host: PODS[usize::from(last) % 3].into(), port: 80 };
    EndpointSpec { target: Target::Host(host), ..endpoint(1, "v1") }
}

fn change() -> impl Strategy<Value = Change> {
    let host = 0..HOSTS.len();
    let ends = || vec(prop_oneof![3 => 1..12_u8, 1 => 200..203_u8], 0..5);
    prop_oneof![
        4 => (host.clone(), vec(0..NAMES.len(), 0..3), ends(), 0..10_u8)
            .prop_map(|(host, names, ends, grant)| Change::Set(Arc::new(one(host, &names, &ends, grant)))),
        3 => (host.clone(), ends()).prop_map(|(host, ends)| Change::Endpoints {
            service: format!("{}:8000", HOSTS[host]).into(),
            endpoints: ends.iter().map(|last| spec(*last)).collect(),
        }),
        2 => host.prop_map(|host| Change::Remove(format!("{}:8000", HOSTS[host]).into())),
    ]
}

/// All that a table says of a name.
type Told = Option<(String, Option<String>, Vec<(SocketAddr, u32)>, Policy, Option<String>)>;

fn told(table: &Table, name: &str) -> Told {
    let found = table.seek(name)?;
    let members = found.route.pool.members().iter().map(|member| (member.endpoint.address(), member.weight));
    Some((
        found.route.service.name.to_string(),
        found.route.subset().map(str::to_owned),
        members.collect(),
        found.route.policy().clone(),
        found.suffix.map(ToString::to_string),
    ))
}

/// Every name that may lead somewhere.
fn asked() -> Vec<String> {
    let keys =
        HOSTS.iter().flat_map(|host| ["", "v1", "v3"].map(|part| format!("outbound_.8000_.{part}_.{host}")));
    let names = NAMES.iter().map(|name| name.replace('*', "any"));
    keys.chain(names).chain(["any.z.x.example".to_owned(), "example".to_owned()]).collect()
}

fn endpoints_by_name(table: &Table) -> BTreeMap<String, BTreeSet<SocketAddr>> {
    table
        .endpoints()
        .map(|(name, all)| (name.to_string(), all.iter().map(|member| member.endpoint.address()).collect()))
        .collect()
}

proptest! {
    #[test]
    fn a_table_by_changes_is_the_table_from_scratch(
        steps in vec((vec(change(), 1..6), vec((0..3_usize, vec(1..6_u8, 0..3)), 0..3)), 1..12),
    ) {
        let mut snapshot = Snapshot::default();
        let mut table = Table::default();
        let mut answers = HashMap::new();
        for (changes, found) in steps {
            let changed = snapshot.with(changes.clone());
            for (host, addresses) in found {
                let host = HostPort { host: PODS[host].into(), port: 80 };
                answers.insert(host, addresses.iter().map(|last| ([198, 51, 100, *last], 80).into()).collect());
            }
            let answers = Arc::new(answers.clone());
            let next = Table::compile(&changed.snapshot, &answers, &table);
            // What is refused is as if it had not been asked for.
            let refused: BTreeSet<usize> = changed.refused.iter().map(Conflict::index).collect();
            prop_assert!(refused.iter().all(|index| *index < changes.len()));
            let services: Vec<Service> = changed.snapshot.services().map(|it| Service::clone(it)).collect();
            let fresh = Snapshot::new(services).expect("what stands has no conflict");
            prop_assert_eq!(&fresh, &changed.snapshot);
            prop_assert_eq!(fresh.hosts(), changed.snapshot.hosts());
            prop_assert!(fresh.identities().eq(changed.snapshot.identities()));
            let scratch = Table::compile(&fresh, &answers, &Table::default());
            prop_assert_eq!((next.len(), endpoints_by_name(&next)), (scratch.len(), endpoints_by_name(&scratch)));
            let mut judged_alike = true;
            for name in asked() {
                let (now, before) = (told(&next, &name), told(&table, &name));
                prop_assert_eq!(&now, &told(&scratch, &name), "{}", name);
                judged_alike &= now.as_ref().map(|told| (&told.0, &told.3)) == before.as_ref().map(|told| (&told.0, &told.3));
                // An endpoint that was there before is the very same.
                if let (Some(new), Some(old)) = (next.find(&name), table.find(&name)) {
                    for member in new.pool.members().iter().filter(|_| new.service.name == old.service.name) {
                        let same = old.pool.members().iter().find(|it| it.endpoint.address() == member.endpoint.address());
                        prop_assert!(same.is_none_or(|same| Arc::ptr_eq(&same.endpoint, &member.endpoint)));
                    }
                }
            }
            prop_assert!(judged_alike || next.rejudges());
            (snapshot, table) = (changed.snapshot, next);
        }
    }
}

/// Services enough for many shards.
fn many() -> Snapshot {
    let it =
        |number: usize| Service { subsets: Box::default(), ..service(&format!("h{number}.example"), &[]) };
    Snapshot::new((0..5_000).map(it).collect()).unwrap()
}

#[test]
fn a_change_of_endpoints_leaves_all_other_services_where_they_are_and_judges_nobody_again() {
    let snapshot = many();
    let first = Table::compile(&snapshot, &Answers::default(), &Table::default());
    assert!(first.rejudges() && first.len() == 5_000);
    let changed = snapshot
        .with([Change::Endpoints { service: "h7.example:8000".into(), endpoints: vec![endpoint(9, "v1")] }]);
    assert!(changed.refused.is_empty());
    let next = Table::compile(&changed.snapshot, &Answers::default(), &first);
    assert!(!next.rejudges());
    let differ = snapshot.services.differences(&changed.snapshot.services);
    assert_eq!(differ.len(), 1);
    for number in 0..5_000 {
        let key = format!("outbound_.8000_._.h{number}.example");
        let same = Arc::ptr_eq(first.find(&key).unwrap(), next.find(&key).unwrap());
        assert_eq!(same, number != 7, "{key}");
    }
    let again = Table::compile(&changed.snapshot, &Answers::default(), &next);
    assert!(!again.rejudges());
}

#[test]
fn whatever_may_let_in_another_caller_is_judged_again() {
    let snapshot = Snapshot::new(vec![service("h.example", &["x.example"])]).unwrap();
    let table = Table::compile(&snapshot, &Answers::default(), &Table::default());
    let it = || service("h.example", &["x.example"]);
    let mut with_list = it();
    with_list.subsets[0].allow = Some(Vec::new());
    let mut other_grants = it();
    other_grants.policy = Policy::Grants { allow: Vec::new().into(), authorization: Authorization::Audit };
    for changed in [
        Change::Set(Arc::new(Service { names: Box::default(), ..it() })),
        Change::Set(Arc::new(Service { mode: Mode::Passthrough, policy: Policy::EndpointDecides, ..it() })),
        Change::Set(Arc::new(with_list)),
        Change::Set(Arc::new(other_grants)),
        Change::Set(Arc::new(service("another.example", &[]))),
        Change::Remove("h.example:8000".into()),
    ] {
        let next = snapshot.with([changed.clone()]).snapshot;
        assert!(Table::compile(&next, &Answers::default(), &table).rejudges(), "{changed:?}");
    }
    let calm =
        Change::Set(Arc::new(Service { balance: Balance::Random, close_on_cert_expiry: true, ..it() }));
    let next = snapshot.with([calm]).snapshot;
    assert!(!Table::compile(&next, &Answers::default(), &table).rejudges());
}

#[test]
fn the_round_of_a_service_is_one_whatever_name_it_is_asked_by() {
    let table = compile(vec![service("h.example", &["x.example"])]);
    let key = table.find("outbound_.8000_._.h.example").unwrap();
    assert!(Arc::ptr_eq(key, table.find("x.example").unwrap()));
}
