//! The control channel of a session (RFC 5352 §3.8, §3.9): cookies and business cards between a
//! pool user and the pool elements that serve it one after the other.
//!
//! - [`PoolUserSession`]: keeps the latest cookie, echoes it first wherever the session goes on,
//!   and knows the order in which the pool element would like to be replaced.
//! - [`PoolElementSession`]: gives cookies and business cards, and takes the echo.
//!
//! The control channel is the association that the data takes: payload protocol 11 on stream 0
//! tells it apart. Must not know data, time or how a pool element is found.

mod bad_message;
mod pool_element;
mod pool_user;

pub use bad_message::CONTROL_ERRORS_MAX;
pub use pool_element::{
    PoolElementSession, PoolElementSessionCommand, PoolElementSessionEvent,
    PoolElementSessionOutput,
};
pub use pool_user::{
    PREFERRED_ELEMENTS_MAX, PoolUserSession, PoolUserSessionEvent, PoolUserSessionInput,
    PoolUserSessionOutput,
};
