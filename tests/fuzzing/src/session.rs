//! A gateway's side of the configuration stream: it holds what its owner has in force, whatever a server says.

use std::collections::BTreeSet;
use std::time::Duration;

use landbridge_control_client::Held;
use landbridge_control_client::session::{Event, Limits, Session, Update};
use landbridge_control_client::wire::{Digest, Kind, LONGEST_LINE, Name, Node, Refused, ToServer, Version};

/// Small, so that they are met.
const LIMITS: Limits = Limits { update_bytes: 4096, update_resources: 16 };

/// The input is lines. `!` begins one that says what else happens; in a resource `"@"` stands for the version of its spec,
/// which nobody guesses.
pub fn session(data: &[u8]) {
    let mut stage = Stage {
        session: Session::new(Node::default(), LIMITS),
        held: Held::default(),
        now: Duration::ZERO,
        waiting: None,
    };
    stage.session.handle_connected(stage.now);
    stage.settle();
    for line in data.split(|byte| *byte == b'\n').take(500) {
        match line {
            b"!" => stage.connect(),
            b"!all" => stage.answer(|_| false),
            b"!none" => stage.answer(|_| true),
            b"!some" => stage.answer(|name| name.as_str().len().is_multiple_of(2)),
            b"!later" => stage.now += Duration::from_secs(16),
            _ => stage.hear(line),
        }
        stage.settle();
    }
}

struct Stage {
    session: Session,
    held: Held,
    now: Duration,
    waiting: Option<std::sync::Arc<Update>>,
}

impl Stage {
    fn connect(&mut self) {
        self.session.handle_connected(self.now);
    }

    fn hear(&mut self, line: &[u8]) {
        let before = self.held.digest();
        let line = [with_version(line), b"\n".to_vec()].concat();
        for chunk in line.chunks(37) {
            if let Err(error) = self.session.handle_bytes(self.now, chunk, &self.held) {
                assert!(!error.to_string().is_empty());
                return self.connect();
            }
        }
        assert_eq!(self.held.digest(), before, "changed by hearsay");
    }

    fn answer(&mut self, refuses: fn(&Name) -> bool) {
        let Some(update) = self.waiting.take() else {
            let before = self.held.digest();
            self.session.handle_answer(Vec::new(), &mut self.held);
            return assert_eq!(self.held.digest(), before, "changed by an answer to nothing");
        };
        let names = update.set.iter().map(|set| (set.kind, &set.name));
        let names = names.chain(update.removed.iter().map(|removed| (removed.kind, &removed.name)));
        let refused =
            names.filter(|(_, name)| refuses(name)).map(|(kind, name)| refused(kind, name)).collect();
        self.session.handle_answer(refused, &mut self.held);
        for set in &update.set {
            let held = self.held.resource(set.kind, set.name.as_str());
            assert_eq!(held.is_some_and(|held| held.version == set.version), !refuses(&set.name));
        }
        for removed in &update.removed {
            let held = self.held.resource(removed.kind, removed.name.as_str());
            assert_eq!(held.is_some(), refuses(&removed.name));
        }
        let position = self.held.position().unwrap();
        assert_eq!((&position.epoch, position.seq), (&update.epoch, update.seq));
    }

    /// Takes what comes out, and looks at what is held.
    fn settle(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if let Event::Update(update) = event {
                assert!(self.waiting.is_none(), "an update before the answer to the last one");
                self.check(&update);
                self.waiting = Some(update);
            }
        }
        while let Some(line) = self.session.poll_transmit(self.now, &self.held) {
            assert!(line.len() <= LONGEST_LINE && line.ends_with(b"\n"));
            assert!(matches!(ToServer::read(line.trim_ascii_end()), Ok(Some(_))));
        }
        if self.session.handle_timeout(self.now).is_err() {
            self.connect();
        }
        assert!(self.session.poll_timeout(self.now).is_none_or(|due| due > self.now));
        let mut digest = Digest::default();
        for held in self.held.resources() {
            assert_eq!(held.version, Version::of(held.spec.as_bytes()));
            digest.toggle(held.kind, held.name.as_str(), held.version);
        }
        assert_eq!(self.held.digest(), digest);
        assert!(self.held.left().count() <= Held::LEFT);
    }

    fn check(&self, update: &Update) {
        let mut names = BTreeSet::new();
        let mut bytes = 0;
        for set in &update.set {
            assert!(names.insert((set.kind, set.name.clone())));
            assert_eq!(set.version, Version::of(set.spec.as_bytes()));
            let held = self.held.resource(set.kind, set.name.as_str());
            assert!(held.is_none_or(|held| held.version != set.version), "nothing new");
            bytes += set.spec.len() + set.name.as_str().len();
        }
        for removed in &update.removed {
            assert!(names.insert((removed.kind, removed.name.clone())));
            assert!(self.held.resource(removed.kind, removed.name.as_str()).is_some(), "never held");
        }
        for refused in &update.refused {
            assert!(names.insert((refused.kind, refused.name.clone())));
        }
        assert!(bytes <= LIMITS.update_bytes && update.set.len() <= LIMITS.update_resources);
    }
}

fn refused(kind: Kind, name: &Name) -> Refused {
    let (field, code, text) = (String::new(), "invalid".to_owned(), String::new());
    Refused { kind, name: name.clone(), version: None, field, code, text }
}

/// The line with the version of its spec, which is the last it has.
fn with_version(line: &[u8]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(line) else { return line.to_vec() };
    let spec = text.split_once(r#""spec":"#).and_then(|(_, rest)| rest.trim_end().strip_suffix('}'));
    let version = Version::of(spec.unwrap_or_default().as_bytes());
    text.replace(r#""@""#, &format!(r#""{version}""#)).into_bytes()
}
