//! The line under pressure. Time is the test's own.

use std::net::{IpAddr, Ipv4Addr};

use landbridge_core::Reason;
use proptest::prelude::*;

use super::*;
use crate::registry::{Registered, Registry};

const RULE: Rule = Rule { most: 2, most_waiting: 4, slow: Duration::from_secs(1) };

fn at(millis: u64) -> Duration {
    Duration::from_millis(1_000_000 + millis)
}

fn source(number: u8) -> Source {
    IpAddr::from(Ipv4Addr::new(10, 0, 0, number)).into()
}

/// One connection of a source in the line.
struct Member<'a> {
    registered: Registered<'a>,
    source: Source,
    entered: Entered,
}

impl Member<'_> {
    fn has_a_turn(&mut self) -> bool {
        match &mut self.entered {
            Entered::Now => true,
            Entered::Waits(granted) => granted.try_recv().is_ok_and(|()| {
                self.entered = Entered::Now;
                true
            }),
            Entered::Refused => false,
        }
    }

    fn made_room(&self) -> bool {
        self.registered.live.ending().is_some_and(|ending| ending.reason == Reason::HandshakeLimit)
    }

    fn leave(self, line: &mut Line, now: Duration) {
        line.leave(self.source, self.registered.live.id, now);
        assert!(line.is_consistent());
    }
}

fn enter<'a>(line: &mut Line, registry: &'a Registry, id: u64, from: u8, now: Duration) -> Member<'a> {
    let registered = registry.register(id);
    let entered = line.enter(source(from), &registered.live, now);
    assert!(line.is_consistent());
    Member { registered, source: source(from), entered }
}

#[test]
fn under_the_limit_everybody_goes_on_and_nothing_is_kept_of_who_left() {
    let registry = Registry::default();
    let mut line = Line::new(RULE);
    let mut first = enter(&mut line, &registry, 1, 1, at(0));
    let mut second = enter(&mut line, &registry, 2, 1, at(0));
    assert!(first.has_a_turn() && second.has_a_turn());
    assert_eq!(line.in_flight(), 2);
    first.leave(&mut line, at(1));
    second.leave(&mut line, at(2));
    assert_eq!(line.in_flight(), 0);
}

#[test]
fn sources_take_turns_however_many_of_one_wait() {
    let registry = Registry::default();
    let mut line = Line::new(RULE);
    let held: Vec<Member<'_>> = (1..=2).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let mut crowd: Vec<Member<'_>> = (3..=5).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let mut single = enter(&mut line, &registry, 6, 2, at(0));
    assert!(!single.has_a_turn());
    let mut held = held.into_iter();
    held.next().unwrap().leave(&mut line, at(1));
    assert!(crowd[0].has_a_turn() && !single.has_a_turn(), "it was first");
    held.next().unwrap().leave(&mut line, at(2));
    assert!(single.has_a_turn(), "the second turn is the second source's");
    assert!(!crowd[1].has_a_turn());
}

#[test]
fn slow_ones_of_a_source_that_has_more_make_room_and_quick_ones_do_not() {
    let registry = Registry::default();
    let mut line = Line::new(RULE);
    let slow = enter(&mut line, &registry, 1, 1, at(0));
    let quick = enter(&mut line, &registry, 2, 1, at(900));
    let mut single = enter(&mut line, &registry, 3, 2, at(950));
    assert!(!slow.made_room(), "not slow yet");
    line.make_room(at(1001));
    assert!(slow.made_room() && !quick.made_room());
    assert!(!single.has_a_turn(), "the turn is free once it was left");
    slow.leave(&mut line, at(1002));
    assert!(single.has_a_turn());
    line.make_room(at(9000));
    assert!(!quick.made_room(), "nobody waits");
}

#[test]
fn nobody_makes_room_for_a_source_that_has_as_many() {
    let registry = Registry::default();
    let mut line = Line::new(RULE);
    let held: Vec<Member<'_>> = (1..=2).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let _waits = enter(&mut line, &registry, 3, 1, at(10));
    line.make_room(at(5000));
    assert!(held.iter().all(|member| !member.made_room()));
}

#[test]
fn a_full_line_sheds_the_newest_of_whoever_has_most_of_it() {
    let registry = Registry::default();
    let mut line = Line::new(RULE);
    let _held: Vec<Member<'_>> = (1..=2).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let mut crowd: Vec<Member<'_>> = (3..=6).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let more = enter(&mut line, &registry, 7, 1, at(0));
    assert!(matches!(more.entered, Entered::Refused), "its own source has most");
    let single = enter(&mut line, &registry, 8, 2, at(0));
    assert!(matches!(single.entered, Entered::Waits(_)));
    let Entered::Waits(last) = &mut crowd[3].entered else { panic!("the last of the crowd waited") };
    assert_eq!(last.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    crowd.pop().unwrap().leave(&mut line, at(1));
}

#[test]
fn whoever_displaces_takes_the_place_of_the_oldest_of_the_largest_source() {
    let registry = Registry::default();
    let mut line = Line::new(Rule::default());
    let mut members: Vec<Member<'_>> = Vec::new();
    for (id, from) in [(1, 2), (2, 1), (3, 1), (4, 3)] {
        let registered = registry.register(id);
        line.displace(source(from), &registered.live, (3, at(id)));
        assert!(line.is_consistent());
        members.push(Member { registered, source: source(from), entered: Entered::Now });
    }
    let made_room: Vec<u64> =
        members.iter().filter(|member| member.made_room()).map(|member| member.registered.live.id).collect();
    assert_eq!(made_room, [2], "source 1 had two, and this was the older");
    assert_eq!(line.in_flight(), 4, "until it has left");
    members.remove(1).leave(&mut line, at(10));
    assert_eq!(line.in_flight(), 3);
}

#[test]
fn no_source_gets_the_last_eighth_of_the_turns() {
    let registry = Registry::default();
    let mut line = Line::new(Rule { most: 8, most_waiting: 8, ..RULE });
    let mut crowd: Vec<Member<'_>> = (1..=9).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let turns = crowd.iter_mut().map(Member::has_a_turn).filter(|has| *has).count();
    assert_eq!(turns, 7);
    let mut single = enter(&mut line, &registry, 10, 2, at(1));
    assert!(single.has_a_turn(), "at once, though others wait");
    crowd.remove(0).leave(&mut line, at(2));
    let turns = crowd.iter_mut().map(Member::has_a_turn).filter(|has| *has).count();
    assert_eq!(turns, 7, "the next of the crowd follows");
}

#[test]
fn who_was_told_to_go_counts_for_its_source_until_it_has_left() {
    let registry = Registry::default();
    let mut line = Line::new(Rule { most: 8, most_waiting: 16, ..RULE });
    let mut crowd: Vec<Member<'_>> = (1..=9).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let _elsewhere = enter(&mut line, &registry, 10, 2, at(0));
    let mut waits = enter(&mut line, &registry, 11, 3, at(0));
    line.make_room(at(2000));
    let gone = crowd.iter().filter(|member| member.made_room()).count();
    assert!(gone > 0 && !waits.has_a_turn());
    for _ in 0..2 {
        let first = crowd.iter().position(Member::made_room).unwrap();
        crowd.remove(first).leave(&mut line, at(2001));
    }
    assert!(waits.has_a_turn(), "the first went to the crowd, whose turn it was, and the second here");
    let turns = crowd.iter_mut().map(Member::has_a_turn).filter(|has| *has).count();
    assert_eq!(turns, 6, "one of them was told to go, and counts still");
}

#[test]
fn a_higher_limit_lets_those_who_wait_go_on() {
    let registry = Registry::default();
    let mut line = Line::new(RULE);
    let _held: Vec<Member<'_>> = (1..=2).map(|id| enter(&mut line, &registry, id, 1, at(0))).collect();
    let mut third = enter(&mut line, &registry, 3, 1, at(0));
    line.allow(3, at(1));
    assert!(third.has_a_turn());
    line.allow(1, at(2));
    let mut fourth = enter(&mut line, &registry, 4, 1, at(3));
    third.leave(&mut line, at(4));
    assert!(!fourth.has_a_turn(), "two are still in flight");
}

#[tokio::test]
async fn a_connection_waits_for_its_turn_and_a_dropped_one_leaves_no_trace() {
    let registry = Registry::default();
    let turns = Turns::new(Rule { most: 1, ..RULE });
    let (first, second, third) = (registry.register(1), registry.register(2), registry.register(3));
    let held = turns.take(source(1), &first.live).await.unwrap();
    assert!(timeout(Duration::ZERO, turns.take(source(2), &second.live)).await.is_err());
    let mut next = std::pin::pin!(turns.take(source(3), &third.live));
    assert!(timeout(Duration::ZERO, &mut next).await.is_err());
    drop(held);
    let held = next.await.unwrap();
    assert_eq!(turns.in_flight(), 1);
    drop(held);
    assert_eq!(turns.in_flight(), 0);
    assert!(turns.line().is_consistent());
}

proptest! {
    /// Whatever comes and goes: the counts agree, and once all have left nothing is kept.
    #[test]
    fn the_line_stays_consistent(steps in prop::collection::vec((0..4u8, 0..6u8, 0..2000u64), 1..200)) {
        let registry = Registry::default();
        let mut line = Line::new(Rule { most: 3, ..RULE });
        let mut members: Vec<Member<'_>> = Vec::new();
        let mut now = at(0);
        for (id, (step, from, passed)) in (1..).zip(steps) {
            now += Duration::from_millis(passed);
            match step {
                0 | 1 => members.push(enter(&mut line, &registry, id, from, now)),
                2 if !members.is_empty() => {
                    let index = usize::from(from) % members.len();
                    members.swap_remove(index).leave(&mut line, now);
                }
                _ => {
                    line.make_room(now);
                    prop_assert!(line.is_consistent());
                }
            }
            prop_assert!(line.in_flight() <= 3);
        }
        for member in members {
            member.leave(&mut line, now);
        }
        prop_assert_eq!(line.in_flight(), 0);
    }
}
