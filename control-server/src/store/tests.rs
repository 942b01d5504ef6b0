//! Tests of the log: who is told what, from where on.

use std::collections::BTreeSet;

use landbridge_control_client::wire::{Kind, Name};
use landbridge_core::config::fleet::{Glob, NodeEntry, Selector};
use serde_json::json;

use super::*;
use crate::access::Nodes;
use crate::resource::Audience;

fn key(name: &str) -> Key {
    Key { kind: Kind::Service, name: Name::parse(name).unwrap() }
}

fn entry(name: &str, namespace: &str, content: u32) -> Entry {
    let audience = Audience::Service { namespace: namespace.to_owned(), labels: [].into() };
    Entry::new(key(name), &json!({ "content": content }), audience).unwrap()
}

fn view(namespaces: &str) -> View {
    let sees = Selector { namespaces: vec![Glob::parse(namespaces)], ..Selector::everything() };
    let entry = NodeEntry { who: None, cluster: String::new(), sees };
    Nodes::new(vec![entry]).view(None).unwrap()
}

/// What somebody is told: `+` and the name of what is sent, `-` and that of what is gone.
fn told(store: &Store, cursor: u64, view: &View) -> Option<BTreeSet<String>> {
    let (_, items) = store.since(cursor, view, Deltas::Taken)?;
    let word = |(key, item): (Key, Item)| match item {
        Item::Whole(_) => format!("+{}", key.name),
        Item::Delta(_) => format!("~{}", key.name),
        Item::Removed(_) => format!("-{}", key.name),
    };
    Some(items.into_iter().map(word).collect())
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(ToString::to_string).collect()
}

#[test]
fn what_changed_is_told_once_however_often_it_changed() {
    let (store, all) = (Store::default(), view("*"));
    store.replace([entry("a", "", 0), entry("b", "", 0), entry("c", "", 0)]);
    let cursor = store.seq();
    for content in 1..10 {
        store.apply([Edit::Put(entry("a", "", content))]);
    }
    store.apply([Edit::Remove(key("b"))]);
    assert_eq!(told(&store, cursor, &all), Some(set(&["+a", "-b"])));
    assert_eq!(store.lock().log.len(), 3);
    assert_eq!(told(&store, store.seq(), &all), Some(set(&[])));
    // Back to what it was is no change.
    store.apply([Edit::Put(entry("b", "", 0))]);
    assert_eq!(told(&store, cursor, &all), Some(set(&["+a"])));
    assert_eq!(store.len(), 3);
}

#[test]
fn a_replacement_that_says_the_same_is_no_change() {
    let store = Store::default();
    assert_eq!(store.replace([entry("a", "", 0), entry("b", "", 0)]), 2);
    assert_eq!(store.replace([entry("b", "", 0), entry("a", "", 0)]), 0);
    assert_eq!(store.replace([entry("b", "", 0)]), 1);
}

#[test]
fn what_is_not_shown_is_not_even_told_to_be_gone() {
    let (store, shop) = (Store::default(), view("shop"));
    store.apply([Edit::Put(entry("a", "web", 0)), Edit::Put(entry("b", "shop", 0))]);
    assert_eq!(told(&store, 0, &shop), Some(set(&["+b"])));
    let cursor = store.seq();
    store.apply([Edit::Put(entry("a", "web", 1)), Edit::Remove(key("a"))]);
    assert_eq!(told(&store, cursor, &shop), Some(set(&[])));
    // Out of sight is gone, and into sight is new.
    store.apply([Edit::Put(entry("b", "web", 0)), Edit::Put(entry("a", "shop", 0))]);
    assert_eq!(told(&store, cursor, &shop), Some(set(&["-b", "+a"])));
    assert_eq!(told(&store, cursor, &view("web")), Some(set(&["+b", "-a"])));
}

#[test]
fn who_has_missed_more_than_is_remembered_is_told_so() {
    let (store, all) = (Store::default(), view("*"));
    store.replace((0..REMOVALS + 2).map(|n| entry(&format!("s{n}"), "", 0)));
    let cursor = store.seq();
    store.apply((0..=REMOVALS).map(|n| Edit::Remove(key(&format!("s{n}")))));
    assert_eq!(told(&store, cursor, &all), None);
    assert_eq!(told(&store, cursor + 1, &all).unwrap().len(), REMOVALS);
    assert_eq!(store.len(), 1);
    assert_eq!(told(&store, store.seq() + 1, &all), None, "a number of another log");
}

#[test]
fn a_resource_that_wanders_between_audiences_is_never_forgotten_by_who_saw_it() {
    let (store, first) = (Store::default(), view("n0"));
    store.apply([Edit::Put(entry("a", "n0", 0))]);
    let cursor = store.seq();
    for number in 1..20 {
        store.apply([Edit::Put(entry("a", &format!("n{number}"), 0))]);
        // Either it is told to be gone, or that not everything is known.
        assert!(matches!(told(&store, cursor, &first), None | Some(_)));
        if let Some(told) = told(&store, cursor, &first) {
            assert_eq!(told, BTreeSet::from(["-a".to_owned()]));
        }
    }
    assert_eq!(told(&store, cursor, &first), None);
}

#[test]
fn an_epoch_is_known_to_its_own_log_and_view_alone() {
    let (store, all) = (Store::default(), view("*"));
    let epoch = store.begin_epoch(&all);
    assert!(store.knows(&epoch, &all));
    assert_ne!(epoch, store.begin_epoch(&all), "each is begun once");
    assert!(!Store::default().knows(&epoch, &all));
    assert!(!store.knows("", &all) && !store.knows(&format!("{epoch}+1"), &all));
}
