//! Who keeps a session on a pool element.

use super::lock;
use crate::{ConnectFailed, ResolveFailed, SessionLost, SessionTimers};
use rserpool_core::pool_user::{ResolveFailure, Source};
use rserpool_core::session::PREFERRED_ELEMENTS_MAX;
use rserpool_net::{
    OpenFailed, Opened, PoolUserClient, SessionControl, SessionNews, SessionNotification, Sink,
};
use rserpool_sctp::{ConnectError, DownReason};
use rserpool_wire::asap::Resolution;
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

/// The first pause when no pool element can be had; doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The longest such pause: a pool that comes back is used again this soon.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// When two pool elements in a row end an association sooner than this, the next one is not asked
/// at once: it could go on like that for ever. One alone may be leaving its pool, or be killed.
const SHORT_LIVED: Duration = Duration::from_millis(100);

/// Failovers that the application has not taken. Whoever takes none sends nothing to the next pool
/// element either, which need not be looked for: what has happened would fill memory.
const FAILOVERS_WAITING_MAX: usize = 16;

/// How many pool elements are asked for where a certain one is looked for.
const ITEMS_MAX: u32 = 1024;

/// How long a failover waits for a registrar to say where the recommended pool elements are: the
/// policy of the pool knows others.
const RECOMMENDED_WAIT_MAX: Duration = Duration::from_millis(500);

/// Who says when a session goes on with another pool element.
#[derive(Clone, Debug)]
pub(super) enum Failover {
    /// Whenever the one that serves has failed.
    Automatic,
    /// When the application wants it.
    Manual(Arc<Notify>),
    /// Never: the session ends with its first association.
    Never,
}

/// With whom a session begins.
#[derive(Clone, Debug)]
pub(super) enum First {
    /// Whom the policy selects.
    Selected,
    /// This pool element of the pool.
    PoolElement(PoolElementId),
    /// One of these, the best first; whom the policy selects if none can be reached.
    Recommended(Vec<PoolElementId>),
    /// Whoever is there.
    Known(Box<PoolElement>),
}

impl Failover {
    /// Waits until the application wants it, if it is asked.
    async fn wanted(&self) {
        match self {
            Self::Automatic | Self::Never => {}
            Self::Manual(wanted) => wanted.notified().await,
        }
    }

    /// Waits until the application wants to leave a pool element that serves.
    async fn forced(&self) {
        match self {
            Self::Automatic | Self::Never => std::future::pending().await,
            Self::Manual(wanted) => wanted.notified().await,
        }
    }

    /// Forgets what was wanted of the pool element before.
    async fn reset(&self) {
        if let Self::Manual(wanted) = self {
            tokio::select! {
                biased;
                () = wanted.notified() => {}
                () = std::future::ready(()) => {}
            }
        }
    }
}

/// What came of trying a pool element.
enum Reached {
    Opened(Opened),
    /// Nobody answers.
    Nobody,
    /// Its user transport is none that is spoken here.
    Foreign,
    /// It was not asked: this pool user has no room.
    NoRoom,
}

/// Keeps a session on a pool element, on the pool user's thread.
pub(super) struct Supervisor {
    pub(super) client: PoolUserClient,
    pub(super) pool_handle: PoolHandle,
    pub(super) timers: SessionTimers,
    pub(super) first: First,
    pub(super) failover: Failover,
    pub(super) sink: Sink,
    pub(super) control: SessionControl,
    pub(super) ended: Arc<Mutex<Option<SessionLost>>>,
}

impl Drop for Supervisor {
    /// The pool user may have stopped: who still sends is told so.
    fn drop(&mut self) {
        let stopped = || SessionLost {
            without_element: Duration::ZERO,
            last: ConnectFailed::Stopped,
        };
        lock(&self.ended).get_or_insert_with(stopped);
    }
}

impl Supervisor {
    pub(super) async fn run(self, begun: oneshot::Sender<Result<(), ConnectFailed>>) {
        // What has opened is looked at first, here and below: dropped unseen, it would stay open.
        let begin = tokio::select! {
            biased;
            opened = self.begin() => opened,
            () = self.sink.closed() => return,
        };
        let mut current = match begin {
            Ok(current) => current,
            // Who asked may have stopped waiting, here and below.
            Err(failed) => return drop(begun.send(Err(failed))),
        };
        let _ = begun.send(Ok(()));
        let (with, transport) = (current.0, current.1.outlet.transport());
        self.notify(SessionNews::Added { with, transport }).await;
        let mut was_short_lived = false;
        while self.serve(&mut current, &mut was_short_lived).await {}
        let with = current.0;
        let is_lost = lock(&self.ended).is_some();
        self.notify(if is_lost {
            SessionNews::Lost { with }
        } else {
            SessionNews::Removed { with }
        })
        .await;
    }

    /// With one pool element, and until there is another one; false: the session has ended.
    async fn serve(
        &self,
        current: &mut (PoolElementId, Opened),
        was_short_lived: &mut bool,
    ) -> bool {
        let opened_at = Instant::now();
        let (id, Opened { outlet, closed }) = current;
        let from = *id;
        self.failover.reset().await;
        tokio::select! {
            // Closed by the application, the association ends too: that is no failure.
            biased;
            () = self.sink.closed() => {
                outlet.close();
                return false;
            }
            reason = closed => {
                self.after_loss(from, reason, opened_at, was_short_lived).await;
                if matches!(self.failover, Failover::Never) {
                    self.end(Duration::ZERO, ConnectFailed::Unreachable(from));
                    return false;
                }
                tokio::select! {
                    () = self.failover.wanted() => {}
                    () = self.sink.closed() => return false,
                }
            }
            () = self.failover.forced() => {
                self.notify(SessionNews::FailoverNecessary { from }).await;
                self.client.avoid(self.pool_handle.clone(), from).await;
                outlet.close();
            }
        }
        let start = Instant::now();
        let found = tokio::select! {
            biased;
            found = self.open_until_given_up(from) => found,
            () = self.sink.closed() => return false,
        };
        match found {
            Ok(next) => *current = next,
            Err((without_element, last)) => {
                self.end(without_element, last);
                return false;
            }
        }
        let (to, after) = (current.0, start.elapsed());
        self.notify(SessionNews::FailoverDone { from, to, after })
            .await;
        true
    }

    async fn notify(&self, what: SessionNews) {
        let pool_handle = self.pool_handle.clone();
        let notification = SessionNotification { pool_handle, what };
        self.client.notify(notification).await;
    }

    fn end(&self, without_element: Duration, last: ConnectFailed) {
        *lock(&self.ended) = Some(SessionLost {
            without_element,
            last,
        });
    }

    /// A registrar may for a moment know no other pool element than one that is just leaving
    /// its pool and refuses new users: its successor is known soon.
    async fn open_first(&self) -> Result<(PoolElementId, Opened), ConnectFailed> {
        let start = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            match self.open_any(None).await {
                Err(ConnectFailed::Unreachable(_))
                    if start.elapsed() < self.timers.connect_timeout => {}
                opened => return opened,
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn begin(&self) -> Result<(PoolElementId, Opened), ConnectFailed> {
        let element = match &self.first {
            First::Selected => return self.open_first().await,
            First::PoolElement(id) => self.look_for(*id).await?,
            First::Recommended(ids) => {
                return match self.open_recommended(ids.clone()).await? {
                    Some(opened) => Ok(opened),
                    None => self.open_first().await,
                };
            }
            First::Known(element) => PoolElement::clone(element),
        };
        let id = element.id;
        match self.open(element).await? {
            Reached::Opened(opened) => Ok((id, opened)),
            Reached::Foreign => Err(ConnectFailed::ForeignTransport(id)),
            Reached::NoRoom => Err(ConnectFailed::TooManyAssociations(id)),
            Reached::Nobody => Err(ConnectFailed::Unreachable(id)),
        }
    }

    async fn look_for(&self, id: PoolElementId) -> Result<PoolElement, ConnectFailed> {
        loop {
            let pool_handle = self.pool_handle.clone();
            let resolved = self.client.resolve(pool_handle, Some(ITEMS_MAX)).await;
            let resolved = resolved.map_err(|failure| ConnectFailed::Resolve(failure.into()));
            let (resolution, source) = resolved?;
            let mut elements = resolution.pool_elements.iter();
            if let Some(element) = elements.find(|element| element.id() == id) {
                return Ok(element.decode());
            }
            if source != Source::Cache {
                return Err(ConnectFailed::Unreachable(id));
            }
            // It may have registered since.
            self.client.purge_cache(self.pool_handle.clone()).await;
        }
    }

    async fn after_loss(
        &self,
        id: PoolElementId,
        reason: Result<DownReason, oneshot::error::RecvError>,
        opened_at: Instant,
        was_short_lived: &mut bool,
    ) {
        self.notify(SessionNews::FailoverNecessary { from: id })
            .await;
        if matches!(reason, Ok(DownReason::Closed)) {
            // Closed in good order, it is reachable; it only does not want to be used.
            self.client.avoid(self.pool_handle.clone(), id).await;
        } else {
            self.client
                .report_unreachable(self.pool_handle.clone(), id)
                .await;
        }
        let too_soon = SHORT_LIVED.saturating_sub(opened_at.elapsed());
        if std::mem::replace(was_short_lived, !too_soon.is_zero()) {
            sleep(too_soon).await;
        }
    }

    async fn open_until_given_up(
        &self,
        failed: PoolElementId,
    ) -> Result<(PoolElementId, Opened), (Duration, ConnectFailed)> {
        while self.sink.openings_waiting() >= FAILOVERS_WAITING_MAX {
            sleep(PAUSE_MAX).await;
        }
        let start = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let last = match self.open_any(Some(failed)).await {
                Ok(opened) => return Ok(opened),
                Err(failed) => failed,
            };
            let without_element = start.elapsed();
            let is_stopped = matches!(
                last,
                ConnectFailed::Stopped | ConnectFailed::Resolve(ResolveFailed::Stopped)
            );
            if is_stopped || without_element >= self.timers.give_up_after {
                return Err((without_element, last));
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Tries one pool element after the other, until one answers or one comes a second time:
    /// first those that the one that failed recommends, then by the policy of the pool.
    async fn open_any(
        &self,
        failed: Option<PoolElementId>,
    ) -> Result<(PoolElementId, Opened), ConnectFailed> {
        let mut preferred = self.control.preferred();
        preferred.retain(|id| Some(*id) != failed);
        if let Some(opened) = self.open_recommended(preferred).await? {
            return Ok(opened);
        }
        let mut tried = Vec::new();
        let mut passed_over = None;
        loop {
            let selected = self.client.select(self.pool_handle.clone()).await;
            let element = match selected {
                Ok(encoded) => encoded.decode(),
                Err(ResolveFailure::Stopped) => return Err(ConnectFailed::Stopped),
                Err(failure) => return Err(ConnectFailed::Resolve(failure.into())),
            };
            let id = element.id;
            if tried.contains(&id) {
                return Err(passed_over.unwrap_or(ConnectFailed::Unreachable(id)));
            }
            tried.push(id);
            match self.open(element).await? {
                Reached::Opened(opened) => return Ok((id, opened)),
                Reached::Foreign => passed_over = Some(ConnectFailed::ForeignTransport(id)),
                Reached::NoRoom => passed_over = Some(ConnectFailed::TooManyAssociations(id)),
                Reached::Nobody => {}
            }
        }
    }

    /// The first of those that a business card recommends that can be reached.
    async fn open_recommended(
        &self,
        recommended: Vec<PoolElementId>,
    ) -> Result<Option<(PoolElementId, Opened)>, ConnectFailed> {
        for element in self.known(recommended).await {
            let id = element.id;
            if let Reached::Opened(opened) = self.open(element).await? {
                return Ok(Some((id, opened)));
            }
        }
        Ok(None)
    }

    /// Those that a business card recommends, as far as a registrar knows them: the word of its
    /// sender sends nobody anywhere (RFC 5352 §3.9).
    async fn known(&self, recommended: Vec<PoolElementId>) -> Vec<PoolElement> {
        if recommended.is_empty() {
            return Vec::new();
        }
        let few = u32::try_from(PREFERRED_ELEMENTS_MAX).ok();
        let Some(mut resolution) = self.resolve_soon(few).await else {
            return Vec::new();
        };
        let lists = |id: &PoolElementId| {
            let mut elements = resolution.pool_elements.iter();
            elements.any(|element| element.id() == *id)
        };
        // In a large pool they may be among those that are not known yet.
        if !recommended.iter().all(lists)
            && let Some(more) = self.resolve_soon(Some(ITEMS_MAX)).await
        {
            resolution = more;
        }
        let known = |id| {
            let mut elements = resolution.pool_elements.iter();
            elements.find(|element| element.id() == id)
        };
        let known = recommended.into_iter().filter_map(known);
        known.map(EncodedPoolElement::decode).collect()
    }

    /// Pool elements of the pool, if a registrar or the cache tells soon.
    async fn resolve_soon(&self, items: Option<u32>) -> Option<Resolution> {
        let resolve = self.client.resolve(self.pool_handle.clone(), items);
        let resolved = timeout(RECOMMENDED_WAIT_MAX, resolve).await.ok()?;
        resolved.ok().map(|(resolution, _)| resolution)
    }

    /// An association with this pool element, if it can be reached; if not, that is reported.
    async fn open(&self, element: PoolElement) -> Result<Reached, ConnectFailed> {
        let id = element.id;
        let (sink, control) = (self.sink.clone(), self.control.clone());
        let open = self.client.open(element, id.0, sink, control);
        match timeout(self.timers.connect_timeout, open).await {
            Ok(Ok(opened)) => Ok(Reached::Opened(opened)),
            Ok(Err(OpenFailed::Ended)) => Err(ConnectFailed::Stopped),
            Ok(Err(OpenFailed::ForeignTransport)) => Ok(Reached::Foreign),
            // Nothing is wrong with the pool element: there is nothing to report.
            Ok(Err(OpenFailed::Connect(
                ConnectError::AlreadyAssociated(_) | ConnectError::TooManyAssociations,
            ))) => Ok(Reached::NoRoom),
            Ok(Err(_)) | Err(_) => {
                self.notify(SessionNews::Refused { by: id }).await;
                self.client
                    .report_unreachable(self.pool_handle.clone(), id)
                    .await;
                Ok(Reached::Nobody)
            }
        }
    }
}
