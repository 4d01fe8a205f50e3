//! Takeover (RFC 5353 §3.5.2): a failed peer's pool elements get a new home.
//!
//! Must not know how it was won.
