//! Storage with stable places. Knows nothing of what it stores.

use alloc::vec::Vec;

/// Names a pool element for as long as it is registered. A key whose pool element is gone finds
/// nothing, also when its place is used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ElementKey {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Values at places that are used again, the last one left first.
pub(crate) struct Arena<V> {
    places: Vec<Place<V>>,
    vacant: u32,
    len: usize,
}

struct Place<V> {
    generation: u32,
    content: Content<V>,
}

enum Content<V> {
    Occupied(V),
    /// The next vacant place, or `NONE`.
    Vacant(u32),
}

const NONE: u32 = u32::MAX;

impl<V> Arena<V> {
    pub(crate) fn new() -> Self {
        Self {
            places: Vec::new(),
            vacant: NONE,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Stores a value and says where. There are never more than [`Limits::SLOTS_MAX`] at a time.
    ///
    /// [`Limits::SLOTS_MAX`]: crate::Limits
    pub(crate) fn insert(&mut self, value: V) -> ElementKey {
        self.len += 1;
        let content = Content::Occupied(value);
        if self.vacant == NONE {
            let index = u32::try_from(self.places.len()).expect("the limits are far below 2^32");
            let generation = 0;
            self.places.push(Place {
                generation,
                content,
            });
            return ElementKey { index, generation };
        }
        let index = self.vacant;
        let place = &mut self.places[index as usize];
        if let Content::Vacant(next) = place.content {
            self.vacant = next;
        }
        place.content = content;
        ElementKey {
            index,
            generation: place.generation,
        }
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<V> {
        let place = self.places.get_mut(index as usize)?;
        if matches!(place.content, Content::Vacant(_)) {
            return None;
        }
        let content = core::mem::replace(&mut place.content, Content::Vacant(self.vacant));
        self.len -= 1;
        // A place whose generations are used up stays vacant, so that no key ever comes again.
        if let Some(generation) = place.generation.checked_add(1) {
            place.generation = generation;
            self.vacant = index;
        }
        content.occupied()
    }

    pub(crate) fn get(&self, index: u32) -> Option<&V> {
        match &self.places.get(index as usize)?.content {
            Content::Occupied(value) => Some(value),
            Content::Vacant(_) => None,
        }
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut V> {
        match &mut self.places.get_mut(index as usize)?.content {
            Content::Occupied(value) => Some(value),
            Content::Vacant(_) => None,
        }
    }

    /// All values with their keys, in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ElementKey, &V)> {
        let places = (0_u32..).zip(&self.places);
        places.filter_map(|(index, place)| match &place.content {
            Content::Occupied(value) => Some((place.key(index), value)),
            Content::Vacant(_) => None,
        })
    }

    /// All values with their keys, in the order of their places.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ElementKey, &mut V)> {
        let places = (0_u32..).zip(&mut self.places);
        places.filter_map(|(index, place)| {
            let key = place.key(index);
            match &mut place.content {
                Content::Occupied(value) => Some((key, value)),
                Content::Vacant(_) => None,
            }
        })
    }

    /// The key of what is stored at this place.
    pub(crate) fn key(&self, index: u32) -> ElementKey {
        self.places[index as usize].key(index)
    }

    /// Whether the key names what is stored at its place.
    pub(crate) fn holds(&self, key: ElementKey) -> bool {
        self.places.get(key.index as usize).is_some_and(|place| {
            place.generation == key.generation && matches!(place.content, Content::Occupied(_))
        })
    }
}

impl<V> Place<V> {
    fn key(&self, index: u32) -> ElementKey {
        ElementKey {
            index,
            generation: self.generation,
        }
    }
}

impl<V> Content<V> {
    fn occupied(self) -> Option<V> {
        match self {
            Self::Occupied(value) => Some(value),
            Self::Vacant(_) => None,
        }
    }
}

impl<V> core::ops::Index<u32> for Arena<V> {
    type Output = V;

    /// Panics where nothing is stored: for places that an index of the handlespace names.
    fn index(&self, index: u32) -> &V {
        self.get(index)
            .expect("an index names occupied places only")
    }
}

impl<V> core::ops::IndexMut<u32> for Arena<V> {
    fn index_mut(&mut self, index: u32) -> &mut V {
        self.get_mut(index)
            .expect("an index names occupied places only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_that_was_left_last_is_used_first_with_another_key() {
        let mut arena = Arena::new();
        let [a, b, c] = ['a', 'b', 'c'].map(|value| arena.insert(value));
        assert_eq!(
            (arena.remove(a.index), arena.remove(b.index)),
            (Some('a'), Some('b'))
        );
        assert_eq!(arena.remove(b.index), None);
        let d = arena.insert('d');
        assert_eq!((d.index, d.generation), (b.index, b.generation + 1));
        assert!(arena.holds(c) && arena.holds(d) && !arena.holds(a) && !arena.holds(b));
        assert_eq!(
            (arena.len(), arena.get(c.index), arena.get(a.index)),
            (2, Some(&'c'), None)
        );
        let values: Vec<_> = arena.iter().collect();
        assert_eq!(values, [(d, &'d'), (c, &'c')]);
        let values: Vec<_> = arena.iter_mut().map(|(key, _)| key).collect();
        assert_eq!(values, [d, c]);
        assert_eq!(arena.insert('e').index, a.index);
        assert_eq!(arena.insert('f').index, 3);
    }

    #[test]
    fn a_place_whose_generations_are_used_up_is_not_used_again() {
        let mut arena = Arena::new();
        arena.insert('a');
        arena.places[0].generation = u32::MAX;
        let last = arena.key(0);
        assert_eq!(arena.remove(0), Some('a'));
        assert!(!arena.holds(last));
        assert_eq!(arena.insert('b').index, 1);
        assert!(!arena.holds(last));
    }
}
