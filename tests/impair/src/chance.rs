//! Chance that can be repeated: the same seed, the same decisions.

/// Steele, Lea and Flood's SplitMix64.
#[derive(Debug)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// True in so many cases of a hundred.
    pub(crate) fn strikes(&mut self, percent: u8) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// A number from 0 to one less than `bound`, which isn't zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_leads_to_the_same_decisions() {
        let decisions = |seed| {
            let mut chance = Chance::seeded(seed);
            (0..64).map(|_| chance.strikes(50)).collect::<Vec<_>>()
        };
        assert_eq!(decisions(7), decisions(7));
        assert_ne!(decisions(7), decisions(8));
    }

    #[test]
    fn a_percentage_is_struck_about_as_often_as_it_says() {
        let mut chance = Chance::seeded(1);
        let struck = (0..10_000).filter(|_| chance.strikes(5)).count();
        assert!((400..600).contains(&struck), "{struck}");
        assert!((0..1000).all(|_| chance.strikes(100)) && (0..1000).all(|_| !chance.strikes(0)));
    }
}
