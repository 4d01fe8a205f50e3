//! PE checksums (RFC 5353 §3.6.2): one for each registrar that owns pool elements.

use alloc::collections::BTreeMap;
use core::ops::{Add, Sub};
use rserpool_wire::parameter::PeChecksum;
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};

/// The checksums of all owners, kept up to date with every change.
pub(crate) struct Checksums {
    owners: BTreeMap<RegistrarId, Owned>,
}

/// What one registrar owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Owned {
    elements: usize,
    sum: BlockSum,
}

/// The plain sums of all 16-bit words, not folded: subtraction is exact then, where the ones'
/// complement has two zeros. 2^64 has room for 2^32 pool elements with 64 KiB handles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct BlockSum {
    /// The words as they are sent.
    sent: u64,
    /// The words with their octets the other way round, as a little-endian host reads them.
    swapped: u64,
}

impl BlockSum {
    /// The words of some octets, padded with zeros to whole words.
    fn of(octets: &[u8]) -> Self {
        let words = octets.chunks(2).map(|pair| match *pair {
            [first, second] => Self::word([first, second]),
            [first] => Self::word([first, 0]),
            _ => Self::default(),
        });
        words.fold(Self::default(), Add::add)
    }

    fn word(octets: [u8; 2]) -> Self {
        Self {
            sent: u64::from(u16::from_be_bytes(octets)),
            swapped: u64::from(u16::from_le_bytes(octets)),
        }
    }
}

impl Add for BlockSum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            swapped: self.swapped + other.swapped,
        }
    }
}

impl Sub for BlockSum {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            sent: self.sent - other.sent,
            swapped: self.swapped - other.swapped,
        }
    }
}

impl Checksums {
    pub(crate) fn new() -> Self {
        Self {
            owners: BTreeMap::new(),
        }
    }

    /// A pool element with this block sum came to an owner.
    pub(crate) fn add(&mut self, owner: Option<RegistrarId>, sum: BlockSum) {
        let Some(owner) = owner else { return };
        let owned = self.owners.entry(owner).or_default();
        owned.elements += 1;
        owned.sum = owned.sum + sum;
    }

    /// A pool element with this block sum left its owner.
    pub(crate) fn subtract(&mut self, owner: Option<RegistrarId>, sum: BlockSum) {
        let Some(owner) = owner else { return };
        let owned = self
            .owners
            .get_mut(&owner)
            .expect("it owned this pool element");
        owned.elements -= 1;
        owned.sum = owned.sum - sum;
        if owned.elements == 0 {
            self.owners.remove(&owner);
        }
    }

    /// All pool elements of one owner came to another one.
    pub(crate) fn move_all(&mut self, from: RegistrarId, to: RegistrarId) {
        if let Some(moved) = self.owners.remove(&from) {
            let owned = self.owners.entry(to).or_default();
            owned.elements += moved.elements;
            owned.sum = owned.sum + moved.sum;
        }
    }

    /// The Internet checksum (RFC 1071) over the blocks of all pool elements of this owner;
    /// 0xffff for none.
    pub(crate) fn of(&self, owner: RegistrarId) -> PeChecksum {
        PeChecksum(!folded(self.sum_of(owner).sent))
    }

    /// The checksum as rsplib calculates it: it adds words in the order of a little-endian host,
    /// and what does not fit into 32 bits is lost. The same up to some twenty thousand pool
    /// elements.
    pub(crate) fn of_rsplib(&self, owner: RegistrarId) -> PeChecksum {
        let accumulated = self.sum_of(owner).swapped & u64::from(u32::MAX);
        PeChecksum((!folded(accumulated)).swap_bytes())
    }

    fn sum_of(&self, owner: RegistrarId) -> BlockSum {
        let owned = self.owners.get(&owner);
        owned.map_or_else(BlockSum::default, |owned| owned.sum)
    }

    /// How many pool elements this registrar owns.
    pub(crate) fn elements_of(&self, owner: RegistrarId) -> usize {
        self.owners.get(&owner).map_or(0, |owned| owned.elements)
    }
}

impl PartialEq for Checksums {
    fn eq(&self, other: &Self) -> bool {
        self.owners == other.owners
    }
}

/// The sum of the 16-bit words of a pool handle, padded with zeros to 32 bits.
pub(crate) fn handle_sum(handle: &PoolHandle) -> BlockSum {
    BlockSum::of(handle.as_octets())
}

/// The sum of the 16-bit words of a pool element's identifier.
pub(crate) fn id_sum(id: PoolElementId) -> BlockSum {
    BlockSum::of(&id.0.to_be_bytes())
}

/// The ones' complement sum.
fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    u16::try_from(sum).expect("folded to 16 bits")
}
