//! ASAP_BUSINESS_CARD ([RFC 5352 §2.2.13](https://www.rfc-editor.org/rfc/rfc5352#section-2.2.13)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────────┬───────────────────────────────┐
//! │  Type = 0x0d  │       0       │         Message Length        │
//! ├───────────────┴───────────────┴───────────────────────────────┤
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      Pool Element #1 … #n                     ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::PoolHandle;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{EncodedPoolElement, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// Tells the other end of a session the pool and the preferred order of failover
/// (RFC 5352 §2.2.13, §3.9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusinessCard {
    /// The sender's pool.
    pub pool_handle: PoolHandle,
    /// Its pool elements, the preferred one first; as many are sent as fit into a message.
    pub pool_elements: Vec<EncodedPoolElement>,
}

impl BusinessCard {
    /// The name in the RFC.
    pub const NAME: &str = "ASAP_BUSINESS_CARD";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x0d;

    pub(crate) fn read<'a>(
        _header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut pool_handle = None;
        let mut pool_elements = Vec::new();
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE if pool_handle.is_none() => {
                    pool_handle = Some(PoolHandle::read(&parameter)?);
                }
                ParameterType::POOL_ELEMENT => {
                    pool_elements.push(EncodedPoolElement::read(&parameter, unrecognized)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            pool_handle: reader.required(pool_handle, ParameterType::POOL_HANDLE)?,
            pool_elements,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.message(Self::TYPE, 0, |w| {
            self.pool_handle.write(w);
            EncodedPoolElement::write_all(&self.pool_elements, w);
        });
    }
}

impl fmt::Display for BusinessCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} pool {}", self.pool_handle)?;
        self.pool_elements
            .iter()
            .try_for_each(|element| write!(f, ", {element}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::*;
    use alloc::vec;

    fn message() -> BusinessCard {
        BusinessCard {
            pool_handle: echo_pool(),
            pool_elements: vec![(&element()).into()],
        }
    }

    #[test]
    fn octets_and_value() {
        asap_both_ways(
            "0d000050 0009000c 4563686f 506f6f6c
             000a0040 56c3491e 00000000 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002",
            message(),
        );
    }

    /// rsplib puts the pool's policy between.
    #[test]
    fn a_policy_is_skipped() {
        asap_reads(
            "0d00005c 0009000c 4563686f 506f6f6c 0008000c 00000002 00000002
             000a0040 56c3491e 00000000 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002",
            message(),
        );
    }
}
