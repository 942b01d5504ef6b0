//! The steps themselves: from how much is used to what is given up.

use std::fmt;

/// How short memory is. Each level gives up what the levels before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Below 70 %: nothing is given up.
    #[default]
    Calm,
    /// From 70 %: no large buffers.
    Lean,
    /// From 80 %: half as many handshakes at once.
    Careful,
    /// From 90 %: nothing more is taken on.
    Refusing,
    /// From 95 %: idle connections are closed, the newest first.
    Shedding,
}

impl Level {
    const ALL: [Self; 5] = [Self::Calm, Self::Lean, Self::Careful, Self::Refusing, Self::Shedding];

    /// The level of this number; the highest beyond all numbers.
    pub(crate) fn of(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Shedding)
    }

    /// Where the level begins, in percent of the limit.
    fn begins_at_percent(self) -> u64 {
        match self {
            Self::Calm => 0,
            Self::Lean => 70,
            Self::Careful => 80,
            Self::Refusing => 90,
            Self::Shedding => 95,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calm => "calm",
            Self::Lean => "lean",
            Self::Careful => "careful",
            Self::Refusing => "refusing",
            Self::Shedding => "shedding",
        })
    }
}

/// A level is left once this much less is used than where it begins, so that it is not left and entered in turn.
const HYSTERESIS_PERCENT: u64 = 5;

#[derive(Debug, Default)]
pub(super) struct Ladder {
    level: Level,
}

impl Ladder {
    /// The level after `used` of `limit` bytes were found in use.
    pub(super) fn step(&mut self, used: u64, limit: u64) -> Level {
        let percent = used.saturating_mul(100) / limit.max(1);
        let level_at = |percent: u64| {
            let reached = |level: &&Level| level.begins_at_percent() <= percent;
            Level::ALL.iter().rev().find(reached).copied().unwrap_or_default()
        };
        let up = level_at(percent);
        let down = level_at(percent + HYSTERESIS_PERCENT);
        self.level = if up > self.level { up } else { self.level.min(down) };
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_entered_at_once_and_left_five_percent_below() {
        let mut ladder = Ladder::default();
        let mut at = |percent: u64| ladder.step(percent, 100);
        assert_eq!(at(69), Level::Calm);
        assert_eq!(at(70), Level::Lean);
        assert_eq!(at(66), Level::Lean);
        assert_eq!(at(64), Level::Calm);
        assert_eq!(at(96), Level::Shedding);
        assert_eq!(at(91), Level::Shedding);
        assert_eq!(at(89), Level::Refusing);
        assert_eq!(at(86), Level::Refusing);
        assert_eq!(at(84), Level::Careful);
        assert_eq!(at(200), Level::Shedding);
        assert_eq!(at(0), Level::Calm);
    }

    #[test]
    fn a_limit_of_nothing_is_all_used() {
        assert_eq!(Ladder::default().step(1, 0), Level::Shedding);
        assert_eq!(Ladder::default().step(u64::MAX, u64::MAX), Level::Calm, "saturates, and never panics");
    }

    #[test]
    fn a_level_is_found_again_by_its_number() {
        for level in Level::ALL {
            assert_eq!(Level::of(level as u8), level);
        }
        assert_eq!(Level::of(99), Level::Shedding);
    }
}
