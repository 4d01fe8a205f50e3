//! Associations: who is connected, and what goes when an association does.
//!
//! Must not know transports.

use super::event::{Event, RemovalReason, SubscriptionEnd};
use super::{CloseReason, Limit, Output, Registrar};
use crate::rate_limit::RateLimit;
use crate::{AssociationId, PeerAddress};
use rserpool_handlespace::ElementKey;
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::Message;
use std::collections::BTreeSet;

/// An association that is up.
#[derive(Clone, Debug)]
pub(super) struct Association {
    pub(super) peer: PeerAddress,
    /// The pool elements registered over it.
    pub(super) pool_elements: BTreeSet<ElementKey>,
    /// The pools it gets updates of.
    pub(super) subscriptions: BTreeSet<PoolHandle>,
    /// Reports of unreachable pool elements.
    pub(super) reports: RateLimit,
    /// ASAP_ERROR messages sent to it.
    pub(super) errors: RateLimit,
}

impl Registrar {
    pub(super) fn on_association_up(&mut self, association: AssociationId, peer: PeerAddress) {
        if self.shutting_down {
            return self.close(association, CloseReason::ShuttingDown);
        }
        if self.associations.contains_key(&association) {
            return;
        }
        if self.associations.len() >= self.config.limits.associations_max {
            self.count_limit(Limit::Associations, Some(association));
            return self.close(association, CloseReason::TooManyAssociations);
        }
        let event = Event::AssociationUp {
            association,
            peer: peer.clone(),
        };
        self.emit(event);
        let up = Association {
            peer,
            pool_elements: BTreeSet::new(),
            subscriptions: BTreeSet::new(),
            reports: RateLimit::default(),
            errors: RateLimit::default(),
        };
        self.associations.insert(association, up);
    }

    /// The pool elements registered over it are gone at once: nobody resolves to them any more.
    /// Those that have registered over another association since are not touched.
    pub(super) fn on_association_lost(&mut self, association: AssociationId) {
        let Some(lost) = self.associations.remove(&association) else {
            return;
        };
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
