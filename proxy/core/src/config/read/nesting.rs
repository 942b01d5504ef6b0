//! A bound on dotted keys, before anything is built of them.
//!
//! The parser bounds the nesting of lists and inline tables but not the parts of a key, and each part
//! is a table in a table, which is dropped by recursion: a megabyte of `a.a.a.…` would end the process.

/// No key of the file has more parts than four; the rest is left for mistakes worth naming.
const MOST_PARTS: usize = 12;

/// The offset of the first key that has too many parts.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let mut rest = text;
    let mut dots = 0;
    while let Some(first) = rest.chars().next() {
        let here = text.len() - rest.len();
        let taken = match first {
            '#' => {
                dots = 0;
                line(rest)
            }
            '"' | '\'' => string(rest, first),
            '.' => {
                dots += 1;
                if dots >= MOST_PARTS {
                    return Some(here);
                }
                1
            }
            '=' | ',' | '[' | ']' | '{' | '}' | '\n' => {
                dots = 0;
                1
            }
            // A mistake outside of a string, behind which a quote begins none.
            '\\' => 1 + usize::from(rest.get(1..).is_some_and(|rest| rest.starts_with(['"', '\'']))),
            // Part of a key, or what the parser may take for one as it recovers from a mistake.
            _ => run(rest, |byte| b"#\"'.=,[]{}\\\n".contains(&byte)),
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    None
}

/// How many bytes come before the first that `ends` the run; they are whole characters, as what ends it is ASCII.
fn run(text: &str, ends: impl Fn(u8) -> bool) -> usize {
    text.bytes().position(ends).unwrap_or(text.len())
}

/// The length of the line, without its end.
fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// The length of the string that begins the text, its quotes included, as the parser reads it: a string
/// on one line ends with the line if it is not closed, and one on several may end in five quotes.
fn string(text: &str, quote: char) -> usize {
    let (single, triple) = if quote == '"' { ("\"", "\"\"\"") } else { ("'", "'''") };
    let delimiter = if text.starts_with(triple) { triple } else { single };
    let several_lines = delimiter.len() == 3;
    let mut length = delimiter.len();
    while let Some(rest) = text.get(length..).filter(|rest| !rest.is_empty()) {
        if let Some(after) = rest.strip_prefix(delimiter) {
            let more = after.chars().take(2).take_while(|next| several_lines && *next == quote);
            return length + delimiter.len() + more.count();
        }
        let mut chars = rest.chars();
        match chars.next() {
            Some('\n') if !several_lines => return length,
            Some('\\') if quote == '"' => {
                length += 1 + usize::from(matches!(chars.next(), Some('\\' | '"')));
            }
            // A quote that doesn't end the string, or a backslash that escapes nothing.
            Some('"' | '\'' | '\\' | '\n') => length += 1,
            Some(_) => length += run(rest, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b'\n')),
            None => break,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::{DeTable, DeValue};

    use super::*;

    /// How many tables and lists stand inside one another.
    fn depth(table: &DeTable<'_>) -> usize {
        let mut deepest = 0;
        let mut open: Vec<(usize, &DeValue<'_>)> = table.values().map(|value| (1, value.get_ref())).collect();
        while let Some((depth, value)) = open.pop() {
            deepest = deepest.max(depth);
            match value {
                DeValue::Table(table) => {
                    open.extend(table.values().map(|value| (depth + 1, value.get_ref())));
                }
                DeValue::Array(list) => open.extend(list.iter().map(|value| (depth + 1, value.get_ref()))),
                _ => {}
            }
        }
        deepest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_let_through_makes_no_deep_table(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "a.", "a . ", "b", "=", "\"", "\"\"\"", "'", "'''", "\\", "\\\"", "\n", "\r", "#", "[", "]", "{", "}",
                    ",", "1", " ", "é.", "a.b.a.b.a.b.a.b.", "\"x\".", "x=1\n", "x=\"", "[x]\n", "\u{0}", "-",
                ]),
                0..40,
            )
        ) {
            let text: String = pieces.concat();
            if too_deep(&text).is_none() {
                let (table, _) = DeTable::parse_recoverable(&text);
                let brackets = text.matches(['[', '{']).count();
                let depth = depth(table.get_ref());
                prop_assert!(depth <= MOST_PARTS * (2 + brackets), "{depth} in {text:?}");
            }
        }
    }

    #[test]
    fn a_key_of_many_parts_is_found_wherever_it_hides() {
        let bomb = "a.".repeat(20);
        for before in [
            "",
            "x = 1\n",
            "[",
            "[[",
            "x = { ",
            "\"#\" . ",
            "'#'.",
            "x = '''\n'''\n",
            "# c\n",
            "x = \"\\\n",
            "x = \"\"\"x\"\"\"\"\"\n",
            "x = \"\"\"x\"\"\"\"",
            "é.",
            "x = 'a\n",
            "\\\"",
            "x\\'",
        ] {
            assert!(too_deep(&format!("{before}{bomb}a = 1")).is_some(), "{before}");
        }
        assert!(too_deep(&"\"a\" . ".repeat(20)).is_some());
    }

    #[test]
    fn dots_in_comments_strings_and_numbers_are_no_key() {
        let dots = ".".repeat(100);
        for text in [
            format!("# {dots}\n"),
            format!("x = \"{dots}\""),
            format!("x = \"\\\"{dots}\""),
            format!("x = '{dots}'"),
            format!("x = \"\"\"{dots}\n{dots}\"\"\""),
            "x = [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 1.5, 2.5, 3.5, 4.5, 5.5]".to_owned(),
        ] {
            assert_eq!(too_deep(&text), None, "{text}");
        }
    }
}
