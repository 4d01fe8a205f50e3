//! Sessions go on with their state: no request is skipped, nothing but what the latest cookie does
//! not cover is repeated, and that cookie comes first.
//!
//! Must not know how a pool element is found.

use super::Rule;
use super::agreement::Snapshots;
use super::liveness::Unwell;
use crate::network::{Channel, EndId};
use crate::node::Status;
use crate::session::{HeldSession, Interruption, Progress, SessionId, cookie_interval};
use crate::world::World;
use rserpool_wire::asap::{CookieEcho, Message};
use rserpool_wire::parameter::Cookie;

impl World {
    /// What is sent at first: the latest cookie if there is one, and nothing else.
    pub(crate) fn check_echo(&mut self, id: SessionId, sent: &[Message]) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        let cookie = held.cookie.clone();
        let echo = cookie.map(|cookie| Message::from(CookieEcho { cookie }));
        let card = held.own_card.clone().map(Message::from);
        let first: Vec<Message> = echo.into_iter().chain(card).collect();
        if sent != first {
            let text = format_args!("session {} begins with {sent:?}, not {first:?}", id.0);
            self.violate(Rule::LatestCookie, held.node, text);
        }
    }

    /// What a pool element is given at first is what its pool user was given at last.
    pub(crate) fn check_echoed(&mut self, end: EndId, cookie: &Cookie, progress: Option<Progress>) {
        let node = self.node_of(end);
        let served = self.sessions.served.get(&end);
        if served.is_some_and(|served| served.has_begun || served.progress.is_some()) {
            let text = format_args!("is given a cookie after a session has begun");
            return self.violate(Rule::LatestCookie, node, text);
        }
        let Some(held) = self.holder(end) else {
            return;
        };
        if held.cookie.as_ref() != Some(cookie) || progress.is_none_or(|own| own.session != held.id)
        {
            let (id, latest) = (held.id.0, held.cookie.clone());
            let text =
                format_args!("is given {cookie:?} for session {id}, whose latest is {latest:?}");
            self.violate(Rule::LatestCookie, node, text);
        }
    }

    /// A cookie came: it is of this session, newer than the one before, and tells the state.
    pub(crate) fn check_cookie(&mut self, id: SessionId) {
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        let Some(cookie) = held.control.cookie().cloned() else {
            return;
        };
        let progress = Progress::of_cookie(&cookie);
        let good = progress.filter(|progress| {
            progress.session == id
                && progress.count > held.base.count
                && held.state_after(progress.count) == Some(progress.state)
        });
        self.statistics.sessions.cookies += 1;
        match good {
            Some(progress) => held.keep_cookie(cookie, progress),
            None => {
                let (node, base) = (held.node, held.base);
                let text = format_args!(
                    "session {} is given {progress:?} as a cookie after {base:?}",
                    id.0
                );
                self.violate(Rule::SessionState, node, text);
            }
        }
    }

    /// Requests come to a pool element one after the other, from where the session was.
    pub(crate) fn check_request(&mut self, end: EndId, session: SessionId, number: u64) {
        let node = self.node_of(end);
        let before = self.sessions.served.get(&end).and_then(|own| own.progress);
        let before = before.unwrap_or(Progress::first(session));
        if before.session != session || number != before.count + 1 {
            let text = format_args!(
                "is sent request {number} of session {} after {before:?}",
                session.0
            );
            self.violate(Rule::SessionState, node, text);
        }
    }

    /// Answers come one after the other, and tell of all requests before.
    pub(crate) fn check_session_answer(&mut self, id: SessionId, number: u64, state: u64) {
        let now = self.now;
        let statistics = &mut self.statistics.sessions;
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        // Answers in datagrams may be late, and others may be lost.
        let is_datagram = held.channel == Channel::Datagrams;
        if is_datagram && number <= held.answered_here {
            return;
        }
        let is_next = is_datagram || number == held.answered_here + 1;
        let before = held.answered_here;
        let is_right = is_next && held.state_after(number) == Some(state);
        held.answered_here = number;
        held.progress_at = now;
        let repeated = number.min(held.answered).saturating_sub(before);
        statistics.repeated += repeated;
        statistics.answers += number.saturating_sub(before) - repeated;
        held.answered = held.answered.max(number);
        // What was under way when the pool element died does not count.
        let over = |interruption: &mut Interruption| interruption.noticed_at.is_some();
        if let Some(interruption) = held.interruption.take_if(over) {
            let gap = |since| now.since(since);
            let noticed = interruption.noticed_at.map(gap);
            let all = interruption.died_at.map(gap);
            statistics
                .gaps_after_notice
                .extend(noticed.filter(|_| all.is_some()));
            statistics.gaps_in_all.extend(all);
        }
        if !is_right {
            let (node, answered) = (held.node, held.answered);
            let text = format_args!(
                "session {} has {state:#x} as answer {number}, {answered} answered before",
                id.0
            );
            self.violate(Rule::SessionState, node, text);
        }
    }

    /// Exactly the requests that are not known to have arrived are kept for the next pool element.
    pub(crate) fn check_undelivered(&mut self, id: SessionId, arrived: u64) {
        let Some(held) = self.sessions.held.get_mut(&id) else {
            return;
        };
        held.arrived = held.arrived.max(held.begun_after + arrived);
        let kept = u64::try_from(held.undelivered.len()).unwrap_or(u64::MAX);
        let unknown = held.sent.saturating_sub(held.arrived);
        if kept != unknown {
            let (id, node) = (id.0, held.node);
            let text =
                format_args!("session {id} keeps {kept} requests, {unknown} may not have arrived");
            self.violate(Rule::SessionState, node, text);
        }
    }

    /// The session moves: what was answered and will be again is one cookie interval at most.
    pub(crate) fn check_at_stake(&mut self, id: SessionId) {
        let Some(held) = self.sessions.held.get(&id) else {
            return;
        };
        if held.channel != Channel::Control {
            self.statistics.sessions.rebuilt += 1;
            return;
        }
        let interval = cookie_interval(id);
        let at_stake = held.at_stake();
        let statistics = &mut self.statistics.sessions;
        statistics.repeated_max = statistics.repeated_max.max(at_stake);
        let share = at_stake * 100 / interval;
        statistics.interval_repeated_max = statistics.interval_repeated_max.max(share);
        if at_stake > interval {
            let text = format_args!(
                "session {} repeats {at_stake} requests, with a cookie each {interval}",
                id.0
            );
            self.violate(Rule::SessionRepeats, held.node, text);
        }
    }

    /// A session that does not go on though there is a pool element for it.
    pub(super) fn stuck_session(&self, snapshots: &Snapshots) -> Option<Unwell> {
        let mut held = self.sessions.held.values();
        let stuck = held.find(|held| self.is_stuck(held, snapshots))?;
        let what = format!("session {} does not go on: {:?}", stuck.id.0, stuck.stage);
        Some(Unwell {
            rule: Rule::SessionGoesOn,
            node: stuck.node,
            what,
        })
    }

    fn is_stuck(&self, held: &HeldSession, snapshots: &Snapshots) -> bool {
        let is_running = self.nodes[held.node.index()].status == Status::Running;
        let goes_on = held.progress_at + self.session_patience() >= self.now;
        is_running && !goes_on && self.has_service(held, snapshots)
    }

    /// Whether any registrar knows somebody for it.
    fn has_service(&self, held: &HeldSession, snapshots: &Snapshots) -> bool {
        let mut registrars = self.roster.registrars.iter();
        registrars.any(|node| {
            let selectable = snapshots.selectable(*node, &held.pool_handle);
            selectable.is_some_and(|selectable| !selectable.is_empty())
        })
    }

    /// Once all is well, sessions that do not go on are lost.
    pub(super) fn count_lost_sessions(&mut self) {
        let snapshots = self.snapshots();
        let held = self.sessions.held.values();
        let lost = held.filter(|held| self.is_stuck(held, &snapshots)).count();
        self.statistics.sessions.lost = u64::try_from(lost).unwrap_or(u64::MAX);
    }

    pub(super) fn holder(&self, served: EndId) -> Option<&HeldSession> {
        let id = self.sessions.by_end.get(&served.other())?;
        self.sessions.held.get(id)
    }
}
