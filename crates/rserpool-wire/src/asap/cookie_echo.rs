//! ASAP_COOKIE_ECHO (RFC 5352 §2.2.12).

use crate::parameter;

/// A pool user gives a new pool element the state of the failed one (RFC 5352 §2.2.12, §3.8).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CookieEcho {
    /// The cookie, never changed on its way.
    pub cookie: parameter::Cookie,
}
