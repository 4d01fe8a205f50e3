//! The thread's side of the associations between pool users and pool elements.
//!
//! Knows octets and queues; what they mean is the application's.

use crate::connection::{DataCommand, Incoming, Outlet, Received, SEND_CREDIT_OCTETS, Sink};
use crate::event::NetworkEvent;
use crate::network::Network;
use crate::unread::{Discarded, Unread};
use rserpool_core::AssociationId;
use rserpool_sctp::{DownReason, SendError};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// What may wait for an application that does not take it. It has stopped reading for good, or
/// its peer floods it: either way this association ends, and the others do not notice.
const RECEIVE_QUEUE_OCTETS_MAX: usize = 16 << 20;

/// All of them.
pub(crate) struct DataConnections {
    connections: BTreeMap<AssociationId, DataConnection>,
    /// Those with credit to give back.
    sending: Vec<AssociationId>,
    commands: mpsc::UnboundedSender<DataCommand>,
    unread: Unread,
}

struct DataConnection {
    sink: Sink,
    credit: Arc<Semaphore>,
    /// What was handed to SCTP and not credited back: each message's octets and its cost.
    charged: VecDeque<(usize, usize)>,
    charged_octets: usize,
    peer: SocketAddr,
    ended: Option<oneshot::Sender<DownReason>>,
}

impl DataConnections {
    pub(crate) fn new(unread_octets_max: usize) -> (Self, mpsc::UnboundedReceiver<DataCommand>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        let connections = BTreeMap::new();
        (
            Self {
                connections,
                sending: Vec::new(),
                commands,
                unread: Unread::new(unread_octets_max),
            },
            receiver,
        )
    }

    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn is_one(&self, association: AssociationId) -> bool {
        self.connections.contains_key(&association)
    }

    /// An association is up; what it brings goes to `sink`.
    pub(crate) fn open(
        &mut self,
        association: AssociationId,
        peer: SocketAddr,
        label: u32,
        sink: Sink,
    ) -> Outlet {
        let (outlet, credit) = Outlet::new(association, self.commands.clone());
        let at = Instant::now();
        sink.put(Incoming::Opened {
            label,
            peer,
            outlet: outlet.clone(),
            at,
        });
        self.unread.watch(association, peer, &sink);
        let charged = VecDeque::new();
        let connection = DataConnection {
            sink,
            credit,
            charged,
            charged_octets: 0,
            peer,
            ended: None,
        };
        self.connections.insert(association, connection);
        outlet
    }

    /// A message for the application.
    pub(crate) fn on_message(
        &mut self,
        network: &mut Network,
        association: AssociationId,
        received: Received,
    ) {
        let Some(connection) = self.connections.get(&association) else {
            return;
        };
        let message = Incoming::Message(received);
        self.unread.add(message.cost());
        if !connection.sink.put(message) {
            network.close(association);
            return;
        }
        let waiting_octets = connection.sink.waiting_octets();
        if waiting_octets > RECEIVE_QUEUE_OCTETS_MAX {
            let peer = connection.peer;
            self.end_not_taken(network, association, peer, waiting_octets);
        }
        while let Some(discarded) = self.unread.shed() {
            let Discarded {
                association,
                peer,
                octets,
            } = discarded;
            self.end_not_taken(network, association, peer, octets);
        }
    }

    /// Ends an association, which may have ended before.
    fn end_not_taken(
        &self,
        network: &mut Network,
        association: AssociationId,
        peer: SocketAddr,
        waiting_octets: usize,
    ) {
        network.tell(NetworkEvent::NotTaken {
            peer,
            waiting_octets,
        });
        if self.is_one(association) {
            network.abort(association, "the application does not take its messages");
        }
    }

    /// Tells the end of an association.
    pub(crate) fn watch_end(
        &mut self,
        association: AssociationId,
    ) -> oneshot::Receiver<DownReason> {
        let (ended, end) = oneshot::channel();
        if let Some(connection) = self.connections.get_mut(&association) {
            connection.ended = Some(ended);
        }
        end
    }

    /// An association is gone.
    pub(crate) fn on_down(&mut self, association: AssociationId, reason: DownReason) {
        if let Some(connection) = self.connections.remove(&association) {
            connection.credit.close();
            let at = Instant::now();
            connection.sink.put(Incoming::Closed {
                reason: reason.clone(),
                at,
            });
            if let Some(ended) = connection.ended {
                // Who watched may have stopped.
                let _ = ended.send(reason);
            }
        }
    }

    /// The application wants something.
    pub(crate) fn on_command(&mut self, network: &mut Network, command: DataCommand) {
        match command {
            DataCommand::Send {
                association,
                outgoing,
                cost,
            } => {
                let Some(connection) = self.connections.get_mut(&association) else {
                    return;
                };
                let octets = outgoing.data.len();
                match network.send(association, outgoing) {
                    Ok(()) => {
                        if connection.charged.is_empty() {
                            self.sending.push(association);
                        }
                        connection.charged.push_back((octets, cost));
                        connection.charged_octets += octets;
                    }
                    // Its end is under way and tells the application.
                    Err(SendError::UnknownAssociation | SendError::NotConnected) => {}
                    Err(
                        SendError::QueueFull
                        | SendError::TooLarge
                        | SendError::InvalidStream
                        | SendError::Empty,
                    ) => {
                        connection.credit.add_permits(cost);
                        let peer = Some(connection.peer);
                        network.tell(NetworkEvent::NotQueued { peer, octets });
                    }
                }
            }
            DataCommand::Close { association } => {
                if self.connections.contains_key(&association) {
                    network.close(association);
                }
            }
        }
    }

    /// Closes all in good order.
    pub(crate) fn close_all(&mut self, network: &mut Network) {
        for &association in self.connections.keys() {
            network.close(association);
        }
    }

    /// Gives senders back the room of what has been acknowledged.
    pub(crate) fn release_credit(&mut self, network: &Network) {
        let connections = &mut self.connections;
        self.sending.retain(|association| {
            let Some(connection) = connections.get_mut(association) else {
                return false;
            };
            let unacknowledged = network.send_queue_octets(*association);
            while let Some(&(octets, cost)) = connection.charged.front()
                && connection.charged_octets - octets >= unacknowledged
            {
                connection.charged.pop_front();
                connection.charged_octets -= octets;
                connection.credit.add_permits(cost);
            }
            debug_assert!(connection.credit.available_permits() <= SEND_CREDIT_OCTETS);
            !connection.charged.is_empty()
        });
    }
}

impl Drop for DataConnections {
    /// Nobody waits for room that never comes.
    fn drop(&mut self) {
        for connection in self.connections.values() {
            connection.credit.close();
        }
    }
}
