//! The law: what may come out at one end, given what was to go in at the other.

use std::fmt;

use crate::checker::Fault;
use crate::plan::{Ending, Reading};
use crate::record::Record;
use crate::seen::Seen;

/// What a sender knows of its own stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// How much of it the gateway's kernel has acknowledged, at least.
    pub acknowledged: u64,
    /// Whether it came to its ending.
    pub ended: bool,
}

/// What became of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of it came, and a clean end.
    Exact,
    /// It was cut short, and the receiver could tell.
    Truthful,
    /// The receiver had left itself, so that it matters to nobody.
    Unread,
    /// It was cut short, or lost bytes, and ended as if it were whole.
    FalselyClean,
    /// Other bytes came than were sent.
    Wrong(Fault),
    /// Both ends did their part, and it was cut short all the same.
    Broken,
    /// It did not end at all.
    Endless,
}

/// A verdict, and what went with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What became of the stream.
    pub verdict: Verdict,
    /// Bytes that the gateway's kernel had acknowledged and that never came out, though the receiver was there.
    pub thrown_away: u64,
}

/// Judges the stream that `receiver` received; `sender` is what the other end knows, if it is known.
///
/// A receiver's own record is enough to tell a true end from a false one: the header of the stream says how long
/// it is and whether it was to be cut. What the sender knows adds what was thrown away; leave it out where the
/// gateway was killed, as the dead owe nothing.
pub fn judge(sender: Option<Sent>, receiver: &Record) -> Judgement {
    let plan = receiver.plans.of(receiver.label.way.opposite());
    let whole = receiver.received == plan.length;
    let sender_ended = sender.is_none_or(|sender| sender.ended);
    let verdict = match &receiver.saw {
        _ if receiver.fault.is_some() => receiver.fault.map_or(Verdict::Broken, Verdict::Wrong),
        Seen::Left => Verdict::Unread,
        Seen::Silence => Verdict::Endless,
        saw if saw.is_clean() && whole && !plan.cuts() && sender_ended => Verdict::Exact,
        saw if saw.is_clean() => Verdict::FalselyClean,
        _ if receiver.plans.are_peaceful() => Verdict::Broken,
        _ => Verdict::Truthful,
    };
    // Whoever leaves has said that it wants nothing any more.
    let own = receiver.plans.of(receiver.label.way);
    let owed = plan.cuts()
        && verdict != Verdict::Unread
        && !matches!(own.ending, Ending::Reset | Ending::Killed | Ending::Alert)
        && own.reading != Reading::UntilStop;
    let accepted = sender.filter(|_| owed).map_or(0, |sender| sender.acknowledged.min(plan.stop));
    Judgement { verdict, thrown_away: accepted.saturating_sub(receiver.received) }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Truthful => f.write_str("cut, and truthfully so"),
            Self::Unread => f.write_str("not waited for"),
            Self::FalselyClean => f.write_str("falsely clean"),
            Self::Wrong(fault) => write!(f, "wrong bytes: {fault}"),
            Self::Broken => f.write_str("broken by the gateway"),
            Self::Endless => f.write_str("without an end"),
        }
    }
}
