//! Inputs to machines, and what they want done.

use super::World;
use crate::check::Rule;
use crate::network::{Association, ChannelMessage, EndId, EndState, Target};
use crate::node::{Actor, NodeId, Status, addresses, association_id, end_of};
use crate::schedule::Occurrence;
use crate::transcript::Mark;
use rserpool_core::{
    ASAP_PORT, AssociationId, ClientOutput, ENRP_PORT, Machine, PeerAddress, RegistrarAddress,
    Transport, pool_element, pool_user, registrar,
};
use rserpool_wire::asap::Message;
use rserpool_wire::{Decoded, Undecodable, enrp};
use std::net::SocketAddr;

/// More outputs of one call are a violation: 256 timers and 256 updates a call, a few outputs
/// each, what goes with an association; or the 4,096 requests that wait at a pool user at most.
const OUTPUTS_MAX: usize = 4_096 + 256;

/// More timeouts at one time are a violation: work in portions comes to an end.
const TIMEOUTS_AT_ONCE_MAX: u32 = 2_000;

/// The SCTP port from which clients speak.
const CLIENT_PORT: u16 = ASAP_PORT + 1;

/// What a machine is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum News {
    Up {
        end: EndId,
    },
    ConnectFailed {
        target: Target,
    },
    Lost {
        end: EndId,
    },
    SendFailed {
        end: EndId,
        message: Option<Message>,
    },
    Heard {
        from: SocketAddr,
        message: ChannelMessage,
    },
    Shutdown,
    ElementCommand(pool_element::Command),
    UserCommand(pool_user::Command),
}

/// What a machine wants done, whichever machine it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Send {
        to: AssociationId,
        message: Message,
    },
    SendEnrp {
        to: AssociationId,
        message: enrp::Message,
    },
    Multicast(ChannelMessage),
    Connect(Target),
    StopConnecting(Target),
    Close(AssociationId),
    RegistrarEvent(registrar::Event),
    ElementEvent(pool_element::Event),
    UserEvent(pool_user::Event),
}

impl World {
    /// Something happened to a node: its machine decides, and what it wants is done.
    pub(crate) fn tell(&mut self, node: NodeId, news: News) {
        match &news {
            News::UserCommand(command) => self.tell_line(node, format_args!("wants {command:?}")),
            News::ElementCommand(command) => {
                self.tell_line(node, format_args!("wants {command:?}"));
            }
            News::SendFailed { end, .. } => {
                let association = end.association();
                let text = format_args!("cannot send over association {association}");
                self.tell_line(node, text);
            }
            News::Up { .. }
            | News::ConnectFailed { .. }
            | News::Lost { .. }
            | News::Heard { .. }
            | News::Shutdown => {}
        }
        let own = &mut self.nodes[node.index()];
        let now = own.clock.local(self.now);
        own.timeouts_at_once = 0;
        match &mut own.actor {
            Actor::Registrar(registrar) => {
                if let Some(input) = registrar_input(&self.associations, news) {
                    registrar.handle_input(now, input);
                }
            }
            Actor::Element(element) => {
                if let Some(input) = element_input(&self.associations, news) {
                    element.handle_input(now, input);
                }
            }
            Actor::User(user, _) => {
                if let Some(input) = user_input(&self.associations, news) {
                    user.handle_input(now, input);
                }
            }
            Actor::Stranger(_) => return self.tell_stranger(node, &news),
            Actor::Nobody => return,
        }
        self.settle(node);
    }

    /// A message is read: most of what happens.
    pub(super) fn tell_received(
        &mut self,
        node: NodeId,
        end: EndId,
        message: Result<Decoded<Message>, Undecodable>,
    ) {
        let own = &mut self.nodes[node.index()];
        let now = own.clock.local(self.now);
        own.timeouts_at_once = 0;
        let from = association_id(end);
        match &mut own.actor {
            Actor::Registrar(registrar) => {
                registrar.handle_input(now, registrar::Input::Received { from, message });
            }
            Actor::Element(element) => {
                element.handle_input(now, pool_element::Input::Received { from, message });
            }
            Actor::User(user, _) => {
                user.handle_input(now, pool_user::Input::Received { from, message });
            }
            Actor::Stranger(_) | Actor::Nobody => return,
        }
        self.settle(node);
    }

    /// An ENRP message is read: only registrars, and strangers, have associations for it.
    pub(super) fn tell_enrp_received(
        &mut self,
        node: NodeId,
        end: EndId,
        message: Result<Decoded<enrp::Message>, Undecodable>,
    ) {
        let own = &mut self.nodes[node.index()];
        let now = own.clock.local(self.now);
        own.timeouts_at_once = 0;
        let from = association_id(end);
        match &mut own.actor {
            Actor::Registrar(registrar) => {
                registrar.handle_input(now, registrar::Input::EnrpReceived { from, message });
            }
            Actor::Stranger(_) => return self.overhear(node, end, message),
            Actor::Element(_) | Actor::User(..) | Actor::Nobody => return,
        }
        self.settle(node);
    }

    /// Does what the node's machine wants, and plans its next call.
    pub(super) fn settle(&mut self, node: NodeId) {
        let mut outputs = 0;
        while let Some(action) = self.next_action(node) {
            outputs += 1;
            self.carry_out(node, action);
        }
        self.statistics.outputs += u64::try_from(outputs).unwrap_or(u64::MAX);
        if outputs > OUTPUTS_MAX {
            self.violate(Rule::Outputs, node, format_args!("{outputs} outputs"));
        }
        self.check_selected(node);
        self.plan_wake(node);
    }

    fn next_action(&mut self, node: NodeId) -> Option<Action> {
        match &mut self.nodes[node.index()].actor {
            Actor::Registrar(registrar) => registrar.poll_output().map(Action::from),
            Actor::Element(element) => {
                let output = element.poll_output()?;
                Some(client_action(output, Action::ElementEvent))
            }
            Actor::User(user, _) => {
                let output = user.poll_output()?;
                Some(client_action(output, Action::UserEvent))
            }
            Actor::Nobody | Actor::Stranger(_) => None,
        }
    }

    fn carry_out(&mut self, node: NodeId, action: Action) {
        match action {
            Action::Send { to, message } => {
                if let Some(end) = self.own_end(node, to, "send over") {
                    self.check_sent(end, &message);
                    if self.is_up(end) {
                        self.send(end, &message);
                    }
                }
            }
            Action::SendEnrp { to, message } => {
                let end = self.own_end(node, to, "send over");
                if let Some(end) = end.filter(|end| self.is_up(*end)) {
                    self.send_enrp(end, &message);
                }
            }
            Action::Multicast(message) => self.multicast(node, &message),
            Action::Connect(target) => {
                self.tell_line(node, format_args!("connects to {target}"));
                self.connect(node, target);
            }
            Action::StopConnecting(target) => {
                self.tell_line(node, format_args!("stops connecting to {target}"));
                self.stop_connecting(node, &target);
            }
            Action::Close(association) => {
                if let Some(end) = self.own_end(node, association, "close") {
                    self.tell_line(
                        node,
                        format_args!("closes association {}", end.association()),
                    );
                    self.close(end);
                }
            }
            Action::RegistrarEvent(event) => {
                self.tell_line(node, format_args!("{event:?}"));
                self.check_registrar_event(node, &event);
            }
            Action::ElementEvent(event) => {
                self.tell_line(node, format_args!("{event:?}"));
                self.on_element_event(node, &event);
            }
            Action::UserEvent(event) => {
                self.tell_line(node, format_args!("{event:?}"));
                self.check_user_event(node, event);
            }
        }
    }

    pub(super) fn is_up(&self, end: EndId) -> bool {
        self.associations[end.association() as usize].ends[end.side()].state == EndState::Up
    }

    /// The end that a machine means, which must be its own and one that it does not know to be
    /// gone.
    fn own_end(&mut self, node: NodeId, association: AssociationId, what: &str) -> Option<EndId> {
        let end = end_of(association)
            .filter(|end| (end.association() as usize) < self.associations.len())
            .filter(|end| self.node_of(*end) == node && !self.checker.is_told_gone(*end));
        if end.is_none() {
            let text = format_args!("wants to {what} {association}, which it knows to be gone");
            self.violate(Rule::GoneAssociation, node, text);
        }
        end
    }

    fn tell_line(&mut self, node: NodeId, event: std::fmt::Arguments<'_>) {
        if self.transcript.is_kept() {
            let name = self.roster.name(node);
            let text = format_args!("{name} {event}");
            self.transcript.line(self.now, &[(node, Mark::Tells)], text);
        }
    }

    /// Puts the machine's next timeout into the schedule. An entry that is too early is left
    /// there: timers are mostly put off, and then one entry does for many of them.
    pub(super) fn plan_wake(&mut self, node: NodeId) {
        let own = &mut self.nodes[node.index()];
        if own.status != Status::Running {
            return;
        }
        let Some(at) = own.poll_timeout().and_then(|at| own.clock.world(at)) else {
            return;
        };
        let at = at.max(self.now);
        if own.wake.is_none_or(|wake| wake > at) {
            own.wake = Some(at);
            self.schedule.add(at, Occurrence::Timer { node });
        }
    }

    pub(super) fn on_timer(&mut self, node: NodeId) {
        let own = &mut self.nodes[node.index()];
        if own.wake != Some(self.now) {
            return;
        }
        own.wake = None;
        if own.status != Status::Running {
            return;
        }
        let now = own.clock.local(self.now);
        if own.poll_timeout().is_none_or(|at| at > now) {
            return self.plan_wake(node);
        }
        own.timeouts_at_once += 1;
        if own.timeouts_at_once > TIMEOUTS_AT_ONCE_MAX {
            own.status = Status::Hung;
            let text = format_args!("{TIMEOUTS_AT_ONCE_MAX} timeouts at one time");
            return self.violate(Rule::Progress, node, text);
        }
        self.call_timeout(node);
        let own = &mut self.nodes[node.index()];
        let is_again = own.wake == Some(self.now);
        if !is_again || own.poll_timeout().is_none_or(|at| at > now) {
            own.timeouts_at_once = 0;
        }
    }

    fn call_timeout(&mut self, node: NodeId) {
        let own = &mut self.nodes[node.index()];
        let now = own.clock.local(self.now);
        match &mut own.actor {
            Actor::Registrar(registrar) => registrar.handle_timeout(now),
            Actor::Element(element) => element.handle_timeout(now),
            Actor::User(user, _) => user.handle_timeout(now),
            Actor::Nobody | Actor::Stranger(_) => {}
        }
        self.transcript.digest_octets(self.now, node, &[]);
        self.settle(node);
    }
}

fn registrar_input(associations: &[Association], news: News) -> Option<registrar::Input> {
    Some(match news {
        News::Up { end } => {
            let known = &associations[end.association() as usize];
            let peer = peer_address(known, end);
            let association = association_id(end);
            let asked = if end.is_of_initiator() {
                Some(&known.target)
            } else {
                known.wanted_by_acceptor.as_ref()
            };
            match asked.and_then(|target| remote(target)) {
                Some(to) => registrar::Input::Connected {
                    association,
                    to,
                    peer,
                },
                None => registrar::Input::AssociationUp { association, peer },
            }
        }
        News::ConnectFailed { target } => registrar::Input::ConnectFailed {
            to: remote(&target)?,
        },
        News::Lost { end } => registrar::Input::AssociationLost {
            association: association_id(end),
        },
        News::SendFailed { end, message } => registrar::Input::SendFailed {
            association: association_id(end),
            message,
        },
        News::Heard {
            from,
            message: ChannelMessage::Asap(message),
        } => registrar::Input::Announced { from, message },
        News::Heard {
            from,
            message: ChannelMessage::Enrp(message),
        } => registrar::Input::EnrpAnnounced { from, message },
        News::Shutdown => registrar::Input::Command(registrar::Command::Shutdown),
        News::ElementCommand(_) | News::UserCommand(_) => return None,
    })
}

fn element_input(associations: &[Association], news: News) -> Option<pool_element::Input> {
    Some(match news {
        News::Up { end } => {
            let association = &associations[end.association() as usize];
            pool_element::Input::AssociationUp {
                association: association_id(end),
                registrar: registrar_of(association),
                local: addresses(association.ends[end.side()].node),
            }
        }
        News::Lost { end } => pool_element::Input::AssociationLost {
            association: association_id(end),
        },
        News::SendFailed { end, .. } => pool_element::Input::SendFailed {
            association: association_id(end),
        },
        News::Heard {
            from,
            message: ChannelMessage::Asap(message),
        } => pool_element::Input::Announced { from, message },
        News::ConnectFailed {
            target: Target::Registrar(registrar),
        } => pool_element::Input::ConnectFailed { registrar },
        News::ElementCommand(command) => pool_element::Input::Command(command),
        News::ConnectFailed { .. } | News::Heard { .. } | News::Shutdown | News::UserCommand(_) => {
            return None;
        }
    })
}

fn user_input(associations: &[Association], news: News) -> Option<pool_user::Input> {
    Some(match news {
        News::Up { end } => pool_user::Input::AssociationUp {
            association: association_id(end),
            registrar: registrar_of(&associations[end.association() as usize]),
        },
        News::Lost { end } => pool_user::Input::AssociationLost {
            association: association_id(end),
        },
        News::SendFailed { end, .. } => pool_user::Input::SendFailed {
            association: association_id(end),
        },
        News::Heard {
            from,
            message: ChannelMessage::Asap(message),
        } => pool_user::Input::Announced { from, message },
        News::ConnectFailed {
            target: Target::Registrar(registrar),
        } => pool_user::Input::ConnectFailed { registrar },
        News::UserCommand(command) => pool_user::Input::Command(command),
        News::ConnectFailed { .. }
        | News::Heard { .. }
        | News::Shutdown
        | News::ElementCommand(_) => return None,
    })
}

/// Whom a registrar asked for, in its own words.
fn remote(target: &Target) -> Option<registrar::Remote> {
    match target {
        Target::Registrar(_) | Target::Service(..) => None,
        Target::Peer(address) => Some(registrar::Remote::Peer(address.clone())),
        Target::PoolElement(address) => Some(registrar::Remote::PoolElement(address.clone())),
    }
}

fn target(remote: registrar::Remote) -> Target {
    match remote {
        registrar::Remote::Peer(address) => Target::Peer(address),
        registrar::Remote::PoolElement(address) => Target::PoolElement(address),
    }
}

/// Who is at the other end of an association.
fn peer_address(association: &Association, end: EndId) -> PeerAddress {
    PeerAddress {
        transport: association.target.transport(),
        addresses: addresses(association.ends[end.other().side()].node),
        port: match association.target.as_ref() {
            Target::Peer(_) => ENRP_PORT,
            Target::Registrar(_) | Target::PoolElement(_) | Target::Service(..) => CLIENT_PORT,
        },
        udp_port: None,
    }
}

/// The registrar at the other end of a client's association: as it was asked for, or, if the
/// registrar began it, where it speaks ASAP.
fn registrar_of(association: &Association) -> RegistrarAddress {
    match association.target.as_ref() {
        Target::Registrar(address) | Target::Peer(address) => address.clone(),
        Target::PoolElement(_) | Target::Service(..) => RegistrarAddress {
            transport: Transport::Sctp,
            addresses: addresses(association.ends[0].node),
            port: ASAP_PORT,
            udp_port: None,
        },
    }
}

impl From<registrar::Output> for Action {
    fn from(output: registrar::Output) -> Self {
        match output {
            registrar::Output::Send {
                to: registrar::Destination::Association(to),
                message,
            } => Self::Send { to, message },
            registrar::Output::Send {
                to: registrar::Destination::Multicast,
                message,
            } => Self::Multicast(ChannelMessage::Asap(message)),
            registrar::Output::SendEnrp {
                to: registrar::Destination::Association(to),
                message,
            } => Self::SendEnrp { to, message },
            registrar::Output::SendEnrp {
                to: registrar::Destination::Multicast,
                message,
            } => Self::Multicast(ChannelMessage::Enrp(message)),
            registrar::Output::Connect { to } => Self::Connect(target(to)),
            registrar::Output::StopConnecting { to } => Self::StopConnecting(target(to)),
            registrar::Output::Close { association, .. } => Self::Close(association),
            registrar::Output::Event(event) => Self::RegistrarEvent(event),
        }
    }
}

/// What a pool element or a pool user wants done.
fn client_action<E>(output: ClientOutput<E>, event: impl FnOnce(E) -> Action) -> Action {
    match output {
        ClientOutput::Connect { registrar } => Action::Connect(Target::Registrar(registrar)),
        ClientOutput::StopConnecting { registrar } => {
            Action::StopConnecting(Target::Registrar(registrar))
        }
        ClientOutput::Send { to, message } => Action::Send { to, message },
        ClientOutput::Close { association } => Action::Close(association),
        ClientOutput::Event(told) => event(told),
    }
}
