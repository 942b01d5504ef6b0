//! A long list of services, taken out of the text so that they are read one after the other.
//!
//! All that a document becomes on the way to its meaning takes many times the memory of the text. Read one by one,
//! services take that of one. What is taken apart means what it means as a whole, or it isn't taken apart: wherever
//! the text has anything that could tell the two ways apart, it is read as a whole.

use std::ops::Range;

/// A document in pieces.
pub(in crate::config) struct Apart {
    /// Each `[[service]]` with the tables that belong to it.
    pub(in crate::config) services: Vec<Range<usize>>,
    /// All the rest.
    pub(super) rest: String,
    pub(super) places: Places,
}

/// Where the parts of a text that is parsed stand in the file: pairs of an offset in the one and one in the other, in order.
pub(super) struct Places(Vec<(usize, usize)>);

impl Places {
    /// Of a text that stands in the file from `offset` on.
    pub(super) fn from(offset: usize) -> Self {
        Self(vec![(0, offset)])
    }

    /// Where the byte at `offset` stands in the file.
    pub(super) fn of(&self, offset: usize) -> usize {
        let after = self.0.partition_point(|(start, _)| *start <= offset);
        let part = after.checked_sub(1).and_then(|at| self.0.get(at));
        part.map_or(offset, |(start, place)| place + (offset - start))
    }
}

/// What a line begins.
enum Header {
    /// Nothing, or what belongs to the table before it.
    None,
    /// `[[service]]`
    Service,
    /// `[service.…]` or `[[service.…]]`
    OfService,
    Another,
    /// What could mean any of these.
    Odd,
}

/// Takes a document apart; `None` if it has few services, or has to be read as a whole.
pub(in crate::config) fn apart(text: &str) -> Option<Apart> {
    // Only in texts of several lines can a line look like a header and be none that matters here.
    if text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let mut apart = Apart { services: Vec::new(), rest: String::new(), places: Places(Vec::new()) };
    let mut offset = 0;
    let mut in_service = false;
    for line in text.split_inclusive('\n') {
        let range = offset..offset + line.len();
        offset = range.end;
        match header(line) {
            Header::None => {}
            Header::Service => {
                in_service = true;
                apart.services.push(range);
                continue;
            }
            Header::OfService if in_service => {}
            Header::Another => in_service = false,
            Header::OfService | Header::Odd => return None,
        }
        if in_service {
            apart.services.last_mut()?.end = range.end;
        } else {
            apart.keep(line, range.start);
        }
    }
    (apart.services.len() > FEW).then_some(apart)
}

/// So few services are read as a whole.
const FEW: usize = 1;

impl Apart {
    fn keep(&mut self, line: &str, offset: usize) {
        if self.places.of(self.rest.len()) != offset || self.places.0.is_empty() {
            self.places.0.push((self.rest.len(), offset));
        }
        self.rest.push_str(line);
    }
}

fn header(line: &str) -> Header {
    let Some(inside) = line.trim_start_matches([' ', '\t']).strip_prefix('[') else { return Header::None };
    let (is_list, inside) = match inside.strip_prefix('[') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let length = inside.bytes().take_while(|byte| bare(*byte)).count();
    let (key, rest) = inside.split_at(length);
    match (key, rest.bytes().next()) {
        ("service", Some(b'.')) => Header::OfService,
        ("service", Some(b']')) if is_list && rest.trim_end() == "]]" => Header::Service,
        ("" | "service", _) => Header::Odd,
        _ => Header::Another,
    }
}
