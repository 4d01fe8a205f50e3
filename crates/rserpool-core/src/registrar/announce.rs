//! Announces (RFC 5352 §3.6): where this registrar is, on the multicast channel.
//!
//! Must not know multicast groups.

use super::event::Event;
use super::{Destination, Limit, Output, Registrar, Timer};
use crate::random::duration_between;
use crate::timer_queue::TimerId;
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::{Message, ServerAnnounce};
use std::collections::BTreeMap;
use std::time::Duration;

/// No wait is shorter, whatever the configured timers.
const SHORTEST: Duration = Duration::from_millis(10);

/// Own announces, and whose announces are heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Announces {
    timer: TimerId,
    heard: BTreeMap<RegistrarId, TimerId>,
}

impl Announces {
    /// The other registrars whose announces are heard.
    pub(super) fn heard(&self) -> impl Iterator<Item = RegistrarId> {
        self.heard.keys().copied()
    }
}

impl Registrar {
    /// The first announce comes within one T6, so that registrars started together do not
    /// announce themselves together.
    pub(super) fn start_announces(&mut self) {
        if !self.config.multicast {
            return;
        }
        let t6 = self.config.timers.t6_server_announce;
        let delay = duration_between(&mut self.rng, Duration::ZERO, t6);
        self.start_announce_timer(delay);
    }

    pub(super) fn stop_announces(&mut self) {
        self.timers
            .stop(&mut self.announces.timer, Timer::T6ServerAnnounce);
    }

    /// "an ENRP server MUST send periodically every (N+1)*T6-Serverannounce an
    /// ASAP_SERVER_ANNOUNCE message ..., where N is the number of ENRP servers the server has
    /// found via receiving ASAP_SERVER_ANNOUNCE messages". Varied by an eighth.
    pub(super) fn fire_server_announce(&mut self) {
        let message = Message::from(ServerAnnounce {
            registrar: self.config.id,
            transports: self.config.announce.clone(),
            encapsulation_ports: self.config.encapsulation_ports,
        });
        self.counters.announces += 1;
        let to = Destination::Multicast;
        self.outputs.push_back(Output::Send { to, message });
        let cycle = self.announce_cycle();
        let delay = duration_between(&mut self.rng, cycle * 7 / 8, cycle * 9 / 8);
        self.start_announce_timer(delay);
    }

    /// Another registrar announces itself; or this one hears itself.
    pub(super) fn on_announced(&mut self, message: &Message) {
        let Message::ServerAnnounce(announce) = message else {
            self.counters.unexpected_messages += 1;
            return;
        };
        let registrar = announce.registrar;
        if registrar == self.config.id {
            return;
        }
        let heard = &mut self.announces.heard;
        let is_new = !heard.contains_key(&registrar);
        if is_new && heard.len() >= self.config.limits.registrars_heard_max {
            return self.count_limit(Limit::RegistrarsHeard, None);
        }
        heard.entry(registrar).or_default();
        // T7-ENRPoutdate; longer where so many take turns that each is heard less often.
        let validity = self.config.timers.t7_enrp_outdate;
        let deadline = self.now + validity.max(self.announce_cycle().saturating_mul(3));
        if let Some(timer) = self.announces.heard.get_mut(&registrar) {
            self.timers
                .start(timer, Timer::T7EnrpOutdate(registrar), deadline);
        }
        if is_new {
            self.emit(Event::RegistrarHeard { registrar });
        }
    }

    pub(super) fn fire_enrp_outdate(&mut self, registrar: RegistrarId) {
        self.announces.heard.remove(&registrar);
        self.emit(Event::RegistrarOutdated { registrar });
    }

    /// (N+1)*T6.
    fn announce_cycle(&self) -> Duration {
        let others = u32::try_from(self.announces.heard.len()).unwrap_or(u32::MAX);
        let t6 = self.config.timers.t6_server_announce;
        t6.saturating_mul(others.saturating_add(1))
    }

    fn start_announce_timer(&mut self, delay: Duration) {
        let deadline = self.now + delay.max(SHORTEST);
        let timer = &mut self.announces.timer;
        self.timers.start(timer, Timer::T6ServerAnnounce, deadline);
    }
}
