//! Reports of unreachable pool elements (RFC 5352 §3.5), hardened against floods (RFC 5355 §2.13).
//!
//! A report alone removes nobody: it makes the registrar ask. What the RFC's counter
//! (MAX-BAD-PE-REPORT) adds is patience withdrawn: a pool element that has been asked, does not
//! answer, and is reported by more than that many different hosts gets a third of the timeout.
//! Any sign of life clears the counter. So neither one reporter, however loud, nor many that
//! lie can remove a pool element that answers.
//!
//! Must not know how a keep-alive is sent.

use super::event::Event;
use super::handlespace_change::ElementState;
use super::{Limit, Registrar, Timer};
use crate::{AssociationId, Timers, Timestamp};
use rserpool_handlespace::ElementKey;
use rserpool_wire::asap::EndpointUnreachable;
use std::net::IpAddr;

/// A reported pool element that many hosts cannot reach is given this fraction of the timeout.
const IMPATIENCE: u32 = 3;

/// Reporters that are told apart per pool element, whatever MAX-BAD-PE-REPORT is set to.
const REPORTERS_MAX: usize = 64;

/// Reports are forgotten after this many keep-alive intervals.
const FORGOTTEN_AFTER: u32 = 10;

/// Who says that a pool element is unreachable, and when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Reports {
    reporters: Vec<(IpAddr, Timestamp)>,
}

impl Registrar {
    pub(super) fn on_endpoint_unreachable(
        &mut self,
        from: AssociationId,
        message: &EndpointUnreachable,
    ) {
        if !self.admit_report(from) {
            return;
        }
        self.counters.unreachable_reports += 1;
        let known = self
            .handlespace
            .find(&message.pool_handle, message.pool_element);
        // Only its home can ask it.
        let Some(key) = known.filter(|key| self.is_in_touch(*key)) else {
            return;
        };
        let reporters = self.count_report(from, key);
        self.emit(Event::UnreachableReported {
            association: from,
            pool_handle: message.pool_handle.clone(),
            pool_element: message.pool_element,
            reporters,
        });
        // "MUST immediately send a point-to-point ASAP_ENDPOINT_KEEP_ALIVE message to the PE in
        // question (the H flag in the message SHOULD be set to '0')."
        self.hasten_keep_alive(key);
        self.withdraw_patience(key);
    }

    /// RFC 5355 §2.13: the number of reports is limited per reporter.
    fn admit_report(&mut self, from: AssociationId) -> bool {
        let rate = self.config.limits.reports_per_second;
        let admitted = self
            .associations
            .get_mut(&from)
            .is_some_and(|association| association.reports.admit(self.now, rate));
        if !admitted {
            self.count_limit(Limit::UnreachableReports, Some(from));
        }
        admitted
    }

    /// Counts different hosts, not reports: one host's opinion counts once.
    fn count_report(&mut self, from: AssociationId, key: ElementKey) -> usize {
        let peer = self
            .associations
            .get(&from)
            .map(|association| &association.peer);
        let Some(host) = peer.and_then(|peer| peer.addresses.first()) else {
            return 0;
        };
        let host = host.to_canonical();
        let now = self.now;
        let memory = self.config.timers.keep_alive_interval * FORGOTTEN_AFTER;
        let Some(state) = self.handlespace.data_mut(key) else {
            return 0;
        };
        let reporters = &mut state.rare.get_or_insert_default().reports.reporters;
        reporters.retain(|(other, at)| *other != host && now.since(*at) < memory);
        if reporters.len() < REPORTERS_MAX {
            reporters.push((host, now));
        }
        reporters.len()
    }

    /// Shortens the wait for an answer that many say will not come.
    fn withdraw_patience(&mut self, key: ElementKey) {
        let timeout = self.config.timers.keep_alive_timeout;
        let Some(state) = self.handlespace.data_mut(key) else {
            return;
        };
        let Some(asked_at) = state.asked_at.filter(|_| state.outstanding) else {
            return;
        };
        if !state.is_reported_by_many(&self.config.timers) {
            return;
        }
        let timer = Timer::KeepAlive(key);
        let deadline = self.timers.deadline(state.keep_alive_timer, timer);
        let earlier = (Timestamp::from(asked_at) + timeout / IMPATIENCE).max(self.now);
        if deadline.is_some_and(|deadline| deadline > earlier) {
            self.timers
                .start(&mut state.keep_alive_timer, timer, earlier);
        }
    }
}

impl ElementState {
    /// How many hosts say that the pool element is unreachable.
    pub(super) fn reporters(&self) -> usize {
        let rare = self.rare.as_ref();
        rare.map_or(0, |rare| rare.reports.reporters.len())
    }

    /// Whether the counter exceeds MAX-BAD-PE-REPORT.
    pub(super) fn is_reported_by_many(&self, timers: &Timers) -> bool {
        let threshold = usize::try_from(timers.max_bad_pe_report).unwrap_or(usize::MAX);
        self.reporters() > threshold.min(REPORTERS_MAX - 1)
    }
}
