//! How far what was sent on a TCP connection is, as the system knows it (sock_diag(7)): what the
//! peer has not acknowledged, and whether the peer answers.
//!
//! SIOCOUTQ and TCP_INFO would tell it too, but there is no safe call for either. Elsewhere than
//! on Linux, and where the system has no sock_diag, nothing is known.

/// A connection that sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sending {
    /// Octets that were handed to the system and that the peer has not acknowledged.
    pub(crate) unacknowledged: u32,
    /// How often what was sent last, or the question whether the peer has room again, was repeated
    /// without an answer. A peer that has no room, but answers, is at 0.
    pub(crate) repeated: u8,
}

#[cfg(target_os = "linux")]
pub(crate) use linux::SockDiag;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::SockDiag;

#[cfg(target_os = "linux")]
mod linux {
    use super::Sending;
    use nix::sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
    };
    use std::cell::Cell;
    use std::net::{IpAddr, SocketAddr};
    use std::os::fd::{AsRawFd, OwnedFd};

    /// Netlink's SOCK_DIAG_BY_FAMILY, of questions and of answers.
    const BY_FAMILY: u16 = 20;

    /// Netlink's NLM_F_REQUEST.
    const REQUEST: u16 = 1;

    /// `nlmsghdr` and `inet_diag_req_v2`.
    const QUESTION_OCTETS: u32 = 72;

    /// Where `inet_diag_msg` begins.
    const HEADER_OCTETS: usize = 16;

    /// Where its fields are.
    const TIMER: usize = HEADER_OCTETS + 2;
    const REPEATED: usize = HEADER_OCTETS + 3;
    const UNACKNOWLEDGED: usize = HEADER_OCTETS + 60;

    /// Answers are shorter.
    const ANSWER_OCTETS_MAX: usize = 512;

    /// What `idiag_timer` is while data is repeated, and while a peer without room is asked.
    const RETRANSMISSION: u8 = 1;
    const WINDOW_PROBE: u8 = 4;

    /// A socket for questions about the connections of this host.
    pub(crate) struct SockDiag {
        socket: Option<OwnedFd>,
        asked: Cell<u32>,
        is_there: Cell<bool>,
    }

    impl SockDiag {
        pub(crate) fn open() -> Self {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let protocol = SockProtocol::NetlinkSockDiag;
            let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol);
            Self {
                socket: socket.ok(),
                asked: Cell::new(0),
                is_there: Cell::new(false),
            }
        }

        /// Whether it has ever answered.
        pub(crate) fn is_there(&self) -> bool {
            self.is_there.get()
        }

        /// `None`: there is no such connection, or nobody to ask.
        pub(crate) fn ask(&self, local: SocketAddr, peer: SocketAddr) -> Option<Sending> {
            let socket = self.socket.as_ref()?.as_raw_fd();
            let number = self.asked.get().wrapping_add(1);
            self.asked.set(number);
            let question = question(number, local, peer);
            send(socket, &question, MsgFlags::empty()).ok()?;
            let mut answer = [0; ANSWER_OCTETS_MAX];
            // The system answers before it returns; one that comes late is of another question.
            while let Ok(len) = recv(socket, &mut answer, MsgFlags::MSG_DONTWAIT) {
                let answer = answer.get(..len)?;
                if answer.get(8..12) == Some(&number.to_ne_bytes()[..]) {
                    let sending = read(answer);
                    self.is_there.set(self.is_there.get() | sending.is_some());
                    return sending;
                }
            }
            None
        }
    }

    fn question(number: u32, local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
        let family = if local.is_ipv4() {
            AddressFamily::Inet
        } else {
            AddressFamily::Inet6
        };
        let mut question = Vec::new();
        question.extend(QUESTION_OCTETS.to_ne_bytes());
        question.extend(BY_FAMILY.to_ne_bytes());
        question.extend(REQUEST.to_ne_bytes());
        question.extend(number.to_ne_bytes());
        // From this process, to the system.
        question.extend(0_u32.to_ne_bytes());
        let family = u8::try_from(family as i32).unwrap_or_default();
        let protocol = u8::try_from(nix::libc::IPPROTO_TCP).unwrap_or_default();
        // No extensions, padding, all states.
        question.extend([family, protocol, 0, 0]);
        question.extend(u32::MAX.to_ne_bytes());
        question.extend(local.port().to_be_bytes());
        question.extend(peer.port().to_be_bytes());
        for at in [local, peer] {
            match at.ip() {
                IpAddr::V4(v4) => question.extend(v4.octets().into_iter().chain([0; 12])),
                IpAddr::V6(v6) => question.extend(v6.octets()),
            }
        }
        let interface = match local {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(v6) => v6.scope_id(),
        };
        question.extend(interface.to_ne_bytes());
        // Of whichever socket has these addresses.
        question.extend([0xff; 8]);
        question
    }

    fn read(answer: &[u8]) -> Option<Sending> {
        if answer.get(4..6) != Some(&BY_FAMILY.to_ne_bytes()[..]) {
            return None;
        }
        let unacknowledged = answer.get(UNACKNOWLEDGED..UNACKNOWLEDGED + 4)?;
        let repeated = *answer.get(REPEATED)?;
        let repeated = match *answer.get(TIMER)? {
            RETRANSMISSION => repeated,
            // The first is no repetition; and it is counted after an answer that comes at once.
            WINDOW_PROBE => repeated.saturating_sub(1),
            _ => 0,
        };
        Some(Sending {
            unacknowledged: u32::from_ne_bytes(unacknowledged.try_into().ok()?),
            repeated,
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::io::{Read, Write};
        use std::net::{TcpListener, TcpStream};
        use std::time::Duration;

        const PATIENCE: Duration = Duration::from_secs(20);

        fn connection(at: &str) -> Option<(TcpStream, TcpStream)> {
            let listener = TcpListener::bind(at).ok()?;
            let stream = TcpStream::connect(listener.local_addr().ok()?).ok()?;
            Some((stream, listener.accept().ok()?.0))
        }

        fn ask(diag: &SockDiag, stream: &TcpStream) -> Option<Sending> {
            let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
            diag.ask(local, peer)
        }

        fn until(what: &str, mut is_so: impl FnMut() -> bool) {
            let start = std::time::Instant::now();
            while !is_so() {
                assert!(start.elapsed() < PATIENCE, "{what}");
                std::thread::sleep(Duration::from_millis(1));
            }
        }

        #[test]
        fn what_a_peer_without_room_has_not_taken_is_unacknowledged_and_it_answers() {
            let diag = SockDiag::open();
            for at in ["127.0.0.1:0", "[::1]:0"] {
                let Some((mut from, mut to)) = connection(at) else {
                    eprintln!("skipped: this host has no {at}");
                    continue;
                };
                if ask(&diag, &from).is_none() {
                    eprintln!("skipped: this system has no sock_diag");
                    return;
                }
                assert_eq!(ask(&diag, &from).unwrap().unacknowledged, 0);
                from.set_nonblocking(true).unwrap();
                let mut written = 0;
                while let Ok(len) = from.write(&[0; 65_536]) {
                    written += len;
                }
                assert!(ask(&diag, &from).unwrap().unacknowledged > 0);
                to.read_exact(&mut vec![0; written]).unwrap();
                until("all is acknowledged", || {
                    ask(&diag, &from).unwrap().unacknowledged == 0
                });
                assert_eq!(ask(&diag, &from).unwrap().repeated, 0);
            }
        }

        #[test]
        fn a_connection_that_is_gone_is_unknown() {
            let diag = SockDiag::open();
            let (from, to) = connection("127.0.0.1:0").unwrap();
            if ask(&diag, &from).is_none() {
                eprintln!("skipped: this system has no sock_diag");
                return;
            }
            let (local, peer) = (from.local_addr().unwrap(), from.peer_addr().unwrap());
            (&from).write_all(b"unread").unwrap();
            // Closed with something unread, it is reset.
            drop(to);
            until("it is gone", || diag.ask(local, peer).is_none());
            assert!(diag.is_there());
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use super::Sending;
    use std::net::SocketAddr;

    /// Nobody to ask.
    pub(crate) struct SockDiag;

    impl SockDiag {
        pub(crate) fn open() -> Self {
            Self
        }

        pub(crate) fn is_there(&self) -> bool {
            false
        }

        pub(crate) fn ask(&self, _local: SocketAddr, _peer: SocketAddr) -> Option<Sending> {
            None
        }
    }
}
