//! The handlespace of Reliable Server Pooling: pools, their pool elements, the order in which a
//! policy selects them (RFC 5356), and the checksums over who owns what (RFC 5353 §3.6.2).
//!
//! - [`Handlespace`]: what a registrar keeps. Registration follows RFC 5352 §3.1, rules 1 to 3.
//! - [`MemberSelection`]: one policy at work in one pool; [`Policies`] knows which there are.
//! - [`UserPool`]: what a pool user does with a resolution that it holds.
//!
//! This crate knows no message, no association, no timer and no clock. The same calls with the
//! same seed give the same results, for ever.

#![no_std]

extern crate alloc;

mod arena;
mod checksum;
mod error;
mod handlespace;
mod invariants;
mod keyed_hash;
mod limits;
mod ownership;
mod policy;
mod pool;
mod registration;
mod user_pool;

pub use arena::ElementKey;
pub use error::{RegisterError, ResolveError};
pub use handlespace::{Change, Element, Handlespace, PoolRef, Registered, Removed};
pub use limits::Limits;
pub use policy::{MOST_USED, MemberSelection, Policies, UserRule, most_used};
pub use user_pool::UserPool;
