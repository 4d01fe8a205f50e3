//! ENRP_LIST_RESPONSE ([RFC 5353 §2.6](https://www.rfc-editor.org/rfc/rfc5353#section-2.6)).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! ┌───────────────┬─────────────┬─┬───────────────────────────────┐
//! │  Type = 0x06  │      0      │R│         Message Length        │
//! ├───────────────┴─────────────┴─┴───────────────────────────────┤
//! │                      Sending Server's ID                      │
//! ├───────────────────────────────────────────────────────────────┤
//! │                     Receiving Server's ID                     │
//! ├───────────────────────────────────────────────────────────────┤
//! ┊                   Server Information #1 … #n                  ┊
//! └───────────────────────────────────────────────────────────────┘
//! ```

use super::Rejected;
use super::route::Route;
use crate::RegistrarId;
use crate::error::Fault;
use crate::message::Header;
use crate::parameter::{ParameterType, ServerInformation};
use crate::reader::Reader;
use crate::unrecognized::Unrecognized;
use crate::writer::{Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// The registrars that a peer knows (RFC 5353 §2.6).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListResponse {
    /// The registrar that sends this.
    pub sender: RegistrarId,
    /// The registrar meant; `None`: all (or not said).
    pub receiver: Option<RegistrarId>,
    /// The registrars, of which as many are sent as fit into a message; `Err`: rejected (R flag).
    pub result: Result<Vec<ServerInformation>, Rejected>,
}

impl ListResponse {
    /// The name in the RFC.
    pub const NAME: &str = "ENRP_LIST_RESPONSE";
    /// The number in the Message Type field.
    pub const TYPE: u8 = 0x06;
    /// R: rejected.
    const REJECT: u8 = 0x01;

    /// A rejection lists nobody; if it does, that is not looked at.
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
            let mut registrars = Vec::new();
            while let Some(parameter) = reader.parameter()? {
                match parameter.kind {
                    ParameterType::SERVER_INFORMATION => {
                        let listed = ServerInformation::read_listed(&parameter, unrecognized)?;
                        registrars.extend(listed);
                    }
                    _ => unrecognized.parameter(&parameter)?,
                }
            }
            Ok(registrars)
        };
        Ok(Self {
            sender: route.sender,
            receiver: route.receiver,
            result,
        })
    }

    pub(crate) fn write<S: Sink>(&self, writer: &mut Writer<'_, S>) {
        let flags = if self.result.is_ok() { 0 } else { Self::REJECT };
        writer.message(Self::TYPE, flags, |w| {
            Route::new(self.sender, self.receiver).write(w);
            for registrar in self.result.iter().flatten() {
                if registrar.encoded_len() > w.room() {
                    break;
                }
                registrar.write(w);
            }
        });
    }
}

impl fmt::Display for ListResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAME;
        write!(f, "{name} {} ", Route::new(self.sender, self.receiver))?;
        match &self.result {
            Ok(registrars) => {
                write!(f, "{} registrars", registrars.len())?;
                registrars
                    .iter()
                    .try_for_each(|registrar| write!(f, ", {registrar}"))
            }
            Err(rejected) => rejected.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrp;
    use crate::test_support::*;
    use alloc::string::ToString;
    use alloc::vec;

    fn message(result: Result<Vec<ServerInformation>, Rejected>) -> ListResponse {
        ListResponse {
            sender: registrar(0x98d3_fe06),
            receiver: Some(registrar(0x1234_5678)),
            result,
        }
    }

    #[test]
    fn octets_and_value() {
        enrp_both_ways(
            "06000024 98d3fe06 12345678 000b0018 aabbccdd 00040010 26ad0000 00010008 0a010001",
            message(Ok(vec![server_information(0xaabb_ccdd)])),
        );
        enrp_both_ways("0600000c 98d3fe06 12345678", message(Ok(vec![])));
        enrp_both_ways("0601000c 98d3fe06 12345678", message(Err(Rejected)));
        assert_eq!(
            message(Err(Rejected)).to_string(),
            "ENRP_LIST_RESPONSE 0x98d3fe06 > 0x12345678 rejected"
        );
    }

    /// rsplib lists configured peers that it has not heard yet so.
    #[test]
    fn registrars_without_an_identifier_are_passed_over() {
        let digits = "0600003c 98d3fe06 12345678
            000b0018 00000000 00040010 26ad0000 00010008 0a010003
            000b0018 aabbccdd 00040010 26ad0000 00010008 0a010001";
        let decoded = enrp::Message::decode(&hex(digits)).unwrap();
        let expected = message(Ok(vec![server_information(0xaabb_ccdd)]));
        assert_eq!(decoded.message, expected.into());
        assert_eq!(decoded.unrecognized, []);
        // What is said of them is not looked at.
        let digits = "06000018 98d3fe06 12345678 000b000c 00000000 ffffffff";
        let decoded = enrp::Message::decode(&hex(digits)).unwrap();
        assert_eq!(decoded.message, message(Ok(vec![])).into());
    }

    #[test]
    fn as_many_as_fit() {
        let one = server_information(1);
        let fit = (65_532 - 12) / one.encoded_len();
        let octets = enrp::Message::from(message(Ok(vec![one.clone(); 4000]))).encode();
        let decoded = enrp::Message::decode(&octets).unwrap().message;
        assert_eq!(decoded, message(Ok(vec![one; fit])).into());
    }
}
