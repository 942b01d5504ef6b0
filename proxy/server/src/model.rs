//! Every order in which changes and connections can meet, tried by loom on the code that does it.
//!
//! `registry` and `rendezvous` are compiled once more here, beside a `sync` of loom's types. loom runs each
//! model in every order of its steps, with every value that the memory model lets a thread read. A thread
//! that waits for ever is a deadlock, and fails the model.

use std::sync::Arc;

use landbridge_core::outcome::Reason;
use landbridge_core::policy::{Caller, Unseen};
use loom::future::block_on;
use loom::thread;

use self::registry::{Ending, Live, Registered, Registry, Standing};
use self::sync::Current;

#[path = "registry.rs"]
#[expect(clippy::duplicate_mod, reason = "the model is of this very file")]
#[expect(dead_code, reason = "the model needs a part of it")]
mod registry;
#[path = "rendezvous.rs"]
#[expect(clippy::duplicate_mod, reason = "the model is of this very file")]
mod rendezvous;
mod sync;

const CUT: Ending = Ending { reason: Reason::Revoked, flush: None };

/// What is in force: the names that are let in.
type Names = &'static [&'static str];

/// What connections and changes share.
struct Gateway {
    current: Current<Names>,
    registry: Registry,
}

impl Gateway {
    fn new(first: Names) -> Arc<Self> {
        Arc::new(Self { current: Current::from_pointee(first), registry: Registry::default() })
    }

    /// Makes one change after the other, as `updates` does, in a thread of their own.
    fn changes(self: &Arc<Self>, all: &'static [Names]) -> thread::JoinHandle<()> {
        let gateway = self.clone();
        thread::spawn(move || {
            for names in all {
                rendezvous::change(&gateway.current, &gateway.registry, &Arc::new(*names), may_stay);
            }
        })
    }

    /// Opens a connection as `connection` does; `None` where it was refused in its handshake.
    fn open(&self, id: u64, name: &str) -> Option<(Registered<'_>, Arc<Names>)> {
        let registered = self.registry.register(id);
        let began = self.current.load();
        let standing = standing(name);
        if !may_stay(&began, &standing) {
            return None;
        }
        rendezvous::stand(&self.current, &registered, standing, &began, may_stay);
        Some((registered, began))
    }
}

fn standing(name: &str) -> Standing {
    Standing {
        caller: Caller::Unseen(Unseen::Passthrough),
        svid: None,
        sni: name.into(),
        service: name.into(),
    }
}

fn may_stay(names: &Names, standing: &Standing) -> bool {
    names.contains(&&*standing.sni)
}

fn is_cut(live: &Live) {
    assert_eq!(live.ending(), Some(CUT), "a survivor");
}

#[test]
fn no_connection_survives_the_change_that_takes_its_grant() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = gateway.changes(&[&[]]);
        let open = gateway.open(1, "a");
        changes.join().unwrap();
        if let Some((registered, _)) = open {
            is_cut(&registered.live);
        }
    });
}

#[test]
fn no_connection_survives_the_last_of_two_changes() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = gateway.changes(&[&["a", "b"], &["b"]]);
        let open = gateway.open(1, "a");
        changes.join().unwrap();
        if let Some((registered, _)) = open {
            is_cut(&registered.live);
        }
    });
}

/// A change of endpoints only: the same names are let in, and nobody is visited.
fn passes(gateway: &Arc<Gateway>, first: &'static [Names], last: Names) -> thread::JoinHandle<()> {
    let gateway = gateway.clone();
    thread::spawn(move || {
        for names in first {
            rendezvous::change(&gateway.current, &gateway.registry, &Arc::new(*names), may_stay);
        }
        rendezvous::pass(&gateway.current, &Arc::new(last));
    })
}

#[test]
fn no_connection_survives_a_change_because_another_that_visits_nobody_comes_after_it() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = passes(&gateway, &[&[]], &[]);
        let open = gateway.open(1, "a");
        changes.join().unwrap();
        if let Some((registered, _)) = open {
            is_cut(&registered.live);
        }
    });
}

#[test]
fn a_change_that_visits_nobody_cuts_nobody() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = passes(&gateway, &[], &["a"]);
        let (registered, _) = gateway.open(1, "a").expect("nobody takes this grant");
        changes.join().unwrap();
        assert_eq!(registered.live.ending(), None);
    });
}

/// The model can fail: a change that takes a grant and visits nobody.
#[test]
#[should_panic(expected = "a survivor")]
fn a_change_that_takes_a_grant_and_visits_nobody_is_found_to_miss_a_connection() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = passes(&gateway, &[], &[]);
        let open = gateway.open(1, "a");
        changes.join().unwrap();
        if let Some((registered, _)) = open {
            is_cut(&registered.live);
        }
    });
}

#[test]
fn a_bystander_is_not_cut_by_either_of_two_changes() {
    loom::model(|| {
        let gateway = Gateway::new(&["a", "b"]);
        let changes = gateway.changes(&[&["b"], &["b", "c"]]);
        let (registered, _) = gateway.open(1, "b").expect("nobody takes this grant");
        changes.join().unwrap();
        assert_eq!(registered.live.ending(), None);
    });
}

#[test]
fn a_connection_that_began_after_its_grant_came_back_is_not_cut() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = gateway.changes(&[&[], &["a"]]);
        let open = gateway.open(1, "a");
        changes.join().unwrap();
        let last = gateway.current.load();
        if let Some((registered, began)) = open
            && Arc::ptr_eq(&began, &last)
        {
            assert_eq!(registered.live.ending(), None);
        }
    });
}

#[test]
fn a_connection_that_waits_is_woken_by_the_change_that_cuts_it() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = gateway.changes(&[&[]]);
        if let Some((registered, _)) = gateway.open(1, "a") {
            // For ever, if the change is missed or does not wake.
            assert_eq!(block_on(registered.live.ended()), CUT);
        }
        changes.join().unwrap();
    });
}

#[test]
fn a_connection_may_end_while_a_change_cuts_it_and_its_neighbour_does_not_notice() {
    loom::model(|| {
        let gateway = Gateway::new(&["a", "b"]);
        let (neighbour, _) = gateway.open(2, "b").unwrap();
        let changes = gateway.changes(&[&["b"]]);
        drop(gateway.open(1, "a"));
        changes.join().unwrap();
        assert_eq!(neighbour.live.ending(), None);
        assert_eq!(gateway.registry.len(), 1);
    });
}

#[test]
fn of_a_change_and_a_drain_that_end_a_connection_one_says_why_and_the_connection_hears_it() {
    const DRAINED: Ending = Ending { reason: Reason::Drained, flush: None };
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let (registered, _) = gateway.open(1, "a").unwrap();
        let changes = gateway.changes(&[&[]]);
        let drains = gateway.clone();
        let drains = thread::spawn(move || {
            let mut first = 0;
            drains.registry.for_each(|live| first += usize::from(live.end(DRAINED)));
            first
        });
        let heard = block_on(registered.live.ended());
        changes.join().unwrap();
        assert_eq!(drains.join().unwrap() == 1, heard == DRAINED);
        assert_eq!(registered.live.ending(), Some(heard));
    });
}

/// The model can fail: a connection that compares before it can be found.
#[test]
#[should_panic(expected = "a survivor")]
fn a_connection_that_looks_before_it_stands_is_found_to_survive() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let changes = gateway.changes(&[&[]]);
        let registered = gateway.registry.register(1);
        let began = gateway.current.load();
        if may_stay(&began, &standing("a")) {
            rendezvous::look_again(&gateway.current, &registered.live, &began, may_stay);
            registered.stand(standing("a"));
            changes.join().unwrap();
            is_cut(&registered.live);
        }
    });
}

/// The model can fail: a change that visits before it is in force.
#[test]
#[should_panic(expected = "a survivor")]
fn a_change_that_visits_before_it_is_in_force_is_found_to_miss_a_connection() {
    loom::model(|| {
        let gateway = Gateway::new(&["a"]);
        let other = gateway.clone();
        let change = thread::spawn(move || {
            let next: Arc<Names> = Arc::new(&[]);
            other.registry.for_each(|live| {
                if live.standing().is_some_and(|standing| !may_stay(&next, standing)) {
                    live.end(CUT);
                }
            });
            other.current.store(next);
        });
        let open = gateway.open(1, "a");
        change.join().unwrap();
        if let Some((registered, _)) = open {
            is_cut(&registered.live);
        }
    });
}
