//! Presence (RFC 5353 §3.4.1, §3.4.2): discovering peers, and the heartbeat.
//!
//! Must not know what follows from a checksum.
