//! What became of many connections, counted.

use std::collections::BTreeMap;

use crate::judge::{Judgement, Verdict};
use crate::record::Record;
use crate::seen::Seen;
use crate::stream::Way;

/// How many examples of what went wrong are kept.
const EXAMPLES: usize = 8;

/// The streams of one direction, counted.
#[derive(Debug, Default, Clone)]
pub struct Count {
    /// All of it came, and a clean end.
    pub exact: u64,
    /// Cut short, and told so.
    pub truthful: u64,
    /// Its receiver left before.
    pub unread: u64,
    /// Cut short, and told to be whole.
    pub falsely_clean: u64,
    /// With other bytes than were sent.
    pub wrong: u64,
    /// Cut short by the gateway alone.
    pub broken: u64,
    /// Without an end.
    pub endless: u64,
    /// Streams of which accepted bytes were thrown away, and how many bytes.
    pub thrown_away: (u64, u64),
    /// How they ended, as their receivers saw it.
    pub seen: BTreeMap<String, u64>,
    /// Bytes that came and were right.
    pub bytes: u64,
}

/// What became of many connections.
#[derive(Debug, Default, Clone)]
pub struct Score {
    /// How many there were.
    pub connections: u64,
    /// How many came to nothing: no connection, or no handshake.
    pub failed: u64,
    /// How many never reached an endpoint with as much as their header.
    pub missing: u64,
    /// From client to endpoint.
    pub forth: Count,
    /// From endpoint to client.
    pub back: Count,
    /// Examples of what is wrong.
    pub examples: Vec<String>,
}

impl Score {
    /// Counts what the receiver of a stream saw of it.
    pub fn add(&mut self, receiver: &Record, judgement: &Judgement) {
        let way = receiver.label.way.opposite();
        let count = match way {
            Way::Forth => &mut self.forth,
            Way::Back => &mut self.back,
        };
        let place = match &judgement.verdict {
            Verdict::Exact => &mut count.exact,
            Verdict::Truthful => &mut count.truthful,
            Verdict::Unread => &mut count.unread,
            Verdict::FalselyClean => &mut count.falsely_clean,
            Verdict::Wrong(_) => &mut count.wrong,
            Verdict::Broken => &mut count.broken,
            Verdict::Endless => &mut count.endless,
        };
        *place += 1;
        count.bytes += receiver.received;
        if receiver.saw != Seen::Left {
            *count.seen.entry(receiver.saw.to_string()).or_default() += 1;
        }
        if judgement.thrown_away > 0 {
            count.thrown_away.0 += 1;
            count.thrown_away.1 += judgement.thrown_away;
        }
        let bad = !matches!(judgement.verdict, Verdict::Exact | Verdict::Truthful | Verdict::Unread);
        if bad || judgement.thrown_away > 0 {
            let plan = receiver.plans.of(way);
            self.example(format!(
                "connection {} {way:?}: {}; saw {} after {} of {} bytes ({} until {:?}), {} thrown away",
                receiver.label.connection,
                judgement.verdict,
                receiver.saw,
                receiver.received,
                plan.length,
                plan.stop,
                plan.ending,
                judgement.thrown_away
            ));
        }
    }

    /// Counts a connection of which the endpoint never heard.
    pub(crate) fn lost_whole(&mut self, client: &Record) {
        self.missing += 1;
        let accepted = client.acknowledged;
        if client.plans.are_peaceful() {
            self.forth.broken += 1;
        } else if accepted > 0 {
            self.forth.thrown_away.0 += 1;
            self.forth.thrown_away.1 += accepted;
        }
        self.example(format!(
            "connection {}: the endpoint never heard of it, though {accepted} bytes were accepted",
            client.label.connection
        ));
    }

    /// Counts a connection that came to nothing.
    pub fn fail(&mut self, why: &str) {
        self.failed += 1;
        self.example(why.to_owned());
    }

    /// Notes an example of what went wrong.
    pub fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text);
        }
    }

    /// Adds another score to this one.
    pub fn merge(&mut self, other: Self) {
        self.connections += other.connections;
        self.failed += other.failed;
        self.missing += other.missing;
        self.forth.merge(other.forth);
        self.back.merge(other.back);
        other.examples.into_iter().for_each(|example| self.example(example));
    }

    /// Streams that were cut short and told to be whole.
    pub fn falsely_clean(&self) -> u64 {
        self.forth.falsely_clean + self.back.falsely_clean
    }

    /// Streams that were cut short by whatever the scenario has, told truly or not.
    pub fn cut(&self) -> u64 {
        let of = |count: &Count| count.truthful + count.falsely_clean;
        of(&self.forth) + of(&self.back)
    }

    /// Whether every byte and every end is as it should be.
    pub fn is_good(&self) -> bool {
        let good = |count: &Count| {
            count.falsely_clean + count.wrong + count.broken + count.endless + count.thrown_away.0 == 0
        };
        self.failed == 0 && good(&self.forth) && good(&self.back)
    }
}

impl Count {
    fn merge(&mut self, other: Self) {
        self.exact += other.exact;
        self.truthful += other.truthful;
        self.unread += other.unread;
        self.falsely_clean += other.falsely_clean;
        self.wrong += other.wrong;
        self.broken += other.broken;
        self.endless += other.endless;
        self.thrown_away.0 += other.thrown_away.0;
        self.thrown_away.1 += other.thrown_away.1;
        self.bytes += other.bytes;
        for (seen, count) in other.seen {
            *self.seen.entry(seen).or_default() += count;
        }
    }
}
