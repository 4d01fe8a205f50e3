//! What goes between a pool user and a pool element, as octets: the control channel and data,
//! told apart by the payload protocol as in SCTP.
//!
//! Must not know what an answer is to be.

use super::{Progress, SessionId};
use rserpool_wire::asap::Message;
use rserpool_wire::{Decoded, Undecodable};
use std::fmt;

/// The payload protocol of ASAP (RFC 5352 §5), which the control channel has.
const CONTROL: [u8; 4] = 11_u32.to_be_bytes();

/// The payload protocol of data.
const DATA: [u8; 4] = 0_u32.to_be_bytes();

/// What arrives over an association between a pool user and a pool element.
#[derive(Debug)]
pub(crate) enum Packet {
    /// On the control channel.
    Control(Result<Decoded<Message>, Undecodable>),
    Data(Data),
}

/// What the applications say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Data {
    /// The next thing to count.
    Request { session: SessionId, number: u64 },
    /// What the state is after that.
    Answer { number: u64, state: u64 },
    /// By itself: it wants no answer.
    Message { number: u64 },
}

impl Packet {
    pub(crate) fn encode_control(message: &Message, buffer: &mut Vec<u8>) {
        let mut octets = Vec::new();
        message.encode_into(&mut octets);
        buffer.extend_from_slice(&CONTROL);
        buffer.append(&mut octets);
    }

    pub(crate) fn encode_data(data: Data, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&DATA);
        let (kind, first, second) = match data {
            Data::Request { session, number } => (1, number, u64::from(session.0)),
            Data::Answer { number, state } => (2, number, state),
            Data::Message { number } => (3, number, 0),
        };
        buffer.push(kind);
        buffer.extend_from_slice(&first.to_be_bytes());
        buffer.extend_from_slice(&second.to_be_bytes());
    }

    /// `None`: nothing has been counted yet.
    pub(crate) fn answer_of(progress: Progress) -> Option<Data> {
        let Progress { count, state, .. } = progress;
        let number = count;
        (number > 0).then_some(Data::Answer { number, state })
    }

    /// `None`: neither.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let (protocol, payload) = octets.split_first_chunk::<4>()?;
        match *protocol {
            CONTROL => Some(Self::Control(Message::decode(payload))),
            DATA => Data::decode(payload).map(Self::Data),
            _ => None,
        }
    }

    /// The same octets again, of what is known.
    pub(crate) fn encode_into(&self, buffer: &mut Vec<u8>) {
        match self {
            Self::Control(Ok(decoded)) => Self::encode_control(&decoded.message, buffer),
            Self::Control(Err(_)) => {}
            Self::Data(data) => Self::encode_data(*data, buffer),
        }
    }
}

impl Data {
    fn decode(octets: &[u8]) -> Option<Self> {
        let (kind, rest) = octets.split_first()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (second, rest) = rest.split_first_chunk::<8>()?;
        let [number, second] = [*first, *second].map(u64::from_be_bytes);
        match (kind, rest) {
            (1, []) => Some(Self::Request {
                session: SessionId(u32::try_from(second).ok()?),
                number,
            }),
            (2, []) => Some(Self::Answer {
                number,
                state: second,
            }),
            (3, []) if second == 0 => Some(Self::Message { number }),
            _ => None,
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(Ok(decoded)) => decoded.message.fmt(f),
            Self::Control(Err(error)) => write!(f, "no message: {error}"),
            Self::Data(Data::Request { session, number }) => {
                write!(f, "request {number} of session {}", session.0)
            }
            Self::Data(Data::Answer { number, .. }) => write!(f, "answer {number}"),
            Self::Data(Data::Message { number }) => write!(f, "message {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decoded_is_what_was_encoded_and_nothing_else_is() {
        for data in [
            Data::Request {
                session: SessionId(3),
                number: 1 << 40,
            },
            Data::Answer {
                number: 7,
                state: u64::MAX,
            },
        ] {
            let mut octets = Vec::new();
            Packet::encode_data(data, &mut octets);
            let Some(Packet::Data(read)) = Packet::decode(&octets) else {
                panic!("{octets:02x?}");
            };
            assert_eq!(read, data);
            for end in 0..octets.len() {
                assert!(Packet::decode(&octets[..end]).is_none());
            }
            octets.push(0);
            assert!(Packet::decode(&octets).is_none());
        }
    }
}
