//! The files of the repository, and how a test reports what it found in them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::items::{test_modules, test_ranges};
use crate::lexer::{code_of, line_of};

/// What is not ours, or not source.
const SKIPPED: [&str; 3] = [".git", "target", "node_modules"];

/// One Rust file.
pub(crate) struct Source {
    /// From the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and literals blanked out.
    pub(crate) code: String,
    /// All of it is for tests.
    for_tests: bool,
    /// What is for tests otherwise.
    tests: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = code_of(text);
        let for_tests = path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs");
        let tests = test_ranges(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, for_tests, tests }
    }

    pub(crate) fn in_test(&self, offset: usize) -> bool {
        self.for_tests || self.tests.iter().any(|range| range.contains(&offset))
    }

    /// How many lines there are besides the tests at the end; a file of tests counts in full.
    pub(crate) fn lines(&self) -> usize {
        let of_tests =
            |range: &Range<usize>| line_of(&self.code, range.end) - line_of(&self.code, range.start) + 1;
        let inline: usize = if self.for_tests { 0 } else { self.tests.iter().map(of_tests).sum() };
        self.text.lines().count().saturating_sub(inline)
    }

    /// `path:line: message`.
    pub(crate) fn finding(&self, offset: usize, message: &str) -> String {
        format!("{}:{}: {message}", self.path, line_of(&self.code, offset))
    }
}

/// Every Rust file of the repository.
pub(crate) fn sources() -> Vec<Source> {
    let mut sources: Vec<Source> = files(".rs").iter().map(|path| Source::new(path, &read(path))).collect();
    let of_tests: Vec<String> = sources.iter().flat_map(test_files).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        if of_tests.iter().any(|test| stem == test || stem.starts_with(&format!("{test}/"))) {
            source.for_tests = true;
        }
    }
    assert!(sources.len() > 20, "found only {} Rust files below {}", sources.len(), root().display());
    sources
}

/// The paths, from the root and sorted, of all files whose name ends so.
pub(crate) fn files(ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    let root = root();
    let mut paths: Vec<String> = found
        .iter()
        .filter_map(|path| path.strip_prefix(&root).ok())
        .map(|path| path.to_string_lossy().replace('\\', "/"))
        .filter(|path| path.ends_with(ending))
        .collect();
    paths.sort();
    paths
}

pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Passes if nothing was found, and says all of it otherwise.
pub(crate) fn assert_none(law: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{law}:\n  {}", findings.join("\n  "));
}

/// Where the modules live, without their ending, that a file declares for tests alone.
fn test_files(source: &Source) -> Vec<String> {
    let path = Path::new(&source.path);
    let folder = match path.file_name().and_then(|name| name.to_str()) {
        Some("lib.rs" | "main.rs") => path.parent().unwrap().to_owned(),
        _ => path.with_extension(""),
    };
    test_modules(&source.code)
        .into_iter()
        .map(|name| folder.join(name).to_string_lossy().into_owned())
        .collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !skipped => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[test]
fn a_module_for_tests_alone_is_test_code_wherever_its_file_is() {
    let parent = Source::new("proxy/core/src/sni.rs", "#[cfg(test)]\nmod cases;\n");
    assert_eq!(test_files(&parent), ["proxy/core/src/sni/cases"]);
    let root = Source::new("proxy/core/src/lib.rs", "#[cfg(test)]\nmod cases;\n");
    assert_eq!(test_files(&root), ["proxy/core/src/cases"]);
}

#[test]
fn only_the_tests_of_a_file_are_left_out_of_its_length() {
    let source =
        Source::new("certs/src/a.rs", "//! A.\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\nfn b() {}\n");
    assert_eq!(source.lines(), 3);
    assert_eq!(Source::new("tests/a/main.rs", "//! A.\nfn a() {}\n").lines(), 2);
}
