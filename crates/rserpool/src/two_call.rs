//! The two-call way (RFC 5351 §4.1): for applications that keep their own sockets.

use crate::{PoolUser, ResolveFailed};
use rserpool_core::Timestamp;
use rserpool_core::two_call::{TRIED_MAX, TriedServers};
use rserpool_wire::parameter::{PoolElement, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// A server of a pool, and which others have failed before it.
#[derive(Clone, Debug)]
pub struct Server {
    pool_handle: PoolHandle,
    pool_element: PoolElement,
    tried: TriedServers,
    start: Instant,
}

impl Server {
    /// Its pool.
    pub fn pool_handle(&self) -> &PoolHandle {
        &self.pool_handle
    }

    /// Its identifier.
    pub fn id(&self) -> PoolElementId {
        self.pool_element.id
    }

    /// By what it serves.
    pub fn transport(&self) -> &UserTransport {
        &self.pool_element.user_transport
    }

    /// Addresses and port by which it serves; none if these are octets that only its users
    /// understand.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let at = |address: &IpAddr, port| SocketAddr::new(*address, port);
        match self.transport() {
            UserTransport::Sctp(sctp) => {
                let addresses = sctp.addresses.iter();
                addresses.map(|address| at(address, sctp.port)).collect()
            }
            UserTransport::Tcp(tcp) => vec![at(&tcp.address, tcp.port)],
            UserTransport::Udp(udp) | UserTransport::UdpLite(udp) => {
                vec![at(&udp.address, udp.port)]
            }
            UserTransport::Dccp(dccp) => vec![at(&dccp.address, dccp.port)],
            UserTransport::Opaque(_) => Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.start.elapsed())
    }
}

/// Why there is no next server.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NextServerFailed {
    /// All servers of the pool have failed within the last half minute.
    AllTried {
        /// How many were tried.
        servers: usize,
    },
    /// The pool handle was not resolved.
    Resolve(ResolveFailed),
}

impl fmt::Display for NextServerFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllTried { servers } => write!(
                f,
                "all {servers} servers of the pool have failed: wait, then begin with the primary \
                 server"
            ),
            Self::Resolve(failed) => failed.fmt(f),
        }
    }
}

impl Error for NextServerFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Resolve(failed) => Some(failed),
            Self::AllTried { .. } => None,
        }
    }
}

impl From<ResolveFailed> for NextServerFailed {
    fn from(failed: ResolveFailed) -> Self {
        Self::Resolve(failed)
    }
}

impl PoolUser {
    /// GETPRIMARYSERVER (RFC 5351 §4.1): a server of a pool, by the pool's policy. How it is talked
    /// to, and how its failure is noticed, is the application's.
    ///
    /// # Errors
    /// See [`ResolveFailed`].
    pub async fn primary_server(
        &self,
        pool_handle: impl Into<PoolHandle>,
    ) -> Result<Server, ResolveFailed> {
        let pool_handle = pool_handle.into();
        let selected = self.client().select(pool_handle.clone()).await?;
        Ok(Server {
            pool_handle,
            pool_element: selected.decode(),
            tried: TriedServers::default(),
            start: Instant::now(),
        })
    }

    /// GETNEXTSERVER (RFC 5351 §4.1): says that a server has failed, which the registrar is told
    /// and looks into, and gives the one to be contacted next.
    ///
    /// # Errors
    /// Each server of a pool is given once; when all have failed, so does this. See
    /// [`NextServerFailed`].
    pub async fn next_server(&self, failed: Server) -> Result<Server, NextServerFailed> {
        let now = failed.now();
        let mut next = failed;
        next.tried.add(now, next.pool_element.id);
        let pool_handle = &next.pool_handle;
        self.report_unreachable(pool_handle.clone(), next.pool_element.id)
            .await;
        let selected = self.client().select(pool_handle.clone()).await;
        let selected = selected.map_err(ResolveFailed::from)?;
        if !next.tried.contains(now, selected.id()) {
            next.pool_element = selected.decode();
            return Ok(next);
        }
        // The policy likes one that has failed; the pool may have others.
        let items = u32::try_from(TRIED_MAX).unwrap_or(u32::MAX);
        let resolution = self.resolve_items(pool_handle.clone(), items).await?;
        let untried = next.tried.first_untried(now, &resolution.pool_elements);
        let servers = next.tried.len();
        let untried = untried.ok_or(NextServerFailed::AllTried { servers })?;
        next.pool_element = untried.decode();
        Ok(next)
    }
}
