//! What sessions leave behind: nothing. How much pool users and their sessions remember now, and
//! how much they may.
//!
//! Must not know what it is.

use crate::check::Rule;
use crate::node::Actor;
use crate::session::WINDOW_MAX;
use crate::world::World;
use rserpool_core::Machine;
use rserpool_core::pool_user::{SUSPECTS_MAX, USED_MAX};
use rserpool_core::session::PREFERRED_ELEMENTS_MAX;
use rserpool_core::two_call::{TRIED_MAX, TriedServers};
use std::fmt;

/// How much all pool users and their sessions remember.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Footprint {
    /// Sessions that are held.
    pub sessions: usize,
    /// Associations of sessions at pool elements.
    pub served: usize,
    /// Requests that are kept in case their pool element fails.
    pub undelivered: usize,
    /// Pool elements in orders of failover.
    pub preferred: usize,
    /// Failed pool elements that applications remember (RFC 5351 §4.1).
    pub tried: usize,
    /// Requests of applications to their pool user that wait for an answer.
    pub requests: usize,
    /// Pools in caches.
    pub pools: usize,
    /// Pool elements that caches remember as selected or avoided.
    pub remembered: usize,
    /// Reports that wait for a registrar.
    pub reports: usize,
    /// Timers of pool users.
    pub timers: usize,
    /// Registrars that pool users know.
    pub registrars: usize,
}

impl Footprint {
    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let of = |each: fn(&Self) -> usize| each(&self).max(each(&other));
        Self {
            sessions: of(|own| own.sessions),
            served: of(|own| own.served),
            undelivered: of(|own| own.undelivered),
            preferred: of(|own| own.preferred),
            tried: of(|own| own.tried),
            requests: of(|own| own.requests),
            pools: of(|own| own.pools),
            remembered: of(|own| own.remembered),
            reports: of(|own| own.reports),
            timers: of(|own| own.timers),
            registrars: of(|own| own.registrars),
        }
    }

    fn each(&self) -> [(&'static str, usize); 11] {
        [
            ("sessions", self.sessions),
            ("served", self.served),
            ("undelivered", self.undelivered),
            ("preferred", self.preferred),
            ("tried", self.tried),
            ("requests", self.requests),
            ("pools", self.pools),
            ("remembered", self.remembered),
            ("reports", self.reports),
            ("timers", self.timers),
            ("registrars", self.registrars),
        ]
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.each().map(|(name, count)| format!("{name} {count}"));
        f.write_str(&each.join(", "))
    }
}

impl World {
    /// How much all pool users and their sessions remember now.
    pub fn footprint(&self) -> Footprint {
        let sessions = &self.sessions;
        let mut all = Footprint {
            sessions: sessions.held.len(),
            served: sessions.served.len(),
            tried: sessions.tried.values().map(TriedServers::len).sum(),
            ..Footprint::default()
        };
        for held in sessions.held.values() {
            all.undelivered += held.undelivered.len();
            all.preferred += held.control.preferred().len();
        }
        for node in &self.roster.users {
            if let Actor::User(user, _) = &self.nodes[node.index()].actor {
                let own = user.snapshot();
                all.requests += own.requests;
                all.pools += own.cache.len();
                all.remembered += own.cache.iter().map(|pool| pool.remembered).sum::<usize>();
                all.reports += own.reports;
                all.timers += own.timers;
                all.registrars += own.registrars.len();
            }
        }
        all
    }

    /// What there may be of each, however long sessions come and go.
    fn footprint_max(&self) -> Footprint {
        let users = self.roster.users.len();
        let sessions = users * self.scenario.sessions;
        let window = usize::try_from(WINDOW_MAX).unwrap_or(usize::MAX);
        // The pools that there are, and one that nobody is in.
        let pools = users * (self.scenario.pools + 1);
        Footprint {
            sessions,
            // Until a pool element has noticed that a user is gone.
            served: sessions * 2,
            undelivered: sessions * window,
            preferred: sessions * PREFERRED_ELEMENTS_MAX,
            tried: users * TRIED_MAX,
            // Each session has one, and the application beside them a few.
            requests: sessions + pools * 4,
            pools,
            remembered: pools * (USED_MAX + SUSPECTS_MAX),
            reports: users * self.scenario.elements,
            // T1, the renewal of a subscription and the wait for an old answer.
            timers: pools * 3,
            // By SCTP and by TCP.
            registrars: users * self.roster.registrars.len() * 2,
        }
    }

    /// What there was at most in the second half of a long run is what there was in the first, give
    /// or take what chance does; but for what is remembered until there are so many.
    pub(crate) fn check_growth(&mut self, [first, second]: [Footprint; 2]) {
        let growing = |most: Footprint| Footprint {
            remembered: 0,
            tried: 0,
            ..most
        };
        let pairs = growing(first)
            .each()
            .into_iter()
            .zip(growing(second).each());
        let mut pairs = pairs.map(|((_, before), (_, after))| (before, after));
        let chance = self.roster.users.len();
        if pairs.any(|(before, after)| after > before + before / 2 + chance) {
            let node = self.roster.users.first().copied().unwrap_or_default();
            let text = format_args!("and all others had {first}, and then {second}");
            self.violate(Rule::Footprint, node, text);
        }
    }

    /// Nothing is more than it may be.
    pub(crate) fn check_footprint(&mut self) -> Footprint {
        let (now, most) = (self.footprint(), self.footprint_max());
        if now.max(most) != most {
            let node = self.roster.users.first().copied().unwrap_or_default();
            let text = format_args!("and all others have {now}; allowed are {most}");
            self.violate(Rule::Footprint, node, text);
        }
        now
    }
}
