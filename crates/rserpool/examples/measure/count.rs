//! What pool elements count and pool users check: the state that no failure may lose.

/// So many requests have been counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Count {
    pub(crate) number: u64,
    /// Of all numbers that were counted, in their order: one that was left out or counted twice
    /// is seen for ever.
    digest: u64,
}

impl Count {
    /// What it has to be after so many requests.
    pub(crate) fn after(number: u64) -> Self {
        (1..=number).fold(Self::default(), |count, _| count.next())
    }

    /// Counts the request with this number, if it is the next one.
    pub(crate) fn count(&mut self, asked: u64) -> bool {
        let is_next = asked == self.number + 1;
        if is_next {
            *self = self.next();
        }
        is_next
    }

    fn next(self) -> Self {
        // Knuth's multiplier: any odd number makes each step one that can be undone.
        const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
        let number = self.number + 1;
        let digest = self.digest.wrapping_mul(MULTIPLIER).wrapping_add(number);
        Self { number, digest }
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        [self.number.to_be_bytes(), self.digest.to_be_bytes()].concat()
    }

    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let (number, rest) = number(octets)?;
        let (digest, _) = self::number(rest)?;
        Some(Self { number, digest })
    }
}

/// What a pool element answers: what it was asked to count, and what it has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) asked: u64,
    pub(crate) count: Count,
}

impl Answer {
    pub(crate) fn encode(self) -> Vec<u8> {
        [&self.asked.to_be_bytes()[..], &self.count.encode()].concat()
    }

    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let (asked, rest) = number(octets)?;
        let count = Count::decode(rest)?;
        Some(Self { asked, count })
    }
}

/// A number at the begin of octets, and what follows it.
pub(crate) fn number(octets: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = octets.split_first_chunk()?;
    Some((u64::from_be_bytes(*first), rest))
}
