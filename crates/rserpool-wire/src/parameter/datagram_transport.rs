//! UDP and UDP-Lite Transport parameters
//! ([RFC 5354 §3.6](https://www.rfc-editor.org/rfc/rfc5354#section-3.6),
//! [§3.7](https://www.rfc-editor.org/rfc/rfc5354#section-3.7)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │    Type = 0x0006 or 0x0007    │             Length            │
//! ├───────────────────────────────┼───────────────────────────────┤
//! │      UDP or UDP-Lite Port     │           (reserved)          │
//! ├───────────────────────────────┴───────────────────────────────┤
//! ┊                      IPv4 or IPv6 Address                     ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::ParameterType;
use super::tcp_transport::{read_port_and_address, write_port_and_address};
use crate::error::Fault;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// UDP or UDP-Lite transport (RFC 5354 §3.6, §3.7).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DatagramTransport {
    /// UDP or UDP-Lite port.
    pub port: u16,
    /// Its one address.
    pub address: IpAddr,
}

impl DatagramTransport {
    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let (port, address) = read_port_and_address(parameter, unrecognized)?;
        Ok(Self { port, address })
    }

    /// Writes it as the one or the other kind.
    pub(crate) fn write<S: Sink>(&self, kind: ParameterType, writer: &mut Writer<'_, S>) {
        write_port_and_address(kind, self.port, &self.address, writer);
    }
}

impl fmt::Display for DatagramTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}
