//! Octets to ASAP and ENRP messages and back (RFC 5352, 5353, 5354, 5356), and the vocabulary
//! types of Reliable Server Pooling.
//!
//! - [`asap`]: the 14 messages between pool elements, pool users and registrars (RFC 5352 §2.2).
//! - [`enrp`]: the 10 messages between registrars (RFC 5353 §2).
//! - [`parameter`]: what the messages are made of (RFC 5354 §3, RFC 5356).
//!
//! This crate knows octets and nothing else: no socket, no clock, no handlespace.

#![no_std]

extern crate alloc;

pub mod asap;
pub mod enrp;
mod identifier;
pub mod parameter;

pub use identifier::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
