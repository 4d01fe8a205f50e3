//! Each request of a pool user has one answer, and nobody gets updates unasked.
//!
//! Must not know how a pool user finds a registrar.

use super::{Check, Rule};
use crate::network::EndId;
use crate::node::{Actor, NodeId};
use crate::user::PendingRequest;
use crate::world::{News, World};
use rserpool_core::pool_user::{Command, Event, RequestId};
use rserpool_wire::asap::{HandleResolutionResponse, Resolution};
use rserpool_wire::parameter::EncodedPoolElement;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a pool user may take on top of its timers.
const MARGIN: Duration = Duration::from_millis(50);

impl World {
    /// How long a request may take: T1, again for each retransmission (RFC 5352 §3.7.2), and once
    /// more for a change of the home registrar. All of it again for a request that joined one
    /// whose answer turned out to be too small for it.
    pub(crate) fn request_bound(&self) -> Duration {
        let timers = &self.timers;
        timers.t1_enrp_request * (timers.max_request_retransmit + 2) * 2 + MARGIN
    }

    /// A pool user's user asks for something, and will look whether it was answered.
    pub(crate) fn ask(
        &mut self,
        node: NodeId,
        pool_handle: PoolHandle,
        command: impl FnOnce(RequestId, PoolHandle) -> Command,
    ) -> Option<RequestId> {
        let incarnation = self.nodes[node.index()].incarnation;
        let asked_at = self.now;
        let Actor::User(_, activity) = &mut self.nodes[node.index()].actor else {
            return None;
        };
        activity.next_request += 1;
        let request = RequestId(activity.next_request);
        activity.pending.insert(
            request,
            PendingRequest {
                pool_handle: pool_handle.clone(),
                asked_at,
            },
        );
        self.statistics.requests += 1;
        let check = Check::Answered {
            node,
            incarnation,
            request,
        };
        self.put_off(self.now + self.request_bound(), check);
        let command = command(request, pool_handle);
        self.tell(node, News::UserCommand(command));
        Some(request)
    }

    pub(super) fn check_answered(&mut self, node: NodeId, incarnation: u32, request: RequestId) {
        let own = &self.nodes[node.index()];
        if own.incarnation != incarnation {
            return;
        }
        let Actor::User(_, activity) = &own.actor else {
            return;
        };
        let Some(pending) = activity.pending.get(&request) else {
            return;
        };
        let bound = self.request_bound();
        // Its own sleep does not count.
        let excused = own.is_disturbed() || own.disturbed_until + bound > self.now;
        if excused && own.disturbed_until >= pending.asked_at {
            let check = Check::Answered {
                node,
                incarnation,
                request,
            };
            return self.put_off(self.now + bound, check);
        }
        let asked_at = pending.asked_at;
        let handle = pending.pool_handle.clone();
        let text = format_args!("has no answer for {handle}, asked at {asked_at}");
        self.violate(Rule::Answer, node, text);
    }

    pub(crate) fn check_user_event(&mut self, node: NodeId, event: Event) {
        match event {
            Event::Resolved {
                request,
                pool_handle,
                resolution,
                ..
            } => {
                self.note_answer(node, request, true);
                self.note_resolution(node, pool_handle, &resolution);
                self.on_listed(node, request, &resolution);
            }
            Event::Selected {
                request,
                pool_handle,
                pool_element,
                ..
            } => {
                self.note_answer(node, request, true);
                self.note_selected(node, pool_handle, pool_element.id());
                self.on_selected(node, request, Some(&pool_element));
            }
            Event::ResolveFailed {
                request,
                pool_handle,
                ..
            } => {
                self.note_answer(node, request, false);
                self.note_failure(node, &pool_handle);
                self.on_selected(node, request, None);
            }
            Event::PoolUpdated {
                pool_handle,
                resolution,
            } => {
                self.statistics.updates += 1;
                let ids = resolution.as_ref().map(ids_of).unwrap_or_default();
                let Actor::User(_, activity) = &mut self.nodes[node.index()].actor else {
                    return;
                };
                if let Some(told) = activity.subscriptions.get_mut(&pool_handle) {
                    *told = Some(ids);
                } else {
                    let text = format_args!("is told of {pool_handle} by its pool user, unasked");
                    self.violate(Rule::UnaskedUpdate, node, text);
                }
            }
            Event::ServerHuntStarted { .. }
            | Event::HomeRegistrarChanged { .. }
            | Event::BadMessage { .. }
            | Event::UnexpectedMessage { .. }
            | Event::ErrorReceived { .. } => {}
        }
    }

    /// Who has been told who is in the pool selects nobody else. The answer that told it may have
    /// come first, so that this is looked at after all that goes with it.
    fn note_selected(&mut self, node: NodeId, handle: PoolHandle, id: PoolElementId) {
        if let Actor::User(_, activity) = &mut self.nodes[node.index()].actor
            && let Some(Some(_)) = activity.subscriptions.get(&handle)
        {
            activity.selected.push((handle, id));
        }
    }

    /// All that a pool user had to tell has been told.
    pub(crate) fn check_selected(&mut self, node: NodeId) {
        let Actor::User(_, activity) = &mut self.nodes[node.index()].actor else {
            return;
        };
        if activity.selected.is_empty() {
            return;
        }
        let selected = std::mem::take(&mut activity.selected);
        self.statistics.selected_subscribed += u64::try_from(selected.len()).unwrap_or(0);
        let mut wrong = None;
        for (handle, id) in selected {
            let told = activity.subscriptions.get(&handle).cloned().flatten();
            if let Some(told) = told.filter(|told| !told.contains(&id)) {
                wrong = Some((handle, id, told));
            }
        }
        // Of a large pool, subscribers are told only some.
        if let Some((handle, id, told)) = wrong.filter(|_| self.subscribed_items().is_none()) {
            let text = format_args!("selects {id} of {handle}, and was told {told:?}");
            self.violate(Rule::SelectedAfterUpdate, node, text);
        }
    }

    fn note_answer(&mut self, node: NodeId, request: RequestId, is_positive: bool) {
        let Actor::User(_, activity) = &mut self.nodes[node.index()].actor else {
            return;
        };
        if is_positive {
            self.statistics.answers += 1;
        } else {
            self.statistics.failures += 1;
        }
        if activity.pending.remove(&request).is_none() {
            let text = format_args!("has another answer for request {}", request.0);
            self.violate(Rule::AnswerOnce, node, text);
        }
    }

    fn note_resolution(&mut self, node: NodeId, handle: PoolHandle, resolution: &Resolution) {
        if let Actor::User(_, activity) = &mut self.nodes[node.index()].actor {
            let ids = ids_of(resolution).into_iter().collect();
            activity.last = Some((handle, ids));
        }
    }

    fn note_failure(&mut self, node: NodeId, handle: &PoolHandle) {
        if let Actor::User(_, activity) = &mut self.nodes[node.index()].actor {
            activity.last = activity.last.take().filter(|(last, _)| last != handle);
        }
    }

    /// A response is the answer to a request, or an update for who has subscribed.
    pub(super) fn check_asked(&mut self, end: EndId, response: &HandleResolutionResponse) {
        let node = self.node_of(end);
        let key = (end, response.pool_handle.clone());
        let view = &mut self.checker.registrars[node.index()];
        let is_answer = view.answering.as_ref() == Some(&key);
        if is_answer {
            view.answering = None;
        }
        let is_update = view.subscribed.contains(&key);
        if !response.updates_accepted {
            view.subscribed.remove(&key);
        }
        // Those that waited for the registrar to be initialized are answered all at once.
        let is_late = view.deferred.contains(&key);
        if response.updates_accepted && (is_answer || is_late) {
            view.subscribed.insert(key.clone());
        }
        if !is_answer && !is_update && !is_late {
            let client = self.roster.name(self.node_of(end.other()));
            let text = format_args!("sends {client} an update of {} unasked", key.1);
            self.violate(Rule::UnaskedUpdate, node, text);
        }
    }

    /// What was asked has been answered in the same call, or waits for the registrar to be
    /// initialized.
    pub(crate) fn check_answered_at_once(&mut self, node: NodeId) {
        let Some(view) = self.checker.registrars.get_mut(node.index()) else {
            return;
        };
        if view.initialized {
            view.deferred.clear();
        }
        let Some(unanswered) = view.answering.take() else {
            return;
        };
        if view.initialized {
            let handle = unanswered.1;
            let text = format_args!("does not answer a resolution of {handle}");
            self.violate(Rule::Answer, node, text);
        } else {
            view.deferred.push(unanswered);
        }
    }
}

fn ids_of(resolution: &Resolution) -> BTreeSet<PoolElementId> {
    let elements = resolution.pool_elements.iter();
    elements.map(EncodedPoolElement::id).collect()
}
