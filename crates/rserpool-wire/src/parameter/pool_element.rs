//! Pool Element parameter ([RFC 5354 §3.10](https://www.rfc-editor.org/rfc/rfc5354#section-3.10)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x000a         │             Length            │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                         PE Identifier                         │
//! ├───────────────────────────────────────────────────────────────┤
//! │                  Home ENRP Server Identifier                  │
//! ├───────────────────────────────────────────────────────────────┤
//! │                       Registration Life                       │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                         User Transport                        ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                  Pool Member Selection Policy                 ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                   ASAP Transport (optional)                   ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                 Encapsulation Ports (optional)                ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! Written in this order. Read in any order; of the transports the first is the user transport, and
//! the next one of type SCTP the ASAP transport.

use super::{EncapsulationPorts, ParameterType, Policy, SctpTransport, UserTransport};
use crate::error::Fault;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Length, Sink, Writer};
use crate::{PoolElementId, RegistrarId, RegistrationLife};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

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

impl PoolElement {
    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        let id = PoolElementId(value.u32()?);
        let home_registrar = RegistrarId::new(value.u32()?);
        let registration_life = RegistrationLife::read(&mut value)?;
        let mut user_transport = None;
        let mut policy = None;
        let mut asap_transport = None;
        let mut encapsulation_ports = None;
        while let Some(inner) = value.parameter()? {
            match inner.kind {
                ParameterType::POLICY if policy.is_none() => policy = Some(Policy::read(&inner)?),
                ParameterType::ENCAPSULATION_PORTS if encapsulation_ports.is_none() => {
                    encapsulation_ports = EncapsulationPorts::read(&inner)?;
                }
                ParameterType::SCTP_TRANSPORT
                    if user_transport.is_some() && asap_transport.is_none() =>
                {
                    asap_transport = Some(SctpTransport::read(&inner, unrecognized)?);
                }
                _ if user_transport.is_none() => {
                    user_transport = UserTransport::read(&inner, unrecognized)?;
                    if user_transport.is_none() {
                        unrecognized.parameter(&inner)?;
                    }
                }
                _ => unrecognized.parameter(&inner)?,
            }
        }
        Ok(Self {
            id,
            home_registrar,
            registration_life,
            user_transport: value.required(user_transport, ParameterType::SCTP_TRANSPORT)?,
            policy: value.required(policy, ParameterType::POLICY)?,
            asap_transport,
            encapsulation_ports: encapsulation_ports.unwrap_or_default(),
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::POOL_ELEMENT, |w| {
            w.u32(self.id.0);
            RegistrarId::write(self.home_registrar, w);
            self.registration_life.write(w);
            self.user_transport.write(w);
            self.policy.write(w);
            if let Some(transport) = &self.asap_transport {
                transport.write(w);
            }
            self.encapsulation_ports.write(w);
        });
    }

    /// Appends the whole parameter: type, length, value and padding.
    pub fn encode_into(&self, octets: &mut Vec<u8>) {
        self.write(&mut Writer::new(octets));
    }

    /// How many octets [`encode_into`](Self::encode_into) appends.
    pub fn encoded_len(&self) -> usize {
        let mut length = Length::default();
        self.write(&mut Writer::new(&mut length));
        length.0
    }
}

impl fmt::Display for PoolElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pe {}", self.id)?;
        if let Some(home) = self.home_registrar {
            write!(f, " home {home}")?;
        }
        let (life, transport) = (self.registration_life, &self.user_transport);
        write!(f, " life {life} {transport} {}", self.policy)?;
        if let Some(transport) = &self.asap_transport {
            write!(f, " asap {transport}")?;
        }
        self.encapsulation_ports.fmt(f)
    }
}

/// A complete, valid Pool Element parameter as octets, cheap to clone and to send again.
///
/// The octets are those that [`PoolElement::encode_into`] gives: what arrives in another order, with
/// parameters that are skipped, or with padding that is not zero is put straight when it is read.
/// So equal octets are equal pool elements, and the other way round.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct EncodedPoolElement(Arc<[u8]>);

impl EncodedPoolElement {
    /// The octets of the whole parameter: type, length, value and padding.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }

    /// The pool element's identifier.
    pub fn id(&self) -> PoolElementId {
        PoolElementId(self.field(4))
    }

    /// The home registrar; `None` while it is undetermined.
    pub fn home_registrar(&self) -> Option<RegistrarId> {
        RegistrarId::new(self.field(8))
    }

    /// The pool element.
    pub fn decode(&self) -> PoolElement {
        Parameter::alone(&self.0)
            .and_then(|parameter| PoolElement::read(&parameter, &mut Unrecognized::default()))
            .expect("whatever is written from a pool element can be read")
    }

    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        PoolElement::read(parameter, unrecognized).map(|element| Self::from(&element))
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.encoded_parameter(&self.0);
    }

    /// Writes as many as there is room for.
    pub(crate) fn write_all<S: Sink>(elements: &[Self], writer: &mut Writer<'_, S>) {
        for element in elements {
            if element.0.len() > writer.room() {
                break;
            }
            element.write(writer);
        }
    }

    fn field(&self, position: usize) -> u32 {
        let octets = self.0.get(position..).and_then(<[u8]>::first_chunk);
        u32::from_be_bytes(*octets.expect("every pool element has its fixed fields"))
    }
}

impl From<&PoolElement> for EncodedPoolElement {
    fn from(element: &PoolElement) -> Self {
        let mut octets = Vec::with_capacity(element.encoded_len());
        element.encode_into(&mut octets);
        Self(Arc::from(octets))
    }
}

impl fmt::Display for EncodedPoolElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decode().fmt(f)
    }
}
