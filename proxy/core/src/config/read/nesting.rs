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
            ' ' | '\t' | '-' | '_' => 1,
            other if other.is_ascii_alphanumeric() => 1,
            other => {
                dots = 0;
                other.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    None
}

/// The length of the line, without its end.
fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// The length of the string that begins the text.
fn string(text: &str, quote: char) -> usize {
    let triple = [quote; 3].iter().collect::<String>();
    if text.starts_with(&triple) {
        return 3 + closing(text.get(3..).unwrap_or_default(), &triple);
    }
    let single = quote.to_string();
    1 + closing(text.get(1..line(text)).unwrap_or_default(), &single)
}

/// The length up to and including the delimiter, or the whole text if there is none.
fn closing(text: &str, delimiter: &str) -> usize {
    let mut from = 0;
    while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(delimiter) {
            return from + delimiter.len();
        }
        let mut chars = rest.chars();
        let first = chars.next();
        from += first.map_or(1, char::len_utf8);
        if delimiter.starts_with('"') && first == Some('\\') {
            from += chars.next().map_or(0, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_many_parts_is_found_wherever_it_hides() {
        let bomb = "a.".repeat(20);
        for before in ["", "x = 1\n", "[", "[[", "x = { ", "\"#\" . ", "'#'.", "x = '''\n'''\n", "# c\n"] {
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
