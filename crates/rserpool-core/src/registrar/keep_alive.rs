//! Endpoint keep-alive (RFC 5352 §3.4, §3.5).
//!
//! Each pool element has one timer: a keep-alive is due, or waits for its answer.
//! Must not know why a keep-alive is hastened.

use super::event::{Event, RemovalReason};
use super::{Registrar, Timer};
use crate::random::{around, duration_between};
use crate::{AssociationId, Timestamp};
use rserpool_handlespace::ElementKey;
use rserpool_wire::asap::{EndpointKeepAlive, EndpointKeepAliveAck};
use std::time::Duration;

/// Between two keep-alives there is at least this fraction of the interval.
const SPACING: u32 = 10;

/// No wait is shorter, whatever the configured timers: an empty wait would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

impl Registrar {
    /// The first keep-alive comes soon, so that whoever registers and is not there does not stay.
    pub(super) fn start_keep_alives(&mut self, key: ElementKey) {
        let interval = self.config.timers.keep_alive_interval;
        let delay = duration_between(&mut self.rng, interval / SPACING, interval / 2);
        self.start_keep_alive_timer(key, delay);
    }

    /// A keep-alive is due, or was not answered.
    pub(super) fn fire_keep_alive(&mut self, key: ElementKey) {
        let Some(element) = self.handlespace.element(key) else {
            return;
        };
        if element.data.association().is_none() {
            self.remove(key, RemovalReason::AssociationLost);
            return;
        }
        if !element.data.outstanding {
            return self.send_keep_alive(key);
        }
        // This registrar itself has slept: the answer may wait to be read.
        let grace = self.grace_until.since(self.now);
        if !grace.is_zero() {
            return self.start_keep_alive_timer(key, grace);
        }
        let reason = if element.data.is_reported_by_many(&self.config.timers) {
            RemovalReason::ReportedUnreachable
        } else {
            RemovalReason::KeepAliveTimeout
        };
        let missed = Event::KeepAliveMissed {
            pool_handle: element.pool_handle.clone(),
            pool_element: element.id,
        };
        self.emit(missed);
        self.remove_slow_element(key, reason);
    }

    /// Asks a pool element soon whether it is there. At most one keep-alive is outstanding, and
    /// between two there is some time: keep-alives must not be a weapon (RFC 5355 §2.14).
    pub(super) fn hasten_keep_alive(&mut self, key: ElementKey) {
        let Some(element) = self.handlespace.element(key) else {
            return;
        };
        if element.data.outstanding || element.data.association().is_none() {
            return;
        }
        let spacing = self.config.timers.keep_alive_interval / SPACING;
        let asked_at = element.data.asked_at.map(Timestamp::from);
        let earliest = asked_at.map(|asked_at| asked_at + spacing);
        let Some(earliest) = earliest.filter(|earliest| *earliest > self.now) else {
            return self.send_keep_alive(key);
        };
        let delay = earliest.since(self.now);
        let due = self
            .timers
            .deadline(element.data.keep_alive_timer, Timer::KeepAlive(key));
        if due.is_none_or(|due| due > earliest) {
            self.start_keep_alive_timer(key, delay);
        }
    }

    /// This registrar has slept: who of its pool elements died meanwhile is found out soon, and
    /// no peer is told of them before. Alone, it need not hurry.
    pub(super) fn doubt_all_pool_elements(&mut self) {
        if self.peers.by_id.is_empty() {
            return;
        }
        let timers = &self.config.timers;
        let spread = timers.keep_alive_interval / 2;
        // The last one is asked, does not answer, and gets one more timeout.
        let timeouts = timers.keep_alive_timeout.saturating_mul(2);
        self.tables_closed_until = self.now + spread + timeouts;
        let own: Vec<ElementKey> = self.handlespace.owned_by(self.config.id).collect();
        for key in own {
            let delay = duration_between(&mut self.rng, Duration::ZERO, spread);
            let Some(element) = self.handlespace.element(key) else {
                continue;
            };
            let timer = element.data.keep_alive_timer;
            let due = self.timers.deadline(timer, Timer::KeepAlive(key));
            let is_later = due.is_some_and(|due| due > self.now + delay);
            if is_later && !element.data.outstanding {
                self.start_keep_alive_timer(key, delay);
            }
        }
    }

    /// A pool element has closed its association, and it may be that a peer has it: this registrar
    /// has slept, and it was taken over meanwhile; or its registration here was long on its way,
    /// and that with the peer is the later one. The peer is about to say so; the pool element is
    /// removed only if none does.
    pub(super) fn put_off_removal(&mut self, key: ElementKey) -> bool {
        if !self.is_in_touch(key) || !self.peers.by_id.keys().any(|peer| self.is_live(*peer)) {
            return false;
        }
        let wait = if self.now < self.tables_closed_until {
            self.config.timers.max_time_no_response
        } else if self.is_doubtful(key) {
            self.config.timers.keep_alive_timeout
        } else {
            return false;
        };
        let Some(state) = self.handlespace.data_mut(key) else {
            return false;
        };
        state.outstanding = false;
        self.timers
            .stop(&mut state.life_timer, Timer::RegistrationLife(key));
        let association = state.take_association();
        if let Some(owner) = association.and_then(|of| self.associations.get_mut(&of)) {
            owner.pool_elements.remove(&key);
            owner.forget_stated(key);
        }
        self.start_keep_alive_timer(key, wait);
        true
    }

    /// Asks a pool element whether it is there, and starts to wait.
    fn send_keep_alive(&mut self, key: ElementKey) {
        let Some(element) = self.handlespace.element(key) else {
            return;
        };
        let Some(to) = element.data.association() else {
            return;
        };
        let message = EndpointKeepAlive {
            registrar: self.config.id,
            // H is only set to take a pool element over.
            home: false,
            pool_handle: element.pool_handle.clone(),
            pool_element: Some(element.id),
        };
        self.counters.keep_alives += 1;
        self.send(to, message);
        if let Some(state) = self.handlespace.data_mut(key) {
            state.outstanding = true;
            state.asked_at = Some(self.now.into());
        }
        self.start_keep_alive_timer(key, self.config.timers.keep_alive_timeout);
    }

    pub(super) fn on_endpoint_keep_alive_ack(
        &mut self,
        from: AssociationId,
        message: &EndpointKeepAliveAck,
    ) {
        let known = self
            .handlespace
            .find(&message.pool_handle, message.pool_element);
        let adopted =
            known.filter(|key| self.is_to_be_adopted(*key) && self.is_recorded_sender(from, *key));
        if let Some(key) = adopted {
            self.counters.keep_alive_acks += 1;
            return self.on_adoption_acknowledged(key, from);
        }
        let awaited = known.filter(|key| {
            // Nobody answers for another.
            self.handlespace.element(*key).is_some_and(|element| {
                element.data.association() == Some(from) && element.data.outstanding
            })
        });
        match awaited {
            Some(key) => {
                self.counters.keep_alive_acks += 1;
                self.on_sign_of_life(key);
            }
            None if known.is_none() && self.reinstates(from, message) => {
                self.counters.keep_alive_acks += 1;
            }
            None => self.counters.keep_alive_acks_ignored += 1,
        }
    }

    /// A keep-alive could not be sent: "the ENRP server MUST consider the PE as unreachable and
    /// MUST remove the PE from its handlespace" (RFC 5352 §3.5).
    pub(super) fn on_keep_alive_not_sent(
        &mut self,
        association: AssociationId,
        message: &EndpointKeepAlive,
    ) {
        let known = message
            .pool_element
            .and_then(|id| self.handlespace.find(&message.pool_handle, id));
        let owned = known.filter(|key| {
            let element = self.handlespace.element(*key);
            element.is_some_and(|element| element.data.association() == Some(association))
        });
        if let Some(key) = owned {
            self.remove(key, RemovalReason::SendFailed);
        }
    }

    /// The pool element is there. The next keep-alive is due in its time: a registration is a
    /// sign of life too, but does not put off a keep-alive that is not outstanding. Else a pool
    /// element that registers often would never be asked.
    pub(super) fn on_sign_of_life(&mut self, key: ElementKey) {
        let Some(state) = self.handlespace.data_mut(key) else {
            return;
        };
        state.heard_at = self.now.into();
        let rare = state.rare.take();
        if std::mem::take(&mut state.outstanding) {
            let delay = around(&mut self.rng, self.config.timers.keep_alive_interval);
            self.start_keep_alive_timer(key, delay);
        }
        if let Some(rare) = rare {
            self.rebut_claim(key, &rare);
        }
    }

    pub(super) fn start_keep_alive_timer(&mut self, key: ElementKey, delay: Duration) {
        let deadline = self.now + delay.max(SHORTEST);
        if let Some(state) = self.handlespace.data_mut(key) {
            let timer = Timer::KeepAlive(key);
            self.timers
                .start(&mut state.keep_alive_timer, timer, deadline);
        }
    }
}
