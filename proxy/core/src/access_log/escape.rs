//! Escaping: whatever is written, what arrives is printable ASCII.

use std::fmt::{self, Write};

/// Where a text stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    /// Between the quotes of a JSON string (RFC 8259 section 7).
    Json,
    /// Between the quotes of a line of text.
    Quotes,
    /// Between the spaces of a line of text; a space becomes `_`, as in Envoy's own details.
    Spaces,
}

/// A writer to the end of a buffer that escapes what must not stand there.
pub(super) struct Escaped<'a> {
    pub(super) out: &'a mut String,
    pub(super) within: Within,
}

impl Within {
    fn plain(self, byte: u8) -> bool {
        match byte {
            b'"' | b'\\' => false,
            b' ' => self != Self::Spaces,
            _ => byte.is_ascii_graphic(),
        }
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| self.within.plain(byte)) {
            self.out.push_str(text);
            return Ok(());
        }
        text.chars().try_for_each(|letter| self.write_char(letter))
    }

    fn write_char(&mut self, letter: char) -> fmt::Result {
        match u8::try_from(letter) {
            Ok(byte) if self.within.plain(byte) => self.out.push(letter),
            Ok(b' ') => self.out.push('_'),
            Ok(b'"') => self.out.push_str("\\\""),
            Ok(b'\\') => self.out.push_str("\\\\"),
            _ if self.within == Within::Json => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(self.out, "\\u{unit:04x}")?;
                }
            }
            _ => {
                for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                    write!(self.out, "\\x{byte:02x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(within: Within, text: &str) -> String {
        let mut out = String::new();
        Escaped { out: &mut out, within }.write_str(text).unwrap();
        out
    }

    #[test]
    fn what_is_not_printable_ascii_is_escaped_for_its_place() {
        let hostile = "a b\"\\\r\n\0\u{1b}\u{7f}\u{85}é\u{2028}\u{1f600}";
        assert_eq!(
            escaped(Within::Json, hostile),
            r#"a b\"\\\u000d\u000a\u0000\u001b\u007f\u0085\u00e9\u2028\ud83d\ude00"#
        );
        let bytes = r"\x0d\x0a\x00\x1b\x7f\xc2\x85\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80";
        assert_eq!(escaped(Within::Quotes, hostile), format!(r#"a b\"\\{bytes}"#));
        assert_eq!(escaped(Within::Spaces, hostile), format!(r#"a_b\"\\{bytes}"#));
    }
}
