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
use crate::reader::{Parameter, Reader};
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
        Self::read_of(registrar, &mut value, unrecognized)
    }

    /// One of a list. rsplib lists those that it has only been told of under the identifier 0:
    /// they are passed over, so that the others are known.
    pub(crate) fn read_listed<'a>(
        parameter: &Parameter<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Option<Self>, Fault<'a>> {
        let mut value = parameter.value();
        match RegistrarId::new(value.u32()?) {
            Some(registrar) => Self::read_of(registrar, &mut value, unrecognized).map(Some),
            None => Ok(None),
        }
    }

    fn read_of<'a>(
        registrar: RegistrarId,
        value: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
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
        write!(f, "registrar {registrar} {transport}")?;
        self.encapsulation_ports.fmt_after_transport(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeErrorKind, test_support::*};
    use alloc::string::ToString;
    use core::num::NonZeroU16;

    fn read(digits: &str) -> Result<ServerInformation, DecodeErrorKind> {
        read_parameter(digits, |parameter, unrecognized| {
            ServerInformation::read(parameter, unrecognized).map_err(|fault| fault.error.kind)
        })
    }

    #[test]
    fn octets_and_value() {
        let mut information = server_information(0x98d3_fe06);
        let digits = "000b0018 98d3fe06 00040010 26ad0000 00010008 0a010001";
        assert_eq!(written(|w| information.write(w)), hex(digits));
        assert_eq!(read(digits).as_ref(), Ok(&information));

        information.encapsulation_ports.user = NonZeroU16::new(9900);
        let digits = "000b0020 98d3fe06 00040010 26ad0000 00010008 0a010001 98990008 26ac0000";
        assert_eq!(written(|w| information.write(w)), hex(digits));
        assert_eq!(information.encoded_len(), 0x20);
        assert_eq!(read(digits).as_ref(), Ok(&information));
        let shown = "registrar 0x98d3fe06 sctp 9901 10.1.0.1 udp 9900";
        assert_eq!(information.to_string(), shown);
    }

    #[test]
    fn identifier_and_sctp_transport_are_demanded() {
        let no_id = "000b0018 00000000 00040010 26ad0000 00010008 0a010001";
        assert_eq!(read(no_id), Err(DecodeErrorKind::ZeroRegistrarId));
        let only_tcp = "000b0018 98d3fe06 00050010 26ad0000 00010008 0a010001";
        let missing = DecodeErrorKind::MissingParameter(ParameterType::SCTP_TRANSPORT);
        assert_eq!(read(only_tcp), Err(missing));
    }
}
