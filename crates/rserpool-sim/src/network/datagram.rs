//! Datagrams on a multicast channel: one message, as many copies as have not arrived yet.
//!
//! Must not know who listens.

use crate::node::NodeId;
use rserpool_wire::{asap, enrp};

/// Names a datagram under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DatagramId(u32);

/// A datagram, as everybody who hears it reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Datagram {
    pub(crate) from: NodeId,
    pub(crate) message: ChannelMessage,
    /// A number made of its octets.
    pub(crate) digest: u64,
}

/// What is said on one of the channels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ChannelMessage {
    Asap(asap::Message),
    Enrp(enrp::Message),
}

impl ChannelMessage {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Asap(message) => message.encode(),
            Self::Enrp(message) => message.encode(),
        }
    }

    /// What the octets of this message say to who hears them on the same channel.
    pub(crate) fn decode(&self, octets: &[u8]) -> Option<Self> {
        match self {
            Self::Asap(_) => asap::Message::decode(octets)
                .ok()
                .map(|decoded| Self::Asap(decoded.message)),
            Self::Enrp(_) => enrp::Message::decode(octets)
                .ok()
                .map(|decoded| Self::Enrp(decoded.message)),
        }
    }
}

/// Keeps datagrams until their last copy has arrived.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    slots: Vec<(u32, Option<Datagram>)>,
    free: Vec<u32>,
}

impl Datagrams {
    /// Keeps it for as many copies as are claimed, one as long as it is not settled.
    pub(crate) fn add(&mut self, datagram: Datagram) -> DatagramId {
        let slot = (1, Some(datagram));
        let Some(index) = self.free.pop() else {
            self.slots.push(slot);
            let index = self.slots.len() - 1;
            return DatagramId(u32::try_from(index).expect("fewer than 2^32 datagrams fit"));
        };
        self.slots[index as usize] = slot;
        DatagramId(index)
    }

    /// One more copy is under way.
    pub(crate) fn claim(&mut self, id: DatagramId) {
        self.slots[id.0 as usize].0 += 1;
    }

    pub(crate) fn get(&self, id: DatagramId) -> Option<&Datagram> {
        self.slots[id.0 as usize].1.as_ref()
    }

    /// A copy has arrived or never will.
    pub(crate) fn release(&mut self, id: DatagramId) {
        let (copies, datagram) = &mut self.slots[id.0 as usize];
        *copies -= 1;
        if *copies == 0 {
            *datagram = None;
            self.free.push(id.0);
        }
    }
}
