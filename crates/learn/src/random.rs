/// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
/// generators"): one 64-bit word of state, the same numbers on every machine.
///
/// The generator of the bundle's synthetic pictures too, see `docs/format.md`.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts at `seed`; every seed is good.
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    /// A stream of its own for each tuple, such as (seed, epoch, example): whoever
    /// draws for one example leaves the draws for all others as they are, in
    /// whatever order and on whatever thread they are made.
    pub fn of(words: &[u64]) -> SplitMix64 {
        words.iter().fold(SplitMix64(0), |before, word| {
            SplitMix64(SplitMix64(before.0.wrapping_add(*word)).bits())
        })
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of `0..bound`; `bound` must not be 0.
    ///
    /// By multiplication (Lemire 2019): the bias is below `bound` / 2⁶⁴.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing is below 0");
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in [`low`, `high`).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// One of two, each as often.
    pub fn coin(&mut self) -> bool {
        self.bits() >> 63 == 1
    }

    /// Shuffles in place (Fisher, Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_numbers() {
        // Vigna's splitmix64.c, seed 1234567, as quoted by many ports.
        let mut random = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn a_stream_belongs_to_its_tuple() {
        let first = |words: &[u64]| SplitMix64::of(words).bits();
        assert_eq!(first(&[1, 2, 3]), first(&[1, 2, 3]));
        let mut all: Vec<u64> = (0..4096).map(|i| first(&[i / 256, i / 16 % 16, i % 16])).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4096, "two tuples share a stream");
        // Neighbouring streams are no shifts of each other.
        let (mut a, mut b) = (SplitMix64::of(&[0, 0, 1]), SplitMix64::of(&[0, 0, 2]));
        let run = |random: &mut SplitMix64| (0..64).map(|_| random.bits()).collect::<Vec<_>>();
        let (a, b) = (run(&mut a), run(&mut b));
        assert!(a.iter().all(|bits| !b.contains(bits)));
    }

    #[test]
    fn shuffles_without_losing_any() {
        let mut items: Vec<usize> = (0..100).collect();
        SplitMix64::new(7).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
