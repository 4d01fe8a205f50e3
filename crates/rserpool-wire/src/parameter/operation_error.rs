//! Operation Error parameter and its causes
//! ([RFC 5354 §3.12](https://www.rfc-editor.org/rfc/rfc5354#section-3.12)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x000c         │             Length            │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                          Error Causes                         ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! Each cause:
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │           Cause Code          │          Cause Length         │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                   Cause-specific Information                  ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::{
    OPAQUE_TRANSPORT_OCTETS_MAX, POLICY_DATA_OCTETS_MAX, ParameterType, Policy, SctpTransport,
    UserTransport,
};
use crate::error::Fault;
use crate::hex::Hex;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// The most causes in one error: more tell nobody more, and each is a copy of what a stranger sent.
pub const ERROR_CAUSES_MAX: usize = 16;

/// The most octets of a parameter or message that a cause repeats: enough to know it again.
pub const CAUSE_INFORMATION_OCTETS_MAX: usize = 1024;

/// The longest Operation Error parameter that is written: each cause names a transport.
pub(crate) const OPERATION_ERROR_OCTETS_MAX: usize =
    4 + ERROR_CAUSES_MAX * (4 + SctpTransport::OCTETS_MAX);
const _: () = assert!(SctpTransport::OCTETS_MAX >= CAUSE_INFORMATION_OCTETS_MAX);
const _: () = assert!(SctpTransport::OCTETS_MAX >= 8 + POLICY_DATA_OCTETS_MAX);
const _: () = assert!(SctpTransport::OCTETS_MAX >= 4 + OPAQUE_TRANSPORT_OCTETS_MAX);

/// One or more error causes (RFC 5354 §3.12).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperationError {
    /// The causes in the order of the wire; at least one when we send. The first
    /// [`ERROR_CAUSES_MAX`] are sent and read.
    pub causes: Vec<ErrorCause>,
}

impl From<ErrorCause> for OperationError {
    fn from(cause: ErrorCause) -> Self {
        Self {
            causes: alloc::vec![cause],
        }
    }
}

/// An error cause (RFC 5354 §3.12.1-§3.12.11). Of repeated octets
/// [`CAUSE_INFORMATION_OCTETS_MAX`] are sent and read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ErrorCause {
    /// 0x0: unspecified.
    Unspecified,
    /// 0x1: the complete parameter that was not recognised.
    UnrecognizedParameter(Vec<u8>),
    /// 0x2: the complete message that was not recognised.
    UnrecognizedMessage(Vec<u8>),
    /// 0x3: the complete parameter with the invalid value.
    InvalidValues(Vec<u8>),
    /// 0x4: the pool element identifier is used by another pool element of the pool.
    NonUniquePoolElementIdentifier,
    /// 0x5: the pool has another policy, given here. rsplib leaves it out; the RFC does not, and
    /// tshark calls a cause without it malformed.
    InconsistentPoolPolicy(Option<Policy>),
    /// 0x6: lack of resources.
    LackOfResources,
    /// 0x7: the pool has another transport type, given here. We never leave it out.
    InconsistentTransportType(Option<UserTransport>),
    /// 0x8: the pool has another data/control configuration.
    InconsistentDataControlConfiguration,
    /// 0x9: no such pool.
    UnknownPoolHandle,
    /// 0xa: rejected due to security considerations.
    RejectedDueToSecurity,
    /// Any other code, carried unchanged.
    Other {
        /// The cause code.
        code: u16,
        /// The cause-specific information.
        information: Vec<u8>,
    },
}

impl OperationError {
    pub(crate) fn read<'a>(parameter: &Parameter<'a>) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        let mut causes = Vec::new();
        while let Some(cause) = value.parameter()? {
            if causes.len() < ERROR_CAUSES_MAX {
                causes.push(ErrorCause::read(&cause));
            }
        }
        Ok(Self { causes })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::OPERATION_ERROR, |w| {
            for cause in self.causes.iter().take(ERROR_CAUSES_MAX) {
                cause.write(w);
            }
        });
    }
}

impl ErrorCause {
    /// The number in the Cause Code field.
    pub fn code(&self) -> u16 {
        match self {
            Self::Unspecified => code::UNSPECIFIED,
            Self::UnrecognizedParameter(_) => code::UNRECOGNIZED_PARAMETER,
            Self::UnrecognizedMessage(_) => code::UNRECOGNIZED_MESSAGE,
            Self::InvalidValues(_) => code::INVALID_VALUES,
            Self::NonUniquePoolElementIdentifier => code::NON_UNIQUE_PE_IDENTIFIER,
            Self::InconsistentPoolPolicy(_) => code::INCONSISTENT_POOL_POLICY,
            Self::LackOfResources => code::LACK_OF_RESOURCES,
            Self::InconsistentTransportType(_) => code::INCONSISTENT_TRANSPORT_TYPE,
            Self::InconsistentDataControlConfiguration => {
                code::INCONSISTENT_DATA_CONTROL_CONFIGURATION
            }
            Self::UnknownPoolHandle => code::UNKNOWN_POOL_HANDLE,
            Self::RejectedDueToSecurity => code::REJECTED_DUE_TO_SECURITY,
            Self::Other { code, .. } => *code,
        }
    }

    /// The RFC's words for the cause.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified error",
            Self::UnrecognizedParameter(_) => "unrecognized parameter",
            Self::UnrecognizedMessage(_) => "unrecognized message",
            Self::InvalidValues(_) => "invalid values",
            Self::NonUniquePoolElementIdentifier => "non-unique pe identifier",
            Self::InconsistentPoolPolicy(_) => "inconsistent pool policy",
            Self::LackOfResources => "lack of resources",
            Self::InconsistentTransportType(_) => "inconsistent transport type",
            Self::InconsistentDataControlConfiguration => "inconsistent data/control configuration",
            Self::UnknownPoolHandle => "unknown pool handle",
            Self::RejectedDueToSecurity => "rejected due to security considerations",
            Self::Other { .. } => "cause",
        }
    }

    /// As much of a parameter or message as a cause repeats.
    pub(crate) fn information(octets: &[u8]) -> Vec<u8> {
        octets[..octets.len().min(CAUSE_INFORMATION_OCTETS_MAX)].to_vec()
    }

    /// Reads any cause: a code that is not known, and information that does not suit its code, are
    /// kept as they are. Information where there should be none is ignored.
    pub(crate) fn read(cause: &Parameter<'_>) -> Self {
        let octets = cause.value().rest();
        let information = || Self::information(octets);
        let other = || Self::Other {
            code: cause.kind.0,
            information: information(),
        };
        match cause.kind.0 {
            code::UNSPECIFIED => Self::Unspecified,
            code::UNRECOGNIZED_PARAMETER => Self::UnrecognizedParameter(information()),
            code::UNRECOGNIZED_MESSAGE => Self::UnrecognizedMessage(information()),
            code::INVALID_VALUES => Self::InvalidValues(information()),
            code::NON_UNIQUE_PE_IDENTIFIER => Self::NonUniquePoolElementIdentifier,
            code::INCONSISTENT_POOL_POLICY if octets.is_empty() => {
                Self::InconsistentPoolPolicy(None)
            }
            code::INCONSISTENT_POOL_POLICY => read_policy(octets)
                .map_or_else(other, |policy| Self::InconsistentPoolPolicy(Some(policy))),
            code::LACK_OF_RESOURCES => Self::LackOfResources,
            code::INCONSISTENT_TRANSPORT_TYPE if octets.is_empty() => {
                Self::InconsistentTransportType(None)
            }
            code::INCONSISTENT_TRANSPORT_TYPE => read_transport(octets)
                .map_or_else(other, |t| Self::InconsistentTransportType(Some(t))),
            code::INCONSISTENT_DATA_CONTROL_CONFIGURATION => {
                Self::InconsistentDataControlConfiguration
            }
            code::UNKNOWN_POOL_HANDLE => Self::UnknownPoolHandle,
            code::REJECTED_DUE_TO_SECURITY => Self::RejectedDueToSecurity,
            _ => other(),
        }
    }

    fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        // A cause is framed like a parameter.
        writer.parameter(ParameterType(self.code()), |w| match self {
            Self::UnrecognizedParameter(octets)
            | Self::UnrecognizedMessage(octets)
            | Self::InvalidValues(octets)
            | Self::Other {
                information: octets,
                ..
            } => w.octets(&octets[..octets.len().min(CAUSE_INFORMATION_OCTETS_MAX)]),
            Self::InconsistentPoolPolicy(policy) => {
                policy.iter().for_each(|policy| policy.write(w));
            }
            Self::InconsistentTransportType(transport) => {
                transport.iter().for_each(|transport| transport.write(w));
            }
            Self::Unspecified
            | Self::NonUniquePoolElementIdentifier
            | Self::LackOfResources
            | Self::InconsistentDataControlConfiguration
            | Self::UnknownPoolHandle
            | Self::RejectedDueToSecurity => {}
        });
    }
}

fn read_policy(octets: &[u8]) -> Option<Policy> {
    let parameter = Parameter::alone(octets).ok()?;
    (parameter.kind == ParameterType::POLICY)
        .then(|| Policy::read(&parameter).ok())
        .flatten()
}

fn read_transport(octets: &[u8]) -> Option<UserTransport> {
    let parameter = Parameter::alone(octets).ok()?;
    UserTransport::read(&parameter, &mut Unrecognized::default()).ok()?
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, cause) in self.causes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{cause}")?;
        }
        if self.causes.is_empty() {
            f.write_str("no cause given")?;
        }
        Ok(())
    }
}

impl fmt::Display for ErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::UnrecognizedParameter(octets)
            | Self::UnrecognizedMessage(octets)
            | Self::InvalidValues(octets) => write!(f, "{name} {}", Hex::line(octets)),
            Self::InconsistentPoolPolicy(Some(policy)) => {
                write!(f, "{name}, the pool has {policy}")
            }
            Self::InconsistentTransportType(Some(transport)) => {
                write!(f, "{name}, the pool has {transport}")
            }
            Self::Other { code, information } => {
                write!(f, "{name} {code:#06x} {}", Hex::line(information))
            }
            Self::Unspecified
            | Self::NonUniquePoolElementIdentifier
            | Self::InconsistentPoolPolicy(None)
            | Self::LackOfResources
            | Self::InconsistentTransportType(None)
            | Self::InconsistentDataControlConfiguration
            | Self::UnknownPoolHandle
            | Self::RejectedDueToSecurity => f.write_str(name),
        }
    }
}

/// Cause codes (RFC 5354 §3.12, table 2).
mod code {
    pub(super) const UNSPECIFIED: u16 = 0x0;
    pub(super) const UNRECOGNIZED_PARAMETER: u16 = 0x1;
    pub(super) const UNRECOGNIZED_MESSAGE: u16 = 0x2;
    pub(super) const INVALID_VALUES: u16 = 0x3;
    pub(super) const NON_UNIQUE_PE_IDENTIFIER: u16 = 0x4;
    pub(super) const INCONSISTENT_POOL_POLICY: u16 = 0x5;
    pub(super) const LACK_OF_RESOURCES: u16 = 0x6;
    pub(super) const INCONSISTENT_TRANSPORT_TYPE: u16 = 0x7;
    pub(super) const INCONSISTENT_DATA_CONTROL_CONFIGURATION: u16 = 0x8;
    pub(super) const UNKNOWN_POOL_HANDLE: u16 = 0x9;
    pub(super) const REJECTED_DUE_TO_SECURITY: u16 = 0xa;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::TransportUse;
    use crate::test_support::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn read(digits: &str) -> OperationError {
        read_parameter(digits, |parameter, _| {
            OperationError::read(parameter).map_err(|fault| fault.error.kind)
        })
        .unwrap()
    }

    fn both_ways(digits: &str, cause: &ErrorCause, shown: &str) {
        assert_eq!(cause.to_string(), shown);
        let octets = hex(digits);
        // The padding of the last cause is not counted.
        let length = octets.len() - (4 - usize::from(octets[3]) % 4) % 4;
        let whole = alloc::format!("000c{:04x} {digits}", length + 4);
        let error = OperationError::from(cause.clone());
        assert_eq!(read(&whole), error);
        assert_eq!(written(|w| error.write(w)), hex(&whole));
    }

    #[test]
    fn causes_without_information() {
        for (digits, cause, shown) in [
            ("00000004", ErrorCause::Unspecified, "unspecified error"),
            (
                "00040004",
                ErrorCause::NonUniquePoolElementIdentifier,
                "non-unique pe identifier",
            ),
            ("00060004", ErrorCause::LackOfResources, "lack of resources"),
            (
                "00080004",
                ErrorCause::InconsistentDataControlConfiguration,
                "inconsistent data/control configuration",
            ),
            (
                "00090004",
                ErrorCause::UnknownPoolHandle,
                "unknown pool handle",
            ),
            (
                "000a0004",
                ErrorCause::RejectedDueToSecurity,
                "rejected due to security considerations",
            ),
        ] {
            both_ways(digits, &cause, shown);
        }
    }

    #[test]
    fn causes_with_octets() {
        both_ways(
            "0001000a 40770006 aabb0000",
            &ErrorCause::UnrecognizedParameter(hex("40770006aabb")),
            "unrecognized parameter 40770006aabb",
        );
        both_ways(
            "00020008 4f000004",
            &ErrorCause::UnrecognizedMessage(hex("4f000004")),
            "unrecognized message 4f000004",
        );
        both_ways(
            "0003000c 000e0008 00000000",
            &ErrorCause::InvalidValues(hex("000e000800000000")),
            "invalid values 000e000800000000",
        );
        let other = ErrorCause::Other {
            code: 0xf006,
            information: vec![1],
        };
        both_ways("f0060005 01000000", &other, "cause 0xf006 01");
    }

    #[test]
    fn causes_with_parameters() {
        let policy = Policy::WeightedRandom { weight: 1 };
        both_ways(
            "00050010 0008000c 00000004 00000001",
            &ErrorCause::InconsistentPoolPolicy(Some(policy)),
            "inconsistent pool policy, the pool has weighted-random weight 1",
        );
        let transport = UserTransport::Sctp(sctp(7, TransportUse::DATA_ONLY, &["10.1.0.1"]));
        both_ways(
            "00070014 00040010 00070000 00010008 0a010001",
            &ErrorCause::InconsistentTransportType(Some(transport)),
            "inconsistent transport type, the pool has sctp 7 10.1.0.1",
        );
        // rsplib leaves them out.
        both_ways(
            "00050004",
            &ErrorCause::InconsistentPoolPolicy(None),
            "inconsistent pool policy",
        );
        both_ways(
            "00070004",
            &ErrorCause::InconsistentTransportType(None),
            "inconsistent transport type",
        );
    }

    #[test]
    fn several_causes() {
        let error = read("000c000c 00060004 00090004");
        let both = vec![ErrorCause::LackOfResources, ErrorCause::UnknownPoolHandle];
        assert_eq!(error, OperationError { causes: both });
        assert_eq!(error.to_string(), "lack of resources; unknown pool handle");
        assert_eq!(read("000c0004").to_string(), "no cause given");
    }

    #[test]
    fn information_that_does_not_suit_is_kept() {
        let other = |code, digits| ErrorCause::Other {
            code,
            information: hex(digits),
        };
        assert_eq!(
            read("000c000c 00050008 12345678"),
            other(5, "12345678").into()
        );
        assert_eq!(
            read("000c000c 00070008 00090004"),
            other(7, "00090004").into()
        );
    }

    #[test]
    fn causes_and_information_are_bounded() {
        let causes = vec![ErrorCause::InvalidValues(vec![1; 2000]); 20];
        let octets = written(|w| OperationError { causes }.write(w));
        assert_eq!(
            octets.len(),
            4 + ERROR_CAUSES_MAX * (4 + CAUSE_INFORMATION_OCTETS_MAX)
        );
        let digits = alloc::format!("000c0054 {}", "00060004".repeat(20));
        assert_eq!(read(&digits).causes.len(), ERROR_CAUSES_MAX);
    }
}
