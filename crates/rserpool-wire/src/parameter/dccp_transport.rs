//! DCCP Transport parameter ([RFC 5354 §3.3](https://www.rfc-editor.org/rfc/rfc5354#section-3.3)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0003         │             Length            │
//! ├───────────────────────────────┼───────────────────────────────┤
//! │           DCCP Port           │           (reserved)          │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                       DCCP Service Code                       │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                      IPv4 or IPv6 Address                     ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::{ParameterType, address};
use crate::error::Fault;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// DCCP transport (RFC 5354 §3.3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DccpTransport {
    /// DCCP port.
    pub port: u16,
    /// DCCP service code.
    pub service_code: u32,
    /// Its one address.
    pub address: IpAddr,
}

impl DccpTransport {
    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        let port = value.u16()?;
        let _reserved = value.u16()?;
        Ok(Self {
            port,
            service_code: value.u32()?,
            address: address::read_one(&mut value, unrecognized)?,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::DCCP_TRANSPORT, |w| {
            w.u16(self.port);
            w.u16(0);
            w.u32(self.service_code);
            address::write(&self.address, w);
        });
    }
}

impl fmt::Display for DccpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = SocketAddr::new(self.address, self.port);
        write!(f, "dccp {address} service {:#010x}", self.service_code)
    }
}
