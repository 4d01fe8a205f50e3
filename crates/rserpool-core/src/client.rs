//! What pool element and pool user have in common: both are clients of registrars.
//!
//! Must not know what a client asks for.

use crate::rate_limit::RateLimit;
use crate::server_hunt::{HuntOutput, ServerHunt};
use crate::{AssociationId, RegistrarAddress, Timestamp};
use rserpool_wire::asap::{self, Message};
use rserpool_wire::parameter::{ErrorCause, OperationError};
use std::collections::VecDeque;

/// ASAP_ERROR messages per second: two ends that find fault with each other must not do so for
/// ever.
const ERRORS_PER_SECOND: u32 = 10;

/// What a client of registrars wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientOutput<E> {
    /// Establish an association or connection with a registrar.
    Connect {
        /// How it is reached.
        registrar: RegistrarAddress,
    },
    /// Stop establishing it; nothing happens if it is up or has failed already.
    StopConnecting {
        /// How it is reached.
        registrar: RegistrarAddress,
    },
    /// Send a message.
    Send {
        /// To whom.
        to: AssociationId,
        /// The message.
        message: Message,
    },
    /// Close an association after everything before has been sent.
    Close {
        /// Which.
        association: AssociationId,
    },
    /// Tell whoever wants to know.
    Event(E),
}

/// The outputs of a client in their order.
#[derive(Debug)]
pub(crate) struct Outbox<E> {
    outputs: VecDeque<ClientOutput<E>>,
    errors: RateLimit,
}

impl<E> Outbox<E> {
    pub(crate) fn new() -> Self {
        Self {
            outputs: VecDeque::new(),
            errors: RateLimit::default(),
        }
    }

    /// The next one.
    pub(crate) fn pop(&mut self) -> Option<ClientOutput<E>> {
        self.outputs.pop_front()
    }

    pub(crate) fn send(&mut self, to: AssociationId, message: impl Into<Message>) {
        let message = message.into();
        self.outputs.push_back(ClientOutput::Send { to, message });
    }

    /// Reports what was wrong with a message, if anything (RFC 5352 §2.2.14).
    pub(crate) fn send_error(
        &mut self,
        now: Timestamp,
        to: AssociationId,
        causes: Vec<ErrorCause>,
    ) {
        if !causes.is_empty() && self.errors.admit(now, ERRORS_PER_SECOND) {
            let error = OperationError { causes };
            self.send(to, asap::Error { error });
        }
    }

    pub(crate) fn close(&mut self, association: AssociationId) {
        self.outputs.push_back(ClientOutput::Close { association });
    }

    pub(crate) fn emit(&mut self, event: E) {
        self.outputs.push_back(ClientOutput::Event(event));
    }

    /// Does what the server hunt wants done.
    pub(crate) fn forward(&mut self, hunt: &mut ServerHunt) {
        for output in hunt.take_outputs() {
            self.outputs.push_back(match output {
                HuntOutput::Connect(registrar) => ClientOutput::Connect { registrar },
                HuntOutput::StopConnecting(registrar) => ClientOutput::StopConnecting { registrar },
            });
        }
    }
}
