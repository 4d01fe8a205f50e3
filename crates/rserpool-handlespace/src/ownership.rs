//! Which registrar owns which pool elements, by the whole handlespace: what replication among
//! registrars (RFC 5353) needs beyond registrations.

use crate::arena::ElementKey;
use crate::handlespace::Handlespace;
use alloc::vec::Vec;
use rserpool_wire::RegistrarId;

impl<T> Handlespace<T> {
    /// The pool elements that a registrar owns, in no particular order. Takes time in proportion
    /// to the size of the handlespace.
    pub fn owned_by(&self, owner: RegistrarId) -> impl Iterator<Item = ElementKey> + use<'_, T> {
        let owned = self.elements.iter();
        owned
            .filter(move |(_, element)| element.home == Some(owner))
            .map(|(key, _)| key)
            .take(self.owned(owner))
    }

    /// All pool elements of one registrar get another one as their owner (RFC 5353 §3.5.2), and
    /// `change` sees what is kept with each. Their other attributes and their order in the pools
    /// stay. Takes time in proportion to the size of the handlespace.
    pub fn rehome(
        &mut self,
        from: RegistrarId,
        to: RegistrarId,
        mut change: impl FnMut(ElementKey, &mut T),
    ) -> Vec<ElementKey> {
        let mut moved = Vec::new();
        if from == to {
            return moved;
        }
        let count = self.owned(from);
        moved.reserve_exact(count);
        for (key, element) in self.elements.iter_mut() {
            if moved.len() == count {
                break;
            }
            if element.home == Some(from) {
                element.home = Some(to);
                element.encoded.set_home_registrar(Some(to));
                change(key, &mut element.data);
                moved.push(key);
            }
        }
        self.checksums.move_all(from, to);
        self.debug_check();
        moved
    }
}
