//! What every ENRP message starts with: from whom, for whom (RFC 5353 §2.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────────────────────────────────────┐
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                 Receiving Server's ID (0: all)                │
//! └───────────────────────────────────────────────────────────────┘
//! ```

use crate::RegistrarId;
use crate::error::Fault;
use crate::reader::Reader;
use crate::writer::{Sink, Writer};
use core::fmt;

/// Sender and receiver of a message.
#[derive(Clone, Copy)]
pub(super) struct Route {
    pub(super) sender: RegistrarId,
    pub(super) receiver: Option<RegistrarId>,
}

impl Route {
    pub(super) fn new(sender: RegistrarId, receiver: Option<RegistrarId>) -> Self {
        Self { sender, receiver }
    }

    pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Self, Fault<'a>> {
        Ok(Self {
            sender: RegistrarId::read(reader)?,
            receiver: RegistrarId::new(reader.u32()?),
        })
    }

    pub(super) fn write<S: Sink>(self, writer: &mut Writer<'_, S>) {
        RegistrarId::write(Some(self.sender), writer);
        RegistrarId::write(self.receiver, writer);
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > ", self.sender)?;
        match self.receiver {
            Some(receiver) => receiver.fmt(f),
            None => f.write_str("all"),
        }
    }
}
