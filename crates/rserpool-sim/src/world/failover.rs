//! By whom a session is served next: first those whom the pool element that failed recommends, as
//! far as a registrar knows them, then whom the pool's policy selects.
//!
//! Must not know what is sent there.

use super::{News, World};
use crate::network::Target;
use crate::node::{Actor, NodeId};
use crate::session::{HeldSession, SessionId, Stage};
use rserpool_core::pool_user::{Command, RequestId};
use rserpool_core::session::PREFERRED_ELEMENTS_MAX;
use rserpool_core::{PeerAddress, Transport};
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{EncodedPoolElement, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::time::Duration;

/// The first pause when no pool element can be had, doubling up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(500);

impl World {
    /// Asks for a pool element.
    pub(super) fn select(&mut self, id: SessionId) {
        if self.quiet {
            return;
        }
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        if let Some((pool_element, address)) = held.candidates.pop_front() {
            return self.try_element(id, pool_element, address);
        }
        let asks_order = !held.has_asked_order && !preferred(held).is_empty();
        held.has_asked_order |= asks_order;
        let (node, pool_handle) = (held.node, held.pool_handle.clone());
        let Actor::User(_, activity) = &self.nodes[node.index()].actor else {
            return;
        };
        held.set_stage(Stage::Selecting);
        // The answer may come before the question has been asked to its end.
        let request = RequestId(activity.next_request + 1);
        self.sessions.by_request.insert((node, request), id);
        self.ask(node, pool_handle, |request, pool_handle| {
            if asks_order {
                Command::Resolve {
                    request,
                    pool_handle,
                    items: u32::try_from(PREFERRED_ELEMENTS_MAX).ok(),
                    subscribe: false,
                }
            } else {
                Command::Select {
                    request,
                    pool_handle,
                }
            }
        });
    }

    /// The pool elements of the pool: those in the card come first, in its order.
    pub(crate) fn on_listed(&mut self, node: NodeId, request: RequestId, listed: &Resolution) {
        if let Some(sender) = self.sending.by_request.remove(&(node, request)) {
            return self.sender_listed(sender, listed);
        }
        let Some(id) = self.sessions.by_request.remove(&(node, request)) else {
            return;
        };
        if let Some(held) = self.sessions.held.get_mut(&id) {
            let find = |id| {
                let mut elements = listed.pool_elements.iter();
                let element = elements.find(|element| element.id() == id)?.decode();
                Some((id, service_address(element.user_transport)?))
            };
            held.candidates = preferred(held).into_iter().filter_map(find).collect();
            self.check_candidates(id, listed);
            self.select(id);
        }
    }

    /// A pool element was selected, or none can be.
    pub(crate) fn on_selected(
        &mut self,
        node: NodeId,
        request: RequestId,
        selected: Option<&EncodedPoolElement>,
    ) {
        if let Some(sender) = self.sending.by_request.remove(&(node, request)) {
            return self.sender_selected(sender, selected);
        }
        let Some(id) = self.sessions.by_request.remove(&(node, request)) else {
            return;
        };
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        let selected = selected.map(EncodedPoolElement::decode);
        let selected = selected.filter(|selected| !held.tried.contains(&selected.id));
        let found = selected.and_then(|selected| {
            let address = service_address(selected.user_transport)?;
            Some((selected.id, address))
        });
        let Some((pool_element, address)) = found else {
            return self.pause(id);
        };
        held.tried.push(pool_element);
        self.try_element(id, pool_element, address);
    }

    fn try_element(&mut self, id: SessionId, pool_element: PoolElementId, address: PeerAddress) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        let end = self.connect(held.node, Target::Service(held.channel, address));
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.set_stage(Stage::Connecting { end, pool_element });
            self.sessions.by_end.insert(end, id);
        }
    }

    /// All that were selected have been tried, or there is none: later again.
    fn pause(&mut self, id: SessionId) {
        if let Some(held) = self.sessions.held.get_mut(&id) {
            held.tried.clear();
            held.has_asked_order = false;
            held.pause = (held.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            let pause = held.pause;
            held.set_stage(Stage::Waiting);
            self.plan_session(id, (pause, pause));
        }
    }

    /// The pool element does not answer, or not any more.
    pub(super) fn report_and_select(&mut self, id: SessionId) {
        let Some((node, pool_handle, pool_element)) = self.note_failed(id) else {
            return;
        };
        self.statistics.reports += 1;
        let command = Command::ReportUnreachable {
            pool_handle,
            pool_element,
        };
        self.tell(node, News::UserCommand(command));
        self.select(id);
    }

    /// The pool element does not want to be used any more.
    pub(super) fn avoid_last(&mut self, id: SessionId) {
        if let Some((node, pool_handle, pool_element)) = self.note_failed(id) {
            let command = Command::Avoid {
                pool_handle,
                pool_element,
            };
            self.tell(node, News::UserCommand(command));
        }
    }

    fn note_failed(&mut self, id: SessionId) -> Option<(NodeId, PoolHandle, PoolElementId)> {
        let now = self.now;
        let held = self.sessions.held.get_mut(&id)?;
        let (Stage::Connecting { pool_element, .. } | Stage::Up { pool_element, .. }) = held.stage
        else {
            return None;
        };
        if matches!(held.stage, Stage::Up { .. }) {
            held.failed = Some(pool_element);
        }
        held.set_stage(Stage::Waiting);
        let (node, pool_handle) = (held.node, held.pool_handle.clone());
        let tried = self.sessions.tried.entry(node).or_default();
        tried.add(now, pool_element);
        Some((node, pool_handle, pool_element))
    }
}

/// Whom the pool element that failed recommends, but itself; at the beginning of a call, whom the
/// card of who is called does.
fn preferred(held: &HeldSession) -> Vec<PoolElementId> {
    if !held.recommended.is_empty() {
        return held.recommended.clone();
    }
    let mut preferred = held.control.preferred().to_vec();
    preferred.retain(|id| Some(*id) != held.failed);
    preferred
}

/// Where a pool element serves sessions.
pub(super) fn service_address(transport: UserTransport) -> Option<PeerAddress> {
    let (transport, addresses, port) = match transport {
        UserTransport::Sctp(sctp) => (Transport::Sctp, sctp.addresses, sctp.port),
        UserTransport::Tcp(tcp) => (Transport::Tcp, vec![tcp.address], tcp.port),
        UserTransport::Udp(udp) => (Transport::Sctp, vec![udp.address], udp.port),
        UserTransport::Dccp(_) | UserTransport::UdpLite(_) | UserTransport::Opaque(_) => {
            return None;
        }
    };
    Some(PeerAddress {
        transport,
        addresses,
        port,
        udp_port: None,
    })
}
