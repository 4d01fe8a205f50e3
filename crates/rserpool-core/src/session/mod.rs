//! The control channel of a session (RFC 5352 §3.8, §3.9): cookies and business cards between a
//! pool user and the pool elements that serve it one after the other.
//!
//! - [`PoolUserSession`]: keeps the latest cookie, echoes it first wherever the session goes on,
//!   and knows the order in which the pool element would like to be replaced.
//! - [`PoolElementSession`]: gives cookies and business cards, and takes the echo.
//!
//! - [`SessionMessage`], [`Undelivered`]: what was sent and may not have arrived, for the next pool
//!   element or back to the application.
//!
//! The control channel is the association that the data takes: payload protocol 11 on stream 0
//! tells it apart. Must not know what data means, time or how a pool element is found.

mod bad_message;
mod message;
mod pool_element;
mod pool_user;
mod undelivered;

pub use bad_message::CONTROL_ERRORS_MAX;
pub use message::{OnFailover, SessionMessage};
pub use pool_element::{
    PoolElementSession, PoolElementSessionCommand, PoolElementSessionEvent,
    PoolElementSessionOutput,
};
pub use pool_user::{
    PREFERRED_ELEMENTS_MAX, PoolUserSession, PoolUserSessionEvent, PoolUserSessionInput,
    PoolUserSessionOutput,
};
pub use undelivered::{UNDELIVERED_MESSAGES_MAX, UNDELIVERED_OCTETS_MAX, Undelivered};
