//! PE checksums (RFC 5353 §3.6.2): one for each registrar that owns pool elements.

use alloc::collections::BTreeMap;
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
    /// The plain sum of all 16-bit words, not folded: subtraction is exact then, where the ones'
    /// complement has two zeros. 2^64 has room for 2^32 pool elements with 64 KiB handles.
    sum: u64,
}

impl Checksums {
    pub(crate) fn new() -> Self {
        Self {
            owners: BTreeMap::new(),
        }
    }

    /// A pool element with this block sum came to an owner.
    pub(crate) fn add(&mut self, owner: Option<RegistrarId>, sum: u64) {
        let Some(owner) = owner else { return };
        let owned = self.owners.entry(owner).or_default();
        owned.elements += 1;
        owned.sum += sum;
    }

    /// A pool element with this block sum left its owner.
    pub(crate) fn subtract(&mut self, owner: Option<RegistrarId>, sum: u64) {
        let Some(owner) = owner else { return };
        let owned = self
            .owners
            .get_mut(&owner)
            .expect("it owned this pool element");
        owned.elements -= 1;
        owned.sum -= sum;
        if owned.elements == 0 {
            self.owners.remove(&owner);
        }
    }

    /// All pool elements of one owner came to another one.
    pub(crate) fn move_all(&mut self, from: RegistrarId, to: RegistrarId) {
        if let Some(moved) = self.owners.remove(&from) {
            let owned = self.owners.entry(to).or_default();
            owned.elements += moved.elements;
            owned.sum += moved.sum;
        }
    }

    /// The Internet checksum (RFC 1071) over the blocks of all pool elements of this owner;
    /// 0xffff for none.
    pub(crate) fn of(&self, owner: RegistrarId) -> PeChecksum {
        let mut sum = self.owners.get(&owner).map_or(0, |owned| owned.sum);
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        PeChecksum(!u16::try_from(sum).expect("folded to 16 bits"))
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
pub(crate) fn handle_sum(handle: &PoolHandle) -> u64 {
    let words = handle.as_octets().chunks(2).map(|pair| match *pair {
        [high, low] => u64::from(u16::from_be_bytes([high, low])),
        [high] => u64::from(u16::from_be_bytes([high, 0])),
        _ => 0,
    });
    words.sum()
}

/// The sum of the 16-bit words of a pool element's identifier.
pub(crate) fn id_sum(id: PoolElementId) -> u64 {
    u64::from(id.0 >> 16) + u64::from(id.0 & 0xffff)
}
