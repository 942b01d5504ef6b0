//! Just enough of Rust's lexical grammar to tell code from comments and literals.

/// The source with every comment and every literal's content blanked out.
///
/// It has the same length and the same line breaks, and is ASCII, so that an offset into one is an offset
/// into the other.
pub(crate) fn code_of(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code: Vec<u8> = bytes.iter().map(|byte| if byte.is_ascii() { *byte } else { b'x' }).collect();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if starts_raw_string(bytes, at) => raw_string_end(bytes, at),
            b'\'' => char_end(source, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        // A quote that begins a lifetime, and everything else that is code, stays.
        at = end.max(at + 1);
    }
    String::from_utf8(code).unwrap()
}

/// Every identifier and keyword of blanked code, with its offset.
pub(crate) fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, byte) in code.bytes().enumerate().chain([(code.len(), b' ')]) {
        match (is_word(byte), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push((from, &code[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The line, counted from one, of an offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The offset just behind the bracket that closes the one at `open`.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes.iter().skip(at).position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

/// Block comments nest.
fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `r"`, `r#"`, `br"`, `cr#"`; not the `r` of an identifier, nor `r#type`.
fn starts_raw_string(bytes: &[u8], at: usize) -> bool {
    let head = bytes[..at].iter().rev().take_while(|byte| is_word(**byte)).count();
    let prefixed = head == 1 && matches!(bytes[at - 1], b'b' | b'c');
    let behind = bytes[at + 1..].iter().find(|byte| **byte != b'#');
    (head == 0 || prefixed) && behind == Some(&b'"')
}

fn raw_string_end(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let mut end = at + 1 + hashes + 1;
    while end < bytes.len() {
        let closes = bytes[end] == b'"' && bytes[end + 1..].iter().take(hashes).all(|byte| *byte == b'#');
        end += 1;
        if closes {
            return (end + hashes).min(bytes.len());
        }
    }
    bytes.len()
}

/// The end of a character literal; `None` where the quote begins a lifetime.
fn char_end(source: &str, quote: usize) -> Option<usize> {
    let mut rest = source[quote + 1..].char_indices();
    let (_, first) = rest.next()?;
    if first == '\\' {
        rest.next()?;
        return rest.find(|(_, char)| *char == '\'').map(|(at, _)| quote + 1 + at + 1);
    }
    let (at, second) = rest.next()?;
    (second == '\'').then_some(quote + 1 + at + 1)
}

#[test]
fn comments_and_literals_are_blanked_and_nothing_else() {
    let blank = |source: &str| code_of(source).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(blank("a // fn x {\nb"), "a b");
    assert_eq!(blank("a /* { /* } */ fn */ b"), "a b");
    assert_eq!(blank(r#"a("}\"{", b'{', '\'', '"')"#), "a( , b , , )");
    assert_eq!(blank(r###"a(r#"fn "{" "#, br"\", r##"#"{"##) + r#type"###), "a( , b , ) + r#type");
    assert_eq!(
        blank("fn f<'a>(x: &'a str, y: char) { y == 'a' || y == 'é' }"),
        "fn f<'a>(x: &'a str, y: char) { y == || y == }"
    );
    assert_eq!(code_of("é\n\"é\n\"").len(), "é\n\"é\n\"".len());
}
