//! A pool user, from an application.

use crate::options::{client_options, node_options};
use crate::{
    ConnectFailed, PoolSender, ResolveFailed, Session, SessionBuilder, Timers, TransportAddress,
};
use rserpool_core::pool_user::{Event, Limits};
use rserpool_core::{Compatibility, RegistrarAddress};
use rserpool_net::{
    EventReceiver, Multicast, NetError, NetworkStatistics, PoolUserClient, PoolUserConfig,
    PoolUserNode, Port, SctpMode,
};
use rserpool_wire::asap::{BusinessCard, Resolution};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// A pool user: asks registrars who is in a pool, and has sessions with pools. It works in
/// the background, until this and all its sessions and subscriptions are dropped.
/// Clones share it.
#[derive(Clone, Debug)]
pub struct PoolUser {
    node: Arc<PoolUserNode>,
    timers: Timers,
}

impl PoolUser {
    /// A pool user with the defaults: registrars found by multicast.
    pub fn builder() -> PoolUserBuilder {
        PoolUserBuilder {
            registrars: Vec::new(),
            addresses: Vec::new(),
            sctp_mode: SctpMode::default(),
            udp_port: Port::Any,
            sctp_port: None,
            timers: Timers::default(),
            limits: Limits::default(),
            multicast: Multicast::default(),
            compatibility: Compatibility::default(),
            unread_octets_max: rserpool_net::UNREAD_OCTETS_MAX,
            seed: None,
        }
    }

    pub(crate) fn client(&self) -> &PoolUserClient {
        self.node.client()
    }

    /// The pool elements of a pool, as many as the registrar likes, in the order of its policy.
    ///
    /// # Errors
    /// See [`ResolveFailed`].
    pub async fn resolve(
        &self,
        pool_handle: impl Into<PoolHandle>,
    ) -> Result<Resolution, ResolveFailed> {
        let resolved = self.node.client().resolve(pool_handle.into(), None).await;
        Ok(resolved.map(|(resolution, _)| resolution)?)
    }

    /// Not more than `items` pool elements of a pool.
    ///
    /// # Errors
    /// See [`ResolveFailed`].
    pub async fn resolve_items(
        &self,
        pool_handle: impl Into<PoolHandle>,
        items: u32,
    ) -> Result<Resolution, ResolveFailed> {
        let resolved = self
            .node
            .client()
            .resolve(pool_handle.into(), Some(items))
            .await;
        Ok(resolved.map(|(resolution, _)| resolution)?)
    }

    /// The pool elements of a pool, and every change from now on.
    ///
    /// # Errors
    /// See [`ResolveFailed`].
    pub async fn subscribe(
        &self,
        pool_handle: impl Into<PoolHandle>,
    ) -> Result<Subscription, ResolveFailed> {
        let pool_handle = pool_handle.into();
        let mut updates = self.node.client().subscribe(pool_handle.clone()).await?;
        // What was there when it was subscribed to is the first update.
        updates.mark_changed();
        Ok(Subscription {
            updates,
            pool_handle,
            _node: Arc::clone(&self.node),
        })
    }

    /// Forgets what is known of a pool (RFC 5352 §6.4, cache_purge_request): whoever asks for it
    /// next gets a registrar's answer. [`PoolUser::resolve`] fills the cache (§6.3).
    pub async fn purge_cache(&self, pool_handle: impl Into<PoolHandle>) {
        self.node.client().purge_cache(pool_handle.into()).await;
    }

    /// A session with a pool that is set up otherwise than [`PoolUser::connect`] does.
    pub fn session(&self, pool_handle: impl Into<PoolHandle>) -> SessionBuilder {
        SessionBuilder::new(
            Arc::clone(&self.node),
            pool_handle.into(),
            self.timers.session,
        )
    }

    /// Begins a session with a pool: an association with one of its pool elements, and with
    /// another one whenever that fails.
    ///
    /// Cancelling the future ends the attempt.
    ///
    /// # Errors
    /// See [`ConnectFailed`].
    pub async fn connect(
        &self,
        pool_handle: impl Into<PoolHandle>,
    ) -> Result<Session, ConnectFailed> {
        self.session(pool_handle).connect().await
    }

    /// A session with the pool of a business card (RFC 5352 §3.9), to call back a user that is a
    /// pool element too: the pool is resolved if it is not known (BC1), and the session begins with
    /// one of those whom the card recommends, in its order (BC2).
    pub fn call_back(&self, card: &BusinessCard) -> SessionBuilder {
        let session = self.session(card.pool_handle.clone());
        session.recommended(&card.pool_elements)
    }

    /// Sends messages to a pool, each by itself: to whom the policy selects for it, to one pool
    /// element, or to all (RFC 5352 §6.5).
    pub fn pool(&self, pool_handle: impl Into<PoolHandle>) -> PoolSender {
        PoolSender::new(self.clone(), pool_handle.into())
    }

    /// An association with whoever is at a transport address, past all pools and registrars
    /// (RFC 5352 §6.5.4): a session that ends with its association, as "no endpoint failover is
    /// supported when this form of send request is used". Its element has the identifier 0.
    ///
    /// Cancelling the future ends the attempt.
    ///
    /// # Errors
    /// See [`ConnectFailed`].
    pub async fn connect_to(&self, address: TransportAddress) -> Result<Session, ConnectFailed> {
        let session = self.session(PoolHandle::new(b""));
        session
            .only_with(address.into_pool_element())
            .connect()
            .await
    }

    /// Tells the registrar that a pool element cannot be reached (RFC 5352 §3.5). Sessions do so
    /// by themselves.
    pub async fn report_unreachable(
        &self,
        pool_handle: impl Into<PoolHandle>,
        pool_element: PoolElementId,
    ) {
        self.node
            .client()
            .report_unreachable(pool_handle.into(), pool_element)
            .await;
    }

    /// The registrar that it asks, while there is one.
    pub fn home_registrar(&self) -> Option<RegistrarAddress> {
        self.node.client().home_registrar()
    }

    /// Counters of its transport; `None` if it has ended.
    pub async fn statistics(&self) -> Option<NetworkStatistics> {
        self.node.client().statistics().await
    }

    /// What happens at it, from now on; the first receiver has it from the start.
    pub fn events(&self) -> EventReceiver<Event> {
        self.node.events()
    }

    /// Ends it, its sessions and its subscriptions in good order, and waits for that.
    pub async fn stop(&self) {
        self.node.stop().await;
    }
}

/// A change of a pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PoolUpdate {
    /// Which pool.
    pub pool_handle: PoolHandle,
    /// Its pool elements; `None`: there are none.
    pub resolution: Option<Resolution>,
}

/// The changes of a pool. Bounded: what changes faster than it is read is seen in its latest
/// state.
#[derive(Debug)]
pub struct Subscription {
    updates: watch::Receiver<Option<Resolution>>,
    pool_handle: PoolHandle,
    _node: Arc<PoolUserNode>,
}

impl Subscription {
    /// The pool as it is now, then whenever it has changed; `None` when the pool user has ended.
    ///
    /// Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Option<PoolUpdate> {
        self.updates.changed().await.ok()?;
        let resolution = self.updates.borrow_and_update().clone();
        Some(PoolUpdate {
            pool_handle: self.pool_handle.clone(),
            resolution,
        })
    }
}

/// How a pool user is set up.
#[derive(Clone, Debug)]
#[must_use = "call start"]
pub struct PoolUserBuilder {
    registrars: Vec<RegistrarAddress>,
    addresses: Vec<IpAddr>,
    sctp_mode: SctpMode,
    udp_port: Port,
    sctp_port: Option<u16>,
    timers: Timers,
    limits: Limits,
    multicast: Multicast,
    compatibility: Compatibility,
    unread_octets_max: usize,
    seed: Option<u64>,
}

impl PoolUserBuilder {
    node_options!();
    client_options!();

    /// What it may use up.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Binds its ports and starts it. It looks for a registrar when it first needs one.
    ///
    /// # Errors
    /// A port that cannot be had. Multicast or IPv6 that cannot is an event.
    pub async fn start(self) -> Result<PoolUser, NetError> {
        let config = PoolUserConfig {
            registrars: self.registrars,
            addresses: self.addresses,
            sctp_port: self.sctp_port,
            udp_port: self.udp_port,
            multicast: self.multicast,
            compatibility: self.compatibility,
            timers: self.timers.asap.clone(),
            limits: self.limits,
            sctp_mode: self.sctp_mode,
            sctp_timers: self.timers.sctp,
            unread_octets_max: self.unread_octets_max,
            seed: self.seed,
        };
        let node = Arc::new(PoolUserNode::start(config).await?);
        Ok(PoolUser {
            node,
            timers: self.timers,
        })
    }
}
