//! How connections end: each scenario draws plans for both ends.

use std::fmt;
use std::str::FromStr;

use crate::plan::{Ending, Plan, Plans, Reading};
use crate::rng::Rng;
use crate::run::Mode;
use crate::stream::Label;

/// What is queued on the way before a stream is cut, if the gateway takes it.
const QUEUE: u64 = 1 << 20;
/// More than all buffers on the way hold.
const ENDLESS: u64 = 256 << 20;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is described by `describe`, for users as for readers")]
pub enum Scenario {
    Clean,
    ClientFirst,
    EndpointFirst,
    ClientBareFin,
    ClientBareFinQueued,
    ClientReset,
    ClientResetQueued,
    ClientAlert,
    ClientCutRecord,
    EndpointReset,
    EndpointResetQueued,
    BothReset,
    HalfClosedClientBareFin,
    HalfClosedClientReset,
    HalfClosedEndpointReset,
    ClientKilled,
    EndpointKilled,
    GatewayKilled,
    Idle,
}

impl Scenario {
    /// Every one, in the order in which they are told.
    pub const ALL: [Self; 19] = [
        Self::Clean,
        Self::ClientFirst,
        Self::EndpointFirst,
        Self::ClientBareFin,
        Self::ClientBareFinQueued,
        Self::ClientReset,
        Self::ClientResetQueued,
        Self::ClientAlert,
        Self::ClientCutRecord,
        Self::EndpointReset,
        Self::EndpointResetQueued,
        Self::BothReset,
        Self::HalfClosedClientBareFin,
        Self::HalfClosedClientReset,
        Self::HalfClosedEndpointReset,
        Self::ClientKilled,
        Self::EndpointKilled,
        Self::GatewayKilled,
        Self::Idle,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What happens, in a line.
    pub fn describe(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Clean => ("clean", "both ends send all and end, each when it is done"),
            Self::ClientFirst => ("client-first", "the client ends, and then gets half of the answer"),
            Self::EndpointFirst => {
                ("endpoint-first", "the endpoint ends, and then gets half of the client's stream")
            }
            Self::ClientBareFin => ("client-bare-fin", "the client sends FIN without close_notify"),
            Self::ClientBareFinQueued => {
                ("client-bare-fin-queued", "the same with 1 MiB on the way to an endpoint that reads later")
            }
            Self::ClientReset => ("client-reset", "the client resets"),
            Self::ClientResetQueued => {
                ("client-reset-queued", "the same with 1 MiB on the way to an endpoint that reads later")
            }
            Self::ClientAlert => ("client-alert", "the client sends a fatal alert"),
            Self::ClientCutRecord => ("client-cut-record", "the client's last record is cut short, then FIN"),
            Self::EndpointReset => ("endpoint-reset", "the endpoint resets"),
            Self::EndpointResetQueued => {
                ("endpoint-reset-queued", "the same with 1 MiB on the way to a client that reads later")
            }
            Self::BothReset => ("both-reset", "both ends reset"),
            Self::HalfClosedClientBareFin => (
                "half-closed-client-bare-fin",
                "the endpoint ends, then the client sends FIN without close_notify",
            ),
            Self::HalfClosedClientReset => {
                ("half-closed-client-reset", "the endpoint ends, then the client resets")
            }
            Self::HalfClosedEndpointReset => {
                ("half-closed-endpoint-reset", "the client ends, then the endpoint resets")
            }
            Self::ClientKilled => ("client-killed", "the client's process is killed"),
            Self::EndpointKilled => ("endpoint-killed", "the endpoint's process is killed with bytes unread"),
            Self::GatewayKilled => ("gateway-killed", "the gateway's process is killed"),
            Self::Idle => ("idle", "both ends fall silent until the gateway ends the connection"),
        }
    }

    /// Whether nothing happens in it that could excuse a stream that is cut short.
    pub fn is_peaceful(self) -> bool {
        matches!(self, Self::Clean | Self::ClientFirst | Self::EndpointFirst)
    }

    /// Whether it needs nothing but both ends, and no long wait.
    pub fn is_simple(self) -> bool {
        !matches!(self, Self::ClientKilled | Self::EndpointKilled | Self::GatewayKilled | Self::Idle)
    }

    /// Whether streams are cut in it at a byte of chance, by one of their ends.
    pub fn cuts_at_random(self) -> bool {
        !self.is_peaceful() && !self.is_queued() && !matches!(self, Self::GatewayKilled | Self::Idle)
    }

    /// Whether one end waits for the other past the gateway, so that both must be in one process.
    pub fn is_queued(self) -> bool {
        matches!(self, Self::ClientBareFinQueued | Self::ClientResetQueued | Self::EndpointResetQueued)
    }

    /// Whether it is possible with this kind of connection.
    pub fn fits(self, mode: Mode) -> bool {
        let about_tls = matches!(
            self,
            Self::ClientBareFin
                | Self::ClientBareFinQueued
                | Self::ClientAlert
                | Self::ClientCutRecord
                | Self::HalfClosedClientBareFin
        );
        mode != Mode::Raw || !about_tls
    }

    /// Draws what both ends of a connection do; `mean` is how much each sends, about.
    pub fn plans(self, mode: Mode, run: u64, connection: u64, mean: u64) -> Plans {
        let label = Label { run, connection, way: crate::Way::Forth };
        let mut rng = Rng::new(label.seed() ^ 0x706c_616e);
        let mut whole = |share: u64| Plan::clean(rng.around(mean.saturating_mul(share)));
        let (client, endpoint) = (whole(1), whole(1));
        // Whom somebody cuts is probably still sending.
        let (long_client, long_endpoint) = (whole(4), whole(4));
        let cut = |plan: Plan, ending: Ending, rng: &mut Rng| {
            let plan = Plan { length: plan.length + 2000, ..plan };
            plan.ending(ending, rng.below(plan.length))
        };
        let queue = |ending: Ending| Plan::clean(2 * QUEUE).ending(ending, QUEUE);
        let later = |plan: Plan| plan.reading(Reading::AfterOtherLeft);
        let half = Plan::clean(client.length + 2000);
        let rng = &mut rng;
        let (client, endpoint) = match self {
            Self::Clean => (client, endpoint),
            Self::ClientFirst => (client, endpoint.held()),
            Self::EndpointFirst => (client.held(), endpoint),
            Self::ClientBareFin => (cut(client, Ending::BareFin, rng), long_endpoint),
            Self::ClientReset => (cut(client, Ending::Reset, rng), long_endpoint),
            Self::ClientAlert => (cut(client, Ending::Alert, rng), long_endpoint),
            Self::ClientCutRecord => (cut(client, Ending::CutRecord, rng), long_endpoint),
            Self::EndpointReset => (long_client, cut(endpoint, Ending::Reset, rng)),
            Self::ClientBareFinQueued => (queue(Ending::BareFin), later(Plan::clean(1000))),
            Self::ClientResetQueued => (queue(Ending::Reset), later(Plan::clean(1000))),
            Self::EndpointResetQueued => (later(Plan::clean(1000)), queue(Ending::Reset)),
            Self::BothReset => (cut(client, Ending::Reset, rng), cut(endpoint, Ending::Reset, rng)),
            Self::HalfClosedClientBareFin => (cut(client, Ending::BareFin, rng).held(), endpoint),
            Self::HalfClosedClientReset => (cut(client, Ending::Reset, rng).held(), endpoint),
            Self::HalfClosedEndpointReset => (client, cut(endpoint, Ending::Reset, rng).held()),
            Self::ClientKilled => {
                let reads = mode != Mode::Raw && rng.one_in(2);
                let plan = cut(client, Ending::Killed, rng);
                let reading = if reads { Reading::Always } else { Reading::UntilStop };
                (plan.reading(reading), Plan::clean(ENDLESS))
            }
            Self::EndpointKilled => {
                let plan = cut(endpoint, Ending::Killed, rng);
                (Plan::clean(ENDLESS), plan.reading(Reading::UntilStop))
            }
            Self::GatewayKilled | Self::Idle => {
                let stop = half.length / 2;
                (half.ending(Ending::Silent, stop), half.ending(Ending::Silent, stop))
            }
        };
        Plans { client, endpoint }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|scenario| scenario.name()).collect();
            format!("no scenario {text}; there are: {}", names.join(", "))
        })
    }
}
