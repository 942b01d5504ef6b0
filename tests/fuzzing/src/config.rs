//! Configurations: any text is either a configuration or a list of problems, each with a place in the text.

use std::path::PathBuf;

use landbridge_core::config::{Problems, Severity, Source, parse};

/// The input is a text.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let source = Source { name: "fuzz.toml".to_owned(), dir: PathBuf::from("/etc/landbridge") };
    match parse(&text, &source) {
        Ok(accepted) => {
            assert_eq!(accepted.warnings.errors(), 0, "accepted with errors: {}", accepted.warnings);
            placed(&accepted.warnings, &text);
        }
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without an error: {problems}");
            placed(&problems, &text);
        }
    }
}

fn placed(problems: &Problems, text: &str) {
    let mut last = (0, 0);
    for problem in problems {
        assert!(!problem.message.is_empty() && problem.file == "fuzz.toml");
        let shown = problem.to_string();
        assert!(shown.starts_with(&format!("fuzz.toml:{}:{}: ", problem.line, problem.column)), "{shown}");
        // One behind the end is where something is missing.
        let lines = text.split('\n').count();
        assert!((1..=lines).contains(&problem.line), "line {} of {lines}: {shown}", problem.line);
        let columns = text.split('\n').nth(problem.line - 1).map_or(0, |line| line.chars().count());
        assert!(
            (1..=columns + 1).contains(&problem.column),
            "column {} of {columns}: {shown}",
            problem.column
        );
        assert!(matches!(problem.severity, Severity::Error | Severity::Warning));
        assert!((problem.line, problem.column) >= last, "not in the order of the text: {problems}");
        last = (problem.line, problem.column);
    }
}
