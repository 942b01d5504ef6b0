//! What one end of a connection did and saw.

use crate::checker::Fault;
use crate::judge::Sent;
use crate::plan::Plans;
use crate::seen::Seen;
use crate::stream::Label;

/// What one end of a connection did and saw.
#[derive(Debug, Clone)]
pub struct Record {
    /// The stream that it sent.
    pub label: Label,
    /// What both ends were to do.
    pub plans: Plans,
    /// How much of that the gateway's kernel had acknowledged, at least, when it ended or gave up.
    pub acknowledged: u64,
    /// Whether it came to its ending; otherwise the connection broke before.
    pub ended: bool,
    /// How much of the other stream it received rightly, from the beginning.
    pub received: u64,
    /// What was wrong behind that.
    pub fault: Option<Fault>,
    /// How the other stream ended.
    pub saw: Seen,
}

impl Record {
    /// What it says of its own stream.
    pub fn sent(&self) -> Sent {
        Sent { acknowledged: self.acknowledged, ended: self.ended }
    }
}
