//! What the demo knows: pools, elements, sessions, faults.

use super::registrars::Registrars;
use std::collections::BTreeSet;
use std::time::Duration;

/// A point in time: since the demo's start.
pub(super) type Moment = Duration;

/// Everything there is to show.
#[derive(Default)]
pub(super) struct Model {
    pub(super) registrars: Registrars,
    pub(super) elements: Vec<Element>,
    pub(super) sessions: Vec<Session>,
    pub(super) faults: Vec<Fault>,
    /// How often a watcher was told of a pool without an element that runs and was in it.
    pub(super) missed: usize,
}

/// An element that the demo started.
pub(super) struct Element {
    pub(super) pool: &'static str,
    /// Its identifier, once it is registered.
    pub(super) id: Option<String>,
    pub(super) condition: Condition,
    /// Whether the pool's watcher sees it.
    pub(super) listed: bool,
}

/// What the demo did to an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Running,
    Killed,
    Stopped,
    Hanging,
}

/// A pool user's session.
pub(super) struct Session {
    pub(super) pool: &'static str,
    /// The element that answers.
    pub(super) served_by: Option<String>,
    pub(super) answers: u64,
    pub(super) failovers: u64,
    last_answer: Option<Moment>,
    /// The longest time between two answers.
    pub(super) longest_gap: Duration,
    /// Its process ended before the demo did.
    pub(super) lost: bool,
}

/// Something that the demo did to an element in use.
pub(super) struct Fault {
    pub(super) what: Condition,
    pub(super) element: String,
    pub(super) at: Moment,
    /// The sessions that the element served then.
    pub(super) sessions: BTreeSet<usize>,
    /// The first of these sessions noticed.
    pub(super) noticed: Option<Duration>,
    /// All of them were answered by another element.
    pub(super) resumed: Option<Duration>,
    /// The pool's watcher saw it gone.
    pub(super) removed: Option<Duration>,
}

impl Session {
    pub(super) fn new(pool: &'static str) -> Self {
        Self {
            pool,
            served_by: None,
            answers: 0,
            failovers: 0,
            last_answer: None,
            longest_gap: Duration::ZERO,
            lost: false,
        }
    }

    /// How long ago the last answer came.
    pub(super) fn silence(&self, now: Moment) -> Duration {
        now.saturating_sub(self.last_answer.unwrap_or_default())
    }
}

impl Model {
    /// An answer for a session.
    pub(super) fn answered(&mut self, session: usize, by: &str, now: Moment) {
        let entry = &mut self.sessions[session];
        entry.answers += 1;
        if let Some(last) = entry.last_answer {
            entry.longest_gap = entry.longest_gap.max(now.saturating_sub(last));
        }
        entry.last_answer = Some(now);
        if entry.served_by.as_deref() != Some(by) {
            entry.served_by = Some(by.to_owned());
        }
        for fault in &mut self.faults {
            let waited = fault.element != by && fault.sessions.remove(&session);
            if waited && fault.sessions.is_empty() {
                fault.resumed = Some(now.saturating_sub(fault.at));
            }
        }
    }

    /// A session went to another element.
    pub(super) fn failed_over(&mut self, session: usize, from: &str, to: &str, now: Moment) {
        let entry = &mut self.sessions[session];
        entry.failovers += 1;
        entry.served_by = Some(to.to_owned());
        for fault in self.faults.iter_mut().filter(|fault| fault.element == from) {
            fault.noticed.get_or_insert(now.saturating_sub(fault.at));
        }
    }

    /// What a pool's watcher sees.
    pub(super) fn listed(&mut self, pool: &str, ids: &[String], now: Moment) {
        for element in self
            .elements
            .iter_mut()
            .filter(|element| element.pool == pool)
        {
            let listed = element.id.as_ref().is_some_and(|id| ids.contains(id));
            let is_missed = element.listed && !listed && element.condition == Condition::Running;
            self.missed += usize::from(is_missed);
            element.listed = listed;
        }
        let elements = &self.elements;
        let is_of_pool = |id: &str| {
            elements
                .iter()
                .any(|element| element.pool == pool && element.id.as_deref() == Some(id))
        };
        for fault in &mut self.faults {
            if is_of_pool(&fault.element) && !ids.contains(&fault.element) {
                fault.removed.get_or_insert(now.saturating_sub(fault.at));
            }
        }
    }

    /// The sessions that an element serves.
    pub(super) fn served_by(&self, id: &str) -> BTreeSet<usize> {
        let sessions = self.sessions.iter().enumerate();
        sessions
            .filter(|(_, s)| s.served_by.as_deref() == Some(id))
            .map(|(i, _)| i)
            .collect()
    }

    /// The running element of a pool that serves most sessions.
    pub(super) fn busiest(&self, pool: &str) -> Option<usize> {
        let running = self.elements.iter().enumerate().filter(|(_, element)| {
            element.pool == pool && element.condition == Condition::Running && element.id.is_some()
        });
        running
            .max_by_key(|(_, element)| {
                element
                    .id
                    .as_deref()
                    .map(|id| self.served_by(id).len())
                    .unwrap_or_default()
            })
            .map(|(index, _)| index)
    }

    /// Notes what is being done to an element.
    pub(super) fn fault(&mut self, element: usize, what: Condition, now: Moment) {
        self.elements[element].condition = what;
        let Some(id) = self.elements[element].id.clone() else {
            return;
        };
        let sessions = self.served_by(&id);
        let (noticed, resumed, removed) = (None, None, None);
        self.faults.push(Fault {
            what,
            element: id,
            at: now,
            sessions,
            noticed,
            resumed,
            removed,
        });
    }

    /// The sessions that were lost, or that nobody has answered for this long.
    pub(super) fn lost_sessions(&self, now: Moment, silence_max: Duration) -> usize {
        let lost = |session: &&Session| session.lost || session.silence(now) > silence_max;
        self.sessions.iter().filter(lost).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: &str = "a";

    fn model() -> Model {
        let element = |id: &str| Element {
            pool: POOL,
            id: Some(id.to_owned()),
            condition: Condition::Running,
            listed: true,
        };
        Model {
            elements: vec![element("1"), element("2")],
            sessions: vec![Session::new(POOL), Session::new(POOL)],
            ..Model::default()
        }
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_fault_is_noticed_resumed_and_removed() {
        let mut model = model();
        model.answered(0, "1", ms(10));
        model.answered(1, "1", ms(11));
        assert_eq!(model.busiest(POOL), Some(0));
        model.fault(0, Condition::Killed, ms(20));
        model.failed_over(0, "1", "2", ms(25));
        model.answered(0, "2", ms(26));
        assert_eq!(model.faults[0].resumed, None);
        model.listed(POOL, &["2".to_owned()], ms(27));
        model.failed_over(1, "1", "2", ms(28));
        model.answered(1, "2", ms(30));
        let fault = &model.faults[0];
        assert_eq!(fault.noticed, Some(ms(5)));
        assert_eq!(fault.removed, Some(ms(7)));
        assert_eq!(fault.resumed, Some(ms(10)));
        assert_eq!(model.sessions[1].longest_gap, ms(19));
        assert_eq!(model.busiest(POOL), Some(1));
    }

    #[test]
    fn an_element_that_runs_and_is_not_listed_is_missed() {
        let mut model = model();
        model.fault(0, Condition::Killed, ms(10));
        model.listed(POOL, &["2".to_owned()], ms(20));
        assert_eq!(model.missed, 0);
        model.listed(POOL, &[], ms(30));
        assert_eq!(model.missed, 1);
    }

    #[test]
    fn a_silent_session_is_lost() {
        let mut model = model();
        model.answered(0, "1", ms(100));
        model.answered(1, "1", ms(1900));
        assert_eq!(model.lost_sessions(ms(2000), ms(500)), 1);
        model.sessions[1].lost = true;
        assert_eq!(model.lost_sessions(ms(2000), ms(500)), 2);
    }
}
