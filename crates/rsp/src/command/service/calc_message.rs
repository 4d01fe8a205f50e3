//! Messages and cookies of the calculation protocol, as Wireshark's dissector shows them.
//!
//! ```text
//!  message: type (8) │ flags (8) │ length (16) │ job (32) │ size (64) │ completed (64)
//!  cookie:                                       job (32) │ size (64) │ completed (64)
//! ```

/// The payload protocol of the messages.
pub(crate) const CALC_PPID: u32 = 34;

const MESSAGE_OCTETS: u16 = 24;

/// A job, in calculations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Job {
    pub(crate) id: u32,
    pub(crate) size: u64,
    pub(crate) completed: u64,
}

impl Job {
    /// A job in a cookie; `None` if it is none, or is further than it can be.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let (id, rest) = octets.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let completed: [u8; 8] = rest.try_into().ok()?;
        let job = Self {
            id: u32::from_be_bytes(*id),
            size: u64::from_be_bytes(*size),
            completed: u64::from_be_bytes(completed),
        };
        (job.completed <= job.size).then_some(job)
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        let mut octets = self.id.to_be_bytes().to_vec();
        octets.extend(self.size.to_be_bytes());
        octets.extend(self.completed.to_be_bytes());
        octets
    }
}

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The user has a job.
    Request,
    /// The element works on it; also what it says to a cookie.
    Accept,
    /// The element has too many.
    Reject,
    /// Either gives it up.
    Abort,
    /// It is done.
    Complete,
    /// Is somebody there?
    KeepAlive,
    /// Yes.
    KeepAliveAck,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Request,
        Self::Accept,
        Self::Reject,
        Self::Abort,
        Self::Complete,
        Self::KeepAlive,
        Self::KeepAliveAck,
    ];

    /// Its number in the type field.
    fn number(self) -> u8 {
        let place = Self::ALL.iter().position(|kind| *kind == self);
        let place = place.expect("all kinds are there");
        u8::try_from(place + 1).expect("there are seven")
    }
}

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CalcMessage {
    pub(crate) kind: Kind,
    pub(crate) job: Job,
}

impl CalcMessage {
    /// A message that names its job and no more.
    pub(crate) fn about(kind: Kind, id: u32) -> Self {
        let (size, completed) = (0, 0);
        Self {
            kind,
            job: Job {
                id,
                size,
                completed,
            },
        }
    }

    /// The message in these octets, if it is one.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let (header, rest) = octets.split_first_chunk::<4>()?;
        let length = u16::from_be_bytes([header[2], header[3]]);
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.number() == header[0]);
        let job = Job::read(rest)?;
        (length == MESSAGE_OCTETS).then_some(())?;
        Some(Self { kind: kind?, job })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut octets = vec![self.kind.number(), 0];
        octets.extend(MESSAGE_OCTETS.to_be_bytes());
        octets.extend(self.job.encode());
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(octet).collect()
    }

    const JOB: Job = Job {
        id: 2,
        size: 0x0035_4803,
        completed: 0x0026_2a26,
    };

    /// Seen between rsplib's calcappclient and its rspserver, version 3.4.4.
    #[test]
    fn messages_and_cookies_are_those_of_rsplib() {
        let completed = |completed| Job { completed, ..JOB };
        let about = |kind| CalcMessage::about(kind, 2);
        let with = |kind, job| CalcMessage { kind, job };
        for (octets, message) in [
            (
                "010000180000000200000000003548030000000000000000",
                with(Kind::Request, completed(0)),
            ),
            (
                "020000180000000200000000000000000000000000000000",
                about(Kind::Accept),
            ),
            (
                "030000180000000200000000000000000000000000000000",
                about(Kind::Reject),
            ),
            (
                "050000180000000200000000003548030000000000354803",
                with(Kind::Complete, completed(JOB.size)),
            ),
            (
                "060000180000000200000000000000000000000000000000",
                about(Kind::KeepAlive),
            ),
            (
                "070000180000000200000000000000000000000000000000",
                about(Kind::KeepAliveAck),
            ),
        ] {
            assert_eq!(CalcMessage::read(&hex(octets)), Some(message));
            assert_eq!(message.encode(), hex(octets));
        }
        let cookie = hex("0000000200000000003548030000000000262a26");
        assert_eq!(Job::read(&cookie), Some(JOB));
        assert_eq!(JOB.encode(), cookie);
    }

    #[test]
    fn what_is_no_message_is_not_read() {
        let whole = CalcMessage::about(Kind::Accept, 1).encode();
        for length in 0..whole.len() {
            assert_eq!(CalcMessage::read(&whole[..length]), None);
        }
        assert_eq!(CalcMessage::read(&[&whole[..], &[0]].concat()), None);
        for number in [0, 8, 255] {
            let mut other = whole.clone();
            other[0] = number;
            assert_eq!(CalcMessage::read(&other), None);
        }
        let too_far = Job {
            completed: JOB.size + 1,
            ..JOB
        };
        assert_eq!(Job::read(&too_far.encode()), None);
    }
}
