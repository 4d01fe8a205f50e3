//! What `rsp connect` and the services of `rsp serve` say to each other.
//!
//! Must not know sessions: it turns lines into messages and messages into lines.

use super::service::{CALC_PPID, CalcMessage, Job, Kind, PING_PONG_PPID, ping, read_pong};
use rserpool::Received;

/// The language of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// Lines of text, each with one answer
    Lines,
    /// Numbered pings: `rsp serve ping-pong`, and rsplib's `rspserver -pingpong`
    PingPong,
    /// Each line is a job of so many calculations: `rsp serve calc`, and rsplib's
    /// `rspserver -calcapp`
    Calc,
}

/// A message to the pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) ppid: u32,
    pub(crate) octets: Vec<u8>,
}

/// What a message of the pool means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    /// The answer to the request, to be shown.
    Answer(Vec<u8>),
    /// The element will not do it: another one may.
    Refused,
    /// The element wants to know something.
    Reply(Request),
    /// Nothing that is of interest.
    Nothing,
}

impl Protocol {
    /// The request with this number.
    ///
    /// # Errors
    /// The line is none of this protocol.
    pub(crate) fn request(self, number: u64, line: &str) -> Result<Request, String> {
        let (ppid, octets) = match self {
            Self::Lines => (0, line.as_bytes().to_vec()),
            Self::PingPong => (PING_PONG_PPID, ping(number, line.as_bytes())),
            Self::Calc => {
                let size = line.trim().parse();
                let size = size.map_err(|_| {
                    format!("`{line}` is no job: give a number of calculations a line")
                })?;
                let job = Job {
                    id: job_id(number),
                    size,
                    completed: 0,
                };
                let kind = Kind::Request;
                (CALC_PPID, CalcMessage { kind, job }.encode())
            }
        };
        Ok(Request { ppid, octets })
    }

    /// What this is to who waits for the answer to the request with this number.
    pub(crate) fn read(self, number: u64, received: Received) -> Meaning {
        match self {
            Self::Lines => Meaning::Answer(received.data),
            Self::PingPong => match read_pong(&received.data) {
                Some((of, reply)) if of == number => {
                    Meaning::Answer(format!("pong {number}, answer {reply}").into_bytes())
                }
                // An answer of the element of before may have been late.
                Some(_) | None => Meaning::Nothing,
            },
            Self::Calc => match CalcMessage::read(&received.data) {
                Some(message) => calc_meaning(number, &message),
                None => Meaning::Nothing,
            },
        }
    }

    /// What to send to an element that was given the cookie, instead of the request again: it
    /// goes on by itself. Some look at the cookie only when they hear something.
    pub(crate) fn after_cookie(self, number: u64) -> Option<Request> {
        match self {
            Self::Lines | Self::PingPong => None,
            Self::Calc => Some(Request {
                ppid: CALC_PPID,
                octets: CalcMessage::about(Kind::KeepAlive, job_id(number)).encode(),
            }),
        }
    }

    /// Whether each request has a session of its own.
    pub(crate) fn is_one_request_a_session(self) -> bool {
        self == Self::Calc
    }
}

fn calc_meaning(number: u64, message: &CalcMessage) -> Meaning {
    let job = message.job;
    match message.kind {
        Kind::Complete if job.id == job_id(number) => {
            let (id, size) = (job.id, job.size);
            Meaning::Answer(format!("job {id} done, {size} calculations").into_bytes())
        }
        Kind::Reject | Kind::Abort => Meaning::Refused,
        Kind::KeepAlive => Meaning::Reply(Request {
            ppid: CALC_PPID,
            octets: CalcMessage::about(Kind::KeepAliveAck, job.id).encode(),
        }),
        Kind::Request | Kind::Accept | Kind::Complete | Kind::KeepAliveAck => Meaning::Nothing,
    }
}

/// Jobs are numbered in 32 bits.
fn job_id(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).expect("32 bits are left")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(octets: Vec<u8>) -> Received {
        Received {
            data: octets,
            stream: 0,
            ppid: 0,
        }
    }

    #[test]
    fn only_the_pong_of_the_ping_is_its_answer() {
        let ping = Protocol::PingPong.request(7, "x").unwrap();
        assert_eq!(ping.ppid, 33);
        let mut pong = ping.octets[..12].to_vec();
        pong.extend(9_u64.to_be_bytes());
        (pong[0], pong[3]) = (2, 20);
        let answer = Meaning::Answer(b"pong 7, answer 9".to_vec());
        assert_eq!(Protocol::PingPong.read(7, received(pong.clone())), answer);
        let late = Protocol::PingPong.read(8, received(pong));
        assert_eq!(late, Meaning::Nothing);
    }

    #[test]
    fn a_job_is_answered_when_it_is_complete() {
        let request = Protocol::Calc.request(3, "1000").unwrap();
        let mut message = CalcMessage::read(&request.octets).unwrap();
        assert_eq!((message.job.id, message.job.size), (3, 1000));
        message.kind = Kind::Accept;
        let meaning = |message: &CalcMessage| Protocol::Calc.read(3, received(message.encode()));
        assert_eq!(meaning(&message), Meaning::Nothing);
        message.kind = Kind::KeepAlive;
        assert!(matches!(meaning(&message), Meaning::Reply(_)));
        message.kind = Kind::Reject;
        assert_eq!(meaning(&message), Meaning::Refused);
        message.kind = Kind::Complete;
        let answer = Meaning::Answer(b"job 3 done, 1000 calculations".to_vec());
        assert_eq!(meaning(&message), answer);
        assert!(Protocol::Calc.request(1, "many").is_err());
    }
}
