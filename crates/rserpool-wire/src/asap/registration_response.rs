//! ASAP_REGISTRATION_RESPONSE ([RFC 5352 §2.2.3](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.3)).
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
        write!(f, "ASAP_REGISTRATION_RESPONSE pool {handle} pe {id} ")?;
        match &self.result {
            Ok(None) => f.write_str("granted"),
            Ok(Some(warning)) => write!(f, "granted with warning: {warning}"),
            Err(None) => f.write_str("rejected"),
            Err(Some(causes)) => write!(f, "rejected: {causes}"),
        }
    }
}
