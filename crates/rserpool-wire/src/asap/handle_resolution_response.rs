//! ASAP_HANDLE_RESOLUTION_RESPONSE ([RFC 5352 §2.2.6](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.6)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x06  │      0      │A│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊        Overall Pool Member Selection Policy (optional)        ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      Pool Element #1 … #n                     ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      or: Operation Error                      ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::PoolHandle;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{EncodedPoolElement, OperationError, ParameterType, Policy};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Length, Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// The answer to a handle resolution, or an update of it (RFC 5352 §2.2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleResolutionResponse {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// A bit: updates will follow.
    pub updates_accepted: bool,
    /// The pool elements, or why there are none.
    pub result: Result<Resolution, OperationError>,
}

/// What a pool handle resolves to (RFC 5352 §2.2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// The pool's overall policy; Round Robin where the response names none.
    pub policy: Policy,
    /// At least one, in the order in which they should be tried. Those are sent that fit into the
    /// [room](HandleResolutionResponse::room) of one message.
    pub pool_elements: Vec<EncodedPoolElement>,
}

impl HandleResolutionResponse {
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x06;
    /// A: updates are accepted.
    const ACCEPT: u8 = 0x01;

    /// How many octets of pool elements fit into a response that names this pool and policy.
    pub fn room(pool_handle: &PoolHandle, policy: &Policy) -> usize {
        let mut length = Length::default();
        let mut room = 0;
        Writer::new(&mut length).message(Self::TYPE, 0, |w| {
            pool_handle.write(w);
            policy.write(w);
            room = w.room();
        });
        room
    }

    /// An error anywhere makes the response negative, whatever else is there. The policy is that
    /// of the message: those within the pool elements say nothing about the pool.
    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut pool_handle = None;
        let mut policy = None;
        let mut pool_elements = Vec::new();
        let mut error = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::POLICY if policy.is_none() => {
                    policy = Some(Policy::read(&parameter)?);
                }
                ParameterType::POOL_ELEMENT => {
                    pool_elements.push(EncodedPoolElement::read(&parameter, unrecognized)?);
                }
                ParameterType::OPERATION_ERROR if error.is_none() => {
                    error = Some(OperationError::read(&parameter)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        let result = match error {
            Some(error) => Err(error),
            None => {
                let at_least_one = (!pool_elements.is_empty()).then_some(pool_elements);
                Ok(Resolution {
                    policy: policy.unwrap_or(Policy::RoundRobin),
                    pool_elements: reader.required(at_least_one, ParameterType::POOL_ELEMENT)?,
                })
            }
        };
        Ok(Self {
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            updates_accepted: header.has(Self::ACCEPT),
            result,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = if self.updates_accepted {
            Self::ACCEPT
        } else {
            0
        };
        writer.message(Self::TYPE, flags, |w| {
            self.pool_handle.write(w);
            match &self.result {
                Ok(resolution) => {
                    resolution.policy.write(w);
                    EncodedPoolElement::write_all(&resolution.pool_elements, w);
                }
                Err(error) => error.write(w),
            }
        });
    }
}

impl fmt::Display for HandleResolutionResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ASAP_HANDLE_RESOLUTION_RESPONSE pool {} ",
            self.pool_handle
        )?;
        match &self.result {
            Ok(resolution) => resolution.fmt(f)?,
            Err(error) => write!(f, "failed: {error}")?,
        }
        if self.updates_accepted {
            f.write_str(" [A]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)?;
        self.pool_elements
            .iter()
            .try_for_each(|element| write!(f, ", {element}"))
    }
}
