//! `landbridge-bench cost`: what the verification of a client costs, and the other steps of a connection, in
//! instructions.
//!
//! Each case runs twice under valgrind's callgrind, in a process of its own, with some verifications and
//! with more of them; the difference, divided, is one verification without its set-up. All cases of one run
//! share their certificates, since how many steps an ECDSA signature takes to check depends on its digits.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use landbridge_testkit::peer;

use self::callgrind::Counted;
use self::case::{CASES, Case, Material, Verifier};
use self::step::{STEPS, Step};

mod callgrind;
mod case;
mod expected;
mod step;

/// How many verifications, and how many more.
const FEW: usize = 10;
const MANY: usize = 30;

/// Parts of one verification, by the functions that they begin in.
const PARTS: [(&str, &str); 6] = [
    ("the path, by webpki", "webpki::verify_cert::ChainOptions<V>::build_chain_inner"),
    ("of that, ECDSA P-256", "webpki::signed_data::verify_signature"),
    ("reading the leaf (x509-parser)", "landbridge_certs::leaf::claim"),
    ("SHA-256 of the leaf", "landbridge_certs::source::sha256"),
    ("the anchor by its content", "landbridge_certs::trust::load::identified"),
    ("the grants", "landbridge_core::policy::Policy::check"),
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Prints the functions that cost the most instead of the tables, for the case of this number
    #[arg(long, value_name = "CASE")]
    functions: Option<usize>,
    /// Counts, and compares with the list that is written down; fails if anything is more than 5 % apart
    #[arg(long, conflicts_with = "functions")]
    check: bool,
    /// Counts, and prints that list anew
    #[arg(long, conflicts_with_all = ["functions", "check"])]
    list: bool,
    /// The case that this process runs
    #[arg(long, hide = true, requires = "folder")]
    case: Option<usize>,
    /// How often
    #[arg(long, hide = true, default_value_t = 1)]
    times: usize,
    /// Where the certificates are
    #[arg(long, hide = true)]
    folder: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let (Some(number), Some(folder)) = (arguments.case, &arguments.folder) {
        match numbered(number)? {
            Subject::Case(case) => case.repeat(folder, arguments.times)?,
            Subject::Step(step) => _ = step.repeat(Step::often(arguments.times))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let material = Material::issue();
    if let Some(number) = arguments.functions {
        let counted = count(number, material.path())?;
        for (name, instructions) in counted.most(40) {
            say(&format!("{instructions:>12} {name}"));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.check {
        return check(material.path());
    }
    if arguments.list {
        for (number, subject) in held() {
            say(&format!("{} {subject}", count(number, material.path())?.total));
        }
        return Ok(ExitCode::SUCCESS);
    }
    say("| # | case | instructions | more than rustls alone |\n|---|---|---|---|");
    let mut plain = None;
    for (number, case) in CASES.iter().enumerate() {
        let counted = count(number, material.path())?;
        let difference = match case.verifier {
            Verifier::Rustls => {
                plain = Some(counted.total);
                String::new()
            }
            Verifier::Landbridge => plain.map_or_else(String::new, |plain| compared(counted.total, plain)),
        };
        say(&format!("| {number} | {case} | {} | {difference} |", grouped(counted.total)));
    }
    say("\n| part of one verification | rustls alone (0) | landbridge (1) |\n|---|---|---|");
    let (plain, ours) = (count(0, material.path())?, count(1, material.path())?);
    for (label, function) in PARTS {
        let of = |counted: &Counted| counted.within(function).map_or_else(|| "–".to_owned(), grouped);
        say(&format!("| {label} | {} | {} |", of(&plain), of(&ours)));
    }
    say(&format!("| all | {} | {} |", grouped(plain.total), grouped(ours.total)));
    say("\n| # | step | instructions | nanoseconds |\n|---|---|---|---|");
    for (number, step) in (CASES.len()..).zip(STEPS) {
        let (counted, took) = (count(number, material.path())?, step.nanoseconds()?);
        say(&format!("| {number} | {step} | {} | {} |", grouped(counted.total), grouped(took)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Holds every count to the list.
fn check(folder: &Path) -> anyhow::Result<ExitCode> {
    ensure!(!cfg!(debug_assertions), "the list is of the release profile: build with --release");
    if !cfg!(target_arch = "x86_64") {
        peer::skip("the list is of x86-64");
        return Ok(ExitCode::SUCCESS);
    }
    if peer::find("valgrind", "apt-get install valgrind").is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut code = ExitCode::SUCCESS;
    say("| case | written down | counted | apart |\n|---|---|---|---|");
    for (number, subject) in held() {
        let expected = expected::of(expected::LIST, &subject.to_string())?;
        let expected = expected.with_context(|| format!("nothing is written down of: {subject}"))?;
        let counted = count(number, folder)?.total;
        let mut apart = expected::apart(counted, expected);
        if !expected::holds(counted, expected) {
            apart += ", TOO FAR: find out why, or write it down (cost --list)";
            code = ExitCode::FAILURE;
        }
        say(&format!("| {subject} | {} | {} | {apart} |", grouped(expected), grouped(counted)));
    }
    Ok(code)
}

/// What can be counted, by its number.
enum Subject {
    Case(&'static Case),
    Step(Step),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case(case) => case.fmt(f),
            Self::Step(step) => step.fmt(f),
        }
    }
}

fn subjects() -> impl Iterator<Item = Subject> {
    CASES.iter().map(Subject::Case).chain(STEPS.into_iter().map(Subject::Step))
}

/// What is held to the list: what others' code alone costs is theirs, and how long a name is sought in vain differs
/// by the seed of the hash table.
fn held() -> impl Iterator<Item = (usize, Subject)> {
    let ours =
        |subject: &Subject| !matches!(subject, Subject::Case(case) if case.verifier == Verifier::Rustls);
    let steady = |subject: &Subject| !matches!(subject, Subject::Step(Step::Miss(_)));
    subjects().enumerate().filter(move |(_, subject)| ours(subject) && steady(subject))
}

fn numbered(number: usize) -> anyhow::Result<Subject> {
    subjects().nth(number).with_context(|| format!("there are cases 0 to {}", CASES.len() + STEPS.len() - 1))
}

/// The instructions of one verification.
fn count(number: usize, folder: &Path) -> anyhow::Result<Counted> {
    let (within, often) = match numbered(number)? {
        Subject::Case(_) => (None, 1),
        Subject::Step(_) => (Some(step::MEASURED), Step::often(1)),
    };
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let counted = |times: usize| callgrind::count(&own, number, times, folder, within);
    let difference = counted(MANY)?.less(&counted(FEW)?, ((MANY - FEW) * often) as u64);
    ensure!(difference.total > 0, "valgrind counted nothing");
    Ok(difference)
}

fn compared(ours: u64, plain: u64) -> String {
    let permille = (ours * 1000).div_ceil(plain.max(1));
    let sign = if ours < plain { "−" } else { "+" };
    let apart = permille.abs_diff(1000);
    format!("{sign}{} ({sign}{}.{} %)", grouped(ours.abs_diff(plain)), apart / 10, apart % 10)
}

/// With a space after every thousand.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::print_stdout, reason = "what was counted is what this command is for")]
fn say(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_to_be_read() {
        assert_eq!((grouped(7).as_str(), grouped(1_234_567).as_str()), ("7", "1 234 567"));
        assert_eq!(compared(1100, 1000), "+100 (+10.0 %)");
        assert_eq!(compared(900, 1000), "−100 (−10.0 %)");
    }

    #[test]
    fn every_case_verifies_as_it_should() {
        let material = Material::issue();
        for case in &CASES {
            case.repeat(material.path(), 1).unwrap();
        }
    }

    #[test]
    fn every_step_does_what_it_says() {
        for step in STEPS {
            step.repeat(1).unwrap();
        }
    }

    #[test]
    fn every_case_and_step_is_written_down_and_nothing_else_is() {
        for (_, subject) in held() {
            assert!(expected::of(expected::LIST, &subject.to_string()).unwrap().is_some(), "{subject}");
        }
        assert_eq!(expected::LIST.lines().count(), held().count());
    }
}
