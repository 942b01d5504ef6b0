//! A gateway, the model of what it holds, and a server.

use super::step::{Step, Tricks};
use super::*;

pub(super) type Key = (Kind, String);

#[derive(Debug, Clone)]
pub(super) enum Said {
    Set(String),
    Delta { base: String, result: String },
    Removed,
    Spoilt,
}

#[derive(Debug, Clone)]
struct Sent {
    epoch: String,
    seq: u64,
    restates: Restates,
    lines: Vec<(Key, Said)>,
}

/// A gateway, the model of what it holds, and a server.
pub(super) struct Stage {
    session: Session,
    pub(super) held: Held,
    model: BTreeMap<Key, String>,
    position: Option<(String, u64)>,
    left: Vec<String>,
    pub(super) server: BTreeMap<Key, String>,
    epoch: usize,
    seq: u64,
    log: Vec<(u64, Key)>,
    /// What the server believes of the gateway, and where it believes it to stand, on this stream.
    believed: BTreeMap<Key, String>,
    restates: Restates,
    since: u64,
    history: Vec<Sent>,
    nonce: usize,
}

const NOW: Duration = Duration::ZERO;

fn node() -> Node {
    Node { id: "eastwest-0".to_owned(), ..Node::default() }
}

fn key(number: u8) -> Key {
    let kind = if number.is_multiple_of(2) { Kind::Endpoints } else { Kind::Service };
    (kind, format!("s{}", number / 2))
}

fn of_number(key: &Key, number: Option<u8>) -> bool {
    let own: u8 = key.1.trim_start_matches('s').parse().unwrap();
    number.is_some_and(|number| own % 4 == number)
}

fn object(address: u8) -> String {
    format!(r#"{{"address":"10.0.0.{address}:80"}}"#)
}

fn spec(kind: Kind, content: &[u8]) -> String {
    let pairs: BTreeMap<String, String> =
        content.iter().map(|address| (format!("10.0.0.{address}:80"), object(*address))).collect();
    match kind {
        Kind::Endpoints => {
            endpoints_spec(pairs.iter().map(|(address, object)| (address.as_str(), object.as_str())))
        }
        _ => format!("{content:?}"),
    }
}

impl Stage {
    pub(super) fn new() -> Self {
        let mut stage = Self {
            session: Session::new(node(), Limits::default()),
            held: Held::default(),
            model: BTreeMap::new(),
            position: None,
            left: Vec::new(),
            server: BTreeMap::new(),
            epoch: 0,
            seq: 0,
            log: Vec::new(),
            believed: BTreeMap::new(),
            restates: Restates::Nothing,
            since: 0,
            history: Vec::new(),
            nonce: 0,
        };
        stage.connect();
        stage
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Change(number, content) => {
                let key = key(number);
                let changed = match content {
                    Some(content) => {
                        let spec = spec(key.0, &content);
                        self.server.insert(key.clone(), spec.clone()) != Some(spec)
                    }
                    None => self.server.remove(&key).is_some(),
                };
                if changed {
                    self.seq += 1;
                    self.log.push((self.seq, key));
                }
            }
            Step::Send(tricks) => self.send(&tricks),
            Step::Replay(index) => {
                if let Some(sent) = self.history.get(index.index(self.history.len().max(1))).cloned() {
                    self.open();
                    self.deliver(&sent, &Tricks { chunk: 100, ..Tricks::default() });
                    self.connect();
                }
            }
            Step::Restart => {
                self.epoch += 1;
                self.seq = 0;
                self.log.clear();
                self.connect();
            }
            Step::Reconnect => self.connect(),
            Step::Resume => {
                let mut held = Held::default();
                for resource in self.held.resources() {
                    held.insert(resource.kind, resource.name.clone(), resource.spec.clone());
                }
                if let Some(position) = self.held.position() {
                    held.resume(position.clone(), self.held.left().map(str::to_owned));
                }
                self.held = held;
                self.session = Session::new(node(), Limits::default());
                self.connect();
            }
        }
        self.check();
    }

    /// A stream, and what the gateway says of itself first.
    fn open(&mut self) -> Hello {
        self.session.handle_disconnected();
        self.session.handle_connected(NOW);
        let Some(ToServer::Hello(hello)) = self.says() else { panic!("expected hello first") };
        self.hears("{\"welcome\":{\"protocol\":1}}\n", 7);
        assert!(matches!(self.session.poll_event(), Some(Event::Welcome(_))));
        hello
    }

    /// A stream to the server, which finds out what to send.
    fn connect(&mut self) {
        let hello = self.open();
        self.believed.clear();
        self.since = 0;
        let known = hello.epoch.as_ref().is_some_and(|epoch| *epoch == self.epoch_name());
        self.restates = match (hello.epoch, hello.seq) {
            (None, _) => Restates::All,
            (Some(_), Some(Seq(seq))) if known => {
                self.since = seq;
                Restates::Nothing
            }
            _ => self.compare(),
        };
    }

    fn epoch_name(&self) -> String {
        format!("e{}", self.epoch)
    }

    /// What differs, by digests.
    fn compare(&mut self) -> Restates {
        self.hears("{\"want\":\"digests\"}\n", 5);
        let Some(ToServer::Digests(Digests(theirs))) = self.says() else { panic!("expected digests") };
        let mut ours: BTreeMap<Kind, BucketDigests> = BTreeMap::new();
        for ((kind, name), spec) in &self.server {
            ours.entry(*kind).or_default().toggle(*kind, name, Version::of(spec.as_bytes()));
        }
        let differing = Kind::ALL.into_iter().map(|kind| {
            let ours = ours.remove(&kind).unwrap_or_default();
            (kind, ours.differing(theirs.get(&kind).unwrap_or(&BucketDigests::default())))
        });
        Restates::Buckets(differing.collect())
    }

    pub(super) fn send(&mut self, tricks: &Tricks) {
        let restates = std::mem::take(&mut self.restates);
        let mut lines: Vec<(Key, Said)> = Vec::new();
        let changed: BTreeSet<Key> =
            self.log.iter().filter(|(seq, _)| *seq > self.since).map(|(_, key)| key.clone()).collect();
        let restated = |(kind, name): &Key| match &restates {
            Restates::Nothing => false,
            Restates::All => true,
            Restates::Buckets(buckets) => buckets[kind].contains(&bucket(*kind, name)),
        };
        let named = self.server.keys().filter(|key| restated(key) || changed.contains(key));
        for key in named.chain(changed.iter().filter(|key| !self.server.contains_key(key))) {
            let said = match (self.server.get(key), self.believed.get(key)) {
                _ if of_number(key, tricks.spoil) => Said::Spoilt,
                (None, _) => Said::Removed,
                (Some(spec), Some(base)) if key.0 == Kind::Endpoints => {
                    Said::Delta { base: base.clone(), result: spec.clone() }
                }
                (Some(spec), _) => Said::Set(spec.clone()),
            };
            lines.push((key.clone(), said));
        }
        for index in &tricks.shuffle {
            if !lines.is_empty() {
                let again = lines[index.index(lines.len())].clone();
                lines.push(again);
                let other = index.index(lines.len() - 1);
                lines.swap(0, other);
            }
        }
        let sent = Sent { epoch: self.epoch_name(), seq: self.seq, restates, lines };
        self.history.push(sent.clone());
        self.since = self.seq;
        self.believed = self.server.clone();
        self.deliver(&sent, tricks);
    }

    fn deliver(&mut self, sent: &Sent, tricks: &Tricks) {
        self.nonce += 1;
        let begin = ToClient::Update(Begin {
            nonce: self.nonce.to_string(),
            epoch: sent.epoch.clone(),
            seq: Seq(sent.seq),
            sent_at: String::new(),
            restates: sent.restates.clone(),
        });
        let mut lines = vec![begin.to_line()];
        lines.extend(sent.lines.iter().map(|(key, said)| line(key, said)));
        lines.push(ToClient::End(End { nonce: self.nonce.to_string() }).to_line());
        if let Some(cut) = tricks.cut {
            lines.truncate(cut.index(lines.len()));
        }
        let text = String::from_utf8(lines.concat()).unwrap();
        self.hears(&text, tricks.chunk.max(1));
        if tricks.cut.is_some() {
            assert_eq!(self.session.poll_event(), None);
            return self.connect();
        }
        let stale = match &self.position {
            Some((epoch, seq)) if *epoch == sent.epoch => sent.seq < *seq,
            _ => self.left.contains(&sent.epoch),
        };
        match self.session.poll_event() {
            Some(Event::Refused(refused)) => {
                assert!(stale && refused.code == "stale", "{refused:?}");
                assert!(matches!(self.says(), Some(ToServer::Nack(_))));
                // A server that is told so begins anew.
                if sent.epoch == self.epoch_name() {
                    self.take(Step::Restart);
                }
            }
            Some(Event::Update(update)) => {
                assert!(!stale);
                let mut expected = self.model.clone();
                self.apply(sent, None);
                self.check_update(&update.set, &update.removed, &expected);
                std::mem::swap(&mut expected, &mut self.model);
                self.apply(sent, tricks.refuse);
                self.answer(&update.set, &update.removed, tricks);
            }
            other => panic!("{other:?}"),
        }
    }

    fn answer(
        &mut self,
        set: &[landbridge_control_client::session::SetResource],
        removed: &[RemovedResource],
        tricks: &Tricks,
    ) {
        let names = set.iter().map(|set| (set.kind, &set.name));
        let names = names.chain(removed.iter().map(|removed| (removed.kind, &removed.name)));
        let refused = names.filter(|(kind, name)| of_number(&(*kind, name.to_string()), tricks.refuse));
        let refused: Vec<Refused> = refused
            .map(|(kind, name)| Refused {
                kind,
                name: name.clone(),
                version: None,
                field: String::new(),
                code: "invalid".to_owned(),
                text: String::new(),
            })
            .collect();
        if tricks.lost {
            self.session.handle_disconnected();
            self.session.handle_answer(refused, &mut self.held);
            return self.connect();
        }
        let any = !refused.is_empty();
        self.session.handle_answer(refused, &mut self.held);
        match self.says() {
            Some(ToServer::Ack(ack)) => assert!(!any && ack.digest == self.held.digest()),
            Some(ToServer::Nack(nack)) => assert_eq!(nack.digest, self.held.digest()),
            other => panic!("{other:?}"),
        }
    }

    /// The rules once more, as plainly as can be.
    fn apply(&mut self, sent: &Sent, refuse: Option<u8>) {
        let before = self.model.clone();
        let named: BTreeMap<&Key, &Said> = sent.lines.iter().map(|(key, said)| (key, said)).collect();
        self.model.retain(|key, _| {
            let restated = match &sent.restates {
                Restates::Nothing => false,
                Restates::All => true,
                Restates::Buckets(all) => {
                    all.get(&key.0).is_some_and(|of| of.contains(&bucket(key.0, &key.1)))
                }
            };
            !restated || named.contains_key(key) || of_number(key, refuse)
        });
        for (key, said) in named {
            if of_number(key, refuse) {
                continue;
            }
            match said {
                Said::Set(spec) => _ = self.model.insert(key.clone(), spec.clone()),
                Said::Delta { base, result } if before.get(key) == Some(base) => {
                    self.model.insert(key.clone(), result.clone());
                }
                Said::Removed => _ = self.model.remove(key),
                Said::Delta { .. } | Said::Spoilt => {}
            }
        }
        if let Some((epoch, _)) = self.position.replace((sent.epoch.clone(), sent.seq))
            && epoch != sent.epoch
        {
            self.left.push(epoch);
        }
    }

    /// An update has what differs, and nothing else.
    fn check_update(
        &self,
        set: &[landbridge_control_client::session::SetResource],
        removed: &[RemovedResource],
        before: &BTreeMap<Key, String>,
    ) {
        let set = set.iter().map(|set| ((set.kind, set.name.to_string()), set.spec.to_string()));
        let differs = self.model.iter().filter(|(key, spec)| before.get(*key) != Some(*spec));
        assert!(set.eq(differs.map(|(key, spec)| (key.clone(), spec.clone()))));
        let removed = removed.iter().map(|removed| (removed.kind, removed.name.to_string()));
        assert!(removed.eq(before.keys().filter(|key| !self.model.contains_key(*key)).cloned()));
    }

    pub(super) fn check(&self) {
        let held: BTreeMap<Key, String> = self.holds();
        assert_eq!(held, self.model);
        let (mut digest, mut buckets) = (Digest::default(), BTreeMap::<Kind, BucketDigests>::new());
        for ((kind, name), spec) in &self.model {
            let version = Version::of(spec.as_bytes());
            digest.toggle(*kind, name, version);
            buckets.entry(*kind).or_default().toggle(*kind, name, version);
        }
        assert_eq!((self.held.digest(), self.held.digests()), (digest, Digests(buckets)));
        let position = self.held.position().map(|position| (position.epoch.clone(), position.seq.0));
        assert_eq!(position, self.position);
    }

    pub(super) fn holds(&self) -> BTreeMap<Key, String> {
        self.held
            .resources()
            .map(|held| ((held.kind, held.name.to_string()), held.spec.to_string()))
            .collect()
    }

    fn hears(&mut self, text: &str, chunk: usize) {
        for chunk in text.as_bytes().chunks(chunk) {
            self.session.handle_bytes(NOW, chunk, &self.held).unwrap();
        }
    }

    fn says(&mut self) -> Option<ToServer> {
        let line = self.session.poll_transmit(NOW, &self.held)?;
        Some(ToServer::read(line.trim_ascii_end()).unwrap().unwrap())
    }
}

fn line((kind, name): &Key, said: &Said) -> Vec<u8> {
    let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
    let change = match said {
        Said::Set(spec) => Change::Set { version: Version::of(spec.as_bytes()), spec: raw(spec) },
        Said::Spoilt => Change::Set { version: Version::of(b"spoilt"), spec: raw("{}") },
        Said::Removed => Change::Removed,
        Said::Delta { base, result } => {
            let (before, after) = (addresses(base), addresses(result));
            Change::Delta {
                base: Version::of(base.as_bytes()),
                version: Version::of(result.as_bytes()),
                set: after
                    .difference(&before)
                    .map(|address| raw(&format!(r#"{{"address":"{address}"}}"#)))
                    .collect(),
                remove: before.difference(&after).cloned().collect(),
            }
        }
    };
    ToClient::Resource(Resource { kind: *kind, name: Name::parse(name).unwrap(), change }).to_line()
}

fn addresses(spec: &str) -> BTreeSet<String> {
    spec.split('"').filter(|word| word.starts_with("10.")).map(str::to_owned).collect()
}
