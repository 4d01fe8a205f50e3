//! Takeover arbitration (RFC 5353 §3.5.1): only one registrar takes over a failed peer.
//!
//! Must not know what becomes of the pool elements.
