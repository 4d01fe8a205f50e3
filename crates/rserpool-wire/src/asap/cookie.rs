//! ASAP_COOKIE (RFC 5352 §2.2.11).

use crate::parameter;

/// A pool element gives a pool user its state to keep (RFC 5352 §2.2.11, §3.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cookie {
    /// The cookie, never changed on its way.
    pub cookie: parameter::Cookie,
}
