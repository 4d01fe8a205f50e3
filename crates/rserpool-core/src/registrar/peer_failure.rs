//! Detecting the failure of a peer (RFC 5353 §3.4.3).
//!
//! Must not know what a takeover is.
