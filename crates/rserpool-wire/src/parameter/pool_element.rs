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

use super::{
    EncapsulationPorts, POLICY_DATA_OCTETS_MAX, ParameterType, Policy, SctpTransport, UserTransport,
};
use crate::error::Fault;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Comparison, Length, Sink, Writer};
use crate::{PoolElementId, RegistrarId, RegistrationLife};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// The longest Pool Element parameter that is written, padding included: two transports with all
/// the addresses they may have, a private policy, and our own parameter.
pub const POOL_ELEMENT_OCTETS_MAX: usize =
    16 + 2 * SctpTransport::OCTETS_MAX + (8 + POLICY_DATA_OCTETS_MAX) + 8;

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

    /// Encodes into a buffer that is used again and again: for pool elements that are compared
    /// more often than kept.
    pub fn encode_in<'a>(&self, buffer: &'a mut Vec<u8>) -> PoolElementEncoding<'a> {
        buffer.clear();
        self.encode_into(buffer);
        PoolElementEncoding(buffer)
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
        self.encapsulation_ports.fmt_after_transport(f)
    }
}

/// A complete, valid Pool Element parameter as octets, cheap to clone and to send again.
///
/// The octets are those that [`PoolElement::encode_into`] gives: what arrives in another order,
/// with parameters that are skipped, or with padding that is not zero is put straight when it is
/// read. So equal octets are equal pool elements, and the other way round.
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

    /// Gives it another home registrar. Nothing else changes, and nothing is decoded.
    pub fn set_home_registrar(&mut self, home: Option<RegistrarId>) {
        let value = home.map_or(0, RegistrarId::get);
        let octets = Arc::make_mut(&mut self.0).get_mut(8..);
        let field = octets.and_then(<[u8]>::first_chunk_mut);
        *field.expect("every pool element has its fixed fields") = value.to_be_bytes();
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
        let element = PoolElement::read(parameter, unrecognized)?;
        let mut comparison = Comparison::with(parameter.octets());
        element.write(&mut Writer::new(&mut comparison));
        if comparison.is_equal() {
            // Mostly it comes as we would write it, and is only copied.
            return Ok(Self(Arc::from(parameter.octets())));
        }
        Ok(Self::from(&element))
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

/// The octets of an [`EncodedPoolElement`] in a buffer that somebody else keeps
/// ([`PoolElement::encode_in`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolElementEncoding<'a>(&'a [u8]);

impl PoolElementEncoding<'_> {
    /// The octets of the whole parameter: type, length, value and padding.
    pub fn as_octets(&self) -> &[u8] {
        self.0
    }
}

impl From<PoolElementEncoding<'_>> for EncodedPoolElement {
    fn from(encoding: PoolElementEncoding<'_>) -> Self {
        Self(Arc::from(encoding.0))
    }
}

impl fmt::Display for EncodedPoolElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decode().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{PolicyType, TcpTransport, TransportUse};
    use crate::{DecodeErrorKind, test_support::*};
    use alloc::string::ToString;
    use alloc::vec;
    use core::num::NonZeroU16;

    fn read(digits: &str) -> Result<PoolElement, DecodeErrorKind> {
        read_parameter(digits, |parameter, unrecognized| {
            PoolElement::read(parameter, unrecognized).map_err(|fault| fault.error.kind)
        })
    }

    const FIXED: &str = "56c3491e 98d3fe06 00015f90";
    const USER: &str = "00040024 c3500001 00010008 0a010001
        00020014 20010db8 00000000 00000000 00000001";
    const POLICY: &str = "0008000c 00000002 00000002";
    const ASAP: &str = "00040010 b26e0000 00010008 0a010001";

    fn whole(length: usize, parameters: &[&str]) -> alloc::string::String {
        alloc::format!("000a{length:04x} {FIXED} {}", parameters.concat())
    }

    #[test]
    fn the_order_in_which_it_is_written() {
        let mut element = element_at_home();
        element.encapsulation_ports.asap = NonZeroU16::new(9901);
        let digits = whole(0x58, &[USER, POLICY, ASAP, "98990008 000026ad"]);
        assert_eq!(written(|w| element.write(w)), hex(&digits));
        assert_eq!(element.encoded_len(), 0x58);
        assert_eq!(read(&digits), Ok(element));
    }

    #[test]
    fn other_orders_are_read() {
        let element = element_at_home();
        for order in [
            [POLICY, USER, ASAP],
            [USER, ASAP, POLICY],
            [USER, POLICY, ASAP],
        ] {
            assert_eq!(read(&whole(0x50, &order)).as_ref(), Ok(&element));
        }
    }

    #[test]
    fn of_the_transports_the_first_is_for_users_the_next_sctp_one_for_asap() {
        let tcp = "00050010 00500000 00010008 0a010001";
        let element = PoolElement {
            user_transport: UserTransport::Tcp(TcpTransport {
                port: 80,
                address: address("10.1.0.1"),
            }),
            ..element_at_home()
        };
        let digits = whole(0x4c, &[tcp, tcp, POLICY, ASAP]);
        assert_eq!(read(&digits).as_ref(), Ok(&element));
        // A further transport, as rsplib accepts it too.
        let digits = whole(0x4c, &[tcp, POLICY, ASAP, ASAP]);
        assert_eq!(read(&digits).as_ref(), Ok(&element));
    }

    #[test]
    fn registration_life() {
        let life = |digits| {
            let digits = whole(0x40, &[USER, POLICY]).replace("00015f90", digits);
            read(&digits).map(|element| element.registration_life)
        };
        assert_eq!(life("00000000"), Ok(RegistrationLife::Seconds(0)));
        assert_eq!(life("7fffffff"), Ok(RegistrationLife::Seconds(0x7fff_ffff)));
        assert_eq!(life("ffffffff"), Ok(RegistrationLife::Infinite));
        assert_eq!(
            life("80000000"),
            Err(DecodeErrorKind::InvalidRegistrationLife)
        );
        assert_eq!(
            life("fffffffe"),
            Err(DecodeErrorKind::InvalidRegistrationLife)
        );
    }

    #[test]
    fn transport_and_policy_are_demanded() {
        let missing = |kind| Err(DecodeErrorKind::MissingParameter(kind));
        let transport = missing(ParameterType::SCTP_TRANSPORT);
        assert_eq!(read(&whole(0x1c, &[POLICY])), transport);
        assert_eq!(read(&whole(0x34, &[USER])), missing(ParameterType::POLICY));
        assert_eq!(
            read("000a000c 56c3491e 98d3fe06"),
            Err(DecodeErrorKind::Incomplete)
        );
    }

    #[test]
    fn an_inner_length_cannot_reach_outside() {
        let digits = whole(0x40, &[USER, POLICY]).replace("0008000c", "00080010");
        assert_eq!(read(&digits), Err(DecodeErrorKind::LengthTooLarge));
        let digits = whole(0x3c, &[USER, POLICY]);
        assert_eq!(read(&digits), Err(DecodeErrorKind::LengthTooLarge));
        let digits = whole(0x42, &[USER, POLICY, "0000"]);
        assert_eq!(read(&digits), Err(DecodeErrorKind::HeaderIncomplete));
        let digits = whole(0x44, &[USER, POLICY, "98990003"]);
        assert_eq!(read(&digits), Err(DecodeErrorKind::LengthTooSmall));
    }

    #[test]
    fn encoded_elements_are_put_straight() {
        let element = element_at_home();
        let encoded = EncodedPoolElement::from(&element);
        let odd = whole(0x58, &[POLICY, "80770006 aabbccdd", USER, ASAP]);
        let read = read_parameter(&odd, |parameter, unrecognized| {
            EncodedPoolElement::read(parameter, unrecognized).map_err(|fault| fault.error.kind)
        });
        assert_eq!(read, Ok(encoded.clone()));
        assert_eq!(encoded.decode(), element);
        assert_eq!(encoded.id(), PE);
        assert_eq!(encoded.home_registrar(), element.home_registrar);
        assert_eq!(encoded.to_string(), element.to_string());
    }

    #[test]
    fn another_home_is_another_home_and_nothing_else() {
        let first = EncodedPoolElement::from(&element_at_home());
        let mut other = first.clone();
        for home in [registrar(1).into(), None] {
            other.set_home_registrar(home);
            let expected = PoolElement {
                home_registrar: home,
                ..element_at_home()
            };
            assert_eq!(other, EncodedPoolElement::from(&expected));
        }
        assert_eq!(first, EncodedPoolElement::from(&element_at_home()));
    }

    /// What the format has no room for is cut or replaced; it can be read all the same.
    #[test]
    fn any_value_can_be_encoded_and_decoded() {
        let element = PoolElement {
            registration_life: RegistrationLife::Seconds(u32::MAX),
            user_transport: UserTransport::Opaque(vec![1; 5000]),
            policy: Policy::Other {
                policy_type: PolicyType::INVALID,
                data: [1].into(),
            },
            asap_transport: Some(sctp(1, TransportUse::DATA_ONLY, &[])),
            ..element()
        };
        let expected = PoolElement {
            registration_life: RegistrationLife::Seconds(0x7fff_ffff),
            user_transport: UserTransport::Opaque(vec![1; 1024]),
            policy: Policy::RoundRobin,
            asap_transport: Some(sctp(1, TransportUse::DATA_ONLY, &["0.0.0.0"])),
            ..element.clone()
        };
        assert_eq!(EncodedPoolElement::from(&element).decode(), expected);
    }

    /// RFC 5354 §2: the length does not count the padding of what is nested last.
    #[test]
    fn nested_final_padding() {
        let element = PoolElement {
            policy: Policy::Other {
                policy_type: PolicyType(0x8000_0001),
                data: [0xff].into(),
            },
            home_registrar: registrar(0x98d3_fe06).into(),
            ..element()
        };
        let digits = whole(0x3d, &[USER, "00080009 80000001 ff000000"]);
        assert_eq!(written(|w| element.write(w)), hex(&digits));
        assert_eq!(read(&digits).as_ref(), Ok(&element));
        let counted = whole(0x40, &[USER, "00080009 80000001 ff000000"]);
        assert_eq!(read(&counted).as_ref(), Ok(&element));
    }
}
