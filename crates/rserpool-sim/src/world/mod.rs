//! The world: nodes, what is between them, what is going to happen.
//!
//! | file | what |
//! |---|---|
//! | `build` | who there is, and how each is configured |
//! | `start` | a process starts, dies, hangs, sleeps and goes on |
//! | `associations` | set-up, loss, trouble |
//! | `arrivals` | messages and datagrams on their way and at their end |
//! | `machines` | inputs to machines, and what they want done |
//! | `faults` | faults begin and end |
//! | `forgery` | what is said in another registrar's name, or by who is none |
//! | `activity` | what pool users and strangers do of their own accord |
//! | `sessions` | what pool users do to hold sessions |
//! | `failover` | by whom a session is served next |
//! | `services` | what pool elements do for sessions |
//! | `sending` | what pool users do to send messages each by itself |
//! | `datagrams` | what a session over UDP has, and does not have |
//! | `cards` | business cards of pool elements, of pool users, and of liars |
//! | `callbacks` | a pool user that has died is called back by its business card |
//! | `processes` | which nodes are one process, and which are in one scope |
//! | `draining` | a pool element leaves without an interruption |
//!
//! Must not know how a machine decides.

mod activity;
mod arrivals;
mod associations;
mod build;
mod callbacks;
mod cards;
mod datagrams;
mod draining;
mod failover;
mod faults;
mod forgery;
mod machines;
mod processes;
mod sending;
mod services;
mod sessions;
mod start;

pub(crate) use machines::News;

use crate::check::{Checker, Violation};
use crate::fault::{Fault, Planned};
use crate::network::{Association, Datagrams, Partition, Profile};
use crate::node::{Actor, Node, NodeId, Roster};
use crate::octets::OctetsStore;
use crate::random::Random;
use crate::schedule::{Occurrence, Schedule};
use crate::sending::Sending;
use crate::session::Sessions;
use crate::transcript::Transcript;
use crate::{Scenario, Statistics};
use rserpool_core::{Machine, Timers, Timestamp, registrar};
use rserpool_wire::RegistrarId;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A whole operational scope in virtual time.
#[derive(Debug)]
pub struct World {
    pub(crate) seed: u64,
    pub(crate) scenario: Scenario,
    pub(crate) timers: Timers,
    pub(crate) now: Timestamp,
    pub(crate) schedule: Schedule,
    pub(crate) octets: OctetsStore,
    pub(crate) datagrams: Datagrams,
    pub(crate) random: Random,
    pub(crate) roster: Roster,
    pub(crate) nodes: Vec<Node>,
    pub(crate) associations: Vec<Association>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) profile: Profile,
    pub(crate) faults: Vec<Planned>,
    /// Faults have stopped.
    pub(crate) healing: bool,
    /// When the latest partition, or whatever else was in the way, ended.
    pub(crate) latest_healing: Timestamp,
    /// Registrars that run with the identifier of another one.
    pub(crate) borrowed_ids: BTreeMap<NodeId, RegistrarId>,
    /// Pool users do nothing of their own accord any more.
    pub(crate) quiet: bool,
    /// Faults of announces that go on.
    pub(crate) announces_disturbed: u32,
    pub(crate) sessions: Sessions,
    pub(crate) sending: Sending,
    pub(crate) checker: Checker,
    pub(crate) transcript: Transcript,
    pub(crate) statistics: Statistics,
    /// Who is told the lines of the transcript.
    listener: Listener,
    /// Few enough nodes that everything is checked.
    is_small: bool,
    /// For checking that what was decoded encodes to the same octets.
    scratch: Vec<u8>,
}

/// Somebody who is told the lines of the transcript, if there is one.
#[derive(Default)]
struct Listener(Option<Box<OnLines>>);

type OnLines = dyn FnMut(&str);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.0.is_some();
        f.debug_tuple("Listener").field(&told).finish()
    }
}

impl World {
    /// Lets the next thing happen; false if nothing ever will.
    pub fn step(&mut self) -> bool {
        let Some((at, occurrence)) = self.schedule.pop() else {
            return false;
        };
        self.now = self.now.max(at);
        self.statistics.steps += 1;
        self.happen(occurrence);
        self.flush_lines();
        true
    }

    /// Lets everything happen that does until then.
    pub fn run_until(&mut self, end: Timestamp) {
        while self.schedule.next_at().is_some_and(|at| at <= end) && !self.checker.is_full() {
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// Lets time go on.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    /// From now on, the lines of the transcript are handed over as they are written, and not
    /// kept; first those that name its columns.
    pub fn tell_lines(&mut self, mut on_lines: impl FnMut(&str) + 'static) {
        let nodes = (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(NodeId);
        let names: Vec<String> = nodes
            .map(|node| self.roster.name(node).to_string())
            .collect();
        on_lines(&Transcript::legend(&names));
        self.listener = Listener(Some(Box::new(on_lines)));
    }

    pub(crate) fn flush_lines(&mut self) {
        if let Listener(Some(on_lines)) = &mut self.listener {
            let lines = self.transcript.take_lines();
            if !lines.is_empty() {
                on_lines(&lines);
            }
        }
    }

    /// A fault happens now, whatever the plan says.
    pub fn inject(&mut self, fault: Fault) {
        let index = u32::try_from(self.faults.len()).unwrap_or(u32::MAX);
        let at = self.now;
        self.faults.push(Planned { at, fault });
        self.begin_fault(index);
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The registrars, whether they run or not.
    pub fn registrars(&self) -> &[NodeId] {
        &self.roster.registrars
    }

    /// The pool elements, whether they run or not.
    pub fn elements(&self) -> &[NodeId] {
        &self.roster.elements
    }

    /// The pool users, whether they run or not.
    pub fn users(&self) -> &[NodeId] {
        &self.roster.users
    }

    /// The strangers; there are some if the scenario has faults that they do.
    pub fn strangers(&self) -> &[NodeId] {
        &self.roster.strangers
    }

    /// How many pool elements this registrar lists.
    pub fn listed(&self, registrar: NodeId) -> usize {
        self.checker.listed(registrar)
    }

    /// How many pool elements this registrar is the home of.
    pub fn owned(&self, registrar: NodeId) -> usize {
        self.checker.owned(registrar).len()
    }

    /// The first thing that is not as it is to be when nothing is wrong: somebody who is not
    /// registered, or is and should not be, registrars that do not agree, a pool user that is
    /// not up to date. `None`: all is well.
    pub fn trouble(&self) -> Option<String> {
        self.first_trouble()
    }

    /// Sessions that have had no answer for longer than this.
    pub fn sessions_without_answer(&self, since: Duration) -> usize {
        let held = self.sessions.held.values();
        held.filter(|held| held.progress_at + since < self.now)
            .count()
    }

    /// As [`Self::sessions_without_answer`], of the pool users of this operational scope.
    pub fn sessions_without_answer_in(&self, scope: usize, since: Duration) -> usize {
        let held = self.sessions.held.values();
        held.filter(|held| self.scope_of(held.node) == scope)
            .filter(|held| held.progress_at + since < self.now)
            .count()
    }

    /// What this registrar says of itself; `None` while it is down.
    pub fn registrar(&self, node: NodeId) -> Option<registrar::Snapshot> {
        match &self.nodes.get(node.index())?.actor {
            Actor::Registrar(registrar) => Some(registrar.snapshot()),
            Actor::Nobody | Actor::Element(_) | Actor::User(..) | Actor::Stranger(_) => None,
        }
    }

    /// What has gone wrong that must not.
    pub fn violations(&self) -> &[Violation] {
        self.checker.violations()
    }

    /// What happened.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// How much happened.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub(crate) fn into_parts(self) -> (Vec<Violation>, Transcript, Statistics) {
        (
            self.checker.into_violations(),
            self.transcript,
            self.statistics,
        )
    }

    fn happen(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Arrival { end, octets } => self.on_arrival(end, octets),
            Occurrence::Datagram { to, datagram } => self.on_datagram(to, datagram),
            Occurrence::Timer { node } => self.on_timer(node),
            Occurrence::SetUp {
                association,
                attempt,
            } => self.on_set_up(association, attempt),
            Occurrence::Up { end } => self.on_up(end),
            Occurrence::ConnectFailed { association } => self.on_connect_failed(association),
            Occurrence::Lost { end } => self.on_lost(end),
            Occurrence::Silence { end, epoch } => self.on_silence(end, epoch),
            Occurrence::Start { node } => self.on_start(node),
            Occurrence::Activity { node, incarnation } => self.on_activity(node, incarnation),
            Occurrence::Session { session, epoch } => self.on_session(session, epoch),
            Occurrence::Sender { sender } => self.on_sender(sender),
            Occurrence::Draining { node } => self.on_draining(node),
            Occurrence::Fault { index } => self.begin_fault(index),
            Occurrence::FaultEnds { index } => self.end_fault(index),
            Occurrence::Check { index } => self.on_deferred_check(index),
        }
    }
}
