//! Pool Element parameter (RFC 5354 §3.10).

use super::{EncapsulationPorts, Policy, SctpTransport, UserTransport};
use crate::{PoolElementId, RegistrarId, RegistrationLife};
use alloc::sync::Arc;

/// A pool element as others see it (RFC 5354 §3.10).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolElement {
    /// Unique within the pool.
    pub id: PoolElementId,
    /// The home registrar; `None` while it is undetermined.
    pub home_registrar: Option<RegistrarId>,
    /// How long the registration holds.
    pub registration_life: RegistrationLife,
    /// Where it serves pool users.
    pub user_transport: UserTransport,
    /// The policy and its values for this pool element.
    pub policy: Policy,
    /// Where it speaks ASAP; the home registrar fills it in (RFC 5352 §3.1, rule 4).
    pub asap_transport: Option<SctpTransport>,
    /// UDP ports of the two transports where they are not 9899.
    pub encapsulation_ports: EncapsulationPorts,
}

/// A complete, valid Pool Element parameter as octets, cheap to clone and to send again.
/// Equal octets are equal pool elements.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EncodedPoolElement(Arc<[u8]>);

impl EncodedPoolElement {
    /// The octets of the whole parameter: type, length, value and padding.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}
