//! A pool user in several operational scopes (RFC 3237 §2.7: "different namespaces").

use crate::{ConnectFailed, PoolUser, ResolveFailed, Server, Session};
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::Resolution;
use std::future::Future;
use tokio::task::JoinSet;

/// Several operational scopes, each with a pool user of its own, as one: whichever scope has a
/// pool and says so first is used. A session stays in the scope that it began in.
#[derive(Clone, Debug)]
pub struct OperationalScopes {
    users: Vec<PoolUser>,
}

impl OperationalScopes {
    /// These scopes.
    pub fn new(users: impl Into<Vec<PoolUser>>) -> Self {
        Self {
            users: users.into(),
        }
    }

    /// As [`PoolUser::resolve`].
    ///
    /// # Errors
    /// No scope has the pool: why the last one that answered has not.
    pub async fn resolve(
        &self,
        pool_handle: impl Into<PoolHandle>,
    ) -> Result<Resolution, ResolveFailed> {
        let pool_handle = pool_handle.into();
        let ask = |user: PoolUser| {
            let pool_handle = pool_handle.clone();
            async move { user.resolve(pool_handle).await }
        };
        self.first(ask, ResolveFailed::UnknownPool).await
    }

    /// As [`PoolUser::primary_server`]; [`PoolUser::next_server`] is asked of the pool user that
    /// comes with it.
    ///
    /// # Errors
    /// As [`OperationalScopes::resolve`].
    pub async fn primary_server(
        &self,
        pool_handle: impl Into<PoolHandle>,
    ) -> Result<(PoolUser, Server), ResolveFailed> {
        let pool_handle = pool_handle.into();
        let ask = |user: PoolUser| {
            let pool_handle = pool_handle.clone();
            async move {
                let server = user.primary_server(pool_handle).await?;
                Ok((user, server))
            }
        };
        self.first(ask, ResolveFailed::UnknownPool).await
    }

    /// As [`PoolUser::connect`].
    ///
    /// # Errors
    /// No scope has the pool, or none of its pool elements can be reached in any: what failed
    /// last.
    pub async fn connect(
        &self,
        pool_handle: impl Into<PoolHandle>,
    ) -> Result<Session, ConnectFailed> {
        let pool_handle = pool_handle.into();
        let ask = |user: PoolUser| {
            let pool_handle = pool_handle.clone();
            async move { user.connect(pool_handle).await }
        };
        let unknown = ConnectFailed::Resolve(ResolveFailed::UnknownPool);
        self.first(ask, unknown).await
    }

    /// The first success; what is asked of the others ends.
    async fn first<T, E, F>(&self, ask: impl Fn(PoolUser) -> F, none: E) -> Result<T, E>
    where
        T: Send + 'static,
        E: Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut asked: JoinSet<_> = self.users.iter().cloned().map(ask).collect();
        let mut last = none;
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(failed)) => last = failed,
                // Ended with the runtime.
                Err(_) => {}
            }
        }
        Err(last)
    }
}
