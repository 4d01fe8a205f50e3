//! ENRP_HANDLE_TABLE_RESPONSE
//! ([RFC 5353 §2.3](https://www.rfc-editor.org/rfc/rfc5353#section-2.3)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬───────────┬─┬─┬───────────────────────────────┐
//! │  Type = 0x03  │     0     │M│R│         Message Length        │
//! ├───────────────┴───────────┴─┴─┴───────────────────────────────┤
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Receiving Server's ID                     │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                       Pool Entry #1 … #n                      ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! Each pool entry:
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────────────────────────────────────┐
//! ┊                          Pool Handle                          ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      Pool Element #1 … #n                     ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::route::Route;
use crate::error::{DecodeErrorKind, Fault};
use crate::message::Header;
use crate::parameter::{EncodedPoolElement, ParameterType};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Length, Sink, Writer};
use crate::{PoolHandle, RegistrarId};
use alloc::vec::Vec;
use core::fmt;

/// A part of a handlespace (RFC 5353 §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleTableResponse {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The pool entries and whether more follow; `Err`: rejected (R flag).
    pub result: Result<HandleTable, Rejected>,
}

/// Pool entries of a handlespace (RFC 5353 §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandleTable {
    /// M flag: more pool entries follow in a later response.
    pub more_to_send: bool,
    /// The pool entries. Those are sent that fit into the [room](HandleTableResponse::room) of one
    /// message.
    pub pool_entries: Vec<PoolEntry>,
}

/// A pool and some of its pool elements (RFC 5353 §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolEntry {
    /// The pool.
    pub pool_handle: PoolHandle,
    /// At least one.
    pub pool_elements: Vec<EncodedPoolElement>,
}

/// The sender rejects the request: it is starting, or under high load (RFC 5353 §2.3, §2.6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rejected;

impl HandleTableResponse {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_HANDLE_TABLE_RESPONSE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x03;
    /// R: rejected.
    const REJECT: u8 = 0x01;
    /// M: more to send.
    const MORE: u8 = 0x02;

    /// How many octets of pool entries fit into a response: each takes the
    /// [handle's](PoolHandle::encoded_len) and its [elements'](EncodedPoolElement::as_octets).
    pub fn room() -> usize {
        let mut length = Length::default();
        let mut room = 0;
        Writer::new(&mut length).message(Self::TYPE, 0, |w| {
            RegistrarId::write(None, w);
            RegistrarId::write(None, w);
            room = w.room();
        });
        room
    }

    /// A rejection has no pool entries; if there are any, they are not looked at.
    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let route = Route::read(reader)?;
        let result = if header.has(Self::REJECT) {
            unrecognized.rest(reader)?;
            Err(Rejected)
        } else {
            Ok(HandleTable {
                more_to_send: header.has(Self::MORE),
                pool_entries: PoolEntry::read_all(reader, unrecognized)?,
            })
        };
        Ok(Self {
            sender: route.sender,
            receiver: route.receiver,
            result,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = match &self.result {
            Ok(table) if table.more_to_send => Self::MORE,
            Ok(_) => 0,
            Err(Rejected) => Self::REJECT,
        };
        writer.message(Self::TYPE, flags, |w| {
            Route::new(self.sender, self.receiver).write(w);
            for entry in self.result.iter().flat_map(|table| &table.pool_entries) {
                entry.write(w);
            }
        });
    }
}

impl PoolEntry {
    /// The order matters here: a pool element belongs to the pool handle before it. A handle
    /// without pool elements tells nothing and is left out.
    fn read_all<'a>(
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Vec<Self>, Fault<'a>> {
        let mut entries: Vec<Self> = Vec::new();
        let mut pool_handle = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::POOL_HANDLE => pool_handle = Some(PoolHandle::read(&parameter)?),
                ParameterType::POOL_ELEMENT => {
                    let element = EncodedPoolElement::read(&parameter, unrecognized)?;
                    match (pool_handle.take(), entries.last_mut()) {
                        (Some(pool_handle), _) => entries.push(Self {
                            pool_handle,
                            pool_elements: alloc::vec![element],
                        }),
                        (None, Some(entry)) => entry.pool_elements.push(element),
                        (None, None) => {
                            let kind = DecodeErrorKind::PoolElementWithoutPoolHandle;
                            return Err(parameter.fault(kind));
                        }
                    }
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(entries)
    }

    fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let Some(first) = self.pool_elements.first() else {
            return;
        };
        if self.pool_handle.encoded_len() + first.as_octets().len() <= writer.room() {
            self.pool_handle.write(writer);
            EncodedPoolElement::write_all(&self.pool_elements, writer);
        }
    }
}

impl fmt::Display for HandleTableResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} {} ", Route::new(self.sender, self.receiver))?;
        match &self.result {
            Ok(table) => table.fmt(f),
            Err(rejected) => rejected.fmt(f),
        }
    }
}

impl fmt::Display for HandleTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pools", self.pool_entries.len())?;
        self.pool_entries
            .iter()
            .try_for_each(|entry| write!(f, ", {entry}"))?;
        if self.more_to_send {
            f.write_str(" [M]")?;
        }
        Ok(())
    }
}

impl fmt::Display for PoolEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool {}", self.pool_handle)?;
        self.pool_elements
            .iter()
            .try_for_each(|element| write!(f, ", {element}"))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rejected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrp;
    use crate::test_support::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn message(result: Result<HandleTable, Rejected>) -> HandleTableResponse {
        HandleTableResponse {
            sender: registrar(0x98d3_fe06),
            receiver: Some(registrar(0x1234_5678)),
            result,
        }
    }

    fn table(pool_entries: Vec<PoolEntry>) -> HandleTableResponse {
        message(Ok(HandleTable {
            more_to_send: false,
            pool_entries,
        }))
    }

    fn entry(pool: &str, elements: usize) -> PoolEntry {
        PoolEntry {
            pool_handle: pool.into(),
            pool_elements: vec![(&element_at_home()).into(); elements],
        }
    }

    const ELEMENT: &str = "000a0050 56c3491e 98d3fe06 00015f90
             00040024 c3500001 00010008 0a010001
             00020014 20010db8 00000000 00000000 00000001
             0008000c 00000002 00000002
             00040010 b26e0000 00010008 0a010001";

    #[test]
    fn octets_and_value() {
        let digits = [
            "03000068 98d3fe06 12345678 0009000c 4563686f 506f6f6c",
            ELEMENT,
        ]
        .concat();
        enrp_both_ways(&digits, table(vec![entry("EchoPool", 1)]));
        enrp_both_ways("0300000c 98d3fe06 12345678", table(vec![]));
        enrp_both_ways("0301000c 98d3fe06 12345678", message(Err(Rejected)));
        let more = message(Ok(HandleTable {
            more_to_send: true,
            pool_entries: vec![],
        }));
        assert_eq!(
            more.to_string(),
            "ENRP_HANDLE_TABLE_RESPONSE 0x98d3fe06 > 0x12345678 0 pools [M]"
        );
        enrp_both_ways("0302000c 98d3fe06 12345678", more);
    }

    #[test]
    fn several_pools_of_several_elements() {
        let digits = [
            "03000114 98d3fe06 12345678 0009000c 4563686f 506f6f6c",
            ELEMENT,
            ELEMENT,
            "0009000c 4563686f 506f6f32",
            ELEMENT,
        ]
        .concat();
        let entries = vec![entry("EchoPool", 2), entry("EchoPoo2", 1)];
        enrp_both_ways(&digits, table(entries));
    }

    #[test]
    fn a_handle_without_elements_is_left_out() {
        let digits = [
            "0300006c 98d3fe06 12345678 00090004 0009000c 4563686f 506f6f6c",
            ELEMENT,
        ]
        .concat();
        enrp_reads(&digits, table(vec![entry("EchoPool", 1)]));
    }

    #[test]
    fn an_element_without_a_handle_is_wrong() {
        let error = enrp_error(&["0300005c 98d3fe06 12345678", ELEMENT].concat());
        let kind = DecodeErrorKind::PoolElementWithoutPoolHandle;
        assert_eq!((error.offset, error.kind), (12, kind));
    }

    #[test]
    fn a_rejection_is_not_looked_at_further() {
        let digits = ["0303005c 98d3fe06 12345678", ELEMENT].concat();
        enrp_reads(&digits, message(Err(Rejected)));
    }

    #[test]
    fn as_many_as_fit() {
        let one = entry("p", 1);
        let octets = one.pool_handle.encoded_len() + one.pool_elements[0].as_octets().len();
        let fit = HandleTableResponse::room() / octets;
        let decoded = enrp::Message::decode(
            &enrp::Message::from(table(vec![one.clone(); fit + 10])).encode(),
        );
        assert_eq!(decoded.unwrap().message, table(vec![one; fit]).into());
    }
}
