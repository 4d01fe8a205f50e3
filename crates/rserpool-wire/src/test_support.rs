//! What the tests of all formats share.

use crate::parameter::{
    EncapsulationPorts, Policy, PoolElement, SctpTransport, ServerInformation, TransportUse,
    UserTransport,
};
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use crate::{
    DecodeError, DecodeErrorKind, Decoded, PoolElementId, PoolHandle, RegistrarId,
    RegistrationLife, Undecodable, asap, enrp,
};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

/// Both protocols' messages.
pub(crate) trait Codec: Sized + PartialEq + fmt::Debug + fmt::Display {
    fn decode(octets: &[u8]) -> Result<Decoded<Self>, Undecodable>;
    fn encode(&self) -> Vec<u8>;
    fn encoded_len(&self) -> usize;
}

macro_rules! codec {
    ($($message:ty),+) => {
        $(impl Codec for $message {
            fn decode(octets: &[u8]) -> Result<Decoded<Self>, Undecodable> {
                Self::decode(octets)
            }
            fn encode(&self) -> Vec<u8> {
                self.encode()
            }
            fn encoded_len(&self) -> usize {
                self.encoded_len()
            }
        })+
    };
}
codec!(asap::Message, enrp::Message);

/// The octets of hexadecimal digits; everything else is space.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

/// These octets are this message, this message is these octets, and nothing shorter is a message.
pub(crate) fn asap_both_ways(digits: &str, message: impl Into<asap::Message>) {
    both_ways(digits, &message.into());
}

/// As [`asap_both_ways`].
pub(crate) fn enrp_both_ways(digits: &str, message: impl Into<enrp::Message>) {
    both_ways(digits, &message.into());
}

fn both_ways<M: Codec>(digits: &str, message: &M) {
    let octets = hex(digits);
    let decoded = M::decode(&octets).unwrap();
    assert_eq!(&decoded.message, message);
    assert_eq!(decoded.unrecognized, []);
    assert_eq!(message.encode(), octets);
    assert_eq!(message.encoded_len(), octets.len());
    assert!(!message.to_string().contains('\n'));
    for length in 0..octets.len() {
        let error = M::decode(&octets[..length]).unwrap_err().error;
        assert!(error.offset <= length, "{error} of {length}");
    }
}

/// Other octets that are this message too, without anything to report.
pub(crate) fn asap_reads(digits: &str, message: impl Into<asap::Message>) {
    let decoded = asap::Message::decode(&hex(digits)).unwrap();
    assert_eq!(decoded.message, message.into());
    assert_eq!(decoded.unrecognized, []);
}

/// As [`asap_reads`].
pub(crate) fn enrp_reads(digits: &str, message: impl Into<enrp::Message>) {
    let decoded = enrp::Message::decode(&hex(digits)).unwrap();
    assert_eq!(decoded.message, message.into());
    assert_eq!(decoded.unrecognized, []);
}

/// The error of octets that are no message.
pub(crate) fn asap_error(digits: &str) -> DecodeError {
    asap::Message::decode(&hex(digits)).unwrap_err().error
}

/// As [`asap_error`].
pub(crate) fn enrp_error(digits: &str) -> DecodeError {
    enrp::Message::decode(&hex(digits)).unwrap_err().error
}

/// Reads one parameter that stands alone.
pub(crate) fn read_parameter<T>(
    digits: &str,
    read: impl FnOnce(&Parameter<'_>, &mut Unrecognized) -> Result<T, DecodeErrorKind>,
) -> Result<T, DecodeErrorKind> {
    let octets = hex(digits);
    let parameter = Parameter::alone(&octets).map_err(|fault| fault.error.kind)?;
    read(&parameter, &mut Unrecognized::default())
}

/// Writes one parameter that stands alone.
pub(crate) fn written(write: impl FnOnce(&mut Writer<'_, Vec<u8>>)) -> Vec<u8> {
    let mut octets = Vec::new();
    write(&mut Writer::new(&mut octets));
    assert_eq!(Sink::len(&octets) % 4, 0);
    octets
}

pub(crate) fn echo_pool() -> PoolHandle {
    PoolHandle::from("EchoPool")
}

pub(crate) const PE: PoolElementId = PoolElementId(0x56c3_491e);

pub(crate) fn registrar(number: u32) -> RegistrarId {
    RegistrarId::new(number).unwrap()
}

pub(crate) fn sctp(port: u16, transport_use: TransportUse, addresses: &[&str]) -> SctpTransport {
    SctpTransport {
        port,
        transport_use,
        addresses: addresses.iter().map(|a| address(a)).collect(),
    }
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The pool element of the examples: dual-stacked, SCTP, weighted round robin.
pub(crate) fn element() -> PoolElement {
    PoolElement {
        id: PE,
        home_registrar: None,
        registration_life: RegistrationLife::Seconds(90_000),
        user_transport: UserTransport::Sctp(sctp(
            50_000,
            TransportUse::DATA_PLUS_CONTROL,
            &["10.1.0.1", "2001:db8::1"],
        )),
        policy: Policy::WeightedRoundRobin { weight: 2 },
        asap_transport: None,
        encapsulation_ports: EncapsulationPorts::default(),
    }
}

/// The same as peers tell it: with its home and its ASAP transport.
pub(crate) fn element_at_home() -> PoolElement {
    PoolElement {
        home_registrar: Some(registrar(0x98d3_fe06)),
        asap_transport: Some(sctp(0xb26e, TransportUse::DATA_ONLY, &["10.1.0.1"])),
        ..element()
    }
}

/// How the registrar of the examples is reached.
pub(crate) fn server_information(number: u32) -> ServerInformation {
    ServerInformation {
        registrar: registrar(number),
        transport: sctp(9901, TransportUse::DATA_ONLY, &["10.1.0.1"]),
        encapsulation_ports: EncapsulationPorts::default(),
    }
}
