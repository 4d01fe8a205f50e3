//! Business cards (RFC 5352 §3.9): pool elements say by whom they would like to be replaced, and so
//! do pool users that are pool elements, too. Some pool elements lie, or do not know better.
//!
//! Must not know what is made of them.

use super::World;
use super::build::SERVICE_PORT;
use crate::check::Rule;
use crate::network::{Channel, EndId};
use crate::node::{NodeId, addresses};
use crate::session::SessionId;
use rserpool_core::session::{
    PREFERRED_ELEMENTS_MAX, PoolElementSessionCommand, PoolUserSessionInput,
};
use rserpool_wire::asap::{BusinessCard, Message};
use rserpool_wire::parameter::{
    EncapsulationPorts, EncodedPoolElement, Policy, PoolElement, SctpTransport, TransportUse,
    UserTransport,
};
use rserpool_wire::{Decoded, PoolElementId, RegistrationLife, Undecodable};

/// More than any pool has, and more than fit into a message.
const FLOOD: u32 = 10_000;

/// The most pool elements in a pool user's own card.
const OWN_MAX: usize = 100;

impl World {
    /// A session has come to a pool element: some give their card at once, others never.
    pub(super) fn give_first_card(&mut self, end: EndId) {
        if self.has_control_channel(end) && self.random.percent(60) {
            self.give_card(end);
        }
    }

    /// Some change their mind.
    pub(super) fn give_another_card(&mut self, end: EndId) {
        if self.has_control_channel(end) && self.random.percent(1) {
            self.give_card(end);
        }
    }

    fn give_card(&mut self, end: EndId) {
        let node = self.node_of(end);
        let card = self.card_of(node);
        if let Some(served) = self.sessions.served.get_mut(&end) {
            let command = PoolElementSessionCommand::SendBusinessCard(card);
            served.control.handle_command(command);
            self.settle_served(end);
        }
    }

    /// The pool elements of its pool, living and dead, in an order of its own; or nonsense.
    fn card_of(&mut self, node: NodeId) -> BusinessCard {
        let elements = self.roster.elements.iter();
        let index = elements.clone().position(|other| *other == node);
        let pool = index.unwrap_or(0) % self.scenario.pools.max(1);
        let pool_handle = self.pool_handle(pool);
        let others: Vec<NodeId> = elements.copied().collect();
        let known = others.into_iter().filter_map(|other| {
            let (handle, id) = self.checker.latest_key(other)?;
            (handle == pool_handle).then_some((id, other))
        });
        let mut order: Vec<(PoolElementId, NodeId)> = known.collect();
        for last in (1..order.len()).rev() {
            let other = self.random.index(last + 1);
            order.swap(last, other);
        }
        let mut card = BusinessCard {
            pool_handle,
            pool_elements: order.iter().map(|(id, node)| entry(*id, *node)).collect(),
        };
        match self.random.below(200) {
            // Nobody: no order is left.
            0..10 => card.pool_elements.clear(),
            10..30 => card.pool_handle = self.pool_handle(self.scenario.pools + 1),
            // Strangers among them, and the same one again.
            30..50 => {
                let stranger = PoolElementId(u32::MAX - pool_number(pool));
                card.pool_elements.insert(0, entry(stranger, node));
                card.pool_elements.extend_from_within(..);
            }
            50 => card.pool_elements.extend((1..FLOOD).map(|number| {
                let id = PoolElementId(number);
                entry(id, node)
            })),
            _ => {}
        }
        card
    }

    /// Each third session with a control channel is held by a pool user that is a pool element.
    pub(super) fn introduce(&mut self, id: SessionId) {
        let is_element = id.0.is_multiple_of(3) || self.scenario.peers;
        let node = if self.scenario.peers {
            let user = self.sessions.held.get(&id).map(|held| held.node);
            user.and_then(|user| self.own_element(user))
        } else {
            self.random.pick(&self.roster.elements).copied()
        };
        let Some(node) = node.filter(|_| is_element) else {
            return;
        };
        // It knows what fits into a message.
        let mut card = self.card_of(node);
        card.pool_elements.truncate(OWN_MAX);
        if let Some(held) = self.sessions.held.get_mut(&id)
            && held.channel == Channel::Control
        {
            held.own_card = Some(card.clone());
            let input = PoolUserSessionInput::SetBusinessCard(card);
            held.control.handle_input(input);
        }
    }

    /// The pool user is a pool element, too.
    pub(super) fn on_own_card(&mut self, end: EndId, card: BusinessCard) {
        let Some(served) = self.sessions.served.get_mut(&end) else {
            return;
        };
        if served.card.replace(card).is_some() || served.has_begun {
            let text = format_args!("is given a second business card, or a late one");
            self.violate(Rule::BusinessCard, self.node_of(end), text);
        }
    }

    /// A card is on its way to the session that it is for.
    pub(super) fn note_card(
        &mut self,
        id: SessionId,
        message: &Result<Decoded<Message>, Undecodable>,
    ) {
        if let Ok(decoded) = message
            && let Message::BusinessCard(card) = &decoded.message
            && let Some(held) = self.sessions.held.get_mut(&id)
            && held.pool_handle == card.pool_handle
        {
            let order = card.pool_elements.iter().map(EncodedPoolElement::id);
            held.card = order.take(PREFERRED_ELEMENTS_MAX).collect();
        }
    }

    /// Another pool element serves: what the one before recommended was for that.
    pub(super) fn follow_card(&mut self, id: SessionId) {
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.card.clear();
            held.recommended.clear();
            held.candidates.clear();
            held.has_asked_order = false;
        }
    }
}

fn pool_number(pool: usize) -> u32 {
    u32::try_from(pool).unwrap_or(0)
}

/// What a card says of a pool element: only its identifier is of use.
fn entry(id: PoolElementId, node: NodeId) -> EncodedPoolElement {
    EncodedPoolElement::from(&PoolElement {
        id,
        home_registrar: None,
        registration_life: RegistrationLife::Seconds(60),
        user_transport: UserTransport::Sctp(SctpTransport {
            port: SERVICE_PORT,
            transport_use: TransportUse::DATA_PLUS_CONTROL,
            addresses: addresses(node),
        }),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation_ports: EncapsulationPorts::default(),
    })
}
