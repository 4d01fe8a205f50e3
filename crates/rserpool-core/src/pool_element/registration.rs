//! Registration (RFC 5352 §3.1): R1 to R4, T2-registration, T4-reregistration.
//!
//! Must not know how a home registrar is found.

use super::{Event, Goal, PoolElement, Timer, UserProtocol};
use crate::AssociationId;
use crate::random::{around, duration_between};
use rand_core::Rng;
use rserpool_wire::asap::{Registration, RegistrationResponse};
use rserpool_wire::parameter::{
    DatagramTransport, DccpTransport, ErrorCause, OperationError, Policy, SctpTransport,
    TcpTransport, UserTransport,
};
use rserpool_wire::{PoolElementId, parameter};
use std::net::IpAddr;
use std::time::Duration;

/// T4-reregistration is this much less than the registration life (RFC 5352 §7.1).
const T4_MARGIN: Duration = Duration::from_secs(20);

/// A request that waits for its response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outstanding {
    Registration { policy: Policy },
    Deregistration,
}

impl PoolElement {
    pub(super) fn start_registering(&mut self) {
        if self.goal == Goal::Registered {
            return;
        }
        self.goal = Goal::Registered;
        self.is_refused = false;
        self.stop_waiting();
        self.attempts = 0;
        self.is_due = true;
    }

    /// A new policy value is registered at once; while a registration is outstanding, when that
    /// has been answered. After a rejection it is the correction that allows another attempt.
    pub(super) fn set_policy(&mut self, policy: Policy) {
        if self.config.policy == policy {
            return;
        }
        self.config.policy = policy;
        if self.is_refused {
            self.start_registering();
        } else if self.goal == Goal::Registered {
            self.timers.stop(&Timer::Retry);
            self.is_due = true;
        }
    }

    /// Sends a registration that is due, unless it is to wait.
    pub(super) fn register_if_due(&mut self) {
        if self.is_due && self.timers.deadline(&Timer::Retry).is_none() {
            self.is_due = false;
            self.send_registration();
        }
    }

    /// R2 to R4.
    fn send_registration(&mut self) {
        let Some(home) = &self.home else {
            return;
        };
        let to = home.association;
        let addresses = self.config.addresses.as_ref().unwrap_or(&home.local);
        let Some(user_transport) = self.user_transport(addresses) else {
            self.refuse();
            return self.outputs.emit(Event::RegistrationRejected {
                error: None,
                will_retry: false,
            });
        };
        let policy = self.config.policy.clone();
        let compatibility = self.config.compatibility;
        let pool_handle = self.config.pool_handle.clone();
        let pool_element = parameter::PoolElement {
            id: self.id,
            home_registrar: None,
            registration_life: compatibility.registration_life(self.config.registration_life),
            user_transport,
            policy: policy.clone(),
            asap_transport: None,
            encapsulation_ports: self.config.encapsulation_ports,
        };
        // What rsplib's registrars cannot read may end them: it is not sent at all.
        if let Err(cause) = compatibility.check(&pool_handle, &pool_element) {
            self.refuse();
            return self.outputs.emit(Event::RegistrationRejected {
                error: Some(OperationError::from(cause)),
                will_retry: false,
            });
        }
        let message = Registration {
            pool_handle,
            pool_element,
        };
        self.outputs.send(to, message);
        self.outstanding = Some(Outstanding::Registration { policy });
        self.timers.stop(&Timer::T4Reregistration);
        let t2 = self.backed_off(self.config.timers.t2_registration);
        self.timers.start(Timer::T2Registration, self.now + t2);
    }

    pub(super) fn on_registration_response(
        &mut self,
        from: AssociationId,
        response: RegistrationResponse,
    ) {
        let is_ours = self.is_home(from)
            && response.pool_handle == self.config.pool_handle
            && response.pool_element == self.id;
        let policy = match (&self.outstanding, is_ours) {
            (Some(Outstanding::Registration { policy }), true) => policy.clone(),
            (Some(Outstanding::Registration { .. } | Outstanding::Deregistration) | None, _) => {
                self.discarded += 1;
                return;
            }
        };
        self.timers.stop(&Timer::T2Registration);
        self.outstanding = None;
        match response.result {
            Ok(warning) => self.on_granted(policy, warning),
            Err(error) => self.on_rejected(error),
        }
    }

    fn on_granted(&mut self, policy: Policy, warning: Option<OperationError>) {
        self.attempts = 0;
        self.is_due |= policy != self.config.policy;
        self.granted = Some(policy);
        self.granted_at = Some(self.now);
        let t4 = self.t4_reregistration();
        self.timers.start(Timer::T4Reregistration, self.now + t4);
        if let Some(home) = self.home.as_ref().filter(|_| !self.is_registered) {
            let event = Event::Registered {
                home: home.address.clone(),
                id: self.id,
                warning,
            };
            self.is_registered = true;
            self.outputs.emit(event);
        }
    }

    /// "The PE MUST NOT re-attempt registration without correcting the error condition."
    fn on_rejected(&mut self, error: Option<OperationError>) {
        let causes = error.as_ref().map_or(&[][..], |error| &error.causes);
        let is_not_unique = causes.contains(&ErrorCause::NonUniquePoolElementIdentifier);
        let may_pass = is_not_unique || causes.contains(&ErrorCause::LackOfResources);
        let granted = self.granted.take();
        let will_retry = if let Some(granted) =
            granted.filter(|granted| self.is_registered && *granted != self.config.policy)
        {
            // Corrected by going back: with the policy that was granted it is still registered.
            self.config.policy = granted.clone();
            self.granted = Some(granted);
            let t4 = self.t4_reregistration();
            self.timers.start(Timer::T4Reregistration, self.now + t4);
            true
        } else {
            self.is_registered = false;
            if is_not_unique && self.config.id.is_none() && self.count_attempt() {
                // Corrected by another identifier.
                self.id = random_id(&mut self.rng);
                self.is_due = true;
                true
            } else if may_pass && self.config.timers.keep_trying {
                // Corrected, perhaps, by time: the other one may be an entry of our own past.
                let wait = self.backed_off(self.config.timers.t2_registration);
                let wait = around(&mut self.rng, wait);
                self.timers.start(Timer::Retry, self.now + wait);
                self.attempts = self.attempts.saturating_add(1);
                self.is_due = true;
                true
            } else {
                self.refuse();
                false
            }
        };
        self.outputs
            .emit(Event::RegistrationRejected { error, will_retry });
    }

    /// Nothing more is tried until something has been corrected.
    fn refuse(&mut self) {
        self.goal = Goal::Nothing;
        self.is_refused = true;
    }

    /// T2-registration ran out: "the PE shall start the Server Hunt procedure in an attempt to
    /// get service from a different ENRP server."
    pub(super) fn fire_registration(&mut self) {
        self.outstanding = None;
        self.is_due = true;
        self.count_failed_attempt();
        if self.goal == Goal::Nothing {
            self.leave_registrars();
        } else {
            self.abandon_home();
        }
    }

    /// MAX-REG-ATTEMPT: "the implementation SHOULD report the error to its upper layer and stop
    /// attempting registration." It goes on if the timers say so.
    pub(super) fn count_failed_attempt(&mut self) {
        let most = self.config.timers.max_reg_attempt;
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts <= most {
            return;
        }
        let attempts = self.attempts;
        match self.goal {
            Goal::Registered => {
                let will_retry = self.config.timers.keep_trying;
                if attempts == most.saturating_add(1) {
                    self.outputs.emit(Event::RegistrationFailed {
                        attempts,
                        will_retry,
                    });
                }
                if !will_retry {
                    self.goal = Goal::Nothing;
                    self.leave_registrars();
                }
            }
            Goal::Deregistered => {
                self.outputs.emit(Event::DeregistrationFailed { attempts });
                self.goal = Goal::Nothing;
                self.leave_registrars();
            }
            Goal::Nothing => {}
        }
    }

    /// Whether one more attempt is allowed; if so, it counts.
    fn count_attempt(&mut self) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        self.attempts <= self.config.timers.max_reg_attempt
    }

    /// The timer, doubled with each failed attempt, at most RETRAN-MAX.
    pub(super) fn backed_off(&self, timer: Duration) -> Duration {
        let most = self.config.timers.retran_max.max(timer);
        let factor = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        timer.saturating_mul(factor).min(most)
    }

    /// T4-reregistration: as configured "or 20 seconds less than the Lifetime parameter used in
    /// the registration request (whichever is less)"; half of a life that is too short for that.
    /// A little less, so that many that registered together do not renew together for ever.
    fn t4_reregistration(&mut self) -> Duration {
        let configured = self.config.timers.t4_reregistration;
        let t4 = self.config.registration_life.map_or(configured, |life| {
            let before_the_end = life.saturating_sub(T4_MARGIN).max(life / 2);
            configured.min(before_the_end)
        });
        duration_between(&mut self.rng, t4 * 7 / 8, t4).max(Duration::from_millis(1))
    }

    fn user_transport(&self, addresses: &[IpAddr]) -> Option<UserTransport> {
        let template = &self.config.user_transport;
        let port = template.port;
        let first = addresses.first().copied();
        let datagram = || first.map(|address| DatagramTransport { port, address });
        Some(match &template.protocol {
            UserProtocol::Sctp => UserTransport::Sctp(SctpTransport {
                port,
                transport_use: template.transport_use,
                addresses: first.map(|_| addresses.to_vec())?,
            }),
            UserProtocol::Tcp => {
                let address = first?;
                UserTransport::Tcp(TcpTransport { port, address })
            }
            UserProtocol::Udp => UserTransport::Udp(datagram()?),
            UserProtocol::UdpLite => UserTransport::UdpLite(datagram()?),
            UserProtocol::Dccp { service_code } => UserTransport::Dccp(DccpTransport {
                port,
                service_code: *service_code,
                address: first?,
            }),
            UserProtocol::Opaque(octets) => UserTransport::Opaque(octets.clone()),
        })
    }
}

/// A random identifier (RFC 5352 §3.1, R2.2); never 0, which rsplib takes for none.
pub(super) fn random_id(rng: &mut impl Rng) -> PoolElementId {
    PoolElementId(rng.next_u32().max(1))
}
