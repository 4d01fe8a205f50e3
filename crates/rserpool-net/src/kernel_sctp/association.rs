//! One association: what waits to be handed to the kernel, and what the kernel has not delivered.

use super::socket::KernelSocket;
use oxirush_sctp::{SendData, SendInfo, SendOptions};
use rserpool_sctp::{Outgoing, SendError};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What the kernel may hold of one association that its peer has not acknowledged. All
/// associations of a socket share its buffer, and one whose peer does not read must not fill it.
const HANDED_OCTETS_MAX: usize = 64 * 1024;

/// How far an association is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// We began it, at this time.
    Connecting {
        since: rserpool_sctp::Timestamp,
    },
    Up,
    /// What is queued is sent, and then it is shut down.
    Closing,
    /// It is shut down.
    Closed,
}

pub(super) struct Association {
    /// Index of its socket, and the kernel's number at it.
    pub(super) socket: usize,
    pub(super) id: i32,
    pub(super) state: State,
    /// The peer's addresses, and its port.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) port: u16,
    streams: u16,
    queue: VecDeque<Outgoing>,
    queued_octets: usize,
    /// Handed to the kernel since it last had nothing left to deliver.
    handed_octets: usize,
}

/// How sending went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flushed {
    /// Nothing is left that could be handed over now.
    Done,
    /// The socket takes no more.
    Full,
}

impl Association {
    pub(super) fn new(socket: usize, id: i32, state: State) -> Self {
        Self {
            socket,
            id,
            state,
            addresses: Vec::new(),
            port: 0,
            streams: 0,
            queue: VecDeque::new(),
            queued_octets: 0,
            handed_octets: 0,
        }
    }

    pub(super) fn up(&mut self, streams: u16, addresses: Vec<IpAddr>, port: u16) {
        self.state = State::Up;
        self.streams = streams;
        self.addresses = addresses;
        self.port = port;
    }

    /// Queues a message.
    pub(super) fn send(
        &mut self,
        socket: &KernelSocket,
        outgoing: Outgoing,
    ) -> Result<(), SendError> {
        if self.state != State::Up {
            return Err(SendError::NotConnected);
        }
        if outgoing.data.is_empty() {
            return Err(SendError::Empty);
        }
        if outgoing.data.len() > socket.message_octets_max {
            return Err(SendError::TooLarge);
        }
        if outgoing.stream >= self.streams {
            return Err(SendError::InvalidStream);
        }
        if self.waiting_octets() + outgoing.data.len() > socket.send_queue_octets_max {
            return Err(SendError::QueueFull);
        }
        self.queued_octets += outgoing.data.len();
        self.queue.push_back(outgoing);
        Ok(())
    }

    /// What is not acknowledged, as far as is known.
    pub(super) fn waiting_octets(&self) -> usize {
        self.queued_octets + self.handed_octets
    }

    /// The kernel has delivered everything.
    pub(super) fn on_dry(&mut self) {
        self.handed_octets = 0;
    }

    /// What was never handed over.
    pub(super) fn take_queue(&mut self) -> VecDeque<Outgoing> {
        self.queued_octets = 0;
        std::mem::take(&mut self.queue)
    }

    /// Hands to the kernel what it takes; the second value: how many messages.
    pub(super) fn flush(&mut self, socket: &KernelSocket) -> (Flushed, u64) {
        let mut sent = 0;
        while let Some(outgoing) = self.queue.front() {
            let octets = outgoing.data.len();
            if self.handed_octets > 0 && self.handed_octets + octets > HANDED_OCTETS_MAX {
                return (Flushed::Done, sent);
            }
            let options = SendOptions::new()
                .association(self.id)
                .stream(outgoing.stream)
                .ppid(outgoing.ppid)
                .unordered(outgoing.unordered);
            let mut context = Context::from_waker(Waker::noop());
            match socket
                .endpoint
                .poll_send(&mut context, &outgoing.data, options)
            {
                Poll::Pending => return (Flushed::Full, sent),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                // It is ending, and that is told by itself.
                Poll::Ready(Err(_)) => return (Flushed::Done, sent),
                Poll::Ready(Ok(())) => {}
            }
            sent += 1;
            self.handed_octets += octets;
            self.queued_octets -= octets;
            self.queue.pop_front();
        }
        if self.state == State::Closing {
            return (self.shut_down(socket), sent);
        }
        (Flushed::Done, sent)
    }

    fn shut_down(&mut self, socket: &KernelSocket) -> Flushed {
        let info = SendInfo {
            flags: SendInfo::EOF,
            assoc_id: self.id,
            ..SendInfo::default()
        };
        let data = SendData::new(Vec::new()).with_info(info);
        let mut context = Context::from_waker(Waker::noop());
        let ended = pin!(socket.endpoint.send_data(None, data)).poll(&mut context);
        if ended.is_pending() {
            return Flushed::Full;
        }
        // If it is ending already, that is what was wanted.
        self.state = State::Closed;
        Flushed::Done
    }
}
