//! ASAP_REGISTRATION_RESPONSE
//! ([RFC 5352 §2.2.3](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.3)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x03  │      0      │R│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                         PE Identifier                         ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                   Operation Error (optional)                  ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::element_name::ElementName;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::OperationError;
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use crate::{PoolElementId, PoolHandle};
use core::fmt;

/// The home registrar's answer to a registration (RFC 5352 §2.2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrationResponse {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element.
    pub pool_element: PoolElementId,
    /// Granted, perhaps with a warning; or rejected (R flag), perhaps with the causes.
    pub result: Result<Option<OperationError>, Option<OperationError>>,
}

impl RegistrationResponse {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_REGISTRATION_RESPONSE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x03;
    /// R: rejected.
    const REJECT: u8 = 0x01;

    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let (name, error) = ElementName::read_with_error(reader, unrecognized)?;
        let rejected = header.has(Self::REJECT);
        Ok(Self {
            pool_handle: name.pool_handle,
            pool_element: name.pool_element,
            result: if rejected { Err(error) } else { Ok(error) },
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let (flags, error) = match &self.result {
            Ok(warning) => (0, warning),
            Err(causes) => (Self::REJECT, causes),
        };
        writer.message(Self::TYPE, flags, |w| {
            self.pool_handle.write(w);
            self.pool_element.write(w);
            error.iter().for_each(|error| error.write(w));
        });
    }
}

impl fmt::Display for RegistrationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (handle, id) = (&self.pool_handle, self.pool_element);
        let name = Self::NAME;
        write!(f, "{name} pool {handle} pe {id} ")?;
        match &self.result {
            Ok(None) => f.write_str("granted"),
            Ok(Some(warning)) => write!(f, "granted with warning: {warning}"),
            Err(None) => f.write_str("rejected"),
            Err(Some(causes)) => write!(f, "rejected: {causes}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::{ErrorCause, Policy};
    use crate::test_support::*;
    use alloc::string::ToString;

    fn message(
        result: Result<Option<OperationError>, Option<OperationError>>,
    ) -> RegistrationResponse {
        RegistrationResponse {
            pool_handle: echo_pool(),
            pool_element: PE,
            result,
        }
    }

    #[test]
    fn granted() {
        asap_both_ways(
            "03000018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message(Ok(None)),
        );
        assert_eq!(
            message(Ok(None)).to_string(),
            "ASAP_REGISTRATION_RESPONSE pool EchoPool pe 0x56c3491e granted"
        );
    }

    #[test]
    fn granted_with_a_warning() {
        let warning = ErrorCause::Other {
            code: 0xf000,
            information: alloc::vec![1, 2],
        };
        asap_both_ways(
            "03000022 0009000c 4563686f 506f6f6c 000e0008 56c3491e 000c000a f0000006 01020000",
            message(Ok(Some(warning.into()))),
        );
    }

    #[test]
    fn rejected() {
        asap_both_ways(
            "03010018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message(Err(None)),
        );
    }

    /// rsplib names no policy.
    #[test]
    fn rejected_for_another_policy() {
        let cause = ErrorCause::InconsistentPoolPolicy(None);
        asap_both_ways(
            "03010020 0009000c 4563686f 506f6f6c 000e0008 56c3491e 000c0008 00050004",
            message(Err(Some(cause.into()))),
        );
        let cause = ErrorCause::InconsistentPoolPolicy(Some(Policy::RoundRobin));
        asap_both_ways(
            "03010028 0009000c 4563686f 506f6f6c 000e0008 56c3491e
             000c0010 0005000c 00080008 00000001",
            message(Err(Some(cause.into()))),
        );
    }

    #[test]
    fn other_flags_are_ignored() {
        asap_reads(
            "03fe0018 0009000c 4563686f 506f6f6c 000e0008 56c3491e",
            message(Ok(None)),
        );
    }
}
