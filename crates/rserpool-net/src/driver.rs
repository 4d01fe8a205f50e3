//! The frame of every node: octets come in at its top, go to a machine as decoded messages, and
//! what the machine decides goes out at its bottom.
//!
//! It decides nothing. What a message means is `rserpool-core`'s; what an octet in a datagram
//! means is `rserpool-sctp`'s. `docs/walkthrough.md` follows a registration through this file.

use crate::connection::{DataCommand, Received};
use crate::data::DataConnections;
use crate::multicast::Channel;
use crate::network::{ASAP_PPID, Arrival, ENRP_PPID, Network, PeerAddresses};
use rserpool_core::{AssociationId, Machine, PeerAddress, Timestamp};
use rserpool_sctp::{DownReason, Outgoing, SendError};
use rserpool_wire::asap::Message;
use rserpool_wire::{Decoded, Undecodable, enrp};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Commands of one kind taken before the network gets its turn again.
const COMMANDS_BATCH: usize = 256;

/// How long a node that ends waits for its associations to close in good order.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// What differs between the machines: how each names what all can be told, and what is done with
/// its outputs.
pub(crate) trait Role {
    /// Whether it speaks ENRP. To others, its messages are those of an unknown protocol.
    const SPEAKS_ENRP: bool = false;
    /// Events kept for a subscriber that is slow: what it misses is counted. Memory for all of
    /// them is taken at once, and a process may have a thousand nodes; more than this happens to
    /// none in a second but to a registrar.
    const EVENTS_MAX: usize = 64;
    type Machine: Machine;
    type Command: Send + 'static;

    fn machine(&mut self) -> &mut Self::Machine;
    fn on_up(&mut self, node: &mut Shared, up: Up) -> Option<InputOf<Self>>;
    fn on_message(&mut self, node: &mut Shared, message: FromPeer) -> Option<InputOf<Self>>;
    fn on_announce(&mut self, from: SocketAddr, message: Message) -> Option<InputOf<Self>>;
    fn on_enrp_message(&mut self, message: EnrpFromPeer) -> Option<InputOf<Self>> {
        let _ = message;
        None
    }
    fn on_enrp_announce(
        &mut self,
        from: SocketAddr,
        message: enrp::Message,
    ) -> Option<InputOf<Self>> {
        let _ = (from, message);
        None
    }
    fn on_send_failed(&mut self, from: AssociationId, message: Message) -> Option<InputOf<Self>>;
    fn on_peer_addresses(
        &mut self,
        association: AssociationId,
        addresses: PeerAddresses,
    ) -> Option<InputOf<Self>> {
        let _ = (association, addresses);
        None
    }
    fn on_down(&mut self, node: &mut Shared, down: Down) -> Option<InputOf<Self>>;
    fn on_command(&mut self, node: &mut Shared, command: Self::Command) -> Option<InputOf<Self>>;
    /// The last handle is gone: end in good order.
    fn on_abandoned(&mut self) -> Option<InputOf<Self>>;
    fn on_output(&mut self, node: &mut Shared, output: OutputOf<Self>);
    /// The machine has ended, or something that is the same to its owner.
    fn is_done(&self) -> bool;
    /// What a machine that is done is told at last.
    fn stop(&mut self) -> Option<InputOf<Self>>;
}

pub(crate) type InputOf<R> = <<R as Role>::Machine as Machine>::Input;
pub(crate) type OutputOf<R> = <<R as Role>::Machine as Machine>::Output;

/// An association is up.
pub(crate) struct Up {
    pub(crate) association: AssociationId,
    pub(crate) peer: PeerAddress,
    pub(crate) remote: SocketAddr,
    pub(crate) accepted: bool,
}

/// An ASAP message, or what could not be read as one.
pub(crate) struct FromPeer {
    pub(crate) association: AssociationId,
    pub(crate) message: Result<Decoded<Message>, Undecodable>,
}

/// An ENRP message, or what could not be read as one.
pub(crate) struct EnrpFromPeer {
    pub(crate) association: AssociationId,
    pub(crate) message: Result<Decoded<enrp::Message>, Undecodable>,
}

/// An association ended or never came up.
pub(crate) struct Down {
    pub(crate) association: AssociationId,
    pub(crate) reason: DownReason,
}

/// What a role shares with the frame: the network and the data associations.
pub(crate) struct Shared {
    pub(crate) network: Network,
    pub(crate) data: DataConnections,
}

/// Where a node's commands come from.
pub(crate) struct Commands<C> {
    pub(crate) role: mpsc::Receiver<C>,
    pub(crate) data: mpsc::UnboundedReceiver<DataCommand>,
    /// Ends when the last handle of the application is gone.
    pub(crate) abandoned: oneshot::Receiver<()>,
}

/// A machine on its network.
pub(crate) struct Driver<R: Role> {
    pub(crate) role: R,
    pub(crate) node: Shared,
    pub(crate) tell: Box<dyn Fn(crate::event::NetworkEvent)>,
}

impl<R: Role> Driver<R> {
    /// Runs until the machine is done and its associations are closed.
    pub(crate) async fn run(mut self, mut commands: Commands<R::Command>) {
        let mut is_abandoned = false;
        self.carry_out();
        self.turn();
        while !self.role.is_done() {
            let timeout = self.role.machine().poll_timeout();
            tokio::select! {
                biased;
                () = self.node.network.ready(timeout) => {}
                Some(command) = commands.role.recv() => self.on_command(command),
                Some(command) = commands.data.recv() => self.on_data_command(command),
                _ = &mut commands.abandoned, if !is_abandoned => {
                    is_abandoned = true;
                    let input = self.role.on_abandoned();
                    self.tell_machine(input);
                }
            }
            // The network may always be ready; the application has its turn nevertheless.
            for _ in 0..COMMANDS_BATCH {
                let Ok(command) = commands.data.try_recv() else {
                    break;
                };
                self.on_data_command(command);
            }
            for _ in 0..COMMANDS_BATCH {
                let Ok(command) = commands.role.try_recv() else {
                    break;
                };
                self.on_command(command);
            }
            self.turn();
            self.node.network.give_way().await;
        }
        self.close().await;
    }

    /// From what has arrived to what is sent.
    fn turn(&mut self) {
        self.node.network.receive();
        // What has arrived comes before what is late: after this process has slept, or while it has
        // more to do than it can, whoever seems silent may have been heard.
        while let Some(arrival) = self.node.network.poll_arrival() {
            let input = self.on_arrival(arrival);
            self.tell_machine(input);
        }
        let now = self.now();
        while let Some(deadline) = self.role.machine().poll_timeout()
            && self.node.network.has_heard_until(deadline)
        {
            self.role.machine().handle_timeout(now);
            self.carry_out();
        }
        self.node.data.release_credit(&mut self.node.network);
        self.node.network.flush();
        while let Some(event) = self.node.network.poll_event() {
            (self.tell)(event);
        }
    }

    fn on_arrival(&mut self, arrival: Arrival) -> Option<InputOf<R>> {
        match arrival {
            Arrival::Received {
                association,
                stream,
                ppid,
                octets: data,
            } => self.on_received(association, Received { data, stream, ppid }),
            Arrival::Multicast {
                channel,
                from,
                octets,
            } => self.on_multicast(channel, from, &octets),
            Arrival::SendFailed {
                association,
                ppid: ASAP_PPID,
                octets,
            } => {
                let message = Message::decode(&octets).ok()?.message;
                self.role.on_send_failed(association, message)
            }
            Arrival::Finished { association } => {
                self.node.data.on_finished(association);
                None
            }
            // The application learns it from the end of the association.
            Arrival::SendFailed { .. } => None,
            Arrival::Up {
                association,
                peer,
                remote,
                accepted,
            } => self.role.on_up(
                &mut self.node,
                Up {
                    association,
                    peer,
                    remote,
                    accepted,
                },
            ),
            Arrival::PeerAddresses {
                association,
                addresses,
            } => self.role.on_peer_addresses(association, addresses),
            Arrival::Down {
                association,
                reason,
            } => self.role.on_down(
                &mut self.node,
                Down {
                    association,
                    reason,
                },
            ),
        }
    }

    fn on_received(
        &mut self,
        association: AssociationId,
        received: Received,
    ) -> Option<InputOf<R>> {
        match received.ppid {
            ASAP_PPID => {
                let message = Message::decode(&received.data);
                let from_peer = FromPeer {
                    association,
                    message,
                };
                self.role.on_message(&mut self.node, from_peer)
            }
            ENRP_PPID if R::SPEAKS_ENRP => {
                let message = enrp::Message::decode(&received.data);
                self.role.on_enrp_message(EnrpFromPeer {
                    association,
                    message,
                })
            }
            // Everything else belongs to applications.
            _ => {
                self.node.on_data(association, received);
                None
            }
        }
    }

    fn on_multicast(
        &mut self,
        channel: Channel,
        from: SocketAddr,
        octets: &[u8],
    ) -> Option<InputOf<R>> {
        let input = match channel {
            Channel::Asap => {
                Message::decode(octets).map(|decoded| self.role.on_announce(from, decoded.message))
            }
            Channel::Enrp => enrp::Message::decode(octets)
                .map(|decoded| self.role.on_enrp_announce(from, decoded.message)),
        };
        input.unwrap_or_else(|_| {
            self.node.network.on_malformed_announce(from);
            None
        })
    }

    fn tell_machine(&mut self, input: Option<InputOf<R>>) {
        if let Some(input) = input {
            let now = self.now();
            self.role.machine().handle_input(now, input);
        }
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.role.machine().poll_output() {
            self.role.on_output(&mut self.node, output);
        }
    }

    fn on_command(&mut self, command: R::Command) {
        let input = self.role.on_command(&mut self.node, command);
        self.tell_machine(input);
    }

    fn on_data_command(&mut self, command: DataCommand) {
        self.node.data.on_command(&mut self.node.network, command);
    }

    fn now(&self) -> Timestamp {
        self.node.network.now()
    }

    /// Closes what is open; for a limited time, as a peer may be gone.
    async fn close(&mut self) {
        // Whoever began an association now would find nobody at the other end of it.
        self.node.network.stop_listening();
        let input = self.role.stop();
        self.tell_machine(input);
        self.node.data.close_all(&mut self.node.network);
        let until = self.now() + CLOSING_TIMEOUT;
        loop {
            self.turn();
            if self.node.network.associations() == 0 || self.now() >= until {
                return;
            }
            self.node.network.give_way().await;
            self.node.network.ready(Some(until)).await;
        }
    }
}

impl Shared {
    /// Sends an ASAP message; what does not fit is an event, and SCTP's or the machine's timers
    /// deal with it as with a loss.
    pub(crate) fn send(&mut self, association: AssociationId, message: &Message) {
        let mut length = 0;
        let sent = self.network.send_asap(association, |octets| {
            let before = octets.len();
            message.encode_into(octets);
            length = octets.len() - before;
        });
        if let Err(error) = sent {
            self.network.on_not_sent(association, length, error);
        }
    }

    /// Sends an ENRP message. What does not fit is not lost alone: every update counts, and so the
    /// association ends, and what was missed is made up for when there is another one.
    pub(crate) fn send_enrp(&mut self, association: AssociationId, message: &enrp::Message) {
        let data = message.encode();
        let length = data.len();
        let outgoing = Outgoing {
            stream: 0,
            ppid: ENRP_PPID,
            unordered: false,
            data,
        };
        match self.network.send(association, outgoing) {
            Ok(()) => {}
            Err(SendError::QueueFull) => self.network.shed(association),
            Err(error) => self.network.on_not_sent(association, length, error),
        }
    }

    fn on_data(&mut self, association: AssociationId, received: Received) {
        if self.data.is_one(association) {
            self.data
                .on_message(&mut self.network, association, received);
        } else {
            self.network
                .on_unexpected_payload_protocol(association, received.ppid);
        }
    }
}
