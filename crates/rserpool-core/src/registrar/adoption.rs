//! Adoption (RFC 5353 §3.5.2, step 2): pool elements that were taken over are asked to take this
//! registrar as their home.
//!
//! Must not know why they were taken over.
