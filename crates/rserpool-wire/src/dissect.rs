//! A message as a tree of its fields, for people who look at octets.
//!
//! Unlike decoding it goes on where something is unknown or invalid, and shows all up to the place
//! where lengths do not add up. It knows how octets are laid out; whether they are right is told by
//! [`decode`](crate::asap::Message::decode), whose verdict stands below the tree.

use crate::hex::Hex;
use crate::message;
use crate::parameter::{ErrorCause, ParameterType, PolicyType, PoolHandle, TransportUse};
use crate::reader::{Parameter, Reader};
use crate::{DecodeError, Decoded, RegistrarId, Undecodable, asap, enrp};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Range;

/// How deep parameters may nest before their content is only shown as octets. What the RFCs define
/// nests four deep: message, pool element, transport, address.
const DEPTH_MAX: usize = 6;

/// The protocol to which octets belong. They do not say so themselves: ASAP and ENRP share type
/// numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// ASAP: SCTP payload protocol identifier 11, port 3863.
    Asap,
    /// ENRP: SCTP payload protocol identifier 12, port 9901.
    Enrp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asap => "ASAP",
            Self::Enrp => "ENRP",
        })
    }
}

/// A field, or a parameter that has fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// How deep it is nested; 0 is the message.
    pub depth: usize,
    /// Where it lies in the message.
    pub octets: Range<usize>,
    /// What the RFC calls it.
    pub name: &'static str,
    /// What it says.
    pub value: String,
}

/// The fields of a message, and whether it is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dissection {
    /// In the order of the octets; what is nested follows what it is nested in.
    pub fields: Vec<Field>,
    /// The message in one line, or the first thing that is wrong.
    pub verdict: Result<String, DecodeError>,
    /// What would be reported to the sender.
    pub report: Vec<ErrorCause>,
}

/// Shows octets as a message of a protocol, as far as they are one.
pub fn dissect(protocol: Protocol, octets: &[u8]) -> Dissection {
    let mut fields = Fields(Vec::new());
    fields.message(protocol, octets);
    let (verdict, report) = match protocol {
        Protocol::Asap => verdict(asap::Message::decode(octets)),
        Protocol::Enrp => verdict(enrp::Message::decode(octets)),
    };
    Dissection {
        fields: fields.0,
        verdict,
        report,
    }
}

fn verdict<M: fmt::Display>(
    decoded: Result<Decoded<M>, Undecodable>,
) -> (Result<String, DecodeError>, Vec<ErrorCause>) {
    match decoded {
        Ok(decoded) => (Ok(decoded.message.to_string()), decoded.unrecognized),
        Err(undecodable) => (Err(undecodable.error), undecodable.report),
    }
}

/// One line per field: its place, its name, its value; then the verdict.
impl fmt::Display for Dissection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for field in &self.fields {
            let (start, indent) = (field.octets.start, 2 * field.depth);
            writeln!(
                f,
                "{start:>5}  {:indent$}{}: {}",
                "", field.name, field.value
            )?;
        }
        match &self.verdict {
            Ok(message) => write!(f, "    =  {message}")?,
            Err(error) => write!(f, "    !  {error}")?,
        }
        for cause in &self.report {
            write!(f, "\n    >  report: {cause}")?;
        }
        Ok(())
    }
}

/// What a format consists of, one after the other.
#[derive(Clone, Copy)]
enum Part {
    Number16(&'static str),
    Hex16(&'static str),
    Number32(&'static str),
    Hex32(&'static str),
    Registrar(&'static str),
    Life,
    Policy,
    Action,
    Use,
    Ipv4,
    Ipv6,
    Handle,
    Octets(&'static str),
    Parameters,
    Causes,
}

const RESERVED: Part = Part::Hex16("Reserved");

/// The value of a message.
fn message_parts(protocol: Protocol, message_type: u8) -> Vec<Part> {
    let sender = Part::Registrar("Sending Server's ID");
    let receiver = Part::Registrar("Receiving Server's ID");
    match protocol {
        Protocol::Asap => match message_type {
            asap::EndpointKeepAlive::TYPE | asap::ServerAnnounce::TYPE => {
                vec![Part::Registrar("Server Identifier"), Part::Parameters]
            }
            known if asap::Message::type_name(known).is_some() => vec![Part::Parameters],
            _ => vec![Part::Octets("Message Value")],
        },
        Protocol::Enrp => match message_type {
            enrp::HandleUpdate::TYPE => {
                vec![sender, receiver, Part::Action, RESERVED, Part::Parameters]
            }
            enrp::InitTakeover::TYPE | enrp::InitTakeoverAck::TYPE | enrp::TakeoverServer::TYPE => {
                let target = Part::Registrar("Targeting Server's ID");
                vec![sender, receiver, target, Part::Parameters]
            }
            known if enrp::Message::type_name(known).is_some() => {
                vec![sender, receiver, Part::Parameters]
            }
            _ => vec![Part::Octets("Message Value")],
        },
    }
}

/// The value of a parameter.
fn parameter_parts(kind: ParameterType) -> &'static [Part] {
    match kind {
        ParameterType::IPV4_ADDRESS => &[Part::Ipv4],
        ParameterType::IPV6_ADDRESS => &[Part::Ipv6],
        ParameterType::DCCP_TRANSPORT => &[
            Part::Number16("DCCP Port"),
            RESERVED,
            Part::Hex32("DCCP Service Code"),
            Part::Parameters,
        ],
        ParameterType::SCTP_TRANSPORT => {
            &[Part::Number16("SCTP Port"), Part::Use, Part::Parameters]
        }
        ParameterType::TCP_TRANSPORT => &[Part::Number16("TCP Port"), RESERVED, Part::Parameters],
        ParameterType::UDP_TRANSPORT => &[Part::Number16("UDP Port"), RESERVED, Part::Parameters],
        ParameterType::UDP_LITE_TRANSPORT => {
            &[Part::Number16("UDP-Lite Port"), RESERVED, Part::Parameters]
        }
        ParameterType::POLICY => &[Part::Policy],
        ParameterType::POOL_HANDLE => &[Part::Handle],
        ParameterType::POOL_ELEMENT => &[
            Part::Hex32("PE Identifier"),
            Part::Registrar("Home ENRP Server Identifier"),
            Part::Life,
            Part::Parameters,
        ],
        ParameterType::SERVER_INFORMATION => &[Part::Registrar("Server ID"), Part::Parameters],
        ParameterType::OPERATION_ERROR => &[Part::Causes],
        ParameterType::COOKIE => &[Part::Octets("Cookie")],
        ParameterType::PE_IDENTIFIER => &[Part::Hex32("PE Identifier")],
        ParameterType::PE_CHECKSUM => &[Part::Hex16("PE Checksum")],
        ParameterType::OPAQUE_TRANSPORT => &[Part::Octets("Opaque Transport Data")],
        ParameterType::ITEM_COUNT => &[Part::Number32("Items")],
        ParameterType::ENCAPSULATION_PORTS => &[
            Part::Number16("User Transport Port"),
            Part::Number16("ASAP Transport Port"),
        ],
        _ => &[Part::Octets("Parameter Value")],
    }
}

/// The policy-specific data of a policy (RFC 5356).
fn policy_parts(policy_type: PolicyType) -> &'static [Part] {
    match policy_type {
        PolicyType::WEIGHTED_ROUND_ROBIN | PolicyType::WEIGHTED_RANDOM => {
            &[Part::Number32("Weight")]
        }
        PolicyType::PRIORITY => &[Part::Number32("Priority")],
        PolicyType::LEAST_USED | PolicyType::RANDOMIZED_LEAST_USED => &[Part::Number32("Load")],
        PolicyType::LEAST_USED_WITH_DEGRADATION | PolicyType::PRIORITY_LEAST_USED => {
            &[Part::Number32("Load"), Part::Number32("Load Degradation")]
        }
        _ => &[Part::Octets("Policy-specific Data")],
    }
}

/// The cause-specific information of a cause: none, a parameter, or octets.
fn cause_parts(cause: &Parameter<'_>) -> &'static [Part] {
    match ErrorCause::read(cause) {
        ErrorCause::UnrecognizedParameter(_)
        | ErrorCause::InvalidValues(_)
        | ErrorCause::InconsistentPoolPolicy(_)
        | ErrorCause::InconsistentTransportType(_) => &[Part::Parameters],
        ErrorCause::Unspecified
        | ErrorCause::UnrecognizedMessage(_)
        | ErrorCause::NonUniquePoolElementIdentifier
        | ErrorCause::LackOfResources
        | ErrorCause::InconsistentDataControlConfiguration
        | ErrorCause::UnknownPoolHandle
        | ErrorCause::RejectedDueToSecurity
        | ErrorCause::Other { .. } => &[Part::Octets("Cause-specific Information")],
    }
}

struct Fields(Vec<Field>);

impl Fields {
    fn message(&mut self, protocol: Protocol, octets: &[u8]) {
        let Some(&[message_type, flags, high, low]) = octets.first_chunk() else {
            return self.push(0, 0..octets.len(), "Octets", Hex::line(octets).to_string());
        };
        let name = match protocol {
            Protocol::Asap => asap::Message::type_name(message_type),
            Protocol::Enrp => enrp::Message::type_name(message_type),
        };
        let length = u16::from_be_bytes([high, low]);
        let value = format!("type {message_type:#04x}, flags {flags:#04x}, length {length}");
        let name = name.unwrap_or("Unknown Message");
        self.push(0, 0..octets.len(), name, value);
        // Where the length is wrong the octets that are there are shown all the same.
        let mut value = match message::open(octets) {
            Ok((_, value)) => value,
            Err(_) => Reader::new(octets).into_value(octets),
        };
        self.parts(&message_parts(protocol, message_type), &mut value, 1);
    }

    fn parameter(&mut self, parameter: &Parameter<'_>, depth: usize) {
        let (kind, length) = (parameter.kind, parameter.octets().len());
        let value = format!("type {:#06x}, length {length}", kind.0);
        let place = parameter.offset()..parameter.offset() + length;
        self.push(depth, place, kind.title(), value);
        let parts = match depth {
            ..DEPTH_MAX => parameter_parts(kind),
            _ => &[Part::Octets("Parameter Value")],
        };
        self.parts(parts, &mut parameter.value(), depth + 1);
    }

    fn cause(&mut self, cause: &Parameter<'_>, depth: usize) {
        let length = cause.octets().len();
        let name = ErrorCause::read(cause).name();
        let value = format!("code {:#06x}, length {length}, {name}", cause.kind.0);
        let place = cause.offset()..cause.offset() + length;
        self.push(depth, place, "Error Cause", value);
        self.parts(cause_parts(cause), &mut cause.value(), depth + 1);
    }

    /// Shows part after part; what does not follow the format is shown as octets.
    fn parts(&mut self, parts: &[Part], reader: &mut Reader<'_>, depth: usize) {
        for part in parts {
            if self.part(*part, reader, depth).is_none() {
                break;
            }
        }
        let start = reader.offset();
        let octets = reader.rest();
        if !octets.is_empty() {
            let value = Hex::line(octets).to_string();
            self.push(depth, start..start + octets.len(), "Octets", value);
        }
    }

    fn part(&mut self, part: Part, reader: &mut Reader<'_>, depth: usize) -> Option<()> {
        let start = reader.offset();
        let (name, value) = match part {
            Part::Number16(name) => (name, reader.u16().ok()?.to_string()),
            Part::Hex16(name) => (name, format!("{:#06x}", reader.u16().ok()?)),
            Part::Number32(name) => (name, reader.u32().ok()?.to_string()),
            Part::Hex32(name) => (name, format!("{:#010x}", reader.u32().ok()?)),
            Part::Registrar(name) => match RegistrarId::new(reader.u32().ok()?) {
                Some(id) => (name, id.to_string()),
                None => (name, "none".into()),
            },
            Part::Life => {
                let seconds = i32::from_be_bytes(reader.array().ok()?);
                ("Registration Life", format!("{seconds}s"))
            }
            Part::Policy => {
                let policy_type = PolicyType(reader.u32().ok()?);
                let value = format!("{:#010x}, {policy_type}", policy_type.0);
                self.push(depth, start..reader.offset(), "Policy Type", value);
                self.parts(policy_parts(policy_type), reader, depth);
                return Some(());
            }
            Part::Action => {
                let value = match reader.u16().ok()? {
                    0 => "0x0000 (ADD_PE)".into(),
                    1 => "0x0001 (DEL_PE)".into(),
                    other => format!("{other:#06x}"),
                };
                ("Update Action", value)
            }
            Part::Use => {
                let transport_use = TransportUse(reader.u16().ok()?);
                ("Transport Use", transport_use.to_string())
            }
            Part::Ipv4 => {
                let address = Ipv4Addr::from(reader.array::<4>().ok()?);
                ("IPv4 Address", address.to_string())
            }
            Part::Ipv6 => {
                let address = Ipv6Addr::from(reader.array::<16>().ok()?);
                ("IPv6 Address", address.to_string())
            }
            Part::Handle => ("Pool Handle", PoolHandle::new(reader.rest()).to_string()),
            Part::Octets(_) if reader.len() == 0 => return Some(()),
            Part::Octets(name) => (name, Hex::line(reader.rest()).to_string()),
            Part::Parameters => {
                while let Some(parameter) = reader.parameter().ok()? {
                    self.parameter(&parameter, depth);
                }
                return Some(());
            }
            Part::Causes => {
                while let Some(cause) = reader.parameter().ok()? {
                    self.cause(&cause, depth);
                }
                return Some(());
            }
        };
        self.push(depth, start..reader.offset(), name, value);
        Some(())
    }

    fn push(&mut self, depth: usize, octets: Range<usize>, name: &'static str, value: String) {
        self.0.push(Field {
            depth,
            octets,
            name,
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;

    #[test]
    fn a_registration() {
        let octets = hex(
            "01000043 0009000c 4563686f 506f6f6c 000a0033 44444444 00000000 00015f90
             00040010 86ff0001 00010008 0a010004 0008000c 00000002 00000002 80770007 aabbcc00",
        );
        assert_eq!(
            dissect(Protocol::Asap, &octets).to_string(),
            "    0  ASAP_REGISTRATION: type 0x01, flags 0x00, length 67
    4    Pool Handle parameter: type 0x0009, length 12
    8      Pool Handle: EchoPool
   16    Pool Element parameter: type 0x000a, length 51
   20      PE Identifier: 0x44444444
   24      Home ENRP Server Identifier: none
   28      Registration Life: 90000s
   32      SCTP Transport parameter: type 0x0004, length 16
   36        SCTP Port: 34559
   38        Transport Use: data+control
   40        IPv4 Address parameter: type 0x0001, length 8
   44          IPv4 Address: 10.1.0.4
   48      Pool Member Selection Policy parameter: type 0x0008, length 12
   52        Policy Type: 0x00000002, weighted-round-robin
   56        Weight: 2
   60      Unknown parameter: type 0x8077, length 7
   64        Parameter Value: aabbcc
    =  ASAP_REGISTRATION pool EchoPool pe 0x44444444 life 90000s \
             sctp 34559 10.1.0.4 data+control weighted-round-robin weight 2"
        );
    }

    #[test]
    fn what_is_wrong_and_what_is_reported() {
        let octets = hex("05010018 c0770006 aabb0000 0009000c 4563686f 506f6f6c 00");
        assert_eq!(
            dissect(Protocol::Asap, &octets[..24]).to_string(),
            "    0  ASAP_HANDLE_RESOLUTION: type 0x05, flags 0x01, length 24
    4    Unknown parameter: type 0xc077, length 6
    8      Parameter Value: aabb
   12    Pool Handle parameter: type 0x0009, length 12
   16      Pool Handle: EchoPool
    =  ASAP_HANDLE_RESOLUTION pool EchoPool [S]
    >  report: unrecognized parameter c0770006aabb"
        );
        // One octet too few, one too many.
        assert_eq!(
            dissect(Protocol::Asap, &octets[..23]).to_string(),
            "    0  ASAP_HANDLE_RESOLUTION: type 0x05, flags 0x01, length 24
    4    Unknown parameter: type 0xc077, length 6
    8      Parameter Value: aabb
   12    Octets: 0009000c4563686f506f6f
    !  LengthTooLarge at octet 2"
        );
        assert_eq!(
            dissect(Protocol::Asap, &octets)
                .verdict
                .unwrap_err()
                .to_string(),
            "TrailingOctets at octet 24"
        );
        assert_eq!(
            dissect(Protocol::Asap, &octets[..2]).to_string(),
            "    0  Octets: 0501\n    !  HeaderIncomplete at octet 0"
        );
    }

    #[test]
    fn enrp() {
        let octets = hex("0a00001c 98d3fe06 00000000 000c0010 0005000c 00080008 00000001");
        assert_eq!(
            dissect(Protocol::Enrp, &octets).to_string(),
            "    0  ENRP_ERROR: type 0x0a, flags 0x00, length 28
    4    Sending Server's ID: 0x98d3fe06
    8    Receiving Server's ID: none
   12    Operation Error parameter: type 0x000c, length 16
   16      Error Cause: code 0x0005, length 12, inconsistent pool policy
   20        Pool Member Selection Policy parameter: type 0x0008, length 8
   24          Policy Type: 0x00000001, round-robin
    =  ENRP_ERROR 0x98d3fe06 > all inconsistent pool policy, the pool has round-robin"
        );
        let update = hex("04000010 98d3fe06 00000000 00020000");
        assert_eq!(
            dissect(Protocol::Enrp, &update).to_string(),
            "    0  ENRP_HANDLE_UPDATE: type 0x04, flags 0x00, length 16
    4    Sending Server's ID: 0x98d3fe06
    8    Receiving Server's ID: none
   12    Update Action: 0x0002
   14    Reserved: 0x0000
    !  InvalidUpdateAction at octet 12
    >  report: invalid values 04000010 98d3fe06 00000000 00020000"
                .replace(
                    "04000010 98d3fe06 00000000 00020000",
                    "0400001098d3fe060000000000020000"
                )
        );
    }

    #[test]
    fn unknown_messages() {
        assert_eq!(
            dissect(Protocol::Enrp, &hex("4f000008 01020304")).to_string(),
            "    0  Unknown Message: type 0x4f, flags 0x00, length 8
    4    Message Value: 01020304
    !  UnrecognizedMessage(0x4f) at octet 0
    >  report: unrecognized message 4f00000801020304"
        );
    }

    /// Pool elements within pool elements are a way to exhaust a stack.
    #[test]
    fn nesting_is_bounded() {
        let mut octets = Vec::new();
        for depth in 0..4000_u16 {
            let length = 16 * (4000 - depth);
            octets.extend_from_slice(&[0, 10]);
            octets.extend_from_slice(&length.to_be_bytes());
            octets.extend_from_slice(&[0; 12]);
        }
        let mut message = vec![1, 0];
        message.extend_from_slice(&64_004_u16.to_be_bytes());
        message.extend_from_slice(&octets);
        let dissection = dissect(Protocol::Asap, &message);
        let deepest = dissection.fields.iter().map(|field| field.depth).max();
        assert_eq!(deepest, Some(DEPTH_MAX + 1));
    }
}
