//! One gateway's conversation: what is said to it after what it said. No I/O happens here.

mod telling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::body::Bytes;
use landbridge_control_client::wire::{
    Ack, Begin, Digests, ENDPOINT_DELTA, End, Farewell, Heartbeat, Hello, Nack, PROTOCOL, Refused, Restates,
    RetryAfter, Seq, ToClient, ToServer, Want, Welcome,
};

use self::telling::Telling;
use crate::access::View;
use crate::resource::Key;
use crate::roster::{Phase, Record};
use crate::store::{Deltas, Item, Store};

/// How often a stream begins a new epoch because its gateway refuses the one it had.
const RESTARTS: u8 = 3;

/// What is known of one gateway, and what it is told next.
pub(crate) struct Session {
    store: Arc<Store>,
    view: View,
    record: Arc<Record>,
    /// What the server calls itself.
    name: Arc<str>,
    stage: Stage,
    standing: Standing,
    deltas: Deltas,
    epoch: String,
    restarts: u8,
    updates: u64,
    /// What the gateway refused of the last update, and does not have.
    refused: BTreeMap<Key, Refused>,
    /// Said before anything else.
    first: Vec<Bytes>,
}

/// Whose turn it is.
enum Stage {
    /// The gateway's: it has not said who it is.
    Hello,
    /// The gateway's: it was asked what it holds.
    Digests,
    /// Nobody's: the gateway was told everything.
    Idle,
    /// Ours, and then the gateway's to say what became of it.
    Update(Telling),
    /// Nobody's any more.
    Over,
}

/// Where the gateway stands, as far as it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It holds nothing.
    Nothing,
    /// It holds something, and has to say what.
    Unknown,
    /// It was told everything up to this number.
    Told(u64),
}

impl Session {
    pub(crate) fn new(store: Arc<Store>, view: View, name: Arc<str>, record: Arc<Record>) -> Self {
        let epoch = store.begin_epoch(&view);
        Self {
            store,
            view,
            record,
            name,
            stage: Stage::Hello,
            standing: Standing::Nothing,
            deltas: Deltas::NotTaken,
            epoch,
            restarts: 0,
            updates: 0,
            refused: BTreeMap::new(),
            first: Vec::new(),
        }
    }

    /// Takes what the gateway says.
    ///
    /// # Errors
    /// Why there is nothing more to say to it.
    pub(crate) fn hear(&mut self, message: ToServer) -> Result<(), Farewell> {
        match (message, std::mem::replace(&mut self.stage, Stage::Over)) {
            (ToServer::Hello(hello), Stage::Hello) => return self.greet(hello),
            (ToServer::Digests(held), Stage::Digests) => {
                let sums = self.store.sums(&self.view);
                self.update(Telling::buckets(&sums, &held));
            }
            (ToServer::Ack(ack), Stage::Update(telling)) => self.acknowledged(&ack, &telling)?,
            (ToServer::Nack(nack), Stage::Update(telling)) => self.refused(nack, &telling)?,
            (ToServer::Status(status), stage @ (Stage::Digests | Stage::Idle | Stage::Update(_))) => {
                self.record.status(status);
                self.stage = stage;
            }
            (ToServer::Heartbeat(_), stage) => self.stage = stage,
            _ => return Err(protocol("a message that nothing asked for")),
        }
        Ok(())
    }

    /// Begins an update, if there is something new and nothing else is under way.
    pub(crate) fn changed(&mut self) {
        if matches!(self.stage, Stage::Idle) {
            self.tell(Anew::No);
        }
    }

    /// The next bytes to send; `None` if there is nothing to say now.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        if !self.first.is_empty() {
            return Some(self.first.remove(0));
        }
        match &mut self.stage {
            Stage::Update(telling) => telling.next(),
            _ => None,
        }
    }

    /// Whether [`next`](Self::next) has something.
    pub(crate) fn has_next(&self) -> bool {
        !self.first.is_empty() || matches!(&self.stage, Stage::Update(telling) if telling.has_next())
    }

    /// Says that it is still there.
    pub(crate) fn heartbeat(&mut self) {
        self.say(&ToClient::Heartbeat(Heartbeat {}));
    }

    /// Says that it is about to go; an update that is being sent is left as it is, and so not in force.
    pub(crate) fn retry_after(&mut self, milliseconds: u64) {
        self.stage = Stage::Over;
        self.say(&ToClient::RetryAfter(RetryAfter { milliseconds }));
    }

    /// Says why it ends.
    pub(crate) fn farewell(&mut self, farewell: Farewell) {
        self.stage = Stage::Over;
        self.say(&ToClient::Error(farewell));
    }

    fn say(&mut self, message: &ToClient) {
        // In the midst of an update a message may stand between resources.
        self.first.push(message.to_line().into());
    }

    fn greet(&mut self, hello: Hello) -> Result<(), Farewell> {
        if hello.protocol != PROTOCOL {
            let text =
                format!("expected version {PROTOCOL} of the protocol, found {}; upgrade", hello.protocol);
            return Err(Farewell { code: "protocol".to_owned(), text });
        }
        let takes = hello.features.iter().any(|feature| feature == ENDPOINT_DELTA);
        let mut features = Vec::new();
        if takes {
            self.deltas = Deltas::Taken;
            features.push(ENDPOINT_DELTA.to_owned());
        }
        let server = self.name.as_ref().to_owned();
        self.say(&ToClient::Welcome(Welcome { protocol: PROTOCOL, features, server }));
        self.standing = match (&hello.epoch, hello.seq) {
            (None, _) => Standing::Nothing,
            (Some(epoch), Some(Seq(seq))) if self.store.knows(epoch, &self.view) => {
                self.epoch.clone_from(epoch);
                Standing::Told(seq)
            }
            (Some(_), _) => Standing::Unknown,
        };
        self.record.hello(hello.node);
        self.tell(Anew::Yes);
        Ok(())
    }

    /// Tells the gateway what it lacks; where it lacks nothing, only `Anew::Yes` has it told so.
    fn tell(&mut self, anew: Anew) {
        self.stage = Stage::Idle;
        let telling = match self.standing {
            Standing::Nothing => Telling::everything(&self.store.sums(&self.view)),
            Standing::Unknown => return self.want_digests(),
            Standing::Told(cursor) => {
                let Some((seq, mut items)) = self.store.since(cursor, &self.view, self.deltas) else {
                    self.standing = Standing::Unknown;
                    return self.want_digests();
                };
                if items.is_empty() && anew == Anew::No {
                    self.standing = Standing::Told(seq);
                    self.record.told_up_to(seq);
                    return;
                }
                self.try_again(&mut items);
                Telling::changes(seq, items.into_iter().map(|(_, item)| item).collect())
            }
        };
        self.update(telling);
    }

    /// Adds what was refused before: what was wrong may have been something else that is mended now.
    fn try_again(&self, items: &mut Vec<(Key, Item)>) {
        for key in self.refused.keys() {
            let whole = self.store.now(key, &self.view);
            match items.iter_mut().find(|(changed, _)| changed == key) {
                Some((_, item)) => *item = whole,
                None => items.push((key.clone(), whole)),
            }
        }
    }

    fn want_digests(&mut self) {
        self.stage = Stage::Digests;
        self.record.phase(Phase::Updating);
        self.say(&ToClient::Want(Want::Digests));
    }

    fn update(&mut self, mut telling: Telling) {
        self.updates += 1;
        let nonce = self.updates.to_string();
        let begin = Begin {
            nonce: nonce.clone(),
            epoch: self.epoch.clone(),
            seq: Seq(telling.seq()),
            sent_at: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            restates: std::mem::replace(&mut telling.restates, Restates::Nothing),
        };
        telling.frame(nonce.clone(), &ToClient::Update(begin), &ToClient::End(End { nonce }));
        self.record.phase(Phase::Updating);
        self.stage = Stage::Update(telling);
    }

    fn acknowledged(&mut self, ack: &Ack, telling: &Telling) -> Result<(), Farewell> {
        telling.answered(&ack.nonce)?;
        self.refused.clear();
        self.standing = Standing::Told(telling.seq());
        self.record.acknowledged(telling.seq(), ack.digest);
        self.tell(Anew::No);
        Ok(())
    }

    fn refused(&mut self, nack: Nack, telling: &Telling) -> Result<(), Farewell> {
        telling.answered(&nack.nonce)?;
        self.record.refused(telling.seq(), &nack);
        if let Some(whole) = &nack.update {
            self.stage = Stage::Idle;
            if whole.code == "stale" && self.restarts < RESTARTS {
                self.restarts += 1;
                self.epoch = self.store.begin_epoch(&self.view);
                self.standing = Standing::Unknown;
                self.tell(Anew::Yes);
            }
            return Ok(());
        }
        let wrong_base = nack.refused.iter().any(|refused| refused.code == "base_mismatch");
        let named = nack.refused.into_iter();
        self.refused =
            named.map(|refused| (Key { kind: refused.kind, name: refused.name.clone() }, refused)).collect();
        self.standing = Standing::Told(telling.seq());
        // Sent whole it can't be refused for its base again.
        let anew = if wrong_base && telling.has_deltas() { Anew::Yes } else { Anew::No };
        self.tell(anew);
        Ok(())
    }
}

/// Whether somebody is told even that there is nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anew {
    Yes,
    No,
}

fn protocol(text: &str) -> Farewell {
    Farewell { code: "protocol".to_owned(), text: format!("{text}; docs/xds-lite.md has the order") }
}

impl Telling {
    /// Everything, where the gateway holds what these digests say.
    fn buckets(sums: &crate::store::Sums, held: &Digests) -> Self {
        let differing = sums.differing(held);
        let inside = |entry: &&Arc<crate::resource::Entry>| {
            differing.get(&entry.key().kind).is_some_and(|buckets| buckets.contains(&entry.bucket()))
        };
        let items = sums.entries().iter().filter(inside).cloned().map(Item::Whole).collect();
        let mut telling = Self::changes(sums.seq(), items);
        if !differing.is_empty() {
            telling.restates = Restates::Buckets(differing);
        }
        telling
    }
}
