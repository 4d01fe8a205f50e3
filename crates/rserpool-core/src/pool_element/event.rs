//! What the user of a pool element wants to know.

use crate::RegistrarAddress;
use rserpool_wire::parameter::OperationError;
use rserpool_wire::{DecodeError, PoolElementId, RegistrarId};

/// Something happened to a registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// No home registrar: one is looked for (RFC 5352 §3.6).
    ServerHuntStarted {
        /// The registrar that was lost, if there was one.
        lost: Option<RegistrarAddress>,
    },
    /// There is a home registrar, and it was not there before.
    HomeRegistrarChanged {
        /// Where it is.
        home: RegistrarAddress,
        /// Who it is, if it has said so.
        registrar: Option<RegistrarId>,
    },
    /// Registered, after not having been.
    Registered {
        /// The home registrar.
        home: RegistrarAddress,
        /// The identifier under which it is registered.
        id: PoolElementId,
        /// Values that the registrar has modified, as its warning says.
        warning: Option<OperationError>,
    },
    /// The registrar rejected the registration.
    RegistrationRejected {
        /// Why.
        error: Option<OperationError>,
        /// It will be tried again without any doing.
        will_retry: bool,
    },
    /// More than MAX-REG-ATTEMPT attempts in a row had no answer (RFC 5352 §3.1).
    RegistrationFailed {
        /// How many.
        attempts: u32,
        /// It goes on trying.
        will_retry: bool,
    },
    /// The registrar has removed this pool element: it was not heard in time. It registers again.
    Expired,
    /// Deregistered.
    Deregistered,
    /// The registrar rejected the deregistration.
    DeregistrationRejected {
        /// Why.
        error: OperationError,
    },
    /// The deregistration had no answer; the registration ends with its life.
    DeregistrationFailed {
        /// How many attempts were made.
        attempts: u32,
    },
    /// Octets that are no ASAP message.
    BadMessage {
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// A message that nobody sends to a pool element.
    UnexpectedMessage {
        /// Its number in the Message Type field.
        message_type: u8,
    },
    /// A registrar found fault with a message of ours.
    ErrorReceived {
        /// What it found.
        error: OperationError,
    },
}
