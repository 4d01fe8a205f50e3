//! Associations: who is connected, and what goes when an association does.
//!
//! Must not know transports.

use super::contact::address_of;
use super::event::{Event, RemovalReason, SubscriptionEnd};
use super::peer::Peers;
use super::peer_address::Unconfirmed;
use super::{CloseReason, Limit, Output, Registrar};
use crate::rate_limit::RateLimit;
use crate::{AssociationId, PeerAddress, RegistrarAddress, SCTP_UDP_PORT, Transport};
use rserpool_handlespace::ElementKey;
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::Message;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// An association that is up.
#[derive(Clone, Debug)]
pub(super) struct Association {
    pub(super) peer: PeerAddress,
    /// The pool elements registered over it.
    pub(super) pool_elements: BTreeSet<ElementKey>,
    /// Some pool element has been registered over it.
    pub(super) has_registered: bool,
    /// Most peers have none; so it is a pointer.
    pub(super) unconfirmed: Option<Box<Unconfirmed>>,
    /// The pools it gets updates of.
    pub(super) subscriptions: BTreeSet<PoolHandle>,
    /// Reports of unreachable pool elements.
    pub(super) reports: RateLimit,
    /// ASAP_ERROR messages sent to it.
    pub(super) errors: RateLimit,
}

impl Registrar {
    /// Whether there is room for it; else it is closed.
    pub(super) fn on_association_up(
        &mut self,
        association: AssociationId,
        peer: PeerAddress,
    ) -> bool {
        if self.shutting_down {
            self.close(association, CloseReason::ShuttingDown);
            return false;
        }
        if self.associations.contains_key(&association) {
            return false;
        }
        if self.associations.len() >= self.config.limits.associations_max {
            self.count_limit(Limit::Associations, Some(association));
            self.close(association, CloseReason::TooManyAssociations);
            return false;
        }
        for endpoint in endpoints(&address_of(&peer)) {
            self.endpoints.insert(endpoint, association);
        }
        let event = Event::AssociationUp {
            association,
            peer: peer.clone(),
        };
        self.emit(event);
        let up = Association {
            peer,
            pool_elements: BTreeSet::new(),
            has_registered: false,
            unconfirmed: None,
            subscriptions: BTreeSet::new(),
            reports: RateLimit::default(),
            errors: RateLimit::default(),
        };
        self.associations.insert(association, up);
        true
    }

    /// The pool elements registered over it are gone at once: nobody resolves to them any more.
    /// Those that have registered over another association since are not touched.
    pub(super) fn on_association_lost(&mut self, association: AssociationId) {
        let Some(lost) = self.associations.remove(&association) else {
            return;
        };
        for endpoint in endpoints(&address_of(&lost.peer)) {
            if self.endpoints.get(&endpoint) == Some(&association) {
                self.endpoints.remove(&endpoint);
            }
        }
        // First of all: what follows is told to peers, and no longer over this one.
        self.on_link_lost(association);
        self.forget_slow_elements(association);
        self.deferred_resolutions
            .retain(|(from, _)| *from != association);
        for pool_handle in &lost.subscriptions {
            self.subscriptions.remove(association, pool_handle);
            self.emit(Event::SubscriptionEnded {
                association,
                pool_handle: pool_handle.clone(),
                reason: SubscriptionEnd::AssociationLost,
            });
        }
        let pool_elements = lost.pool_elements.len();
        for key in lost.pool_elements {
            self.remove(key, RemovalReason::AssociationLost);
        }
        self.emit(Event::AssociationLost {
            association,
            pool_elements,
        });
        self.on_adoption_association_lost(association);
    }

    /// The association whose other end is there.
    pub(super) fn association_at(&self, address: &RegistrarAddress) -> Option<AssociationId> {
        endpoints(address)
            .filter_map(|endpoint| self.endpoints.get(&endpoint).copied())
            .next()
    }

    /// Closes an association, and what depends on it ends.
    pub(super) fn close_association(&mut self, association: AssociationId, reason: CloseReason) {
        self.close(association, reason);
        self.on_association_lost(association);
    }

    /// Only what fails to reach a pool element matters (RFC 5352 §3.5): who asks and cannot be
    /// answered asks again.
    pub(super) fn on_send_failed(&mut self, association: AssociationId, message: Option<&Message>) {
        if let Some(Message::EndpointKeepAlive(keep_alive)) = message {
            self.on_keep_alive_not_sent(association, keep_alive);
        }
    }

    /// Stops: who is connected looks for another registrar as soon as its association closes.
    /// What was answered before is sent before.
    pub(super) fn shut_down(&mut self) {
        if std::mem::replace(&mut self.shutting_down, true) {
            return;
        }
        self.stop_announces();
        self.stop_contacts();
        self.stop_adoptions();
        self.peers = Peers::default();
        self.endpoints.clear();
        self.slow_elements.clear();
        let associations = std::mem::take(&mut self.associations);
        for association in associations.into_keys() {
            self.close(association, CloseReason::ShuttingDown);
        }
        self.timers = crate::TimerQueue::default();
        self.subscriptions = super::Subscriptions::default();
        self.emit(Event::ShutDown);
    }

    fn close(&mut self, association: AssociationId, reason: CloseReason) {
        self.outputs.push_back(Output::Close {
            association,
            reason,
        });
    }
}

/// A transport, an address, its port, and the UDP port at which SCTP is encapsulated.
pub(super) type Endpoint = (Transport, IpAddr, u16, u16);

pub(super) fn endpoints(address: &RegistrarAddress) -> impl Iterator<Item = Endpoint> + use<'_> {
    let udp_port = address.udp_port.unwrap_or(SCTP_UDP_PORT);
    let addresses = address.addresses.iter();
    addresses.map(move |ip| (address.transport, ip.to_canonical(), address.port, udp_port))
}
