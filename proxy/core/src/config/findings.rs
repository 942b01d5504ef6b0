//! Collects what is found while a file is read, by place; lines and columns are counted once, at the end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::near;
use super::problem::{Problem, Severity};
use super::resource::{Code, Objection};

/// A place in the file: where the text stands, and which key that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    pub(super) fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub(super) fn number(self) -> u32 {
        self.0
    }
}

/// How one leads from a place to a place inside it.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// The document itself, or a place in its text that belongs to no key.
    Document,
    /// To the value of a key.
    Key(Cow<'static, str>),
    /// To an element of a list.
    Index(usize),
}

#[derive(Debug)]
struct Spot {
    parent: Option<Place>,
    step: Step,
    offset: usize,
}

#[derive(Debug)]
struct Finding {
    place: Place,
    severity: Severity,
    complaint: Complaint,
}

/// What is wrong with one value, before its place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { code: Code::Invalid, message: message.into(), help: None }
    }

    /// Says why another than [`Code::Invalid`] would be told of a resource.
    pub(super) fn code(mut self, code: Code) -> Self {
        self.code = code;
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean …?", where one of the names is close to what was written.
    pub(super) fn nearest<'a>(self, written: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        match near::nearest(written, names) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

impl From<String> for Complaint {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// How much was known at one time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    spots: usize,
    found: usize,
}

/// Everything that was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    spots: Vec<Spot>,
    found: Vec<Finding>,
    /// How the names of the services begin as they are written, by their place in the list.
    services: BTreeMap<usize, String>,
}

impl Findings {
    /// A place in the text that is no key's.
    pub(super) fn at(&mut self, offset: usize) -> Place {
        self.add(None, Step::Document, offset)
    }

    /// The place that `step` leads to, whose text begins at `offset`.
    pub(super) fn inside(&mut self, parent: Place, step: Step, offset: usize) -> Place {
        self.add(Some(parent), step, offset)
    }

    /// The place of a key that is absent: that of its table.
    pub(super) fn absent(&mut self, table: Place, key: &'static str) -> Place {
        let offset = self.offset(table);
        self.add(Some(table), Step::Key(Cow::Borrowed(key)), offset)
    }

    /// The place of a key of the document that is absent, told where its absence matters.
    pub(super) fn absent_for(&mut self, key: &'static str, user: Place) -> Place {
        let offset = self.offset(user);
        let document = self.at(offset);
        self.add(Some(document), Step::Key(Cow::Borrowed(key)), offset)
    }

    /// What is known so far, to come back to by [`forget`](Self::forget).
    pub(super) fn mark(&self) -> Mark {
        Mark { spots: self.spots.len(), found: self.found.len() }
    }

    /// Forgets the places since `mark`, and what a service at `index` is called, if nothing was found since then. Nobody
    /// may have kept one of these places.
    pub(super) fn forget(&mut self, mark: Mark, index: usize) {
        if self.found.len() == mark.found {
            self.spots.truncate(mark.spots);
            self.services.remove(&index);
        }
    }

    fn add(&mut self, parent: Option<Place>, step: Step, offset: usize) -> Place {
        let number = u32::try_from(self.spots.len()).unwrap_or(u32::MAX);
        self.spots.push(Spot { parent, step, offset });
        Place(number)
    }

    pub(super) fn error(&mut self, place: Place, complaint: impl Into<Complaint>) {
        self.push(place, Severity::Error, complaint.into());
    }

    pub(super) fn warning(&mut self, place: Place, complaint: impl Into<Complaint>) {
        self.push(place, Severity::Warning, complaint.into());
    }

    fn push(&mut self, place: Place, severity: Severity, complaint: Complaint) {
        self.found.push(Finding { place, severity, complaint });
    }

    /// Notes what the service at `index` is called, for all problems inside it.
    pub(super) fn call_service(&mut self, index: usize, name: &str) {
        self.services.insert(index, name.chars().take(100).collect());
    }

    /// Whether any error was found.
    pub(super) fn refuse(&self) -> bool {
        self.found.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Everything found, in the order of the text.
    pub(super) fn into_problems(mut self, text: &str, file: &str) -> Vec<Problem> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|finding| (self.offset(finding.place), finding.severity));
        let mut cursor = Cursor::new(text);
        found
            .into_iter()
            .map(|finding| {
                let (line, column) = cursor.advance_to(self.offset(finding.place));
                let steps = self.steps(finding.place);
                let Complaint { message, help, .. } = finding.complaint;
                Problem {
                    file: file.to_owned(),
                    severity: finding.severity,
                    line,
                    column,
                    key: key_of(&steps),
                    service: self.service_of(&steps),
                    message,
                    help,
                }
            })
            .collect()
    }

    /// The errors in a spec, `most` of them, in the order in which they were found.
    pub(super) fn into_objections(self, most: usize) -> Vec<Objection> {
        let objection = |finding: &Finding| Objection {
            field: key_of(&self.steps(finding.place)),
            code: finding.complaint.code,
            message: finding.complaint.message.clone(),
            help: finding.complaint.help.clone(),
        };
        let errors = self.found.iter().filter(|finding| finding.severity == Severity::Error);
        errors.take(most).map(objection).collect()
    }

    fn spot(&self, place: Place) -> Option<&Spot> {
        self.spots.get(usize::try_from(place.0).unwrap_or(usize::MAX))
    }

    fn offset(&self, place: Place) -> usize {
        self.spot(place).map_or(0, |spot| spot.offset)
    }

    /// The steps from the document to a place.
    fn steps(&self, place: Place) -> Vec<&Step> {
        let ancestors =
            std::iter::successors(self.spot(place), |spot| spot.parent.and_then(|parent| self.spot(parent)));
        let mut steps: Vec<&Step> = ancestors.map(|spot| &spot.step).collect();
        steps.reverse();
        steps
    }

    fn service_of(&self, steps: &[&Step]) -> Option<String> {
        match steps {
            [Step::Document, Step::Key(key), Step::Index(index), ..] if &**key == "service" => {
                self.services.get(index).map(|name| name.chars().flat_map(char::escape_debug).collect())
            }
            _ => None,
        }
    }
}

/// `service[2].endpoints[0].address`.
fn key_of(steps: &[&Step]) -> String {
    let mut key = String::new();
    for step in steps {
        match step {
            Step::Document => {}
            Step::Index(index) => {
                let _ = write!(key, "[{index}]");
            }
            Step::Key(name) => {
                if !key.is_empty() {
                    key.push('.');
                }
                let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                if !name.is_empty() && name.bytes().all(bare) {
                    key.push_str(name);
                } else {
                    let _ = write!(key, "{name:?}");
                }
            }
        }
    }
    key
}

/// Counts lines and columns in one pass over the text.
struct Cursor<'t> {
    rest: std::str::CharIndices<'t>,
    line: usize,
    column: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text.char_indices(), line: 1, column: 1 }
    }

    /// Line and column of `offset`, which must not lie before the last one asked for.
    fn advance_to(&mut self, offset: usize) -> (usize, usize) {
        while self.rest.offset() < offset {
            match self.rest.next() {
                Some((_, '\n')) => {
                    self.line += 1;
                    self.column = 1;
                }
                Some(_) => self.column += 1,
                None => break,
            }
        }
        (self.line, self.column)
    }
}
