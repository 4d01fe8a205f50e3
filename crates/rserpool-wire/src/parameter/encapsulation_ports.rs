//! UDP encapsulation ports, a private-use parameter of type 0x9899.

/// The UDP ports at which SCTP transports are reached by encapsulation (RFC 6951), where they are
/// not the well-known 9899. An SCTP transport parameter has no room for them. The type's highest
/// bits are 10, so that a receiver that does not know it skips it silently (RFC 5354 §3).
/// Zero on the wire is `None`: use 9899. Not sent when both are `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EncapsulationPorts {
    /// For the user transport of a pool element, or for the registrar's own ASAP transport.
    pub user: Option<core::num::NonZeroU16>,
    /// For the ASAP transport of a pool element; `None` elsewhere.
    pub asap: Option<core::num::NonZeroU16>,
}
