//! Circular lists over slots, for taking turns.

use alloc::vec::Vec;

/// The links of any number of rings; each slot is in one ring at most.
#[derive(Default)]
pub(super) struct Rings {
    links: Vec<Link>,
}

#[derive(Clone, Copy, Default)]
struct Link {
    previous: u32,
    next: u32,
}

/// One circular list: never empty, named by its head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ring {
    pub(super) head: u32,
}

impl Rings {
    /// A new ring with one slot.
    pub(super) fn start(&mut self, slot: u32) -> Ring {
        let index = slot as usize;
        if index >= self.links.len() {
            self.links.resize(index + 1, Link::default());
        }
        self.links[index] = Link {
            previous: slot,
            next: slot,
        };
        Ring { head: slot }
    }

    /// Adds a slot before the head: its turn comes last.
    pub(super) fn push(&mut self, ring: Ring, slot: u32) {
        self.start(slot);
        let next = ring.head;
        let previous = self.links[next as usize].previous;
        self.links[slot as usize] = Link { previous, next };
        self.links[previous as usize].next = slot;
        self.links[next as usize].previous = slot;
    }

    /// Takes a slot out; `None` if it was the last one. If it was the head, the next one is.
    pub(super) fn remove(&mut self, ring: Ring, slot: u32) -> Option<Ring> {
        let Link { previous, next } = self.links[slot as usize];
        if next == slot {
            return None;
        }
        self.links[previous as usize].next = next;
        self.links[next as usize].previous = previous;
        let head = if ring.head == slot { next } else { ring.head };
        Some(Ring { head })
    }

    /// The ring with its head advanced by one.
    pub(super) fn advance(&self, ring: Ring) -> Ring {
        Ring {
            head: self.links[ring.head as usize].next,
        }
    }

    /// All slots of the ring, starting with its head.
    pub(super) fn iter(&self, ring: Ring) -> impl Iterator<Item = u32> {
        let mut upcoming = Some(ring.head);
        core::iter::from_fn(move || {
            let slot = upcoming?;
            let next = self.links[slot as usize].next;
            upcoming = (next != ring.head).then_some(next);
            Some(slot)
        })
    }

    /// Panics if the links of this ring do not fit together; gives its slots.
    pub(super) fn check(&self, ring: Ring) -> Vec<u32> {
        let slots: Vec<u32> = self.iter(ring).collect();
        for &slot in &slots {
            let next = self.links[slot as usize].next;
            assert_eq!(
                self.links[next as usize].previous, slot,
                "the links of {slot} disagree"
            );
        }
        slots
    }
}
