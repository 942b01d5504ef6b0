//! Finds functions, attributes and test code in blanked source.

use std::ops::Range;

use crate::lexer::{closing, line_of, words};

/// One function, as much of it as the law is about.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// From `fn` to the closing brace, both counted.
    pub(crate) lines: usize,
    /// The receiver counts.
    pub(crate) parameters: usize,
    /// Whether it implements a trait, which then decides its parameters.
    pub(crate) of_trait: bool,
}

/// Every function with a name, nested ones too.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let words = words(code);
    let traits = trait_implementations(code, &words);
    let named = words.windows(2).filter_map(|pair| {
        let [(at, "fn"), (name_at, name)] = pair else {
            return None;
        };
        let apart = code[at + 2..*name_at].trim().is_empty();
        apart.then_some((*at, *name_at + name.len(), *name))
    });
    named
        .map(|(at, behind_name, name)| {
            let open = parameters_open(code, behind_name);
            let close = closing(code, open);
            let end = item_end(code, close);
            let line = line_of(code, at);
            Function {
                name: name.to_owned(),
                line,
                lines: line_of(code, end.saturating_sub(1)) + 1 - line,
                parameters: count_parameters(&code[open + 1..close - 1]),
                of_trait: traits.iter().any(|body| body.contains(&at)),
            }
        })
        .collect()
}

/// The bodies of every `impl Trait for Type`, where the trait decides the names.
pub(crate) fn trait_implementations(code: &str, words: &[(usize, &str)]) -> Vec<Range<usize>> {
    let starts = words.iter().filter(|(_, word)| *word == "impl").map(|(at, _)| *at);
    starts
        .filter_map(|at| {
            let open = at + code[at..].find(['{', ';', ')', '='])?;
            let head = words.iter().filter(|(word_at, _)| (at..open).contains(word_at));
            let names_trait = head.clone().any(|(_, word)| *word == "for");
            (names_trait && code[open..].starts_with('{')).then(|| open..closing(code, open))
        })
        .collect()
}

/// Every attribute: its offset, and its text without `#[` and `]`.
pub(crate) fn attributes(code: &str) -> Vec<(usize, &str)> {
    let starts = code.match_indices("#[").map(|(at, _)| (at, at + 1));
    let inner = code.match_indices("#![").map(|(at, _)| (at, at + 2));
    starts.chain(inner).map(|(at, open)| (at, code[open + 1..closing(code, open) - 1].trim())).collect()
}

/// The ranges of items that exist in tests alone, attribute included.
pub(crate) fn test_ranges(code: &str) -> Vec<Range<usize>> {
    attributes(code)
        .into_iter()
        .filter(|(_, text)| is_test_cfg(text))
        .map(|(at, _)| {
            let inner = code[at..].starts_with("#!");
            at..if inner { code.len() } else { item_end(code, behind_attributes(code, at)) }
        })
        .collect()
}

/// The names of the modules that live in files of their own and exist in tests alone.
pub(crate) fn test_modules(code: &str) -> Vec<&str> {
    test_ranges(code)
        .into_iter()
        .filter_map(|range| {
            let item = &code[behind_attributes(code, range.start)..range.end];
            let name = words(item).windows(2).find(|pair| pair[0].1 == "mod").map(|pair| pair[1].1);
            if item.ends_with(';') { name } else { None }
        })
        .collect()
}

fn is_test_cfg(attribute: &str) -> bool {
    let Some(condition) = attribute.strip_prefix("cfg(") else {
        return false;
    };
    let dense: String = condition.split_whitespace().collect();
    words(condition).iter().any(|(_, word)| *word == "test") && !dense.contains("not(test")
}

/// The offset of the item that a row of attributes belongs to.
fn behind_attributes(code: &str, attribute: usize) -> usize {
    let mut at = attribute;
    while code[at..].starts_with("#[") {
        at = closing(code, at + 1);
        at += code[at..].len() - code[at..].trim_start().len();
    }
    at
}

/// The parenthesis that opens the parameters, behind generic parameters, in which `Fn(A) -> B` may stand.
fn parameters_open(code: &str, behind_name: usize) -> usize {
    let bytes = code.as_bytes();
    let mut depth = 0_usize;
    for at in behind_name..bytes.len() {
        match bytes[at] {
            b'<' => depth += 1,
            b'>' if bytes[at - 1] != b'-' => depth = depth.saturating_sub(1),
            b'(' if depth == 0 => return at,
            _ => {}
        }
    }
    bytes.len() - 1
}

/// The end of an item: its semicolon, or the brace that closes its body; brackets may come before both.
fn item_end(code: &str, from: usize) -> usize {
    let bytes = code.as_bytes();
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' => at = closing(code, at),
            b'{' => return closing(code, at),
            b';' | b'}' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn count_parameters(list: &str) -> usize {
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut parameters = vec![String::new()];
    for char in list.chars() {
        match char {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '>' if before != '-' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => parameters.push(String::new()),
            _ => {}
        }
        if let Some(parameter) = parameters.last_mut() {
            parameter.push(char);
        }
        before = char;
    }
    parameters.iter().filter(|parameter| !parameter.trim_start_matches(',').trim().is_empty()).count()
}

#[test]
fn functions_are_found_with_their_lines_and_parameters() {
    let source = crate::lexer::code_of(
        "impl A {\n    pub fn one<F: Fn(u8) -> Vec<u8>>(&self, f: F, (a, b): (u8, u8),) -> [u8; 2] {\n        x(\"}\");\n    }\n\
            }\ntype B = fn(u8);\nfn two();\n",
    );
    let found: Vec<_> =
        functions(&source).into_iter().map(|it| (it.name, it.line, it.lines, it.parameters)).collect();
    assert_eq!(found, [("one".to_owned(), 2, 3, 3), ("two".to_owned(), 7, 1, 0)]);
}

#[test]
fn code_for_tests_is_told_from_the_rest() {
    let source = "fn a() {}\n#[cfg(test)]\n#[path = x]\nmod inside {\n    fn b() {}\n}\n\
        fn c() {}\n#[cfg(not(test))]\nfn d() {}\n#[cfg(all(test, unix))]\nmod beside;\n";
    let found: Vec<_> = test_ranges(source).into_iter().map(|range| &source[range]).collect();
    assert_eq!(found.len(), 2);
    assert!(found[0].starts_with("#[cfg(test)]") && found[0].ends_with("}\n}"), "{found:?}");
    assert!(found[1].ends_with("mod beside;"), "{found:?}");
    assert_eq!(test_modules(source), ["beside"]);
    let whole = "#![cfg(test)]\nfn a() {}\n";
    assert_eq!(test_ranges(whole), std::iter::once(0..whole.len()).collect::<Vec<_>>());
}
