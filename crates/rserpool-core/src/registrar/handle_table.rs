//! Handle tables (RFC 5353 §3.2.3, §3.6.3): the registrar that is asked for them.
//!
//! Must not know what they are asked for.
