//! How a registrar is set up, and its limits.

use crate::{Compatibility, ENRP_PORT, RegistrarAddress, Timers};
use rserpool_handlespace::Policies;
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::AnnouncedTransport;
use rserpool_wire::parameter::{EncapsulationPorts, SctpTransport, TransportUse};
use std::fmt;

/// How a registrar is set up.
#[derive(Clone)]
pub struct Config {
    /// Its identifier: random, and another one after each restart (RFC 5353 §2.1).
    pub id: RegistrarId,
    /// Where it speaks ASAP, told in announces (RFC 5352 §2.2.10).
    pub announce: Vec<AnnouncedTransport>,
    /// The UDP port of the announced SCTP transports where it is not 9899.
    pub encapsulation_ports: EncapsulationPorts,
    /// Whether it announces itself on the multicast channel (RFC 5352 §3.6).
    pub multicast: bool,
    /// Peers that the administrator knows (RFC 5353 §3.2.2.1): one becomes the mentor.
    pub peers: Vec<RegistrarAddress>,
    /// Where it speaks ENRP, told to peers. No addresses: those from which it speaks.
    pub enrp_transport: SctpTransport,
    /// The UDP port of its ENRP transport where it is not 9899.
    pub enrp_encapsulation_ports: EncapsulationPorts,
    /// Whether it shows its presence on the ENRP multicast channel, and looks for peers there.
    pub enrp_multicast: bool,
    /// Its timers.
    pub timers: Timers,
    /// What strangers may use up.
    pub limits: Limits,
    /// The policies it knows; pools of others are selected from in turn.
    pub policies: Policies,
    /// How many pool elements answer a resolution that does not say how many. The RFC says all
    /// SHOULD be listed; what does not fit into one message is left out.
    pub items_default: usize,
    /// What all of the scope agree on.
    pub compatibility: Compatibility,
}

impl Config {
    /// A registrar that speaks to nobody until told otherwise: no announces, default timers and
    /// limits, all pool elements listed.
    pub fn new(id: RegistrarId) -> Self {
        Self {
            id,
            announce: Vec::new(),
            encapsulation_ports: EncapsulationPorts::default(),
            multicast: false,
            peers: Vec::new(),
            enrp_transport: SctpTransport {
                port: ENRP_PORT,
                transport_use: TransportUse::DATA_ONLY,
                addresses: Vec::new(),
            },
            enrp_encapsulation_ports: EncapsulationPorts::default(),
            enrp_multicast: false,
            timers: Timers::default(),
            limits: Limits::default(),
            policies: Policies::standard(),
            items_default: usize::MAX,
            compatibility: Compatibility::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("id", &self.id)
            .field("announce", &self.announce)
            .field("encapsulation_ports", &self.encapsulation_ports)
            .field("multicast", &self.multicast)
            .field("peers", &self.peers)
            .field("enrp_transport", &self.enrp_transport)
            .field("enrp_encapsulation_ports", &self.enrp_encapsulation_ports)
            .field("enrp_multicast", &self.enrp_multicast)
            .field("timers", &self.timers)
            .field("limits", &self.limits)
            .field("items_default", &self.items_default)
            .field("compatibility", &self.compatibility)
            .finish_non_exhaustive()
    }
}

/// What strangers may use up. Whoever exceeds a limit is refused; nobody else notices.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Pools, pool elements and the octets of a pool handle.
    pub handlespace: rserpool_handlespace::Limits,
    /// Associations at one time. Each costs some hundred octets here and some thousand in the
    /// transport below.
    pub associations_max: usize,
    /// Pool elements registered over one association. A pool element normally has one of its
    /// own; a proxy registers many. When it is lost they all go in one step.
    pub elements_per_association_max: usize,
    /// Subscriptions of one association; a pool user watches a few pools.
    pub subscriptions_per_association_max: usize,
    /// Subscriptions of all associations: each change of a pool is sent to all its subscribers.
    pub subscriptions_max: usize,
    /// Other registrars whose announces are counted; spoofed announces must not silence ours,
    /// which come every (N+1)*T6: with the default preset every 17 s at the worst.
    pub registrars_heard_max: usize,
    /// Reports of unreachable pool elements per second and association, and as many in a burst
    /// (RFC 5355 §2.13).
    pub reports_per_second: u32,
    /// ASAP_ERROR messages per second and association, and as many in a burst: two ends that
    /// find fault with each other must not do so for ever.
    pub errors_per_second: u32,
    /// Peers known at one time, dead ones included until they are forgotten: whoever claims to
    /// be many must not make this registrar heartbeat to all of them.
    pub peers_max: usize,
    /// Download sessions that are open at one time (RFC 5353 §3.2.3); more are rejected.
    pub table_sessions_max: usize,
    /// Associations to pool elements of a registrar that was taken over, set up at one time.
    pub adoptions_at_once_max: usize,
    /// Resolutions that wait until the handlespace has been downloaded.
    pub deferred_resolutions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handlespace: rserpool_handlespace::Limits::default(),
            associations_max: 100_000,
            elements_per_association_max: 20_000,
            subscriptions_per_association_max: 256,
            subscriptions_max: 100_000,
            registrars_heard_max: 16,
            reports_per_second: 50,
            errors_per_second: 10,
            peers_max: 64,
            table_sessions_max: 16,
            adoptions_at_once_max: 64,
            deferred_resolutions_max: 1024,
        }
    }
}
