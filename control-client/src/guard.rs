//! The guard against mass removal: a stream that takes away much at once is more often mistaken than right.

use std::collections::VecDeque;
use std::time::Duration;

/// Judges how many of one kind of thing, services or endpoints, may vanish.
///
/// Within a window, removals are let pass up to a share of what there was at its beginning, and up to a number that is
/// always fine. What is over that is held until somebody confirms it. The guard knows numbers only; what shrinks trust
/// or grants never comes before it.
#[derive(Debug, Clone)]
pub struct Guard {
    share: f64,
    /// When and how many were let pass, within the window.
    passed: VecDeque<(Duration, usize)>,
}

/// What the guard says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// They may vanish.
    Pass,
    /// Too many at once, or within the window.
    Hold,
}

impl Guard {
    /// So many may always vanish within the window: a small gateway's services come and go.
    pub const ALWAYS: usize = 10;
    /// How long removals are remembered. A server that removes a little every second is held as well.
    pub const WINDOW: Duration = Duration::from_secs(600);
    /// The share that may vanish within the window, unless configured otherwise.
    pub const DEFAULT_SHARE: f64 = 0.3;

    /// A guard that lets `share` pass, from 0 to 1. With 1 it holds nothing.
    pub fn new(share: f64) -> Self {
        Self { share: share.clamp(0.0, 1.0), passed: VecDeque::new() }
    }

    /// The share that passes.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Judges the removal of `removed` out of `held`, at `now` on a clock that never goes back.
    ///
    /// What passes is remembered; what is held isn't, so that it is judged alike when it comes again.
    pub fn judge(&mut self, now: Duration, held: usize, removed: usize) -> Judgement {
        while self.passed.front().is_some_and(|(at, _)| now.saturating_sub(*at) > Self::WINDOW) {
            self.passed.pop_front();
        }
        if removed == 0 {
            return Judgement::Pass;
        }
        let before: usize = self.passed.iter().map(|(_, count)| count).sum();
        let most = self.most(held + before);
        if before + removed > most {
            return Judgement::Hold;
        }
        self.passed.push_back((now, removed));
        Judgement::Pass
    }

    /// Forgets what was removed: somebody has confirmed that it was meant.
    pub fn confirmed(&mut self) {
        self.passed.clear();
    }

    /// How many of `held` may vanish within the window.
    fn most(&self, held: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a count that memory can hold"
        )]
        let share = (held as f64 * self.share) as usize;
        share.max(Self::ALWAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);

    #[test]
    fn a_few_may_always_vanish_and_of_many_a_share() {
        let judge = |held, removed| Guard::new(0.3).judge(START, held, removed);
        assert_eq!(judge(10, 10), Judgement::Pass);
        assert_eq!(judge(11, 11), Judgement::Hold);
        assert_eq!(judge(1000, 300), Judgement::Pass);
        assert_eq!(judge(1000, 301), Judgement::Hold);
        assert_eq!(judge(1000, 0), Judgement::Pass);
        assert_eq!(Guard::new(1.0).judge(START, 1000, 1000), Judgement::Pass);
    }

    #[test]
    fn many_small_removals_are_one_large_one_until_the_window_has_passed() {
        let mut guard = Guard::new(0.3);
        let mut held = 1000;
        for step in 0..3 {
            assert_eq!(guard.judge(START + Duration::from_secs(step), held, 100), Judgement::Pass);
            held -= 100;
        }
        assert_eq!(guard.judge(START + Duration::from_secs(4), held, 1), Judgement::Hold);
        let later = START + Guard::WINDOW + Duration::from_secs(3);
        assert_eq!(guard.judge(later, held, 100), Judgement::Pass);
    }

    #[test]
    fn what_was_confirmed_counts_no_more_and_what_was_held_never_did() {
        let mut guard = Guard::new(0.3);
        assert_eq!(guard.judge(START, 1000, 300), Judgement::Pass);
        assert_eq!(guard.judge(START, 700, 210), Judgement::Hold);
        guard.confirmed();
        assert_eq!(guard.judge(START, 700, 211), Judgement::Hold);
        assert_eq!(guard.judge(START, 700, 210), Judgement::Pass);
    }
}
