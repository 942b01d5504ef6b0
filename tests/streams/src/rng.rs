//! Numbers that follow from a seed.

/// Scrambles a number: the output function of splitmix64 (Steele, Lea, Flood 2014).
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sequence of such numbers.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; 0 where that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Small and large numbers alike: below a random power of two, at most 2^`bits`, at least 1.
    pub(crate) fn any_size(&mut self, bits: u32) -> u64 {
        let power = self.below(u64::from(bits) + 1);
        1 + self.below(1 << power)
    }

    /// Exponentially distributed around `mean`, at most 16 times it.
    pub(crate) fn around(&mut self, mean: u64) -> u64 {
        // The number of leading zeros is geometric; a uniform share of the step between makes it smooth.
        let halvings = u64::from(self.next().leading_zeros()).min(22);
        let share = mean.saturating_mul(self.below(1000) + halvings * 1000) / 1500;
        share.min(mean.saturating_mul(16))
    }
}
