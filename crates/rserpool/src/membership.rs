//! Further pools and operational scopes of a pool element (RFC 3237 §2.7).

use crate::RegisterFailed;
use rserpool_core::pool_element::Event;
use rserpool_core::{Compatibility, RegistrarAddress};
use rserpool_net::{
    EventReceiver, Multicast, PoolElementConfig, PoolElementEndpoints, PoolElementNode, Port,
};
use rserpool_wire::parameter::Policy;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long leaving further pools may take before users are refused.
const LEAVING_MAX: Duration = Duration::from_secs(1);

/// A further pool of a pool element: in the same operational scope, or in another one if it names
/// registrars or a multicast group of its own. Whatever it does not say is as in the first pool.
#[derive(Clone, Debug)]
#[must_use = "hand it to a pool element"]
pub struct Membership {
    pool_handle: PoolHandle,
    policy: Policy,
    id: Option<PoolElementId>,
    registrars: Option<Vec<RegistrarAddress>>,
    multicast: Option<Multicast>,
    compatibility: Option<Compatibility>,
}

impl Membership {
    /// In this pool, with round robin.
    pub fn new(pool_handle: impl Into<PoolHandle>) -> Self {
        Self {
            pool_handle: pool_handle.into(),
            policy: Policy::RoundRobin,
            id: None,
            registrars: None,
            multicast: None,
            compatibility: None,
        }
    }

    /// That pool's policy, and this pool element's values in it.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Its identifier in that pool; otherwise a random one.
    pub fn id(mut self, id: PoolElementId) -> Self {
        self.id = Some(id);
        self
    }

    /// The registrars of that scope.
    pub fn registrars(mut self, registrars: impl Into<Vec<RegistrarAddress>>) -> Self {
        self.registrars = Some(registrars.into());
        self
    }

    /// Where the registrars of that scope announce themselves.
    pub fn multicast(mut self, multicast: Multicast) -> Self {
        self.multicast = Some(multicast);
        self
    }

    /// What all of that scope agree on.
    pub fn compatibility(mut self, compatibility: Compatibility) -> Self {
        self.compatibility = Some(compatibility);
        self
    }

    /// Registers, so that users come to where those of the first pool do.
    pub(crate) async fn register(
        self,
        first: &PoolElementConfig,
        at: &PoolElementEndpoints,
    ) -> Result<Member, RegisterFailed> {
        let config = PoolElementConfig {
            pool_handle: self.pool_handle.clone(),
            policy: self.policy,
            id: self.id,
            registrars: self.registrars.unwrap_or_else(|| first.registrars.clone()),
            multicast: self.multicast.unwrap_or_else(|| first.multicast.clone()),
            compatibility: self.compatibility.unwrap_or(first.compatibility),
            sctp_port: None,
            user_port: Port::Any,
            udp_port: Port::Any,
            serve_at: Some(first.serve_at.clone().unwrap_or_else(|| at.into())),
            ..first.clone()
        };
        let node = PoolElementNode::register(config).await?;
        let id = node.registration().id.ok_or(RegisterFailed::Ended)?;
        Ok(Member {
            node,
            pool_handle: self.pool_handle,
            id,
        })
    }
}

/// A pool element as it is in one of its further pools.
#[derive(Debug)]
pub struct Member {
    node: PoolElementNode,
    pool_handle: PoolHandle,
    id: PoolElementId,
}

impl Member {
    /// Its identifier, unique within that pool.
    pub fn id(&self) -> PoolElementId {
        self.node.registration().id.unwrap_or(self.id)
    }

    /// That pool.
    pub fn pool_handle(&self) -> &PoolHandle {
        &self.pool_handle
    }

    /// The registrar of that scope that watches it, while there is one.
    pub fn home_registrar(&self) -> Option<RegistrarAddress> {
        self.node.registration().home
    }

    /// Whether it is registered there, as far as it knows.
    pub fn is_registered(&self) -> bool {
        self.node.registration().is_registered
    }

    /// Registers another value of that pool's policy.
    pub async fn set_policy(&self, policy: Policy) {
        self.node.set_policy(policy).await;
    }

    /// What happens to its registration there.
    pub fn events(&self) -> EventReceiver<Event> {
        self.node.events()
    }

    pub(crate) async fn leave(self) {
        self.node.deregister().await;
    }
}

/// Leaves all of them at once. What a registrar does not answer in time goes on in the background.
pub(crate) async fn leave_all(members: Vec<Member>) {
    let mut leaving: JoinSet<()> = members.into_iter().map(Member::leave).collect();
    let all = async { while leaving.join_next().await.is_some() {} };
    // Unanswered, those registrations end with their life.
    let _ = tokio::time::timeout(LEAVING_MAX, all).await;
}
