//! Hashes keyed with a secret, because pool handles and identifiers come from strangers.
//!
//! Both are universal families: who does not know the key cannot choose inputs that collide more
//! often than chance (2^-64 for words, octets / 7 × 2^-61 for octets). Much cheaper than a
//! cryptographic hash, and what it gives never leaves the handlespace.

use rand_core::Rng;

/// The key.
pub(crate) struct KeyedHash {
    multiplier: u128,
    addend: u128,
    /// Where the polynomial over the octets is evaluated (below `PRIME`), times 8.
    point_times_8: u64,
}

/// 2^61 - 1.
const PRIME: u64 = (1 << 61) - 1;
/// As many octets as are surely below `PRIME` when read as a number.
const CHUNK: usize = 7;

impl KeyedHash {
    pub(crate) fn new(random: &mut dyn Rng) -> Self {
        let mut word = || u128::from(random.next_u64());
        Self {
            multiplier: word() << 64 | word(),
            addend: word() << 64 | word(),
            point_times_8: (random.next_u64() % PRIME) << 3,
        }
    }

    /// The hash of a word: multiply, add, and the upper half (Dietzfelbinger 1996).
    pub(crate) fn word(&self, word: u64) -> u64 {
        let mixed = self
            .multiplier
            .wrapping_mul(u128::from(word))
            .wrapping_add(self.addend);
        (mixed >> 64) as u64
    }

    /// The hash of octets: a polynomial over the field of `PRIME` elements (Carter, Wegman).
    pub(crate) fn octets(&self, octets: &[u8]) -> u64 {
        let mut sum = octets.len() as u64;
        for chunk in octets.chunks(CHUNK) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            sum = self.times_point(sum) + u64::from_le_bytes(word);
        }
        self.word(sum)
    }

    /// A number that is congruent to the product modulo `PRIME`, and hardly above `PRIME`.
    fn times_point(&self, factor: u64) -> u64 {
        // 2^61 is congruent to 1, so that what is above can be added to what is below. The 8 makes
        // the product fall apart at 2^64 instead.
        let product = u128::from(factor) * u128::from(self.point_times_8);
        let above = (product >> 64) as u64;
        let below = factor.wrapping_mul(self.point_times_8) >> 3;
        let sum = above + below;
        (sum >> 61) + (sum & PRIME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn the_polynomial_is_that_of_its_chunks() {
        let hash = KeyedHash::new(&mut Pcg64::seed_from_u64(1));
        let point = u128::from(hash.point_times_8 >> 3);
        let octets: alloc::vec::Vec<u8> = (0..=255).cycle().take(65_535).collect();
        for length in [0, 1, 6, 7, 8, 13, 14, 15, 255, 65_535] {
            let mut naive = length as u128;
            let mut sum = length as u64;
            for chunk in octets[..length].chunks(CHUNK) {
                let number = chunk
                    .iter()
                    .rev()
                    .fold(0, |number, &octet| number << 8 | u64::from(octet));
                naive = (naive * point + u128::from(number)) % u128::from(PRIME);
                sum = hash.times_point(sum) + number;
                assert!(sum < 1 << 62);
                assert_eq!(u128::from(sum % PRIME), naive);
            }
            assert_eq!(hash.octets(&octets[..length]), hash.word(sum));
        }
    }

    #[test]
    fn another_key_gives_other_hashes() {
        let [one, other] = [1, 2].map(|seed| KeyedHash::new(&mut Pcg64::seed_from_u64(seed)));
        assert_ne!(one.word(7), other.word(7));
        assert_ne!(one.octets(b"echo"), other.octets(b"echo"));
    }
}
