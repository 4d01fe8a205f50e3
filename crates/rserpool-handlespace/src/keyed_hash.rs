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
    /// Where the polynomial over the octets is evaluated; below `PRIME`.
    point: u64,
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
            point: random.next_u64() % PRIME,
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

    /// The product modulo `PRIME`, but for at most one `PRIME` too much: below 2^62.
    fn times_point(&self, factor: u64) -> u64 {
        let product = u128::from(factor) * u128::from(self.point);
        let low = product & u128::from(PRIME);
        ((product >> 61) + low) as u64
    }
}
