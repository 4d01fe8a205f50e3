//! What the tasks of a node (one per TCP connection, listener or multicast group) found, in order,
//! for its one main loop. Everything is on one thread; nothing is locked.

use crate::error::NetError;
use crate::event::NetworkEvent;
use crate::multicast::Channel;
use crate::user_transport::FoundTcp;
use rserpool_core::AssociationId;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Beyond this many, tasks stop reading until the main loop has caught up. The loop runs at least
/// once for each 61 tasks, so that this is met only by floods of tiny messages.
const INBOX_ITEMS_MAX: usize = 8192;

/// What a task found.
pub(crate) enum Found {
    /// A TCP connection that somebody opened.
    TcpAccepted { stream: TcpStream, peer: SocketAddr },
    /// A TCP connection that was asked for is open.
    TcpConnected {
        association: AssociationId,
        stream: TcpStream,
        peer: SocketAddr,
    },
    /// A TCP connection that was asked for could not be opened.
    TcpConnectFailed {
        association: AssociationId,
        error: NetError,
    },
    /// A whole message.
    TcpReceived {
        association: AssociationId,
        octets: Vec<u8>,
    },
    /// A TCP connection ended; the event says so where it did not end by itself.
    TcpEnded {
        association: AssociationId,
        event: Option<NetworkEvent>,
    },
    /// A peer's lifeline said which association it is for.
    LifelineNamed(crate::lifeline::Named),
    /// The peer's end of a lifeline is gone, or refused to be one.
    LifelineEnded { lifeline: u64, was_open: bool },
    /// Of a pool user or pool element over TCP.
    UserTcp(FoundTcp),
    /// A datagram from a multicast group.
    Multicast {
        channel: Channel,
        from: SocketAddr,
        octets: Vec<u8>,
    },
}

#[derive(Default)]
pub(crate) struct Inbox {
    items: RefCell<VecDeque<Found>>,
    filled: Notify,
    drained: Notify,
}

impl Inbox {
    pub(crate) fn new() -> Rc<Self> {
        Rc::default()
    }

    /// Adds an item; waits while the main loop is far behind.
    pub(crate) async fn put(&self, item: Found) {
        while self.items.borrow().len() >= INBOX_ITEMS_MAX {
            self.drained.notified().await;
        }
        self.put_now(item);
    }

    /// Adds an item that cannot wait and of which there are few.
    pub(crate) fn put_now(&self, item: Found) {
        self.items.borrow_mut().push_back(item);
        self.filled.notify_one();
    }

    pub(crate) fn take(&self) -> Option<Found> {
        let item = self.items.borrow_mut().pop_front();
        if item.is_none() {
            self.drained.notify_waiters();
        }
        item
    }

    /// Waits until there is something. Cancelling loses nothing.
    pub(crate) async fn ready(&self) {
        while self.items.borrow().is_empty() {
            self.filled.notified().await;
        }
    }
}
