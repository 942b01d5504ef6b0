//! Sizes: of files, of functions, of parameter lists.

use crate::items::functions;
use crate::tree::{Source, assert_none, sources};

const FILE: usize = 450;
const NINE_FILES_IN_TEN: usize = 250;
const FUNCTION: usize = 80;
const PARAMETERS: usize = 5;

#[test]
fn no_file_is_longer_than_450_lines_without_its_tests() {
    assert_none("too long without their tests", &long_files(&sources()));
}

#[test]
fn nine_files_in_ten_stay_within_250_lines() {
    let sources = sources();
    let over: Vec<String> = sources
        .iter()
        .filter(|source| source.lines() > NINE_FILES_IN_TEN)
        .map(|source| format!("{}:1: {} lines", source.path, source.lines()))
        .collect();
    let ninetieth = ninetieth_percentile(sources.iter().map(Source::lines).collect());
    if ninetieth > NINE_FILES_IN_TEN {
        assert_none("more than one file in ten has over 250 lines", &over);
    }
}

#[test]
fn no_function_is_longer_than_80_lines_or_takes_more_than_5_parameters() {
    assert_none("too long, or too many parameters", &large_functions(&sources()));
}

fn long_files(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().filter(|source| source.lines() > FILE);
    long.map(|source| format!("{}:{FILE}: {} lines, at most {FILE}", source.path, source.lines())).collect()
}

fn large_functions(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        for function in functions(&source.code) {
            let place = format!("{}:{}: {}", source.path, function.line, function.name);
            if function.lines > FUNCTION {
                findings.push(format!("{place} has {} lines, at most {FUNCTION}", function.lines));
            }
            if function.parameters > PARAMETERS && !function.of_trait {
                findings
                    .push(format!("{place} takes {} parameters, at most {PARAMETERS}", function.parameters));
            }
        }
    }
    findings
}

fn ninetieth_percentile(mut lengths: Vec<usize>) -> usize {
    lengths.sort_unstable();
    let rank = (lengths.len() * 9).div_ceil(10);
    lengths.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[test]
fn what_is_too_large_is_caught() {
    let body = "    step();\n".repeat(79);
    let long = Source::new("a/src/a.rs", &format!("fn long() {{\n{body}}}\n"));
    let fits = Source::new("a/src/b.rs", &format!("fn fits() {{\n{}}}\n", "    step();\n".repeat(78)));
    let wide = Source::new(
        "a/src/c.rs",
        "fn wide(a: A, b: B, c: C, d: D, e: E, f: F) {}\n\
         impl Foreign for Us {\n    fn given(a: A, b: B, c: C, d: D, e: E, f: F) {}\n}\n",
    );
    assert_eq!(
        large_functions(&[long, fits, wide]),
        ["a/src/a.rs:1: long has 81 lines, at most 80", "a/src/c.rs:1: wide takes 6 parameters, at most 5"]
    );
    let file = Source::new("a/src/d.rs", &"// line\n".repeat(451));
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n}}\n", "// line\n".repeat(450));
    assert_eq!(long_files(&[file, Source::new("a/src/e.rs", &tested)]).len(), 1);
    assert_eq!(ninetieth_percentile((1..=10).collect()), 9);
    assert_eq!(ninetieth_percentile(vec![1, 1, 1, 1, 1, 1, 1, 1, 300, 300]), 300);
}
