//! ENRP_HANDLE_UPDATE ([RFC 5353 §2.4](https://www.rfc-editor.org/rfc/rfc5353#section-2.4)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x04  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Receiving Server's ID                     │
//! ├───────────────────────────────┬───────────────────────────────┤
//! │         Update Action         │           (reserved)          │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                          Pool Element                         ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::route::Route;
use crate::error::{DecodeErrorKind, Fault};
use crate::message::Header;
use crate::parameter::{EncodedPoolElement, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use crate::{PoolHandle, RegistrarId};
use core::fmt;

/// A home registrar tells its peers of one pool element (RFC 5353 §2.4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleUpdate {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// Added or updated, or deleted.
    pub action: UpdateAction,
    /// The pool.
    pub pool_handle: PoolHandle,
    /// The pool element.
    pub pool_element: EncodedPoolElement,
}

/// What to do with the pool element (RFC 5353 §2.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateAction {
    /// ADD_PE: add or update it.
    Add,
    /// DEL_PE: delete it.
    Delete,
}

impl HandleUpdate {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_HANDLE_UPDATE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x04;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let route = Route::read(reader)?;
        let action = UpdateAction::read(reader)?;
        let _reserved = reader.u16()?;
        let mut pool_handle = None;
        let mut pool_element = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::POOL_ELEMENT if pool_element.is_none() => {
                    pool_element = Some(EncodedPoolElement::read(&parameter, unrecognized)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            sender: route.sender,
            receiver: route.receiver,
            action,
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            pool_element: reader.required(pool_element, ParameterType::POOL_ELEMENT)?,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            Route::new(self.sender, self.receiver).write(w);
            self.action.write(w);
            w.u16(0);
            self.pool_handle.write(w);
            self.pool_element.write(w);
        });
    }
}

impl UpdateAction {
    const ADD_PE: u16 = 0x0000;
    const DEL_PE: u16 = 0x0001;

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self, Fault<'a>> {
        let fault = reader.fault(DecodeErrorKind::InvalidUpdateAction);
        match reader.u16()? {
            Self::ADD_PE => Ok(Self::Add),
            Self::DEL_PE => Ok(Self::Delete),
            _ => Err(fault),
        }
    }

    fn write<S: Sink>(self, writer: &mut Writer<'_, S>) {
        writer.u16(match self {
            Self::Add => Self::ADD_PE,
            Self::Delete => Self::DEL_PE,
        });
    }
}

impl fmt::Display for HandleUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (route, action) = (Route::new(self.sender, self.receiver), self.action);
        let (handle, element) = (&self.pool_handle, &self.pool_element);
        let name = Self::NAME;
        write!(f, "{name} {route} {action} pool {handle} {element}")
    }
}

impl fmt::Display for UpdateAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "add",
            Self::Delete => "delete",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::string::ToString;

    fn message(action: UpdateAction) -> HandleUpdate {
        HandleUpdate {
            sender: registrar(0x98d3_fe06),
            receiver: Some(registrar(0x1234_5678)),
            action,
            pool_handle: echo_pool(),
            pool_element: (&element_at_home()).into(),
        }
    }

    const UPDATE: &str = "0009000c 4563686f 506f6f6c
             000a0050 56c3491e 98d3fe06 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002
             00040010 b26e0000 00010008 0a010001";

    #[test]
    fn octets_and_value() {
        enrp_both_ways(
            &["0400006c 98d3fe06 12345678 00000000", UPDATE].concat(),
            message(UpdateAction::Add),
        );
        enrp_both_ways(
            &["0400006c 98d3fe06 12345678 00010000", UPDATE].concat(),
            message(UpdateAction::Delete),
        );
        assert_eq!(
            message(UpdateAction::Delete).to_string(),
            "ENRP_HANDLE_UPDATE 0x98d3fe06 > 0x12345678 delete pool EchoPool \
             pe 0x56c3491e home 0x98d3fe06 life 90000s \
             sctp 50000 10.1.0.1,2001:db8::1 data+control weighted-round-robin weight 2 \
             asap sctp 45678 10.1.0.1"
        );
    }

    /// rsplib's takeover suggestion is a flag that the RFC does not have.
    #[test]
    fn flags_and_reserved_bits_are_ignored() {
        enrp_reads(
            &["0401006c 98d3fe06 12345678 0000ffff", UPDATE].concat(),
            message(UpdateAction::Add),
        );
    }

    /// RFC 5353 §2.4: other values must not be used.
    #[test]
    fn another_action_is_wrong() {
        let error = enrp_error(&["0400006c 98d3fe06 12345678 00020000", UPDATE].concat());
        assert_eq!(
            (error.offset, error.kind),
            (12, DecodeErrorKind::InvalidUpdateAction)
        );
    }
}
