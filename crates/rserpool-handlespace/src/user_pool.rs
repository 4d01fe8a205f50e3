//! A resolution in the hands of a pool user (the "Pool User Considerations" of RFC 5356).

use crate::policy::{UserRule, lots, random_below, user_rule};
use alloc::vec::Vec;
use rand_core::Rng;
use rserpool_wire::PoolElementId;
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{EncodedPoolElement, Policy, PolicyType};

/// The pool elements that a pool user got from a registrar, and which to take next.
#[derive(Clone, Debug)]
pub struct UserPool {
    policy_type: PolicyType,
    rule: UserRule,
    /// In the registrar's order.
    pool_elements: Vec<EncodedPoolElement>,
    /// Whose turn it is; for [`UserRule::InTurn`].
    turn: usize,
    /// When the next turn of each is; for [`UserRule::InWeightedTurn`], empty until it is needed.
    turns: Vec<u128>,
    /// These are not all of the pool.
    is_part: bool,
    /// Whether one has been selected.
    is_used: bool,
}

impl UserPool {
    /// A resolution that just arrived, used as its policy says; a policy that is not known is
    /// used in turn.
    pub fn new(resolution: &Resolution) -> Self {
        Self::with_rule(resolution, user_rule(resolution.policy.policy_type()))
    }

    /// A resolution of a policy of one's own.
    pub fn with_rule(resolution: &Resolution, rule: UserRule) -> Self {
        Self {
            policy_type: resolution.policy.policy_type(),
            rule,
            pool_elements: resolution.pool_elements.clone(),
            turn: 0,
            turns: Vec::new(),
            is_part: false,
            is_used: false,
        }
    }

    /// Whether there are more pool elements in the pool than the registrar has told. Without this,
    /// it has told all.
    pub fn set_part(&mut self, is_part: bool) {
        self.is_part = is_part;
    }

    /// Whether the next selection should be from another answer of the registrar: of a lot that is
    /// drawn among part of a pool, only the registrar knows all chances; and the load is another
    /// one as soon as somebody was given a request. If there is no other answer, this one is
    /// better than none.
    pub fn is_spent(&self) -> bool {
        let is_for_once = match self.rule {
            UserRule::ByLot => self.is_part,
            UserRule::InOrder => true,
            UserRule::InTurn
            | UserRule::InWeightedTurn
            | UserRule::AtRandom
            | UserRule::HighestPriority => false,
        };
        is_for_once && self.is_used
    }

    /// A newer resolution of the same pool takes the place of this one. If the pool was created
    /// anew with another policy, it is used as that policy says.
    pub fn replace(&mut self, resolution: &Resolution) {
        let policy_type = resolution.policy.policy_type();
        if policy_type != self.policy_type {
            self.policy_type = policy_type;
            self.rule = user_rule(policy_type);
        }
        self.pool_elements.clone_from(&resolution.pool_elements);
        self.turn = 0;
        self.turns.clear();
        self.is_part = false;
        self.is_used = false;
    }

    /// Selects one pool element; `None` if there is none left. Call [`remove`](Self::remove) when
    /// it turns out not to work.
    pub fn select(&mut self, rng: &mut (impl Rng + ?Sized)) -> Option<PoolElementId> {
        if self.pool_elements.is_empty() {
            return None;
        }
        let position = match self.rule {
            UserRule::InTurn => {
                let position = self.turn;
                self.turn = (position + 1) % self.pool_elements.len();
                position
            }
            // The head of the registrar's list is its turn for this user.
            UserRule::InWeightedTurn if !self.is_used => 0,
            UserRule::InWeightedTurn => self.weighted_turn(rng),
            UserRule::AtRandom => self.random_position(rng),
            // The registrar drew one after the other.
            UserRule::ByLot if self.is_part && !self.is_used => 0,
            UserRule::ByLot => self.drawn_position(rng),
            UserRule::InOrder => 0,
            UserRule::HighestPriority => self.highest_priority(),
        };
        self.is_used = true;
        self.pool_elements.get(position).map(EncodedPoolElement::id)
    }

    /// Drops a pool element that is not to be selected again; `false` if it is not in the list.
    pub fn remove(&mut self, id: PoolElementId) -> bool {
        let Some(position) = self.position(id) else {
            return false;
        };
        self.pool_elements.remove(position);
        if position < self.turns.len() {
            self.turns.remove(position);
        }
        // A backup is for whoever cannot go to the one before it.
        if self.rule == UserRule::InOrder {
            self.is_used = false;
        }
        if position < self.turn {
            self.turn -= 1;
        }
        if self.turn == self.pool_elements.len() {
            self.turn = 0;
        }
        true
    }

    /// The pool element of this identifier.
    pub fn element(&self, id: PoolElementId) -> Option<&EncodedPoolElement> {
        self.position(id)
            .map(|position| &self.pool_elements[position])
    }

    /// The pool elements that are left, in the registrar's order.
    pub fn elements(&self) -> &[EncodedPoolElement] {
        &self.pool_elements
    }

    /// How many pool elements are left.
    pub fn len(&self) -> usize {
        self.pool_elements.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.pool_elements.is_empty()
    }

    fn position(&self, id: PoolElementId) -> Option<usize> {
        self.pool_elements
            .iter()
            .position(|element| element.id() == id)
    }

    fn random_position(&self, rng: &mut (impl Rng + ?Sized)) -> usize {
        let position = random_below(rng, self.pool_elements.len() as u64);
        usize::try_from(position).expect("below the length of a list")
    }

    /// §4.2.3, §4.2.2: each as often as its weight says, and evenly. Users begin anywhere in their
    /// lists, so that no pool element is the second one of all of them.
    fn weighted_turn(&mut self, rng: &mut (impl Rng + ?Sized)) -> usize {
        if self.turns.is_empty() {
            let first = |element: &EncodedPoolElement| match lap(element) {
                Some(lap) => lap / u128::from(u32::MAX) * u128::from(rng.next_u32()),
                None => u128::MAX,
            };
            self.turns = self.pool_elements.iter().map(first).collect();
        }
        let turns = self.turns.iter().enumerate();
        let next = turns.min_by_key(|&(_, turn)| turn);
        let (position, turn) = next.expect("there is a pool element");
        let lap = lap(&self.pool_elements[position]).unwrap_or(0);
        self.turns[position] = turn.saturating_add(lap);
        position
    }

    /// §4.4.1: each as likely as its lots are among all.
    fn drawn_position(&self, rng: &mut (impl Rng + ?Sized)) -> usize {
        let lots = |element: &EncodedPoolElement| u64::from(lots(&element.decode().policy));
        let all = self.pool_elements.iter().map(lots).sum();
        if all == 0 {
            return self.random_position(rng);
        }
        let mut drawn = random_below(rng, all);
        let is_drawn = |element: &EncodedPoolElement| {
            let own = lots(element);
            let is_drawn = drawn < own;
            drawn = drawn.saturating_sub(own);
            is_drawn
        };
        let position = self.pool_elements.iter().position(is_drawn);
        position.expect("what is drawn is below the sum")
    }

    /// §4.5.3: "the active pool element with the highest priority"; the first of several.
    fn highest_priority(&self) -> usize {
        let priority = |element: &EncodedPoolElement| {
            if let Policy::Priority { priority } = element.decode().policy {
                Some(priority)
            } else {
                None
            }
        };
        let priorities = self.pool_elements.iter().map(priority).enumerate();
        let best = priorities.rev().max_by_key(|&(_, priority)| priority);
        best.map_or(0, |(position, _)| position)
    }
}

/// A weight of 1 has its turn once in this time.
const ROUND: u128 = 1 << 64;

/// The time from one turn of a pool element to the next; `None` if it has none (§3.2).
fn lap(element: &EncodedPoolElement) -> Option<u128> {
    if let Policy::WeightedRoundRobin { weight } = element.decode().policy {
        ROUND.checked_div(u128::from(weight))
    } else {
        None
    }
}
