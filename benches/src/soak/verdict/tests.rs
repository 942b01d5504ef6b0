//! A run of which all holds, and each thing that may be wrong with it.

use std::collections::BTreeMap;

use super::*;

/// So many samples over so many minutes, of memory that grows by so many MiB an hour.
fn soaked(minutes: u32, growth: f64) -> Soaked {
    let updates = |applied: f64| {
        let names = ["configuration applied", "files applied"];
        names.map(|name| (name.to_owned(), applied)).into_iter().collect::<BTreeMap<_, _>>()
    };
    let sample = |minute: u32| Sample {
        seconds: f64::from(minute) * 60.0,
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few positive MiB")]
        resident: ((40.0 + growth * f64::from(minute) / 60.0) * MEBIBYTE) as u64,
        descriptors: 20,
        active: 5.0,
        ..Sample::default()
    };
    let idle = Sample {
        active: 0.0,
        accepted: 10.0,
        refused: [("probe".to_owned(), 2.0)].into_iter().collect(),
        updates: updates(4.0),
        ..sample(minutes)
    };
    Soaked {
        rows: vec![("clean".to_owned(), Score { connections: 10, ..Score::default() })],
        start: Sample { updates: updates(1.0), ..sample(0) },
        samples: (0..minutes).map(sample).collect(),
        idle,
        missed: 0,
        lines: Lines { connections: 7, suppressed: 1, ..Lines::default() },
        made: Made::new(),
        panics: Vec::new(),
        exit: None,
        took: Duration::from_secs(u64::from(minutes) * 60),
        bound: 2.0,
        load: ["0".to_owned(), "0".to_owned()],
    }
}

/// What is wrong with a run of which all holds but this.
fn only(spoil: fn(&mut Soaked)) -> String {
    let mut spoilt = soaked(40, 0.0);
    spoil(&mut spoilt);
    let faults = spoilt.faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.concat()
}

#[test]
fn a_run_of_which_all_holds_has_no_fault() {
    assert_eq!(soaked(40, 0.0).faults(), Vec::<String>::new());
    assert_eq!(soaked(40, 1.9).faults(), Vec::<String>::new());
}

#[test]
fn memory_that_leaks_is_a_fault_of_a_run_that_is_long_enough() {
    assert_eq!(soaked(40, 6.0).faults(), ["memory grows by 6.00 MiB/h, over 2.00"]);
    assert_eq!(soaked(29, 6.0).faults(), Vec::<String>::new());
}

#[test]
fn each_false_end_lost_byte_and_cut_stream_is_a_fault() {
    assert!(only(|it| it.rows[0].1.forth.falsely_clean = 1).starts_with("clean"));
    assert!(only(|it| it.rows[0].1.back.wrong = 1).starts_with("clean"));
    assert!(only(|it| it.rows[0].1.back.broken = 1).starts_with("clean"));
    assert!(only(|it| it.rows[0].1.forth.thrown_away = (1, 9)).starts_with("clean"));
    assert!(only(|it| it.rows[0].1.fail("no handshake")).ends_with("no handshake"));
}

#[test]
fn what_the_gateway_keeps_when_all_is_over_is_a_fault() {
    assert!(only(|it| it.idle.active = 1.0).contains("1 connections are open"));
    assert!(only(|it| it.idle.descriptors = 21).contains("21 descriptors"));
}

#[test]
fn a_gateway_that_never_tells_how_it_is_is_at_fault() {
    let mut silent = soaked(10, 0.0);
    silent.samples.clear();
    assert_eq!(silent.faults(), ["the gateway never told how it is under load"]);
}

#[test]
fn a_connection_without_a_line_and_a_line_without_a_connection_are_faults() {
    assert!(only(|it| it.lines.connections = 6).contains("10 connections were accepted"));
    assert!(only(|it| it.lines.connections = 8).contains("make 11"));
    assert!(only(|it| it.lines.unreadable = 1).contains("no JSON"));
    assert!(only(|it| it.idle.log_dropped = 1.0).contains("lost"));
}

#[test]
fn a_panic_an_internal_error_and_another_exit_code_are_faults() {
    assert!(only(|it| it.panics.push("panicked at x".to_owned())).contains("panicked at x"));
    assert!(only(|it| it.lines.flags.extend([("IE".to_owned(), 1)])).contains("internal error"));
    assert!(only(|it| it.exit = Some("signal 6".to_owned())).contains("signal 6"));
}

#[test]
fn a_change_that_is_refused_and_changes_that_never_come_are_faults() {
    assert!(only(|it| it.idle.updates.extend([("files refused".to_owned(), 1.0)])).contains("1 changes"));
    let still = |it: &mut Soaked| it.start.updates.extend([("files applied".to_owned(), 4.0)]);
    assert!(only(still).contains("files: no change"));
}
