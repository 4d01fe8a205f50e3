//! The ping-pong service: counts what it answers, and keeps the count in the user's cookie.
//!
//! Pings and pongs look like those of rsplib's `pingpongclient` and `rspserver -pingpong`, as
//! Wireshark's dissector shows them:
//!
//! ```text
//!  Ping: type 1 (8) │ flags (8) │ length (16) │ message number (64) │ data
//!  Pong: type 2 (8) │ flags (8) │ length (16) │ message number (64) │ reply number (64) │ data
//! ```

use super::settings::Settings;
use rserpool::{Connection, ConnectionEvent, SendFailed};

/// The payload protocol of pings and pongs. What has another one is a ping in plain text.
pub(crate) const PING_PONG_PPID: u32 = 33;

const PING: u8 = 1;
const PONG: u8 = 2;
const HEADER_OCTETS: usize = 4;

/// How a cookie begins; the number of the next reply follows.
const COOKIE_MAGIC: &[u8; 8] = b"<PP-TD1>";

/// A ping, as octets.
pub(crate) fn ping(number: u64, data: &[u8]) -> Vec<u8> {
    message(PING, &[&number.to_be_bytes(), data])
}

/// The message number and the reply number of a pong.
pub(crate) fn read_pong(octets: &[u8]) -> Option<(u64, u64)> {
    let rest = body(PONG, octets)?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (reply, _) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), u64::from_be_bytes(*reply)))
}

/// Serves one user to the end of its session.
pub(super) async fn serve(connection: &mut Connection, settings: &Settings) {
    let mut next_reply = 1;
    // A send fails when the user has gone; so has the session.
    while let Some(event) = connection.recv_event().await {
        let received = match event {
            ConnectionEvent::Message(received) => received,
            ConnectionEvent::CookieEcho(cookie) => {
                match settings.open(&cookie).as_deref().and_then(read_cookie) {
                    Some(next) => next_reply = next,
                    None => tracing::warn!(peer = %connection.peer(), "its cookie is not used"),
                }
                continue;
            }
            ConnectionEvent::Moving => {
                // If that fails, the cookie before it will do.
                let _ = give_cookie(connection, settings, next_reply).await;
                return;
            }
            ConnectionEvent::BusinessCard(_) | _ => continue,
        };
        let (ppid, answer) = match received.ppid {
            PING_PONG_PPID => match pong(&received.data, next_reply) {
                Some(answer) => (PING_PONG_PPID, answer),
                None => continue,
            },
            ppid => (ppid, format!("pong {next_reply}").into_bytes()),
        };
        let is_due = next_reply.is_multiple_of(settings.cookie_every);
        next_reply += 1;
        // Whoever has the answer has the cookie: that is sent first, on the same stream.
        if is_due && give_cookie(connection, settings, next_reply).await.is_err() {
            return;
        }
        if connection.send_with(0, ppid, answer).await.is_err() {
            return;
        }
    }
}

async fn give_cookie(
    connection: &Connection,
    settings: &Settings,
    next_reply: u64,
) -> Result<(), SendFailed> {
    let cookie = [&COOKIE_MAGIC[..], &next_reply.to_be_bytes()].concat();
    match settings.seal(cookie) {
        Some(cookie) => connection.send_cookie(cookie).await,
        None => Ok(()),
    }
}

fn read_cookie(octets: &[u8]) -> Option<u64> {
    let next = octets.strip_prefix(COOKIE_MAGIC)?.try_into().ok()?;
    Some(u64::from_be_bytes(next)).filter(|next| (1..u64::MAX).contains(next))
}

/// The answer to a ping, if it is one.
fn pong(octets: &[u8], reply: u64) -> Option<Vec<u8>> {
    let (number, data) = body(PING, octets)?.split_at_checked(8)?;
    Some(message(PONG, &[number, &reply.to_be_bytes(), data]))
}

/// What follows the header, if it is a message of this type and as long as it says.
fn body(message_type: u8, octets: &[u8]) -> Option<&[u8]> {
    let (header, rest) = octets.split_first_chunk::<HEADER_OCTETS>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    (header[0] == message_type && length == octets.len()).then_some(rest)
}

fn message(message_type: u8, parts: &[&[u8]]) -> Vec<u8> {
    let parts = parts.concat();
    // What is longer than its length field can say is cut there.
    let length = u16::try_from(HEADER_OCTETS + parts.len()).unwrap_or(u16::MAX);
    let mut octets = vec![message_type, 0];
    octets.extend(length.to_be_bytes());
    octets.extend(&parts[..usize::from(length) - HEADER_OCTETS]);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digits: &str) -> Vec<u8> {
        let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(octet).collect()
    }

    /// Seen between rsplib's pingpongclient and its rspserver, version 3.4.4.
    const PING_12: &str = "01000038000000000000000c4e61636872696368743a2031322c205a656974737465\
                           6d70656c3a2031373935333936383936303230393339";
    const PONG_12: &str = "02000040000000000000000c000000000000000c4e61636872696368743a2031322c20\
                           5a6569747374656d70656c3a2031373935333936383936303230393339";
    const COOKIE: &str = "3c50502d5444313e000000000000000d";

    #[test]
    fn pings_pongs_and_cookies_are_those_of_rsplib() {
        assert_eq!(pong(&hex(PING_12), 12), Some(hex(PONG_12)));
        assert_eq!(read_pong(&hex(PONG_12)), Some((12, 12)));
        assert_eq!(ping(12, &hex(PING_12)[12..]), hex(PING_12));
        assert_eq!(read_cookie(&hex(COOKIE)), Some(13));
    }

    #[test]
    fn what_is_no_ping_is_not_answered() {
        let whole = hex(PING_12);
        for length in 0..whole.len() {
            assert_eq!(pong(&whole[..length], 1), None);
        }
        assert_eq!(pong(&hex(PONG_12), 1), None);
        assert_eq!(pong(&hex("0100000b00000000000000"), 1), None);
        assert_eq!(read_cookie(&hex("3c50502d5444313effffffffffffffff")), None);
        assert_eq!(read_cookie(&hex(COOKIE)[..15]), None);
    }

    #[test]
    fn a_pong_is_never_longer_than_it_says() {
        let longest = ping(1, &[7; 65_535]);
        assert_eq!(longest.len(), 65_535);
        assert_eq!(pong(&longest, 1).unwrap().len(), 65_535);
    }
}
