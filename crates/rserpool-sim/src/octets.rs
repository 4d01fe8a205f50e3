//! The octets of messages under way.
//!
//! Must not know what they say.

/// Names the octets of one message under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OctetsId(u32);

/// Keeps the octets of messages under way, and their buffers for the next ones.
#[derive(Debug, Default)]
pub(crate) struct OctetsStore {
    buffers: Vec<Vec<u8>>,
    free: Vec<u32>,
}

impl OctetsStore {
    /// Keeps what `write` appends.
    pub(crate) fn store(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> OctetsId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.buffers.push(Vec::new());
            u32::try_from(self.buffers.len() - 1).expect("fewer than 2^32 messages fit into memory")
        });
        let buffer = &mut self.buffers[index as usize];
        buffer.clear();
        write(buffer);
        OctetsId(index)
    }

    pub(crate) fn octets(&self, id: OctetsId) -> &[u8] {
        &self.buffers[id.0 as usize]
    }

    /// The message has arrived or never will.
    pub(crate) fn release(&mut self, id: OctetsId) {
        self.free.push(id.0);
    }
}
