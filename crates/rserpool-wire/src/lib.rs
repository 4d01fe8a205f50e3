//! Octets to ASAP and ENRP messages and back (RFC 5352, 5353, 5354, 5356), and the vocabulary
//! types of Reliable Server Pooling.
//!
//! - [`asap`]: the 14 messages between pool elements, pool users and registrars (RFC 5352 §2.2).
//! - [`enrp`]: the 10 messages between registrars (RFC 5353 §2).
//! - [`parameter`]: what the messages are made of (RFC 5354 §3, RFC 5356).
//! - [`mod@dissect`]: any octets as a tree of fields, for people.
//!
//! Reading is tolerant where the RFCs leave room: parameters in any order, skippable unknown ones,
//! reserved bits and padding with any content, a message length with or without the final padding.
//! Writing has one form: the RFCs' order and lengths, zeros in all that is reserved. Whatever is
//! written can be read again and gives an equal value.
//!
//! Writing cannot fail. What has no room is cut at limits that are named constants, and a list ends
//! where its next entry does not fit into the message.
//!
//! This crate knows octets and nothing else: no socket, no clock, no handlespace.

#![no_std]

extern crate alloc;

pub mod asap;
pub mod dissect;
pub mod enrp;
mod error;
mod hex;
mod identifier;
mod message;
pub mod parameter;
mod reader;
#[cfg(test)]
mod test_support;
mod unrecognized;
mod writer;

pub use dissect::{Dissection, Field, Protocol, dissect};
pub use error::{DecodeError, DecodeErrorKind, Decoded, Undecodable};
pub use identifier::{RegistrarId, RegistrationLife};
pub use message::{MESSAGE_OCTETS_MAX, message_octets};
pub use parameter::{
    ADDRESSES_MAX, CAUSE_INFORMATION_OCTETS_MAX, COOKIE_OCTETS_MAX, ERROR_CAUSES_MAX,
    OPAQUE_TRANSPORT_OCTETS_MAX, POLICY_DATA_OCTETS_MAX, POOL_ELEMENT_OCTETS_MAX,
    POOL_HANDLE_OCTETS_MAX, PoolElementId, PoolHandle,
};
pub(crate) use unrecognized::Action;
