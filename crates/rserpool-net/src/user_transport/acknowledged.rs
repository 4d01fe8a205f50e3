//! What the peer of a TCP connection has acknowledged of what was written to it, and whether it
//! answers at all.
//!
//! The system tells only who asks, and so it is asked while something is under way. A time limit
//! of the system's own (TCP_USER_TIMEOUT) would also end a connection whose peer is alive and has
//! no room for more.

use crate::sock_diag::SockDiag;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// With so much under way a sender may soon have to wait for room: then it is looked soon.
const MUCH_OCTETS: usize = 16 << 10;

/// The first look when there is much; and the pauses between looks at most.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(25);

/// The peer has not answered for too long.
pub(super) struct Silent;

pub(super) struct Acknowledged {
    diag: Rc<SockDiag>,
    /// Both ends.
    addresses: Option<(SocketAddr, SocketAddr)>,
    silence_max: Duration,
    /// At most so much is under way.
    octets: Cell<usize>,
    answered_at: Cell<Instant>,
    pause: Cell<Duration>,
    look_at: Cell<Option<Instant>>,
}

impl Acknowledged {
    pub(super) fn new(diag: &Rc<SockDiag>, stream: &TcpStream, silence_max: Duration) -> Self {
        let addresses = stream.local_addr().ok().zip(stream.peer_addr().ok());
        if let Some((local, peer)) = addresses {
            // Whether there is anybody to ask.
            diag.ask(local, peer);
        }
        Self {
            diag: Rc::clone(diag),
            addresses,
            silence_max,
            octets: Cell::new(0),
            answered_at: Cell::new(Instant::now()),
            pause: Cell::new(PAUSE_MIN),
            look_at: Cell::new(None),
        }
    }

    /// What was written and is not known to have been acknowledged. Where the system does not
    /// tell, nothing.
    pub(super) fn octets(&self) -> usize {
        self.octets.get()
    }

    pub(super) fn on_written(&self, octets: usize) {
        if octets == 0 || !self.diag.is_there() {
            return;
        }
        let now = Instant::now();
        if self.octets.get() == 0 {
            self.answered_at.set(now);
        }
        self.octets.set(self.octets.get() + octets);
        let before = self.look_at.get();
        self.look_soon(now);
        self.look_at
            .set(before.into_iter().chain(self.look_at.get()).min());
    }

    /// When to look next.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.look_at.get()
    }

    /// Looks whether more has been acknowledged.
    pub(super) fn look(&self) -> Result<bool, Silent> {
        let sending = self
            .addresses
            .and_then(|(local, peer)| self.diag.ask(local, peer));
        let Some(sending) = sending else {
            // It has ended, which its socket tells.
            self.look_at.set(None);
            return Ok(false);
        };
        let now = Instant::now();
        let before = self.octets.get();
        let unacknowledged = usize::try_from(sending.unacknowledged).unwrap_or(usize::MAX);
        let octets = unacknowledged.min(before);
        self.octets.set(octets);
        let is_more = octets < before;
        if is_more || sending.repeated == 0 {
            self.answered_at.set(now);
        } else if now - self.answered_at.get() >= self.silence_max {
            return Err(Silent);
        }
        if octets == 0 {
            self.look_at.set(None);
        } else if is_more {
            self.look_soon(now);
        } else {
            self.look_again(now, (self.pause.get() * 2).min(PAUSE_MAX));
        }
        Ok(is_more)
    }

    fn look_soon(&self, now: Instant) {
        let has_much = self.octets.get() >= MUCH_OCTETS;
        self.look_again(now, if has_much { PAUSE_MIN } else { PAUSE_MAX });
    }

    fn look_again(&self, now: Instant, pause: Duration) {
        self.pause.set(pause);
        self.look_at.set(Some(now + pause));
    }
}
