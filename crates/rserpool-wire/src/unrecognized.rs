//! The rules for unrecognised messages and parameters (RFC 5354 §3, §4), in one place.
//!
//! ```text
//!        highest bits   parameter                        message
//!        00             discard the message              discard
//!        01             discard the message and report   discard and report
//!        10             skip the parameter               (reserved) discard
//!        11             skip the parameter and report    (reserved) discard
//! ```
//!
//! They hold at every level: an unknown parameter within a pool element within a message is
//! treated as one directly within the message.
//!
//! The action bits speak of types that a receiver does not recognise. A parameter of a known type
//! in a place where it has no meaning, or one more of which only one is allowed, is skipped
//! without a report and its content is not looked at: the first one counts. (rsplib puts a policy
//! into ASAP_BUSINESS_CARD and a second address into TCP transports.)

use crate::error::{DecodeErrorKind, Fault};
use crate::parameter::{ERROR_CAUSES_MAX, ErrorCause, ParameterType};
use crate::reader::{Parameter, Reader};
use alloc::vec::Vec;

/// What to do with an unrecognised message or parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Discard,
    DiscardAndReport,
    Skip,
    SkipAndReport,
}

impl Action {
    /// The action for an unrecognised parameter (RFC 5354 §3).
    pub(crate) fn of_parameter(parameter: ParameterType) -> Self {
        match parameter.0 >> 14 {
            0b00 => Self::Discard,
            0b01 => Self::DiscardAndReport,
            0b10 => Self::Skip,
            _ => Self::SkipAndReport,
        }
    }

    /// The action for an unrecognised message (RFC 5354 §4).
    pub(crate) fn of_message(message_type: u8) -> Self {
        match message_type >> 6 {
            0b01 => Self::DiscardAndReport,
            _ => Self::Discard,
        }
    }

    /// Whether the sender is told.
    pub(crate) fn reports(self) -> bool {
        match self {
            Self::Discard | Self::Skip => false,
            Self::DiscardAndReport | Self::SkipAndReport => true,
        }
    }
}

/// The causes that have come up while a message is read.
#[derive(Default)]
pub(crate) struct Unrecognized {
    causes: Vec<ErrorCause>,
}

impl Unrecognized {
    /// Treats a parameter that the format at hand has no place for.
    pub(crate) fn parameter<'a>(&mut self, parameter: &Parameter<'a>) -> Result<(), Fault<'a>> {
        if parameter.kind.is_known() {
            return Ok(());
        }
        match Action::of_parameter(parameter.kind) {
            Action::Skip => Ok(()),
            Action::SkipAndReport => {
                self.report(parameter);
                Ok(())
            }
            Action::Discard | Action::DiscardAndReport => {
                Err(parameter.fault(DecodeErrorKind::UnrecognizedParameter(parameter.kind)))
            }
        }
    }

    /// Treats all that is left where the format has no (more) parameters.
    pub(crate) fn rest<'a>(&mut self, reader: &mut Reader<'a>) -> Result<(), Fault<'a>> {
        while let Some(parameter) = reader.parameter()? {
            self.parameter(&parameter)?;
        }
        Ok(())
    }

    /// All causes of a message that can be used.
    pub(crate) fn into_causes(self) -> Vec<ErrorCause> {
        self.causes
    }

    /// All causes of a message that cannot be used.
    pub(crate) fn into_causes_with(mut self, fault: &Fault<'_>) -> Vec<ErrorCause> {
        if let Some(cause) = fault.error.kind.cause(fault.offending) {
            self.causes.truncate(ERROR_CAUSES_MAX - 1);
            self.causes.push(cause);
        }
        self.causes
    }

    fn report(&mut self, parameter: &Parameter<'_>) {
        if self.causes.len() < ERROR_CAUSES_MAX {
            let octets = ErrorCause::information(parameter.octets());
            self.causes.push(ErrorCause::UnrecognizedParameter(octets));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DecodeErrorKind;
    use crate::test_support::*;
    use crate::{Decoded, Undecodable, asap, enrp};
    use alloc::string::{String, ToString};
    use alloc::{format, vec};

    /// What is inside is of no interest; the length is not a multiple of four on purpose.
    fn unknown(action_bits: u16) -> String {
        format!("{:04x}0006 aabb0000", action_bits << 14 | 0x77)
    }

    fn cause(action_bits: u16) -> ErrorCause {
        let octets = format!("{:04x}0006 aabb", action_bits << 14 | 0x77);
        ErrorCause::UnrecognizedParameter(hex(&octets))
    }

    const HANDLE: &str = "0009000c 4563686f 506f6f6c";
    const PE_ID: &str = "000e0008 56c3491e";
    const ERROR: &str = "000c0008 00090004";
    const ADDRESS: &str = "00010008 0a010001";
    const ROUTE: &str = "98d3fe06 12345678";

    fn parameter(kind: u16, value: &str) -> String {
        format!("{kind:04x}{:04x} {value}", hex(value).len() + 4)
    }

    fn message(message_type: u8, value: &str) -> Vec<u8> {
        hex(&format!(
            "{message_type:02x}00{:04x} {value}",
            hex(value).len() + 4
        ))
    }

    fn pool_element(extra_in_element: &str, extra_in_transport: &str) -> String {
        let transport = parameter(4, &format!("c3500001 {ADDRESS} {extra_in_transport}"));
        parameter(
            0xa,
            &format!("56c3491e 98d3fe06 00015f90 {transport} {extra_in_element} 00080008 00000001"),
        )
    }

    fn server_information(extra: &str, extra_in_transport: &str) -> String {
        let transport = parameter(4, &format!("26ad0000 {ADDRESS} {extra_in_transport}"));
        parameter(0xb, &format!("98d3fe06 {transport} {extra}"))
    }

    /// For each message that is not an error message, its values with the unknown parameter in
    /// every place where a parameter can be.
    fn asap_places(x: &str) -> Vec<(u8, Vec<String>)> {
        let plain = pool_element("", "");
        let named = vec![
            format!("{x} {HANDLE} {PE_ID}"),
            format!("{HANDLE} {x} {PE_ID}"),
            format!("{HANDLE} {PE_ID} {x}"),
        ];
        let answered = [named.clone(), vec![format!("{HANDLE} {PE_ID} {x} {ERROR}")]].concat();
        let with_elements = vec![
            format!("{x} {HANDLE} {plain}"),
            format!("{HANDLE} {plain} {x}"),
            format!("{HANDLE} {}", pool_element(x, "")),
            format!("{HANDLE} {}", pool_element("", x)),
        ];
        vec![
            (0x01, with_elements.clone()),
            (0x02, named.clone()),
            (0x03, answered.clone()),
            (0x04, answered),
            (0x05, vec![format!("{x} {HANDLE}"), format!("{HANDLE} {x}")]),
            (
                0x06,
                [with_elements.clone(), vec![format!("{HANDLE} {ERROR} {x}")]].concat(),
            ),
            (
                0x07,
                vec![
                    format!("98d3fe06 {x} {HANDLE} {PE_ID}"),
                    format!("98d3fe06 {HANDLE} {PE_ID} {x}"),
                ],
            ),
            (0x08, named.clone()),
            (0x09, named),
            (
                0x0a,
                vec![
                    format!("98d3fe06 {x}"),
                    format!(
                        "98d3fe06 {}",
                        parameter(4, &format!("0f170000 {ADDRESS} {x}"))
                    ),
                    format!(
                        "98d3fe06 {}",
                        parameter(5, &format!("0f170000 {ADDRESS} {x}"))
                    ),
                ],
            ),
            (0x0b, vec![format!("000d0008 00000000 {x}")]),
            (0x0c, vec![format!("{x} 000d0008 00000000")]),
            (0x0d, with_elements),
        ]
    }

    fn enrp_places(x: &str) -> Vec<(u8, Vec<String>)> {
        let plain = pool_element("", "");
        let servers = vec![
            format!("{ROUTE} {x} {}", server_information("", "")),
            format!("{ROUTE} {} {x}", server_information("", "")),
            format!("{ROUTE} {}", server_information(x, "")),
            format!("{ROUTE} {}", server_information("", x)),
        ];
        let target = vec![format!("{ROUTE} 98d3fe06 {x}")];
        vec![
            (0x01, servers.clone()),
            (0x02, vec![format!("{ROUTE} {x}")]),
            (
                0x03,
                vec![
                    format!("{ROUTE} {x} {HANDLE} {plain}"),
                    format!("{ROUTE} {HANDLE} {x} {plain}"),
                    format!("{ROUTE} {HANDLE} {plain} {x}"),
                    format!("{ROUTE} {HANDLE} {}", pool_element(x, "")),
                    format!("{ROUTE} {HANDLE} {}", pool_element("", x)),
                ],
            ),
            (
                0x04,
                vec![
                    format!("{ROUTE} 00000000 {x} {HANDLE} {plain}"),
                    format!("{ROUTE} 00000000 {HANDLE} {plain} {x}"),
                    format!("{ROUTE} 00000000 {HANDLE} {}", pool_element(x, "")),
                    format!("{ROUTE} 00000000 {HANDLE} {}", pool_element("", x)),
                ],
            ),
            (0x05, vec![format!("{ROUTE} {x}")]),
            (0x06, servers),
            (0x07, target.clone()),
            (0x08, target.clone()),
            (0x09, target),
        ]
    }

    fn walk<M: Codec>(places: impl Fn(&str) -> Vec<(u8, Vec<String>)>) -> usize {
        let mut walked = 0;
        let plain = places("");
        for action_bits in 0b00..=0b11 {
            for ((message_type, values), (_, plain)) in
                places(&unknown(action_bits)).iter().zip(&plain)
            {
                for (value, plain) in values.iter().zip(plain) {
                    let expected = M::decode(&message(*message_type, plain)).unwrap();
                    assert_eq!(expected.unrecognized, []);
                    let decoded = M::decode(&message(*message_type, value));
                    check(decoded, &expected, action_bits);
                    walked += 1;
                }
            }
        }
        walked
    }

    fn check<M: Codec>(
        decoded: Result<Decoded<M>, Undecodable>,
        expected: &Decoded<M>,
        action_bits: u16,
    ) {
        let kind = ParameterType(action_bits << 14 | 0x77);
        match (action_bits, decoded) {
            (0b10, Ok(decoded)) => assert_eq!(&decoded, expected),
            (0b11, Ok(decoded)) => {
                assert_eq!(decoded.message, expected.message);
                assert_eq!(decoded.unrecognized, [cause(0b11)]);
            }
            (0b00, Err(undecodable)) => {
                let expected = DecodeErrorKind::UnrecognizedParameter(kind);
                assert_eq!(
                    (undecodable.error.kind, undecodable.report),
                    (expected, vec![])
                );
            }
            (0b01, Err(undecodable)) => {
                let expected = DecodeErrorKind::UnrecognizedParameter(kind);
                let report = vec![cause(0b01)];
                assert_eq!(
                    (undecodable.error.kind, undecodable.report),
                    (expected, report)
                );
            }
            (_, other) => panic!("action bits {action_bits:02b}: {other:?}"),
        }
    }

    /// RFC 5354 §3, at every place of every message.
    #[test]
    fn action_bits_times_messages_times_places() {
        assert_eq!(walk::<asap::Message>(asap_places), 4 * 39);
        assert_eq!(walk::<enrp::Message>(enrp_places), 4 * 22);
    }

    /// RFC 5354 §3.12.2: multiple unrecognized parameters, multiple error causes.
    #[test]
    fn several_causes_at_once() {
        let value = format!(
            "{} {HANDLE} {} {}",
            unknown(0b11),
            unknown(0b10),
            unknown(0b11)
        );
        let decoded = asap::Message::decode(&message(5, &value)).unwrap();
        assert_eq!(decoded.unrecognized, [cause(0b11), cause(0b11)]);
        // What came before the end is reported, whatever ends it.
        for (end, last) in [
            (unknown(0b00), vec![]),
            (unknown(0b01), vec![cause(0b01)]),
            ("00090003".to_string(), vec![]),
        ] {
            let value = format!("{} {HANDLE} {end}", unknown(0b11));
            let undecodable = asap::Message::decode(&message(5, &value)).unwrap_err();
            assert_eq!(undecodable.report, [vec![cause(0b11)], last].concat());
        }
    }

    #[test]
    fn causes_are_bounded() {
        let value = format!("{HANDLE} {}", unknown(0b11).repeat(100));
        let decoded = asap::Message::decode(&message(5, &value)).unwrap();
        assert_eq!(decoded.unrecognized.len(), ERROR_CAUSES_MAX);
        // The one that ended it is among them.
        let value = format!("{} {}", unknown(0b11).repeat(100), unknown(0b01));
        let undecodable = asap::Message::decode(&message(5, &value)).unwrap_err();
        assert_eq!(undecodable.report.len(), ERROR_CAUSES_MAX);
        assert_eq!(undecodable.report.last(), Some(&cause(0b01)));
    }

    /// A known parameter in the wrong place is not unrecognised; its content is not looked at.
    #[test]
    fn a_known_parameter_where_it_does_not_belong_is_skipped() {
        let plain = asap::Message::decode(&message(5, HANDLE)).unwrap();
        for kind in (1..=0x10).filter(|kind| *kind != 9).chain([0x9899]) {
            let value = format!("{HANDLE} {kind:04x}0005 ff000000");
            assert_eq!(asap::Message::decode(&message(5, &value)).unwrap(), plain);
        }
    }
}
