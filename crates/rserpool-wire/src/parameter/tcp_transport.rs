//! TCP Transport parameter ([RFC 5354 §3.5](https://www.rfc-editor.org/rfc/rfc5354#section-3.5)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x0005         │             Length            │
//! ├───────────────────────────────┼───────────────────────────────┤
//! │            TCP Port           │           (reserved)          │
//! ├───────────────────────────────┴───────────────────────────────┤
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

/// TCP transport (RFC 5354 §3.5).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TcpTransport {
    /// TCP port.
    pub port: u16,
    /// Its one address.
    pub address: IpAddr,
}

impl TcpTransport {
    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let (port, address) = read_port_and_address(parameter, unrecognized)?;
        Ok(Self { port, address })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        write_port_and_address(
            ParameterType::TCP_TRANSPORT,
            self.port,
            &self.address,
            writer,
        );
    }
}

/// TCP, UDP and UDP-Lite transports are alike: port, 16 reserved bits (rsplib writes the transport
/// use there), one address.
pub(super) fn read_port_and_address<'a>(
    parameter: &Parameter<'a>,
    unrecognized: &mut Unrecognized,
) -> Result<(u16, IpAddr), Fault<'a>> {
    let mut value = parameter.value();
    let port = value.u16()?;
    let _reserved = value.u16()?;
    Ok((port, address::read_one(&mut value, unrecognized)?))
}

pub(super) fn write_port_and_address<S: Sink>(
    kind: ParameterType,
    port: u16,
    address: &IpAddr,
    writer: &mut Writer<'_, S>,
) {
    writer.parameter(kind, |w| {
        w.u16(port);
        w.u16(0);
        address::write(address, w);
    });
}

impl fmt::Display for TcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp {}", SocketAddr::new(self.address, self.port))
    }
}
