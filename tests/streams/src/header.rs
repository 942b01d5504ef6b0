//! The first 72 bytes of every stream: whose it is, and what both ends are going to do.
//!
//! The endpoint knows nothing of a connection before it has read the client's header, so that it may run anywhere;
//! and whoever receives a stream can tell by its header alone whether a clean end is a true one.

use crate::plan::{Ending, Hold, Plan, Plans, Reading};
use crate::rng::mix;
use crate::stream::{HEADER, Label, Way, word};

const MAGIC: u64 = u64::from_le_bytes(*b"LBSTRM01");

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) label: Label,
    pub(crate) plans: Plans,
}

impl Header {
    /// As it is sent.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let Self { label, plans } = self;
        let manner = u64::from(u8::from(label.way == Way::Back))
            | u64::from(manner(plans.client)) << 8
            | u64::from(manner(plans.endpoint)) << 32;
        let words = [
            MAGIC,
            label.run,
            label.connection,
            manner,
            plans.client.length,
            plans.client.stop,
            plans.endpoint.length,
            plans.endpoint.stop,
        ];
        words.iter().chain([&check(&words)]).flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Reads one; `None` if these bytes are none.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut words = [0; 8];
        for (index, place) in words.iter_mut().enumerate() {
            *place = word(bytes, index)?;
        }
        let [magic, run, connection, manner, length, stop, back_length, back_stop] = words;
        if magic != MAGIC || word(bytes, 8)? != check(&words) {
            return None;
        }
        let way = if manner & 1 == 0 { Way::Forth } else { Way::Back };
        let plans = Plans {
            client: plan(manner >> 8, length, stop)?,
            endpoint: plan(manner >> 32, back_length, back_stop)?,
        };
        Some(Self { label: Label { run, connection, way }, plans })
    }
}

fn check(words: &[u64; 8]) -> u64 {
    words.iter().fold(0, |so_far, word| mix(so_far ^ word))
}

const ENDINGS: [Ending; 7] = [
    Ending::Clean,
    Ending::BareFin,
    Ending::Reset,
    Ending::Alert,
    Ending::CutRecord,
    Ending::Killed,
    Ending::Silent,
];
const HOLDS: [Hold; 3] = [Hold::Never, Hold::UntilOtherEnded, Hold::Paced];
const READINGS: [Reading; 4] =
    [Reading::Always, Reading::AfterOtherLeft, Reading::UntilStop, Reading::Slowly];

/// How a plan is carried out, in three bytes.
fn manner(plan: Plan) -> u32 {
    let place = |index: Option<usize>| index.and_then(|index| u32::try_from(index).ok()).unwrap_or(0xff);
    place(ENDINGS.iter().position(|it| *it == plan.ending))
        | place(HOLDS.iter().position(|it| *it == plan.hold)) << 8
        | place(READINGS.iter().position(|it| *it == plan.reading)) << 16
}

fn plan(manner: u64, length: u64, stop: u64) -> Option<Plan> {
    let place = |shift: u32| usize::try_from(manner >> shift & 0xff).ok();
    let plan = Plan {
        length,
        stop,
        ending: *ENDINGS.get(place(0)?)?,
        hold: *HOLDS.get(place(8)?)?,
        reading: *READINGS.get(place(16)?)?,
    };
    (HEADER <= stop && stop <= length).then_some(plan)
}
