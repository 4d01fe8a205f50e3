//! One pool, and one pool element in it, as a handlespace keeps them.

use crate::checksum::BlockSum;
use crate::policy::MemberSelection;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem::Discriminant;
use rserpool_wire::parameter::{EncodedPoolElement, Policy, TransportUse, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};

/// A pool: what its pool elements share, and which they are.
pub(crate) struct Pool {
    pub(crate) handle: PoolHandle,
    /// The part of the handle in the checksum of each pool element.
    pub(crate) handle_sum: BlockSum,
    /// The overall policy, that of the first pool element.
    pub(crate) policy: Policy,
    /// The overall transport type and use, those of the first pool element.
    pub(crate) transport: TransportConfiguration,
    pub(crate) selection: Box<dyn MemberSelection>,
    /// Where the pool elements are, by identifier.
    pub(crate) members: BTreeMap<PoolElementId, u32>,
    /// Where the pool elements are, by slot; the policy knows them by slot.
    slots: Vec<u32>,
    vacant_slots: Vec<u32>,
}

/// What all user transports of a pool have in common (RFC 5352 §3.1, rule 1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TransportConfiguration {
    pub(crate) transport_type: Discriminant<UserTransport>,
    /// SCTP only.
    pub(crate) transport_use: Option<TransportUse>,
}

/// A pool element.
pub(crate) struct Stored<T> {
    /// The whole pool element; what stands below is decoded from it once.
    pub(crate) encoded: EncodedPoolElement,
    pub(crate) id: PoolElementId,
    pub(crate) home: Option<RegistrarId>,
    pub(crate) registration_life: RegistrationLife,
    pub(crate) pool: u32,
    /// Its number within the pool.
    pub(crate) slot: u32,
    pub(crate) data: T,
}

impl Pool {
    pub(crate) fn new(
        handle: PoolHandle,
        policy: Policy,
        transport: TransportConfiguration,
        selection: Box<dyn MemberSelection>,
    ) -> Self {
        Self {
            handle_sum: crate::checksum::handle_sum(&handle),
            handle,
            policy,
            transport,
            selection,
            members: BTreeMap::new(),
            slots: Vec::new(),
            vacant_slots: Vec::new(),
        }
    }

    /// A slot for the pool element that is stored there.
    pub(crate) fn take_slot(&mut self, element: u32) -> u32 {
        if let Some(slot) = self.vacant_slots.pop() {
            self.slots[slot as usize] = element;
            return slot;
        }
        self.slots.push(element);
        u32::try_from(self.slots.len() - 1).expect("a pool has fewer than 2^32 pool elements")
    }

    pub(crate) fn leave_slot(&mut self, slot: u32) {
        self.vacant_slots.push(slot);
    }

    /// Where the pool element of this slot is stored.
    pub(crate) fn element_at(&self, slot: u32) -> u32 {
        self.slots[slot as usize]
    }

    /// The part of a pool element of this pool in its owner's checksum.
    pub(crate) fn block_sum(&self, id: PoolElementId) -> BlockSum {
        self.handle_sum + crate::checksum::id_sum(id)
    }
}

impl From<&UserTransport> for TransportConfiguration {
    fn from(transport: &UserTransport) -> Self {
        Self {
            transport_type: core::mem::discriminant(transport),
            transport_use: match transport {
                UserTransport::Sctp(sctp) => Some(sctp.transport_use),
                UserTransport::Dccp(_)
                | UserTransport::Tcp(_)
                | UserTransport::Udp(_)
                | UserTransport::UdpLite(_)
                | UserTransport::Opaque(_) => None,
            },
        }
    }
}
