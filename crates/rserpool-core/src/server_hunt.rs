//! Server hunt (RFC 5352 §3.6): the list of known registrars, and how a home registrar is found
//! among them. Shared by pool element and pool user.
//!
//! Must not know what is asked of a registrar once it is found.

use crate::random::{below, duration_between};
use crate::{ASAP_PORT, RegistrarAddress, Timers, Timestamp, Transport};
use rand_core::Rng;
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::{AnnouncedTransport, ServerAnnounce};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Attempts at one time (RFC 5352 §3.6, SH1: no more than three).
pub(crate) const ATTEMPTS_MAX: usize = 3;

/// Announced registrars that are remembered. An operational scope has a handful; whoever spoofs
/// announces fills this list and no more. Static registrars are not counted and not displaced.
pub(crate) const ANNOUNCED_MAX: usize = 64;

/// No wait is shorter, whatever the configured timers: an empty wait would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

/// The registrars that one knows, and the search for one that answers.
#[derive(Clone, Debug)]
pub(crate) struct ServerHunt {
    known: Vec<Known>,
    state: State,
    /// T5-Serverhunt as it is doubled (SH5.1).
    t5: Duration,
    round: u32,
    sctp_only: bool,
    /// How many associations may be tried at one time (SH1).
    limit: usize,
    /// Rounds since the hunt started in which nobody could be reached.
    rounds_failed: u32,
    /// The home registrar, to which there is an association already.
    home: Option<RegistrarAddress>,
    created_at: Timestamp,
    timers: HuntTimers,
    announces_dropped: u64,
    outputs: Vec<HuntOutput>,
}

/// What the hunt wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum HuntOutput {
    /// Establish an association.
    Connect(RegistrarAddress),
    /// Stop establishing it.
    StopConnecting(RegistrarAddress),
}

#[derive(Clone, Debug)]
struct HuntTimers {
    t5: Duration,
    t6: Duration,
    t7: Duration,
    retran_max: Duration,
}

#[derive(Clone, Debug)]
struct Known {
    address: RegistrarAddress,
    registrar: Option<RegistrarId>,
    /// When T7-ENRPoutdate expires; `None`: static.
    outdated_at: Option<Timestamp>,
    /// In which round of the hunt an attempt was last made; 0: in none.
    tried_in: u32,
    attempting: bool,
    /// It was the home registrar and failed; others come first.
    suspect: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    /// Attempts are running, until T5-Serverhunt expires.
    Attempting {
        until: Timestamp,
    },
    /// All known registrars have failed; the next round waits.
    Pausing {
        until: Timestamp,
    },
    /// No registrar is known; an announce must come.
    Listening,
}

impl ServerHunt {
    pub(crate) fn new(
        registrars: Vec<RegistrarAddress>,
        sctp_only: bool,
        timers: &Timers,
        now: Timestamp,
    ) -> Self {
        let mut hunt = Self {
            known: Vec::new(),
            state: State::Idle,
            t5: timers.t5_server_hunt,
            round: 0,
            sctp_only,
            limit: ATTEMPTS_MAX,
            rounds_failed: 0,
            home: None,
            created_at: now,
            timers: HuntTimers {
                t5: timers.t5_server_hunt,
                t6: timers.t6_server_announce,
                t7: timers.t7_enrp_outdate,
                retran_max: timers.retran_max,
            },
            announces_dropped: 0,
            outputs: Vec::new(),
        };
        for registrar in registrars {
            if hunt.is_useful(&registrar) && hunt.find(&registrar).is_none() {
                hunt.known.push(Known::new(registrar, None, None));
            }
        }
        hunt
    }

    /// Starts looking for a registrar, unless that is under way. `failed` has just failed and is
    /// tried after all others; `limit` is how many associations may be tried at one time (SH1).
    pub(crate) fn start(
        &mut self,
        now: Timestamp,
        rng: &mut impl Rng,
        failed: Option<&RegistrarAddress>,
        limit: usize,
    ) {
        if let Some(known) = failed.and_then(|failed| self.find(failed)) {
            self.known[known].suspect = true;
        }
        self.limit = limit.min(ATTEMPTS_MAX);
        if self.state == State::Idle {
            self.rounds_failed = 0;
            self.round = 0;
            for known in &mut self.known {
                known.tried_in = 0;
            }
            self.start_round(now, rng);
        }
    }

    /// How many associations may be tried at one time from now on (SH1).
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(ATTEMPTS_MAX);
    }

    /// Ends the hunt: a registrar was found (SH3), or none is wanted any more.
    pub(crate) fn stop(&mut self) {
        self.stop_attempts();
        for known in &mut self.known {
            known.suspect = false;
        }
        self.state = State::Idle;
        // SH3: reset the T5-Serverhunt timer to its initial value.
        self.t5 = self.timers.t5;
    }

    /// Tells to which registrar there is an association, which therefore is no candidate.
    pub(crate) fn set_home(&mut self, home: Option<RegistrarAddress>) {
        if let Some(known) = home.as_ref().and_then(|home| self.find(home)) {
            self.known[known].attempting = false;
        }
        self.home = home;
    }

    /// Whether a registrar is being looked for.
    pub(crate) fn is_running(&self) -> bool {
        self.state != State::Idle
    }

    /// Rounds since the hunt started in which nobody could be reached.
    pub(crate) fn rounds_failed(&self) -> u32 {
        self.rounds_failed
    }

    /// Whether an association with this registrar is being established.
    pub(crate) fn is_attempting(&self, registrar: &RegistrarAddress) -> bool {
        self.find(registrar)
            .is_some_and(|known| self.known[known].attempting)
    }

    /// SH4: an attempt failed; the next registrar is tried.
    pub(crate) fn on_connect_failed(
        &mut self,
        now: Timestamp,
        rng: &mut impl Rng,
        registrar: &RegistrarAddress,
    ) {
        let Some(known) = self.find(registrar) else {
            return;
        };
        if !std::mem::take(&mut self.known[known].attempting) {
            return;
        }
        if matches!(self.state, State::Attempting { .. }) {
            self.attempt_more(now, rng);
        }
    }

    /// An announce arrived (RFC 5352 §3.6): all its transports are known until T7 expires.
    pub(crate) fn on_announce(
        &mut self,
        now: Timestamp,
        rng: &mut impl Rng,
        from: SocketAddr,
        announce: &ServerAnnounce,
    ) {
        let registrar = announce.registrar;
        if announce.transports.is_empty() {
            for address in sender_addresses(from, announce) {
                self.insert(now, address, registrar);
            }
        }
        for transport in &announce.transports {
            self.insert_transport(now, transport, announce);
        }
        if self.state == State::Listening && !self.known.is_empty() {
            self.leave_listening(now, rng);
        }
    }

    /// T5, T7 or a pause ran out.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp, rng: &mut impl Rng) {
        let round_ends = matches!(self.state, State::Attempting { until } if until <= now);
        if round_ends {
            self.end_round();
        }
        self.known.retain(|known| {
            known.attempting
                || known
                    .outdated_at
                    .is_none_or(|outdated_at| outdated_at > now)
        });
        if round_ends || matches!(self.state, State::Pausing { until } if until <= now) {
            self.start_round(now, rng);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let outdated = self
            .known
            .iter()
            .filter(|known| !known.attempting)
            .filter_map(|known| known.outdated_at)
            .min();
        let state = match self.state {
            State::Attempting { until } | State::Pausing { until } => Some(until),
            State::Idle | State::Listening => None,
        };
        state.into_iter().chain(outdated).min()
    }

    /// What to do, in this order.
    pub(crate) fn take_outputs(&mut self) -> Vec<HuntOutput> {
        std::mem::take(&mut self.outputs)
    }

    /// The registrars that are known.
    pub(crate) fn known(&self) -> impl Iterator<Item = &RegistrarAddress> {
        self.known.iter().map(|known| &known.address)
    }

    /// The identifier that a registrar announced, if it did.
    pub(crate) fn registrar_id(&self, address: &RegistrarAddress) -> Option<RegistrarId> {
        self.find(address)
            .and_then(|known| self.known[known].registrar)
    }

    /// Announced registrars that were not remembered because there were too many.
    pub(crate) fn announces_dropped(&self) -> u64 {
        self.announces_dropped
    }

    /// SH1, SH2: up to three attempts, and T5-Serverhunt.
    fn start_round(&mut self, now: Timestamp, rng: &mut impl Rng) {
        if self.known.is_empty() {
            self.state = State::Listening;
            return;
        }
        self.round = self.round.wrapping_add(1);
        // Varied, so that many that lost the same registrar do not come back as one.
        let t5 = duration_between(rng, self.t5 * 3 / 4, self.t5);
        let until = now + t5.max(SHORTEST);
        self.state = State::Attempting { until };
        self.attempt_more(now, rng);
    }

    /// T5 ran out. Whoever did not answer in this round is no better than the registrar that has
    /// failed before it: in the next one, that has its turn again.
    fn end_round(&mut self) {
        self.stop_attempts();
        for known in &mut self.known {
            known.suspect = false;
        }
        self.rounds_failed = self.rounds_failed.saturating_add(1);
        self.double_t5();
    }

    /// Keeps up to `limit` attempts running with registrars that were not tried in this round;
    /// pauses when all have failed.
    fn attempt_more(&mut self, now: Timestamp, rng: &mut impl Rng) {
        let mut running = self.known.iter().filter(|known| known.attempting).count();
        while running < self.limit.max(1) {
            let Some(next) = self.next_candidate(rng, running > 0) else {
                break;
            };
            let known = &mut self.known[next];
            known.tried_in = self.round;
            known.attempting = true;
            let connect = HuntOutput::Connect(known.address.clone());
            self.outputs.push(connect);
            running += 1;
        }
        if running == 0 {
            self.pause(now, rng);
        }
    }

    /// SH5.2: a different set each time: those tried longest ago first; of these the static ones;
    /// of these any. One that has just failed as home registrar only when no other is left. One
    /// of three is a static one in any case, however many announces somebody makes up.
    fn next_candidate(&self, rng: &mut impl Rng, others_running: bool) -> Option<usize> {
        let is_announced = |known: &Known| known.outdated_at.is_some();
        let mut attempting = self.known.iter().filter(|known| known.attempting);
        let wants_static = attempting.all(is_announced);
        let rank = |known: &Known| {
            let comes_later = wants_static && is_announced(known);
            let announced = is_announced(known);
            (known.suspect, comes_later, known.tried_in, announced)
        };
        let candidates = || {
            self.known.iter().enumerate().filter(|(_, known)| {
                !known.attempting
                    && known.tried_in != self.round
                    && !(known.suspect && others_running)
                    && self.home.as_ref() != Some(&known.address)
            })
        };
        let best = candidates().map(|(_, known)| rank(known)).min()?;
        let mut equal = candidates().filter(|(_, known)| rank(known) == best);
        let count = equal.clone().count();
        let drawn = below(rng, u64::try_from(count).unwrap_or(1));
        equal
            .nth(usize::try_from(drawn).unwrap_or(0))
            .map(|(index, _)| index)
    }

    /// Nobody answered. When all registrars are lost at once, all their clients come here at
    /// once: the first pause is drawn so that from then on, whenever a registrar comes back, its
    /// clients come back evenly spread over one T5. The pauses are the gaps of a renewal process
    /// with gaps between T5/2 and T5; the first is what is left of such a gap at a random time.
    fn pause(&mut self, now: Timestamp, rng: &mut impl Rng) {
        let pause = if self.rounds_failed == 0 {
            let gap = gap_at_a_random_time(rng, self.t5);
            duration_between(rng, Duration::ZERO, gap)
        } else {
            duration_between(rng, self.t5 / 2, self.t5)
        };
        self.rounds_failed = self.rounds_failed.saturating_add(1);
        self.double_t5();
        let until = now + pause.max(SHORTEST);
        self.state = State::Pausing { until };
    }

    /// An announce came while no registrar was known. Soon after the start it was going to come
    /// anyway; later it is of a registrar that everybody has been waiting for, and everybody
    /// hears it now.
    fn leave_listening(&mut self, now: Timestamp, rng: &mut impl Rng) {
        if now.since(self.created_at) <= self.timers.t6.saturating_mul(2) {
            self.start_round(now, rng);
        } else {
            let pause = duration_between(rng, SHORTEST, self.timers.t5.max(SHORTEST));
            let until = now + pause;
            self.state = State::Pausing { until };
        }
    }

    /// SH5.1: doubles T5-Serverhunt, at most to RETRAN.max.
    fn double_t5(&mut self) {
        let most = self.timers.retran_max.max(self.timers.t5);
        self.t5 = self.t5.saturating_mul(2).min(most);
    }

    fn stop_attempts(&mut self) {
        for known in &mut self.known {
            if std::mem::take(&mut known.attempting) {
                let stop = HuntOutput::StopConnecting(known.address.clone());
                self.outputs.push(stop);
            }
        }
    }

    /// Whoever is known already, as mostly, costs no allocation: everybody hears each announce.
    fn insert_transport(
        &mut self,
        now: Timestamp,
        transport: &AnnouncedTransport,
        announce: &ServerAnnounce,
    ) {
        let ports = announce.encapsulation_ports;
        let is_meant = |known: &Known| known.address.is_announced(transport, ports);
        if let Some(known) = self.known.iter().position(is_meant) {
            self.refresh(now, known, announce.registrar);
        } else if !(self.sctp_only && matches!(transport, AnnouncedTransport::Tcp(_))) {
            let address = RegistrarAddress::announced(transport, ports);
            self.insert(now, address, announce.registrar);
        }
    }

    fn insert(&mut self, now: Timestamp, address: RegistrarAddress, registrar: RegistrarId) {
        if !self.is_useful(&address) {
            return;
        }
        if let Some(known) = self.find(&address) {
            return self.refresh(now, known, registrar);
        }
        let announced = self
            .known
            .iter()
            .filter(|known| known.outdated_at.is_some());
        if announced.count() >= ANNOUNCED_MAX {
            self.announces_dropped += 1;
            return;
        }
        let outdated_at = now + self.announce_validity();
        let known = Known::new(address, Some(registrar), Some(outdated_at));
        self.known.push(known);
    }

    /// It announced itself again. Static registrars are never outdated.
    fn refresh(&mut self, now: Timestamp, known: usize, registrar: RegistrarId) {
        if self.known[known].outdated_at.is_some() {
            let outdated_at = now + self.announce_validity();
            self.known[known].outdated_at = Some(outdated_at);
        }
        self.known[known].registrar = Some(registrar);
    }

    /// T7-ENRPoutdate; longer where many registrars take turns: of N, each announces itself only
    /// every N*T6, and may be missed twice.
    fn announce_validity(&self) -> Duration {
        let registrars = self.known.iter().filter_map(|known| known.registrar);
        let registrars: BTreeSet<_> = registrars.collect();
        let count = u32::try_from(registrars.len()).unwrap_or(u32::MAX);
        let turn = self.timers.t6.saturating_mul(count);
        self.timers.t7.max(turn.saturating_mul(3))
    }

    fn find(&self, address: &RegistrarAddress) -> Option<usize> {
        self.known
            .iter()
            .position(|known| known.address == *address)
    }

    fn is_useful(&self, address: &RegistrarAddress) -> bool {
        address.is_usable() && !(self.sctp_only && address.transport == Transport::Tcp)
    }
}

impl Known {
    fn new(
        address: RegistrarAddress,
        registrar: Option<RegistrarId>,
        outdated_at: Option<Timestamp>,
    ) -> Self {
        Self {
            address,
            registrar,
            outdated_at,
            tried_in: 0,
            attempting: false,
            suspect: false,
        }
    }
}

/// What an announce without transports means: SCTP at the sender's address and the registered port
/// (RFC 5352 §3.6); rsplib means its own source port, so that is tried too.
fn sender_addresses(from: SocketAddr, announce: &ServerAnnounce) -> Vec<RegistrarAddress> {
    let ports = announce.encapsulation_ports;
    let mut registered = RegistrarAddress::new(Transport::Sctp, from.ip());
    registered.udp_port = ports.user.map(std::num::NonZeroU16::get);
    let mut addresses = vec![registered.clone()];
    if from.port() != ASAP_PORT {
        registered.port = from.port();
        addresses.push(registered);
    }
    addresses
}

/// The length of the gap that a random time falls into, where gaps are evenly distributed
/// between half of `longest` and `longest`: long gaps are met more often than short ones.
fn gap_at_a_random_time(rng: &mut impl Rng, longest: Duration) -> Duration {
    loop {
        let gap = duration_between(rng, longest / 2, longest);
        if duration_between(rng, Duration::ZERO, longest) <= gap {
            return gap;
        }
    }
}
