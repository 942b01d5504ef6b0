//! A session with what it holds, and the lines that it hears.

use std::sync::Arc;

use super::*;

pub(super) const NOW: Duration = Duration::from_secs(1000);

/// A session with what it holds.
pub(super) struct Stage {
    pub(super) session: Session,
    pub(super) held: Held,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let node = Node { id: "eastwest-0".to_owned(), ..Node::default() };
        Self { session: Session::new(node, limits), held: Held::default() }
    }

    /// A stream that is open and welcomed.
    pub(super) fn open() -> Self {
        let mut stage = Self::new();
        stage.connect();
        stage
    }

    pub(super) fn connect(&mut self) -> Hello {
        self.session.handle_connected(NOW);
        let Some(ToServer::Hello(hello)) = self.says() else { panic!("expected hello first") };
        self.hears(r#"{"welcome":{"protocol":1,"server":"control-0"}}"#).unwrap();
        assert!(matches!(self.session.poll_event(), Some(Event::Welcome(_))));
        hello
    }

    pub(super) fn hears(&mut self, line: &str) -> Result<(), SessionError> {
        self.session.handle_bytes(NOW, format!("{line}\n").as_bytes(), &self.held)
    }

    /// What the session says at once, if anything.
    pub(super) fn says(&mut self) -> Option<ToServer> {
        self.says_at(NOW)
    }

    pub(super) fn says_at(&mut self, now: Duration) -> Option<ToServer> {
        let line = self.session.poll_transmit(now, &self.held)?;
        Some(ToServer::read(line.trim_ascii_end()).unwrap().unwrap())
    }

    /// Hears lines that end an update.
    pub(super) fn hears_update(&mut self, lines: &[String]) -> Arc<Update> {
        for line in lines {
            self.hears(line).unwrap();
        }
        match self.session.poll_event() {
            Some(Event::Update(update)) => update,
            other => panic!("expected an update, not {other:?}"),
        }
    }

    /// Hears an update and has it in force, but for what is refused; what it answers.
    pub(super) fn applies(&mut self, lines: &[String], refused: Vec<Refused>) -> ToServer {
        self.hears_update(lines);
        self.session.handle_answer(refused, &mut self.held);
        self.says().expect("an answer")
    }

    /// What is held, as `type name spec`.
    pub(super) fn holds(&self) -> Vec<String> {
        self.held.resources().map(|held| format!("{} {} {}", held.kind, held.name, held.spec)).collect()
    }
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// The lines of an update, whose nonce is its number.
pub(super) fn update(epoch: &str, seq: u64, restates: &str, resources: &[String]) -> Vec<String> {
    let begin =
        format!(r#"{{"update":{{"nonce":"{seq}","epoch":"{epoch}","seq":"{seq}","restates":{restates}}}}}"#);
    let end = format!(r#"{{"end":{{"nonce":"{seq}"}}}}"#);
    [begin].into_iter().chain(resources.iter().cloned()).chain([end]).collect()
}

pub(super) fn set(kind: Kind, name: &str, spec: &str) -> String {
    let version = Version::of(spec.as_bytes());
    format!(r#"{{"type":"{kind}","name":"{name}","version":"{version}","spec":{spec}}}"#)
}

pub(super) fn service(name: &str, spec: &str) -> String {
    set(Kind::Service, name, spec)
}

pub(super) fn removed(name: &str) -> String {
    format!(r#"{{"type":"service","name":"{name}","removed":true}}"#)
}

pub(super) fn endpoints(addresses: &[&str]) -> String {
    let objects: Vec<String> =
        addresses.iter().map(|address| format!(r#"{{"address":"{address}"}}"#)).collect();
    endpoints_spec(addresses.iter().copied().zip(objects.iter().map(String::as_str)))
}

pub(super) fn refused(name: &str, code: &str) -> Refused {
    Refused {
        kind: Kind::Service,
        name: super::name(name),
        version: None,
        field: "endpoints[0].address".to_owned(),
        code: code.to_owned(),
        text: "expected an address".to_owned(),
    }
}
