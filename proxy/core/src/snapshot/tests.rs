//! Tests of changes: who gets a name, and who is refused.

use super::*;

fn service(host: &str, names: &[&str]) -> Arc<Service> {
    let names = names.iter().map(|name| NamePattern::parse(name).unwrap()).collect();
    Arc::new(Service { names, ..Service::terminate(host, 80) })
}

fn set(host: &str, names: &[&str]) -> Change {
    Change::Set(service(host, names))
}

fn owner(snapshot: &Snapshot, name: &str) -> Option<String> {
    snapshot.exact(name).map(|lead| lead.service().to_string())
}

/// Who is refused, and because of whom.
fn refused(changed: &Changed) -> Vec<String> {
    let line = |conflict: &Conflict| format!("{}: {conflict}", conflict.index());
    changed.refused.iter().map(line).collect()
}

fn two() -> Snapshot {
    Snapshot::new(vec![
        Service::clone(&service("a.example", &["x.example"])),
        Service::clone(&service("b.example", &[])),
    ])
    .unwrap()
}

#[test]
fn who_has_a_name_keeps_it_and_the_newcomer_is_refused_by_name() {
    let changed = two().with([set("c.example", &["x.example"]), set("d.example", &["y.example"])]);
    assert_eq!(
        refused(&changed),
        ["0: x.example leads to both a.example:80 and c.example:80; a name may lead to one service only"]
    );
    // All the rest is in force.
    assert_eq!(owner(&changed.snapshot, "x.example").as_deref(), Some("a.example:80"));
    assert_eq!(owner(&changed.snapshot, "y.example").as_deref(), Some("d.example:80"));
    assert_eq!((changed.snapshot.len(), changed.snapshot.names()), (3, 5));
}

#[test]
fn a_name_may_move_within_one_change_whatever_stands_first() {
    let moves = [set("b.example", &["x.example"]), set("a.example", &[])];
    for changes in [moves.to_vec(), moves.iter().rev().cloned().collect()] {
        let changed = two().with(changes);
        assert!(changed.refused.is_empty(), "{:?}", changed.refused);
        assert_eq!(owner(&changed.snapshot, "x.example").as_deref(), Some("b.example:80"));
    }
    let swapped = two()
        .with([set("b.example", &["y.example"])])
        .snapshot
        .with([set("a.example", &["y.example"]), set("b.example", &["x.example"])]);
    assert!(swapped.refused.is_empty());
    assert_eq!(owner(&swapped.snapshot, "x.example").as_deref(), Some("b.example:80"));
    let removed = two().with([set("b.example", &["x.example"]), Change::Remove("a.example:80".into())]);
    assert_eq!((removed.refused.len(), removed.snapshot.len()), (0, 1));
}

#[test]
fn whoever_took_a_name_of_one_that_is_refused_is_refused_with_it() {
    let before = two().with([set("c.example", &["z.example"])]).snapshot;
    // b takes what a gives up, d what b would have; a is refused over a name of c's, so that it keeps what it had.
    let changed = before.with([
        set("d.example", &["w.example"]),
        set("b.example", &["x.example"]),
        set("a.example", &["z.example"]),
    ]);
    assert_eq!(
        refused(&changed),
        [
            "1: x.example leads to both a.example:80 and b.example:80; a name may lead to one service only",
            "2: z.example leads to both c.example:80 and a.example:80; a name may lead to one service only",
        ]
    );
    assert_eq!(owner(&changed.snapshot, "x.example").as_deref(), Some("a.example:80"));
    assert_eq!(changed.snapshot.len(), 4);
}

#[test]
fn of_several_newcomers_the_first_gets_a_name_and_none_is_set_twice() {
    let changed = two().with([
        set("c.example", &["n.example"]),
        set("d.example", &["n.example"]),
        set("c.example", &[]),
        set("e.example", &["m.example", "m.example"]),
        Change::Endpoints { service: "f.example:80".into(), endpoints: Vec::new() },
    ]);
    assert_eq!(
        refused(&changed),
        [
            "1: n.example leads to both c.example:80 and d.example:80; a name may lead to one service only",
            "2: service c.example:80 is configured twice",
            "3: m.example leads to both e.example:80 and e.example:80; a name may lead to one service only",
            "4: there is no service f.example:80",
        ]
    );
    assert_eq!(changed.snapshot.len(), 3);
}

#[test]
fn a_service_that_is_set_to_what_it_is_stays_the_same_value() {
    let before = two();
    let changed = before.with([set("a.example", &["x.example"])]);
    let of = |snapshot: &Snapshot| snapshot.service("a.example:80").unwrap().clone();
    assert!(Arc::ptr_eq(&of(&before), &of(&changed.snapshot)));
    assert_eq!(changed.snapshot, before);
}

#[test]
fn what_services_use_is_known_without_looking_at_them() {
    let mut passed = Service::passthrough("p.example", 80);
    passed.identity = Some("none".into());
    let mut named = Service::terminate("n.example", 80);
    named.identity = Some("other".into());
    let snapshot = Snapshot::new(vec![passed, named]).unwrap();
    assert_eq!(snapshot.identities().collect::<Vec<_>>(), [Some("other")]);
    let changed = snapshot.with([set("a.example", &[]), Change::Remove("n.example:80".into())]).snapshot;
    assert_eq!(changed.identities().collect::<Vec<_>>(), [None]);
    assert!(!changed.with([Change::Remove("a.example:80".into())]).snapshot.terminates());
}
