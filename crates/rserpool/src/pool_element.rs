//! A pool element, from an application.

use crate::membership::leave_all;
use crate::options::{client_options, node_options, port_or_any};
use crate::{Member, Membership, PoolUser, RegisterFailed, ResolveFailed, Timers};
use rserpool_core::pool_element::{Event, UserProtocol, UserTransportTemplate};
use rserpool_core::{Compatibility, RegistrarAddress};
use rserpool_net::{
    Connection, DataTransport, Drained, EventReceiver, Multicast, NetworkStatistics,
    PoolElementConfig, PoolElementEndpoints, PoolElementNode, Port, SctpMode, ServeAt,
};
use rserpool_wire::asap::BusinessCard;
use rserpool_wire::parameter::{Policy, TransportUse};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::net::IpAddr;
use std::time::Duration;

/// A pool element: a server that is registered in a pool for as long as this exists. Its
/// registration is renewed and moved to other registrars in the background.
///
/// Dropping it deregisters it, in the background; a process that ends at once is noticed as if it
/// had been killed. [`PoolElement::deregister`] waits.
#[derive(Debug)]
pub struct PoolElement {
    node: PoolElementNode,
    config: PoolElementConfig,
    id: PoolElementId,
    members: Vec<Member>,
}

impl PoolElement {
    /// A pool element of this pool with the defaults: round robin, a random identifier, all local
    /// addresses, registrars found by multicast.
    pub fn builder(pool_handle: impl Into<PoolHandle>) -> PoolElementBuilder {
        PoolElementBuilder {
            pool_handle: pool_handle.into(),
            policy: Policy::RoundRobin,
            id: None,
            registrars: Vec::new(),
            addresses: Vec::new(),
            sctp_mode: SctpMode::default(),
            udp_port: Port::Any,
            sctp_port: None,
            registration_life: None,
            serve_by: DataTransport::Sctp,
            user_port: Port::Any,
            udp_idle_after: rserpool_net::UDP_IDLE_AFTER,
            data_only: false,
            own_transport: None,
            memberships: Vec::new(),
            register_timeout: Duration::from_secs(10),
            timers: Timers::default(),
            multicast: Multicast::default(),
            compatibility: Compatibility::default(),
            unread_octets_max: rserpool_net::UNREAD_OCTETS_MAX,
            seed: None,
        }
    }

    /// Its identifier, unique within its pool.
    pub fn id(&self) -> PoolElementId {
        self.node.registration().id.unwrap_or(self.id)
    }

    /// Its pool.
    pub fn pool_handle(&self) -> &PoolHandle {
        &self.config.pool_handle
    }

    /// The registrar that watches it, while there is one.
    pub fn home_registrar(&self) -> Option<RegistrarAddress> {
        self.node.registration().home
    }

    /// Whether it is registered, as far as it knows.
    pub fn is_registered(&self) -> bool {
        self.node.registration().is_registered
    }

    /// Where its users reach it.
    pub fn endpoints(&self) -> &PoolElementEndpoints {
        self.node.endpoints()
    }

    /// Registers it in a further pool, or in this one in a further operational scope (RFC 3237
    /// §2.7). Users of all its pools come to the same ports.
    ///
    /// # Errors
    /// See [`RegisterFailed`]; its other registrations are as they were.
    pub async fn join(&mut self, membership: Membership) -> Result<(), RegisterFailed> {
        let member = membership.register(&self.config, self.endpoints()).await?;
        self.members.push(member);
        Ok(())
    }

    /// Its further pools, in the order in which it joined them.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The next user, of whichever of its pools: nothing on the network says of which. Who must
    /// know has a pool element for each pool, or reads it in the cookie. `None` when the pool
    /// element has ended.
    ///
    /// Cancelling the future loses nothing.
    pub async fn accept(&mut self) -> Option<Connection> {
        self.node.accept().await
    }

    /// Registers another value of its policy: a load, a weight. Another policy than the pool's is
    /// rejected by the registrar, which is an event.
    pub async fn set_policy(&self, policy: Policy) {
        self.node.set_policy(policy).await;
    }

    /// By whom it can be replaced: the other elements of its pool, in the order of the pool's
    /// policy. For [`Session::set_business_card`](crate::Session::set_business_card) if it is a
    /// pool user too (RFC 3237 §2.3), so that whoever it talks to can call back its pool; and for
    /// [`Connection::send_business_card`].
    ///
    /// # Errors
    /// See [`ResolveFailed`].
    pub async fn business_card(&self, user: &PoolUser) -> Result<BusinessCard, ResolveFailed> {
        let pool_handle = self.pool_handle().clone();
        let mut pool_elements = user.resolve(pool_handle.clone()).await?.pool_elements;
        pool_elements.retain(|element| element.id() != self.id());
        Ok(BusinessCard {
            pool_handle,
            pool_elements,
        })
    }

    /// Counters of its transport; `None` if it has ended.
    pub async fn statistics(&self) -> Option<NetworkStatistics> {
        self.node.statistics().await
    }

    /// What happens to its registration, from now on; the first receiver has it from the start.
    pub fn events(&self) -> EventReceiver<Event> {
        self.node.events()
    }

    /// Leaves the pool without an interruption in service (RFC 3237 §2.7): deregisters, refuses new
    /// users, who find another pool element at once, and lets the connections that the application
    /// has go on until they are closed or dropped. After `deadline` those that are left are told
    /// ([`ConnectionEvent::Moving`](crate::ConnectionEvent::Moving)) and closed in good order: what
    /// was sent to their users still arrives, a last cookie too, and these go on at other pool
    /// elements, which have their latest cookie before all else.
    ///
    /// The application goes on serving its connections meanwhile; [`Connection::recv`] gives `None`
    /// when one was closed. Returns when all are gone.
    pub async fn drain(self, deadline: Duration) -> Drained {
        leave_all(self.members).await;
        self.node.drain(deadline).await
    }

    /// Leaves the pool and waits for that. Connections that the application has go on until they
    /// are closed or dropped; [`PoolElement::drain`] is this with a deadline, and waits for them.
    pub async fn deregister(self) {
        leave_all(self.members).await;
        self.node.deregister().await;
    }
}

/// How a pool element is set up.
#[derive(Clone, Debug)]
#[must_use = "call register"]
pub struct PoolElementBuilder {
    pool_handle: PoolHandle,
    policy: Policy,
    id: Option<PoolElementId>,
    registrars: Vec<RegistrarAddress>,
    addresses: Vec<IpAddr>,
    sctp_mode: SctpMode,
    udp_port: Port,
    sctp_port: Option<u16>,
    registration_life: Option<Option<Duration>>,
    serve_by: DataTransport,
    user_port: Port,
    udp_idle_after: Duration,
    data_only: bool,
    own_transport: Option<UserTransportTemplate>,
    memberships: Vec<Membership>,
    register_timeout: Duration,
    timers: Timers,
    multicast: Multicast,
    compatibility: Compatibility,
    unread_octets_max: usize,
    seed: Option<u64>,
}

impl PoolElementBuilder {
    node_options!();
    client_options!();

    /// The pool's policy and this pool element's values; otherwise round robin. All pool elements
    /// of a pool have the same policy.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Its identifier; otherwise a random one.
    pub fn id(mut self, id: PoolElementId) -> Self {
        self.id = Some(id);
        self
    }

    /// How long its registration holds unless renewed (`None`: for ever); otherwise as the timers
    /// say.
    pub fn registration_life(mut self, life: Option<Duration>) -> Self {
        self.registration_life = Some(life);
        self
    }

    /// A further pool, or this one in a further operational scope; see [`PoolElement::join`].
    pub fn also_in(mut self, membership: Membership) -> Self {
        self.memberships.push(membership);
        self
    }

    /// By what its users come; otherwise SCTP. TCP and UDP are data channels alone: no cookie, no
    /// business card, no streams, and over TCP no boundaries of messages. All pool elements of a
    /// pool have the same (RFC 5352 §3.1).
    pub fn serve_by(mut self, transport: DataTransport) -> Self {
        self.serve_by = transport;
        self
    }

    /// The TCP or UDP port for [`PoolElementBuilder::serve_by`]; otherwise the system chooses. Of
    /// SCTP, see [`PoolElementBuilder::sctp_port`] and [`PoolElementBuilder::udp_port`].
    pub fn user_port(mut self, port: u16) -> Self {
        self.user_port = port_or_any(port);
        self
    }

    /// A user that has said nothing over UDP for so long has gone; otherwise five minutes. Nothing
    /// else tells, but for an ICMP message if something is sent to it.
    pub fn udp_idle_after(mut self, idle: Duration) -> Self {
        self.udp_idle_after = idle;
        self
    }

    /// SCTP without the control channel (RFC 5354 §3.3, Transport Use: data only): neither cookies
    /// nor business cards, as over TCP and UDP.
    pub fn data_only(mut self) -> Self {
        self.data_only = true;
        self
    }

    /// By what the application serves its users itself, at the addresses that are registered
    /// ([`PoolElementBuilder::addresses`]): it keeps its own sockets (RFC 5351 §4.1), and nobody
    /// comes to [`PoolElement::accept`]. Over SCTP, TCP and UDP users have sessions with it as with
    /// any other; over the rest they need sockets of their own too.
    pub fn own_transport(mut self, protocol: UserProtocol, port: u16) -> Self {
        self.own_transport = Some(UserTransportTemplate {
            protocol,
            port,
            transport_use: TransportUse::DATA_ONLY,
        });
        self
    }

    /// How long [`PoolElementBuilder::register`] tries; otherwise 10 s.
    pub fn register_timeout(mut self, timeout: Duration) -> Self {
        self.register_timeout = timeout;
        self
    }

    /// Binds its ports, finds a registrar, registers, and waits until it is registered in all of
    /// its pools.
    ///
    /// Cancelling the future ends the attempt.
    ///
    /// # Errors
    /// See [`RegisterFailed`].
    pub async fn register(self) -> Result<PoolElement, RegisterFailed> {
        let default_life = Some(self.timers.asap.registration_life);
        let serve_at = self.own_transport.map(|transport| ServeAt {
            transport,
            udp_port: 0,
        });
        let config = PoolElementConfig {
            pool_handle: self.pool_handle,
            id: self.id,
            policy: self.policy,
            registration_life: self.registration_life.unwrap_or(default_life),
            registrars: self.registrars,
            addresses: self.addresses,
            serve_by: self.serve_by,
            user_port: self.user_port,
            udp_idle_after: self.udp_idle_after,
            data_only: self.data_only,
            serve_at,
            sctp_port: self.sctp_port,
            udp_port: self.udp_port,
            multicast: self.multicast,
            timers: self.timers.asap,
            sctp_mode: self.sctp_mode,
            sctp_timers: self.timers.sctp,
            compatibility: self.compatibility,
            register_timeout: self.register_timeout,
            unread_octets_max: self.unread_octets_max,
            seed: self.seed,
        };
        let node = PoolElementNode::register(config.clone()).await?;
        let id = node.registration().id.ok_or(RegisterFailed::Ended)?;
        let mut element = PoolElement {
            node,
            config,
            id,
            members: Vec::new(),
        };
        for membership in self.memberships {
            element.join(membership).await?;
        }
        Ok(element)
    }
}
