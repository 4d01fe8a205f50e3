//! The thread's side of the associations between pool users and pool elements.
//!
//! Knows octets and queues; what they mean is the application's.

use crate::connection::{
    DataCommand, Incoming, Outlet, Progress, Received, SEND_CREDIT_OCTETS, Sink,
};
use crate::control::{ControlEnd, ToDo};
use crate::event::NetworkEvent;
use crate::network::{ASAP_PPID, Network};
use crate::unread::{Discarded, Unread};
use crate::user_transport::{DataTransport, data_transport};
use rserpool_core::AssociationId;
use rserpool_sctp::{DownReason, Outgoing, SendError};
use rserpool_wire::asap::Message;
use rserpool_wire::{Decoded, Undecodable};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// What may wait for an application that does not take it, where the peer cannot be made to wait
/// (the kernel's SCTP), or does not: this association ends, and the others do not notice.
const RECEIVE_QUEUE_OCTETS_MAX: usize = 16 << 20;

/// Datagrams for an application that does not take them in time are dropped beyond this, as a
/// network would: nobody waits for an answer of UDP.
const DATAGRAMS_WAITING_OCTETS_MAX: usize = 1 << 20;

/// The stream of the control channel.
const CONTROL_STREAM: u16 = 0;

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
    control: ControlEnd,
    /// While the echo of a cookie is on its way: data of other streams, which could overtake it.
    /// Bounded by the credit.
    held: Option<Vec<Queued>>,
    /// To be closed when what is held has been handed to SCTP.
    is_closing: bool,
    progress: Arc<Progress>,
    /// The number of the latest message that was handed to SCTP.
    handed: u64,
    /// A message could not be: nothing is known of those after it.
    has_lost: bool,
}

/// A message on its way to SCTP.
struct Queued {
    outgoing: Outgoing,
    /// What is given back when it has arrived.
    cost: usize,
    /// Of an application's message.
    number: Option<u64>,
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

    /// An association is up; what it brings goes to `sink`. What the end of the session has to
    /// say first is said before anybody else can send anything.
    pub(crate) fn open(
        &mut self,
        network: &mut Network,
        association: AssociationId,
        peer: SocketAddr,
        label: u32,
        sink: Sink,
        mut control: ControlEnd,
    ) -> Outlet {
        let has_control_channel = !matches!(control, ControlEnd::DataOnly);
        let (outlet, credit) = Outlet::new(association, self.commands.clone(), has_control_channel);
        let at = Instant::now();
        let first = control.on_up(association);
        let is_echo = |to_do: &ToDo| matches!(to_do, ToDo::EchoCookie(_));
        sink.put(Incoming::Opened {
            label,
            peer,
            outlet: outlet.clone(),
            at,
            cookie_echoed: first.iter().any(is_echo),
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
            control,
            held: None,
            is_closing: false,
            progress: outlet.progress(),
            handed: 0,
            has_lost: false,
        };
        self.connections.insert(association, connection);
        self.carry_out(network, association, first);
        outlet
    }

    /// A message for the application.
    pub(crate) fn on_message(
        &mut self,
        network: &mut Network,
        association: AssociationId,
        received: Received,
    ) {
        if let Some(connection) = self.connections.get(&association)
            && data_transport(association) == DataTransport::Udp
            && connection.sink.waiting_octets() > DATAGRAMS_WAITING_OCTETS_MAX
        {
            return network.on_datagram_not_taken(connection.peer);
        }
        self.tell(network, association, Incoming::Message(received));
    }

    /// A message of the control channel, or what could not be read as one.
    pub(crate) fn on_control(
        &mut self,
        network: &mut Network,
        association: AssociationId,
        message: Result<Decoded<Message>, Undecodable>,
    ) {
        let Some(connection) = self.connections.get_mut(&association) else {
            return network.on_control_dropped();
        };
        let to_do = connection.control.on_message(association, message);
        self.carry_out(network, association, to_do);
    }

    /// Does what the end of a session wants done.
    fn carry_out(&mut self, network: &mut Network, association: AssociationId, to_do: Vec<ToDo>) {
        for to_do in to_do {
            match to_do {
                ToDo::Send(message) => self.send(network, association, control(&message, 0)),
                ToDo::EchoCookie(message) => {
                    self.send(network, association, control(&message, 0));
                    if let Some(connection) = self.connections.get_mut(&association) {
                        connection.held = Some(Vec::new());
                    }
                }
                ToDo::Tell(incoming) => self.tell(network, association, incoming),
                ToDo::CountDropped => network.on_control_dropped(),
            }
        }
    }

    /// Something for the application, which may take its time.
    fn tell(&mut self, network: &mut Network, association: AssociationId, incoming: Incoming) {
        let Some(connection) = self.connections.get(&association) else {
            return;
        };
        self.unread.add(incoming.cost());
        if !connection.sink.put(incoming) {
            network.close(association);
            return;
        }
        if data_transport(association) != DataTransport::Udp
            && connection.sink.has_to_pause(association, &self.commands)
        {
            network.pause(association);
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

    /// Nothing more comes from a user, who may wait for answers nevertheless.
    pub(crate) fn on_finished(&mut self, association: AssociationId) {
        if let Some(connection) = self.connections.get(&association) {
            let (reason, at) = (DownReason::Closed, Instant::now());
            connection.sink.put(Incoming::Closed { reason, at });
        }
    }

    /// An association is gone.
    pub(crate) fn on_down(&mut self, association: AssociationId, reason: DownReason) {
        if let Some(mut connection) = self.connections.remove(&association) {
            connection.control.on_down(association);
            connection.sink.forget_paused(association);
            if reason == DownReason::Closed && connection.held.is_none() {
                // In good order: all that was handed to the transport has arrived.
                connection.progress.set_arrived(connection.handed);
            }
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
                number,
            } => {
                let Some(connection) = self.connections.get_mut(&association) else {
                    return;
                };
                let queued = Queued {
                    outgoing,
                    cost,
                    number: Some(number),
                };
                match &mut connection.held {
                    Some(held) if queued.outgoing.stream != CONTROL_STREAM => held.push(queued),
                    _ => self.send(network, association, queued),
                }
            }
            DataCommand::Say {
                association,
                saying,
                cost,
            } => {
                let Some(connection) = self.connections.get_mut(&association) else {
                    return;
                };
                let mut to_do = connection.control.say(association, saying);
                let Some(ToDo::Send(message)) = to_do.pop() else {
                    connection.credit.add_permits(cost);
                    return;
                };
                self.carry_out(network, association, to_do);
                self.send(network, association, control(&message, cost));
            }
            DataCommand::Close { association } => {
                if let Some(connection) = self.connections.get_mut(&association) {
                    connection.close(network, association);
                }
            }
            DataCommand::Fail { association } => {
                if self.is_one(association) {
                    network.abort(association, "it does not answer");
                }
            }
            DataCommand::Resume { association } => network.resume(association),
        }
    }

    /// Hands a message to SCTP; its cost is given back when it has arrived.
    fn send(&mut self, network: &mut Network, association: AssociationId, queued: Queued) {
        let Some(connection) = self.connections.get_mut(&association) else {
            return;
        };
        let Queued {
            outgoing,
            cost,
            number,
        } = queued;
        let octets = outgoing.data.len();
        match network.send(association, outgoing) {
            Ok(()) => {
                if connection.charged.is_empty() {
                    self.sending.push(association);
                }
                connection.charged.push_back((octets, cost));
                connection.charged_octets += octets;
                connection.on_handed(number);
            }
            // Its end is under way and tells the application.
            Err(SendError::UnknownAssociation | SendError::NotConnected) => {
                connection.has_lost = true;
            }
            Err(
                SendError::QueueFull
                | SendError::TooLarge
                | SendError::InvalidStream
                | SendError::Empty,
            ) => {
                connection.has_lost = true;
                connection.credit.add_permits(cost);
                let peer = Some(connection.peer);
                network.tell(NetworkEvent::NotQueued { peer, octets });
            }
        }
    }

    /// Tells all applications that their users are about to be moved.
    pub(crate) fn tell_moving(&self) {
        for connection in self.connections.values() {
            // Without its application, it is being closed.
            let _ = connection.sink.put(Incoming::Moving);
        }
    }

    /// Closes all in good order.
    pub(crate) fn close_all(&mut self, network: &mut Network) {
        for (&association, connection) in &mut self.connections {
            connection.close(network, association);
        }
    }

    /// Closes all in good order, each after what its application has asked for before.
    pub(crate) fn close_all_in_turn(&mut self) {
        for &association in self.connections.keys() {
            // The other end of this channel is the frame's, which runs.
            let _ = self.commands.send(DataCommand::Close { association });
        }
    }

    /// Ends all at once.
    pub(crate) fn abort_all(&mut self, network: &mut Network, reason: &str) {
        for &association in self.connections.keys() {
            network.abort(association, reason);
        }
    }

    /// Gives senders back the room of what has been acknowledged, and sends what waited for the
    /// echo of a cookie to be.
    pub(crate) fn release_credit(&mut self, network: &mut Network) {
        let connections = &mut self.connections;
        let mut released = Vec::new();
        let mut closing = Vec::new();
        self.sending.retain(|&association| {
            let Some(connection) = connections.get_mut(&association) else {
                return false;
            };
            let unacknowledged = network.send_queue_octets(association);
            if unacknowledged == 0 && connection.held.is_none() {
                connection.progress.set_arrived(connection.handed);
            }
            while let Some(&(octets, cost)) = connection.charged.front()
                && connection.charged_octets - octets >= unacknowledged
            {
                connection.charged.pop_front();
                connection.charged_octets -= octets;
                connection.credit.add_permits(cost);
                // The echo is the first message of its association.
                let held = connection.held.take().into_iter().flatten();
                if std::mem::take(&mut connection.is_closing) {
                    closing.push(association);
                }
                released.extend(held.map(|queued| (association, queued)));
            }
            debug_assert!(connection.credit.available_permits() <= SEND_CREDIT_OCTETS);
            !connection.charged.is_empty()
        });
        for (association, queued) in released {
            self.send(network, association, queued);
        }
        for association in closing {
            network.close(association);
        }
    }
}

/// A message as it goes on the control channel.
fn control(message: &Message, cost: usize) -> Queued {
    let outgoing = Outgoing {
        stream: CONTROL_STREAM,
        ppid: ASAP_PPID,
        unordered: false,
        data: message.encode(),
    };
    Queued {
        outgoing,
        cost,
        number: None,
    }
}

impl DataConnection {
    /// In good order: what was sent before still arrives.
    fn close(&mut self, network: &mut Network, association: AssociationId) {
        self.is_closing = self.held.as_ref().is_some_and(|held| !held.is_empty());
        if !self.is_closing {
            network.close(association);
        }
    }

    /// Those that were held come after later ones.
    fn on_handed(&mut self, number: Option<u64>) {
        if let Some(number) = number
            && !self.has_lost
        {
            self.handed = self.handed.max(number);
        }
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
