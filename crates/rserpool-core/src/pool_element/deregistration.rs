//! Deregistration (RFC 5352 §3.2): D1 to D4, T3-deregistration; and the registrar's word that
//! the registration has ended (§2.2.4).
//!
//! Must not know how a home registrar is found.

use super::registration::Outstanding;
use super::{Event, Goal, PoolElement, Timer};
use crate::AssociationId;
use crate::random::around;
use rserpool_wire::asap::{Deregistration, DeregistrationResponse};
use std::time::Duration;

/// A registrar that ends a registration sooner than this after granting it is not asked again at
/// once: the two could go on like that for ever.
const SETTLING: Duration = Duration::from_secs(1);

impl PoolElement {
    pub(super) fn start_deregistering(&mut self) {
        let may_be_known = self.is_registered || self.outstanding.is_some();
        self.stop_waiting();
        self.attempts = 0;
        if may_be_known || self.granted.is_some() {
            self.goal = Goal::Deregistered;
        } else {
            self.on_deregistered();
        }
    }

    /// D1 to D4.
    pub(super) fn send_deregistration(&mut self) {
        let Some(home) = &self.home else {
            return;
        };
        let to = home.association;
        let message = Deregistration {
            pool_handle: self.config.pool_handle.clone(),
            pool_element: self.id,
        };
        self.outputs.send(to, message);
        self.outstanding = Some(Outstanding::Deregistration);
        let t3 = self.config.timers.t3_deregistration;
        self.timers.start(Timer::T3Deregistration, self.now + t3);
    }

    pub(super) fn on_deregistration_response(
        &mut self,
        from: AssociationId,
        response: DeregistrationResponse,
    ) {
        let is_ours = self.is_home(from)
            && response.pool_handle == self.config.pool_handle
            && response.pool_element == self.id;
        match (&self.outstanding, response.error) {
            (Some(Outstanding::Deregistration), None) if is_ours => self.on_deregistered(),
            (Some(Outstanding::Deregistration), Some(error)) if is_ours => {
                self.goal = Goal::Nothing;
                self.leave_registrars();
                self.outputs.emit(Event::DeregistrationRejected { error });
            }
            (None, None) if is_ours && self.is_registered => self.on_expired(),
            // A registration is under way: what ended was the one before.
            (Some(Outstanding::Registration { .. } | Outstanding::Deregistration) | None, _) => {
                self.discarded += 1;
            }
        }
    }

    fn on_deregistered(&mut self) {
        self.goal = Goal::Nothing;
        self.granted = None;
        self.leave_registrars();
        self.outputs.emit(Event::Deregistered);
    }

    /// The registrar has removed this pool element, which is alive: it registers again at once.
    fn on_expired(&mut self) {
        self.outputs.emit(Event::Expired);
        self.timers.stop(&Timer::T4Reregistration);
        self.is_registered = false;
        self.is_due = true;
        let settled = self.granted_at.map(|granted_at| granted_at + SETTLING);
        if settled.is_some_and(|settled| settled > self.now) {
            let wait = around(&mut self.rng, SETTLING);
            self.timers.start(Timer::Retry, self.now + wait);
        }
    }

    /// T3-deregistration ran out: another registrar is looked for and asked.
    pub(super) fn fire_deregistration(&mut self) {
        self.outstanding = None;
        self.count_failed_attempt();
        if self.goal == Goal::Deregistered {
            self.abandon_home();
        }
    }
}
