//! ENRP_PRESENCE ([RFC 5353 §2.1](https://www.rfc-editor.org/rfc/rfc5353#section-2.1)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x01  │      0      │*│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Receiving Server's ID                     │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                     PE Checksum (optional)                    ┊
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                 Server Information (optional)                 ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```
//!
//! \* "Reply required": RFC 5353 speaks of it and gives it no bit; rsplib and Wireshark use this
//! one.

use super::route::Route;
use crate::RegistrarId;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{ParameterType, PeChecksum, ServerInformation};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use core::fmt;

/// A registrar's heartbeat (RFC 5353 §2.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presence {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// Flag 0x01: the receiver must answer with its presence (§3.4).
    pub reply_required: bool,
    /// The checksum over the sender's own pool elements.
    pub checksum: Option<PeChecksum>,
    /// How the sender is reached.
    pub server_information: Option<ServerInformation>,
}

impl Presence {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_PRESENCE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x01;
    /// Reply required.
    const REPLY_REQUIRED: u8 = 0x01;

    pub(crate) fn read<'a>(
        header: Header,
        reader: &mut Reader<'a>,
        unrecognized: &mut Unrecognized,
    ) -> Result<Self, Fault<'a>> {
        let route = Route::read(reader)?;
        let mut checksum = None;
        let mut server_information = None;
        while let Some(parameter) = reader.parameter()? {
            match parameter.kind {
                ParameterType::PE_CHECKSUM if checksum.is_none() => {
                    checksum = Some(PeChecksum::read(&parameter)?);
                }
                ParameterType::SERVER_INFORMATION if server_information.is_none() => {
                    server_information = Some(ServerInformation::read(&parameter, unrecognized)?);
                }
                _ => unrecognized.parameter(&parameter)?,
            }
        }
        Ok(Self {
            sender: route.sender,
            receiver: route.receiver,
            reply_required: header.has(Self::REPLY_REQUIRED),
            checksum,
            server_information,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = if self.reply_required {
            Self::REPLY_REQUIRED
        } else {
            0
        };
        writer.message(Self::TYPE, flags, |w| {
            Route::new(self.sender, self.receiver).write(w);
            self.checksum.iter().for_each(|checksum| checksum.write(w));
            self.server_information
                .iter()
                .for_each(|information| information.write(w));
        });
    }
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} {}", Route::new(self.sender, self.receiver))?;
        if let Some(checksum) = self.checksum {
            write!(f, " checksum {checksum}")?;
        }
        if let Some(information) = &self.server_information {
            write!(f, " {information}")?;
        }
        if self.reply_required {
            f.write_str(" [reply required]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
    use crate::test_support::*;
    use alloc::string::ToString;

    fn message() -> Presence {
        Presence {
            sender: registrar(0x98d3_fe06),
            receiver: None,
            reply_required: false,
            checksum: Some(PeChecksum(0xffff)),
            server_information: Some(server_information(0x98d3_fe06)),
        }
    }

    const SERVER: &str = "000b0018 98d3fe06 00040010 26ad0000 00010008 0a010001";

    #[test]
    fn octets_and_value() {
        let digits = "0100002c 98d3fe06 00000000 000f0006 ffff0000";
        with_server(digits, message());
        let asked = Presence {
            receiver: Some(registrar(0x1234_5678)),
            reply_required: true,
            checksum: Some(PeChecksum(0xf26f)),
            ..message()
        };
        assert_eq!(
            asked.to_string(),
            "ENRP_PRESENCE 0x98d3fe06 > 0x12345678 checksum 0xf26f \
             registrar 0x98d3fe06 sctp 9901 10.1.0.1 [reply required]"
        );
        with_server("0101002c 98d3fe06 12345678 000f0006 f26f0000", asked);
    }

    fn with_server(start: &str, message: Presence) {
        enrp_both_ways(&[start, SERVER].concat(), message);
    }

    #[test]
    fn both_parameters_are_optional_and_in_any_order() {
        let start = "0100002c 98d3fe06 00000000";
        let digits = [start, SERVER, "000f0006 ffff0000"].concat();
        enrp_reads(&digits, message());
        let bare = Presence {
            checksum: None,
            server_information: None,
            ..message()
        };
        enrp_both_ways("0100000c 98d3fe06 00000000", bare.clone());
        // The checksum last, its padding counted or not.
        let checksum_only = Presence {
            checksum: Some(PeChecksum(0xffff)),
            ..bare
        };
        let digits = "01000012 98d3fe06 00000000 000f0006 ffff0000";
        enrp_both_ways(digits, checksum_only.clone());
        enrp_reads(&digits.replace("01000012", "01000014"), checksum_only);
    }

    #[test]
    fn the_sender_is_demanded() {
        let error = enrp_error("0100000c 00000000 12345678");
        assert_eq!(
            (error.offset, error.kind),
            (4, DecodeErrorKind::ZeroRegistrarId)
        );
    }
}
