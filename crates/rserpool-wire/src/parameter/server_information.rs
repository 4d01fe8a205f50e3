//! Server Information parameter
//! ([RFC 5354 §3.11](https://www.rfc-editor.org/rfc/rfc5354#section-3.11)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────────────────────┬───────────────────────────────┐
//! │         Type = 0x000b         │             Length            │
//! ├───────────────────────────────┴───────────────────────────────┤
//! │                           Server ID                           │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                    Server Transport (SCTP)                    ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                 Encapsulation Ports (optional)                ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::{EncapsulationPorts, ParameterType, SctpTransport};
use crate::RegistrarId;
use crate::error::Fault;
use crate::reader::Parameter;
use crate::unrecognized::Unrecognized;
use crate::writer::{Length, Sink, Writer};
use core::fmt;

/// How a registrar is reached by its peers (RFC 5354 §3.11).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerInformation {
    /// The registrar.
    pub registrar: RegistrarId,
    /// Its ENRP transport.
    pub transport: SctpTransport,
    /// The UDP port of that transport (`user`) where it is not 9899.
    pub encapsulation_ports: EncapsulationPorts,
}

impl ServerInformation {
    pub(crate) fn read<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let mut value = parameter.value();
        let registrar = RegistrarId::read(&mut value)?;
        let mut transport = None;
        let mut encapsulation_ports = None;
        while let Some(inner) = value.parameter()? {
            match inner.kind {
                ParameterType::SCTP_TRANSPORT if transport.is_none() => {
                    transport = Some(SctpTransport::read(&inner, unrecognized)?);
                }
                ParameterType::ENCAPSULATION_PORTS if encapsulation_ports.is_none() => {
                    encapsulation_ports = EncapsulationPorts::read(&inner)?;
                }
                _ => unrecognized.parameter(&inner)?,
            }
        }
        Ok(Self {
            registrar,
            transport: value.required(transport, ParameterType::SCTP_TRANSPORT)?,
            encapsulation_ports: encapsulation_ports.unwrap_or_default(),
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        writer.parameter(ParameterType::SERVER_INFORMATION, |w| {
            RegistrarId::write(Some(self.registrar), w);
            self.transport.write(w);
            self.encapsulation_ports.write(w);
        });
    }

    /// How many octets the parameter takes in a message.
    pub fn encoded_len(&self) -> usize {
        let mut length = Length::default();
        self.write(&mut Writer::new(&mut length));
        length.0
    }
}

impl fmt::Display for ServerInformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (registrar, transport) = (self.registrar, &self.transport);
        write!(
            f,
            "registrar {registrar} {transport}{}",
            self.encapsulation_ports
        )
    }
}
