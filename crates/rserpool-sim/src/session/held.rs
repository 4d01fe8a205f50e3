//! The pool user's end of a session: what was sent, what was answered, and what cookie it has.
//!
//! Must not know the pool element's state, but by answers and cookies.

use super::{Data, Packet, Progress, SessionId, state_after};
use crate::network::{Channel, EndId};
use crate::node::NodeId;
use rserpool_core::session::{OnFailover, PoolUserSession, SessionMessage, Undelivered};
use rserpool_core::{PeerAddress, Timestamp};
use rserpool_wire::asap::BusinessCard;
use rserpool_wire::parameter::Cookie;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// The pool user's end of a session.
#[derive(Debug)]
pub(crate) struct HeldSession {
    pub(crate) id: SessionId,
    pub(crate) node: NodeId,
    pub(crate) pool: usize,
    pub(crate) pool_handle: PoolHandle,
    pub(crate) channel: Channel,
    /// What becomes of requests that may not have arrived when their pool element fails.
    pub(crate) fate: OnFailover,
    pub(crate) control: PoolUserSession,
    pub(crate) stage: Stage,
    /// Changes with the stage, so that what was planned before it is void.
    pub(crate) epoch: u32,
    /// How many requests there will be.
    pub(crate) length: u64,
    /// How many may wait for their answer.
    pub(crate) window: u64,
    /// The latest request that was ever sent.
    pub(crate) sent: u64,
    /// The latest request that was ever answered; all before were, too.
    pub(crate) answered: u64,
    /// The same of the association of now.
    pub(crate) answered_here: u64,
    /// The cookie that came last, if one has.
    pub(crate) cookie: Option<Cookie>,
    /// What it says; or the beginning.
    pub(crate) base: Progress,
    /// What the states after the requests since then are, sent ones and no others.
    states: VecDeque<u64>,
    /// Requests that may not have arrived.
    pub(crate) undelivered: Undelivered,
    /// Requests handed to the association of now.
    pub(crate) handed: u64,
    /// The request before the first one of the association of now.
    pub(crate) begun_after: u64,
    /// The latest request that is known to have arrived anywhere.
    pub(crate) arrived: u64,
    /// The latest request that has, which only the simulator knows.
    pub(crate) reached: u64,
    /// The latest request in a datagram to the pool element of now, and when it was asked again.
    pub(crate) asked_here: u64,
    pub(crate) asked_at: Timestamp,
    /// Given to each pool element, if this pool user is a pool element too.
    pub(crate) own_card: Option<BusinessCard>,
    /// It calls back a pool user that has died.
    pub(crate) is_call: bool,
    /// Whom that one's card recommends to begin with.
    pub(crate) recommended: Vec<PoolElementId>,
    /// The order of failover in the latest card of the pool element of now.
    pub(crate) card: Vec<PoolElementId>,
    /// The pool element that it had last.
    pub(crate) failed: Option<PoolElementId>,
    /// A registrar was asked for those in the card, and named these.
    pub(crate) has_asked_order: bool,
    pub(crate) candidates: VecDeque<(PoolElementId, PeerAddress)>,
    /// It goes on somewhere else, since then.
    pub(crate) interruption: Option<Interruption>,
    /// When the latest answer came, or the association came up.
    pub(crate) progress_at: Timestamp,
    /// Pool elements that could not be reached since the pause before.
    pub(crate) tried: Vec<PoolElementId>,
    pub(crate) pause: Duration,
}

/// What a session is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// It will look for a pool element.
    Waiting,
    /// It has asked for one.
    Selecting,
    /// It sets up an association with it.
    Connecting {
        end: EndId,
        pool_element: PoolElementId,
    },
    Up {
        end: EndId,
        pool_element: PoolElementId,
    },
}

/// What becomes of a session's requests as another pool element serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FailedOver {
    /// The cookie does not cover them, and they had arrived at one that failed.
    pub(crate) rebuilt: Range<u64>,
    /// Given back, for the application to send them again.
    pub(crate) returned: Vec<u64>,
    /// The first one that is sent again by itself, and how many there are.
    pub(crate) first_waiting: Option<u64>,
    pub(crate) waiting: usize,
}

/// A session has lost its pool element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Interruption {
    /// When the pool element died, if that is why.
    pub(crate) died_at: Option<Timestamp>,
    /// When the pool user noticed.
    pub(crate) noticed_at: Option<Timestamp>,
}

impl HeldSession {
    pub(crate) fn new(id: SessionId, node: NodeId, pool: usize, pool_handle: PoolHandle) -> Self {
        let channel = Channel::of_pool(pool);
        let fate = match (channel, id.0 % 2) {
            (Channel::Datagrams, _) => OnFailover::Forget,
            (Channel::Control | Channel::Stream, 0) => OnFailover::Return,
            (Channel::Control | Channel::Stream, _) => OnFailover::Resend,
        };
        Self {
            id,
            node,
            pool,
            channel,
            fate,
            control: PoolUserSession::new(pool_handle.clone()),
            pool_handle,
            stage: Stage::Waiting,
            epoch: 0,
            length: 1,
            window: 1,
            sent: 0,
            answered: 0,
            answered_here: 0,
            cookie: None,
            base: Progress::first(id),
            states: VecDeque::new(),
            undelivered: Undelivered::default(),
            handed: 0,
            begun_after: 0,
            arrived: 0,
            reached: 0,
            asked_here: 0,
            asked_at: Timestamp::ZERO,
            own_card: None,
            is_call: false,
            recommended: Vec::new(),
            card: Vec::new(),
            failed: None,
            has_asked_order: false,
            candidates: VecDeque::new(),
            interruption: None,
            progress_at: Timestamp::ZERO,
            tried: Vec::new(),
            pause: Duration::ZERO,
        }
    }

    pub(crate) fn set_stage(&mut self, stage: Stage) {
        self.stage = stage;
        self.epoch += 1;
    }

    /// The next request, if there is one and it need not wait.
    pub(crate) fn next_request(&mut self) -> Option<u64> {
        let is_datagram = self.channel == Channel::Datagrams;
        let latest = if is_datagram {
            self.asked_here
        } else {
            self.sent
        };
        let number = latest + 1;
        if number > self.length || number > self.answered_here + self.window {
            return None;
        }
        self.asked_here = number;
        if number <= self.sent {
            return Some(number);
        }
        let before = self.states.back().copied().unwrap_or(self.base.state);
        self.states.push_back(state_after(before, number));
        self.sent = number;
        Some(number)
    }

    /// A request is handed to the association for the first time.
    pub(crate) fn hand_over(&mut self, number: u64) -> Vec<u8> {
        let session = self.id;
        let mut octets = Vec::new();
        Packet::encode_data(Data::Request { session, number }, &mut octets);
        self.handed += 1;
        if self.fate != OnFailover::Forget {
            let message = SessionMessage::new(octets.clone()).on_failover(self.fate);
            self.undelivered.add_sent(self.handed, message);
        }
        octets
    }

    /// The next one of those that go to another pool element by themselves.
    pub(crate) fn hand_over_again(&mut self) -> Option<Vec<u8>> {
        let octets = self.undelivered.next_waiting()?.data.clone();
        self.handed += 1;
        self.undelivered.sent_next_waiting(self.handed);
        Some(octets)
    }

    /// Another pool element serves, and has what the cookie says.
    pub(crate) fn fail_over(&mut self) -> FailedOver {
        let returned = self.undelivered.fail_over();
        let returned = returned.iter().filter_map(number_of).collect::<Vec<_>>();
        let first_waiting = self.undelivered.next_waiting().and_then(number_of);
        let base = self.base.count;
        (self.handed, self.begun_after) = (0, base);
        (self.answered_here, self.asked_here) = (base, base);
        let first = first_waiting.or(returned.first().copied());
        let is_datagram = self.channel == Channel::Datagrams;
        let last = if is_datagram { base } else { self.sent };
        FailedOver {
            rebuilt: base + 1..first.unwrap_or(last + 1),
            returned,
            first_waiting,
            waiting: self.undelivered.len(),
        }
    }

    /// What the state is after a request that was sent and is not covered by the cookie.
    pub(crate) fn state_after(&self, number: u64) -> Option<u64> {
        let index = number.checked_sub(self.base.count + 1)?;
        self.states.get(usize::try_from(index).ok()?).copied()
    }

    /// The cookie covers all requests up to the one that it says: they will not be sent again.
    pub(crate) fn keep_cookie(&mut self, cookie: Cookie, progress: Progress) {
        let covered = progress.count.saturating_sub(self.base.count);
        let covered = usize::try_from(covered).unwrap_or(usize::MAX);
        self.states.drain(..covered.min(self.states.len()));
        self.cookie = Some(cookie);
        self.base = progress;
    }

    /// Answers that would come again, if the pool element were gone now.
    pub(crate) fn at_stake(&self) -> u64 {
        self.answered.saturating_sub(self.base.count)
    }
}

/// The number of the request in a message.
fn number_of(message: &SessionMessage) -> Option<u64> {
    match Packet::decode(&message.data)? {
        Packet::Data(Data::Request { number, .. }) => Some(number),
        Packet::Data(Data::Answer { .. } | Data::Message { .. }) | Packet::Control(_) => None,
    }
}
