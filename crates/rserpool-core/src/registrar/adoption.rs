//! Adoption (RFC 5353 §3.5.2, step 2): pool elements that were taken over are asked to take this
//! registrar as their home.
//!
//! Who loses its home registrar looks for another one by itself; so the first
//! MAX-TIME-NO-RESPONSE is theirs, and only who has not come by then is asked: one association for
//! each distinct ASAP transport, so many at once as the limit says. An association is closed when
//! no pool element uses it any longer.
//! Must not know why they were taken over.

use super::contact::address_of;
use super::event::{Event, RemovalReason};
use super::{CloseReason, Output, Registrar, Remote, Timer, TimerId};
use crate::{AssociationId, PeerAddress, Timestamp, Transport};
use rserpool_handlespace::ElementKey;
use rserpool_wire::asap::EndpointKeepAlive;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU16;
use std::time::Duration;

/// No wait is shorter, whatever the configured timers.
const SHORTEST: Duration = Duration::from_millis(1);

/// Numbers what is adopted together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[repr(Rust, packed(4))] // see `Timer`
pub(super) struct AdoptionId(u64);

/// Pool elements that are being adopted. No more of them than pool elements that are owned.
#[derive(Clone, Debug, Default)]
pub(super) struct Adoptions {
    by_id: BTreeMap<AdoptionId, Adoption>,
    by_transport: BTreeMap<PeerAddress, AdoptionId>,
    by_element: BTreeMap<ElementKey, AdoptionId>,
    /// Associations for this purpose.
    by_association: BTreeMap<AssociationId, AdoptionId>,
    /// Those that wait for others to come to their end.
    queue: VecDeque<AdoptionId>,
    /// How many are under way.
    running: usize,
    last: AdoptionId,
}

/// Pool elements with one ASAP transport.
#[derive(Clone, Debug)]
struct Adoption {
    transport: Option<PeerAddress>,
    pool_elements: BTreeSet<ElementKey>,
    /// Until then its pool elements may come by themselves.
    not_before: Timestamp,
    phase: Phase,
    timer: TimerId,
    /// An association that was there already has led nowhere.
    is_second_try: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Timer, for the first of those that are queued together: they begin.
    Queued,
    /// Nobody knows where the pool elements are, or they have ended the association: perhaps for
    /// another registrar. They may register by themselves, here or there.
    Hoping,
    Connecting,
    /// Asked over an association that was there already.
    Asking,
    /// Asked, over an association for this purpose.
    Connected(AssociationId),
    /// All that answered have been adopted; the association is theirs.
    Settled(AssociationId),
}

impl Registrar {
    /// Asks pool elements to take this registrar as their home.
    pub(super) fn start_adoptions(&mut self, pool_elements: Vec<ElementKey>) {
        let mut first = None;
        for key in pool_elements {
            let transport = self.asap_transport(key);
            let known = transport
                .as_ref()
                .and_then(|transport| self.adoptions.by_transport.get(transport))
                .copied()
                .filter(|id| self.adoptions.is_beginning(*id));
            let id = known.unwrap_or_else(|| {
                let id = self.queue_adoption(transport);
                first.get_or_insert(id);
                id
            });
            self.adoptions.by_element.insert(key, id);
            if let Some(adoption) = self.adoptions.by_id.get_mut(&id) {
                adoption.pool_elements.insert(key);
            }
        }
        if let Some(first) = first
            && let Some(adoption) = self.adoptions.by_id.get_mut(&first)
        {
            let timer = Timer::Adoption(first);
            self.timers
                .start(&mut adoption.timer, timer, adoption.not_before);
        }
    }

    fn queue_adoption(&mut self, transport: Option<PeerAddress>) -> AdoptionId {
        let adoptions = &mut self.adoptions;
        let id = AdoptionId(adoptions.last.0 + 1);
        adoptions.last = id;
        if let Some(transport) = &transport {
            adoptions.by_transport.insert(transport.clone(), id);
        }
        let adoption = Adoption {
            transport,
            pool_elements: BTreeSet::new(),
            not_before: self.now + self.config.timers.max_time_no_response,
            phase: Phase::Queued,
            timer: TimerId::default(),
            is_second_try: false,
        };
        adoptions.by_id.insert(id, adoption);
        adoptions.queue.push_back(id);
        id
    }

    /// Where a pool element is reached by ASAP: what its home recorded.
    fn asap_transport(&self, key: ElementKey) -> Option<PeerAddress> {
        let element = self.handlespace.element(key)?.encoded.decode();
        let sctp = element.asap_transport?;
        Some(PeerAddress {
            transport: Transport::Sctp,
            addresses: sctp.addresses,
            port: sctp.port,
            udp_port: element.encapsulation_ports.asap.map(NonZeroU16::get),
        })
        .filter(|transport| transport.port != 0 && !transport.addresses.is_empty())
    }

    /// Begins as many as the window has room for.
    fn run_adoptions(&mut self) {
        while self.adoptions.running < self.config.limits.adoptions_at_once_max
            && let Some(id) = self.adoptions.queue.front().copied()
        {
            let adoption = self.adoptions.by_id.get(&id);
            if adoption.is_some_and(|adoption| adoption.not_before > self.now) {
                return;
            }
            self.adoptions.queue.pop_front();
            let needed = self.adoptions.by_id.get(&id).is_some_and(|adoption| {
                let mut keys = adoption.pool_elements.iter();
                keys.any(|key| self.is_to_be_adopted(*key))
            });
            if needed {
                self.adoptions.running += 1;
                self.run_adoption(id);
            } else {
                self.forget_adoption(id);
            }
        }
    }

    fn run_adoption(&mut self, id: AdoptionId) {
        self.start_adoption_timer(id);
        let adoption = self.adoptions.by_id.get(&id);
        let Some(transport) = adoption.and_then(|adoption| adoption.transport.clone()) else {
            return self.hope(id);
        };
        if let Some(association) = self.association_at(&address_of(&transport)) {
            self.set_adoption_phase(id, Phase::Asking);
            return self.ask_to_adopt(id, association);
        }
        self.connect_to_adopt(id, transport);
    }

    fn connect_to_adopt(&mut self, id: AdoptionId, transport: PeerAddress) {
        self.set_adoption_phase(id, Phase::Connecting);
        let to = Remote::PoolElement(transport);
        self.outputs.push_back(Output::Connect { to });
    }

    /// Nobody has answered over an association that was there already. It may have been cut
    /// without anybody having noticed; so it is set up anew, once, if nobody else uses it.
    fn ask_anew(&mut self, id: AdoptionId) {
        let Some(adoption) = self.adoptions.by_id.get_mut(&id) else {
            return;
        };
        let is_second_try = std::mem::replace(&mut adoption.is_second_try, true);
        let transport = adoption.transport.clone().filter(|_| !is_second_try);
        let Some(transport) = transport else {
            return self.end_adoption(id);
        };
        if let Some(association) = self.association_at(&address_of(&transport)) {
            if self.is_used(association) {
                return self.end_adoption(id);
            }
            self.close_association(association, CloseReason::NotNeeded);
        }
        self.start_adoption_timer(id);
        self.connect_to_adopt(id, transport);
    }

    /// Whether a pool element or a pool user uses an association.
    fn is_used(&self, association: AssociationId) -> bool {
        let up = self.associations.get(&association);
        up.is_some_and(|up| !up.pool_elements.is_empty() || !up.subscriptions.is_empty())
    }

    pub(super) fn on_pool_element_connected(
        &mut self,
        association: AssociationId,
        transport: &PeerAddress,
        peer: PeerAddress,
    ) {
        let id = self.connecting_adoption(transport);
        if !self.on_association_up(association, peer) {
            return self.on_pool_element_not_connected(transport);
        }
        let Some(id) = id else {
            return self.close_association(association, CloseReason::NotNeeded);
        };
        self.set_adoption_phase(id, Phase::Connected(association));
        self.adoptions.by_association.insert(association, id);
        self.ask_to_adopt(id, association);
    }

    /// Nobody is there; or the pool element itself has connected to this registrar meanwhile.
    pub(super) fn on_pool_element_not_connected(&mut self, transport: &PeerAddress) {
        let Some(id) = self.connecting_adoption(transport) else {
            return;
        };
        self.set_adoption_phase(id, Phase::Asking);
        match self.association_at(&address_of(transport)) {
            Some(association) => self.ask_to_adopt(id, association),
            None => self.end_adoption(id),
        }
    }

    fn connecting_adoption(&self, transport: &PeerAddress) -> Option<AdoptionId> {
        let id = *self.adoptions.by_transport.get(transport)?;
        let adoption = self.adoptions.by_id.get(&id)?;
        (adoption.phase == Phase::Connecting).then_some(id)
    }

    /// Step 2: "send a point-to-point ASAP_ENDPOINT_KEEP_ALIVE message, with the 'H' flag set to
    /// '1', to each of the PEs."
    fn ask_to_adopt(&mut self, id: AdoptionId, association: AssociationId) {
        let Some(adoption) = self.adoptions.by_id.get(&id) else {
            return;
        };
        let keys: Vec<_> = adoption.pool_elements.iter().copied().collect();
        for key in keys {
            let Some(element) = self.handlespace.element(key) else {
                continue;
            };
            let message = EndpointKeepAlive {
                registrar: self.config.id,
                home: true,
                pool_handle: element.pool_handle.clone(),
                pool_element: Some(element.id),
            };
            if self.is_to_be_adopted(key) {
                self.counters.keep_alives += 1;
                self.send(association, message);
            }
        }
        self.start_adoption_timer(id);
    }

    /// A pool element that was taken over has accepted this registrar as its home.
    pub(super) fn on_adoption_acknowledged(&mut self, key: ElementKey, association: AssociationId) {
        if !self.adopt(key, association) {
            return;
        }
        if let Some(element) = self.handlespace.element(key) {
            let event = Event::PoolElementAdopted {
                pool_handle: element.pool_handle.clone(),
                pool_element: element.id,
                association,
            };
            self.emit(event);
        }
        let Some(id) = self.adoptions.by_element.remove(&key) else {
            return;
        };
        let Some(adoption) = self.adoptions.by_id.get_mut(&id) else {
            return;
        };
        adoption.pool_elements.remove(&key);
        if adoption.pool_elements.is_empty() && adoption.phase != Phase::Queued {
            self.end_adoption(id);
        }
    }

    /// Time is up for those that have not answered; or it is looked whether an association is
    /// still needed.
    pub(super) fn fire_adoption(&mut self, id: AdoptionId) {
        let Some(adoption) = self.adoptions.by_id.get(&id) else {
            return;
        };
        let association = match adoption.phase {
            Phase::Settled(association) => association,
            Phase::Connecting => {
                self.stop_connecting(id);
                return self.end_adoption(id);
            }
            Phase::Queued => return self.run_adoptions(),
            Phase::Asking => return self.ask_anew(id),
            Phase::Hoping | Phase::Connected(_) => {
                return self.end_adoption(id);
            }
        };
        if self.is_used(association) {
            return self.start_adoption_timer(id);
        }
        self.close_association(association, CloseReason::NotNeeded);
    }

    /// Those that have not answered are removed, and the next ones begin.
    fn end_adoption(&mut self, id: AdoptionId) {
        let Some(adoption) = self.adoptions.by_id.get_mut(&id) else {
            return;
        };
        let silent = std::mem::take(&mut adoption.pool_elements);
        let phase = adoption.phase;
        if let Some(transport) = adoption.transport.take()
            && self.adoptions.by_transport.get(&transport) == Some(&id)
        {
            self.adoptions.by_transport.remove(&transport);
        }
        for key in silent {
            self.adoptions.by_element.remove(&key);
            if self.is_to_be_adopted(key) {
                self.remove(key, RemovalReason::NotAdopted);
            }
        }
        match phase {
            Phase::Connected(association) => {
                self.set_adoption_phase(id, Phase::Settled(association));
                self.start_adoption_timer(id);
            }
            Phase::Queued
            | Phase::Hoping
            | Phase::Connecting
            | Phase::Asking
            | Phase::Settled(_) => self.forget_adoption(id),
        }
        if phase != Phase::Hoping {
            self.adoptions.running = self.adoptions.running.saturating_sub(1);
        }
        self.run_adoptions();
    }

    /// Nothing is done until the timer expires: others can begin.
    fn hope(&mut self, id: AdoptionId) {
        self.set_adoption_phase(id, Phase::Hoping);
        self.adoptions.running = self.adoptions.running.saturating_sub(1);
    }

    /// An association is gone; if it was for this purpose, so is the adoption.
    pub(super) fn on_adoption_association_lost(&mut self, association: AssociationId) {
        let Some(id) = self.adoptions.by_association.remove(&association) else {
            return;
        };
        let phase = self.adoptions.by_id.get(&id).map(|adoption| adoption.phase);
        match phase {
            Some(Phase::Connected(_)) => {
                self.hope(id);
                self.run_adoptions();
            }
            Some(Phase::Settled(_)) => self.forget_adoption(id),
            None | Some(Phase::Queued | Phase::Hoping | Phase::Connecting | Phase::Asking) => {}
        }
    }

    fn set_adoption_phase(&mut self, id: AdoptionId, phase: Phase) {
        if let Some(adoption) = self.adoptions.by_id.get_mut(&id) {
            adoption.phase = phase;
        }
    }

    fn stop_connecting(&mut self, id: AdoptionId) {
        let adoption = self.adoptions.by_id.get(&id);
        if let Some(transport) = adoption.and_then(|adoption| adoption.transport.clone()) {
            let to = Remote::PoolElement(transport);
            self.outputs.push_back(Output::StopConnecting { to });
        }
    }

    fn forget_adoption(&mut self, id: AdoptionId) {
        let Some(mut adoption) = self.adoptions.by_id.remove(&id) else {
            return;
        };
        self.timers.stop(&mut adoption.timer, Timer::Adoption(id));
        if let Some(transport) = adoption.transport
            && self.adoptions.by_transport.get(&transport) == Some(&id)
        {
            self.adoptions.by_transport.remove(&transport);
        }
        for key in adoption.pool_elements {
            self.adoptions.by_element.remove(&key);
        }
    }

    /// As long as a pool element of this registrar's own may take until it has been asked and
    /// has answered.
    fn start_adoption_timer(&mut self, id: AdoptionId) {
        let timers = &self.config.timers;
        let patience = timers.keep_alive_interval * 3 / 2 + timers.keep_alive_timeout;
        let deadline = self.now + patience.max(SHORTEST);
        if let Some(adoption) = self.adoptions.by_id.get_mut(&id) {
            self.timers
                .start(&mut adoption.timer, Timer::Adoption(id), deadline);
        }
    }

    /// Nobody is connected to any longer.
    pub(super) fn stop_adoptions(&mut self) {
        for adoption in std::mem::take(&mut self.adoptions).by_id.into_values() {
            if let Some(transport) = adoption.transport
                && adoption.phase == Phase::Connecting
            {
                let to = Remote::PoolElement(transport);
                self.outputs.push_back(Output::StopConnecting { to });
            }
        }
    }
}

impl Adoptions {
    /// Whether more pool elements can be added: they have not been asked yet.
    fn is_beginning(&self, id: AdoptionId) -> bool {
        let adoption = self.by_id.get(&id);
        adoption.is_some_and(|adoption| matches!(adoption.phase, Phase::Queued | Phase::Connecting))
    }
}
