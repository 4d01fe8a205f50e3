//! Handle updates (RFC 5353 §3.3): what changes at one registrar changes at all.
//!
//! Must not know why it changed.
