//! Handle resolution (RFC 5352 §3.3, §3.7.2): NR1 to NR4, T1-ENRPrequest.
//!
//! Must not know how a home registrar is found.

use super::cache::is_at_most;
use super::{Event, PoolUser, RequestId, ResolveFailure, Source, Timer};
use crate::Timestamp;
use rserpool_wire::PoolHandle;
use rserpool_wire::asap::{HandleResolution, HandleResolutionResponse, Resolution};
use rserpool_wire::parameter::{ErrorCause, OperationError};
use std::time::Duration;

/// How many pool elements are asked for when one is to be selected: enough to fail over some
/// times without asking again.
const ITEMS_TO_SELECT_FROM: u32 = 16;

/// No wait is shorter, whatever the configured timers: an empty wait would be a busy loop.
const SHORTEST: Duration = Duration::from_millis(1);

/// A handle resolution that waits for its response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Query {
    /// Who waits for it.
    waiting: Vec<Waiting>,
    /// How many pool elements were asked for.
    asked: Option<u32>,
    /// How often T1 has run out.
    timeouts: u32,
    /// The end, however often the home registrar changes.
    gives_up_at: Timestamp,
    /// Its answer has been waited for as long as an old one is better.
    is_late: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiting {
    request: RequestId,
    items: Option<u32>,
    selects: bool,
}

impl Query {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl PoolUser {
    pub(super) fn resolve(
        &mut self,
        request: RequestId,
        pool_handle: PoolHandle,
        items: Option<u32>,
        subscribe: bool,
    ) {
        let waiting = Waiting {
            request,
            items: items.filter(|items| *items != 0),
            selects: false,
        };
        if let Err(error) = self.check_pool_handle(&pool_handle) {
            return self.refuse(pool_handle, waiting, error);
        }
        if subscribe && !self.is_stopped && !self.gets_updates(&pool_handle) {
            return self.subscribe(pool_handle, waiting);
        }
        if subscribe {
            self.widen_subscription(&pool_handle, waiting.items);
        }
        self.answer_or_ask(pool_handle, waiting);
    }

    pub(super) fn select(&mut self, request: RequestId, pool_handle: PoolHandle) {
        let waiting = Waiting {
            request,
            items: None,
            selects: true,
        };
        if let Err(error) = self.check_pool_handle(&pool_handle) {
            return self.refuse(pool_handle, waiting, error);
        }
        self.answer_or_ask(pool_handle, waiting);
    }

    /// A pool that there cannot be in this scope is not asked for: that may end the registrar.
    fn check_pool_handle(&self, pool_handle: &PoolHandle) -> Result<(), ResolveFailure> {
        let checked = self.config.compatibility.check_pool_handle(pool_handle);
        checked.map_err(|cause| ResolveFailure::Rejected(OperationError::from(cause)))
    }

    /// Not answered from the cache: the registrar must hear of it.
    fn subscribe(&mut self, pool_handle: PoolHandle, waiting: Waiting) {
        if self.requests_waiting() >= self.config.limits.requests_max
            || !self.start_subscription(&pool_handle, waiting.items)
        {
            return self.refuse(pool_handle, waiting, ResolveFailure::TooManyRequests);
        }
        if self.queries.contains_key(&pool_handle) {
            self.send_handle_resolution(&pool_handle, waiting.items);
        }
        self.ask(pool_handle, vec![waiting]);
    }

    /// C1: the cache is consulted first. C4: if it is not stale, nobody is asked. C3: if it is,
    /// the user waits for the answer.
    fn answer_or_ask(&mut self, pool_handle: PoolHandle, waiting: Waiting) {
        if self.is_stopped {
            return self.refuse(pool_handle, waiting, ResolveFailure::Stopped);
        }
        if self.is_cache_fresh(&pool_handle, waiting)
            && self.answer(&pool_handle, waiting, Source::Cache)
        {
            return;
        }
        if self.requests_waiting() >= self.config.limits.requests_max {
            return self.refuse(pool_handle, waiting, ResolveFailure::TooManyRequests);
        }
        self.ask(pool_handle, vec![waiting]);
    }

    fn is_cache_fresh(&mut self, pool_handle: &PoolHandle, waiting: Waiting) -> bool {
        let is_kept_up_to_date = self.gets_updates(pool_handle);
        let stale_cache_value = self.config.timers.stale_cache_value;
        let now = self.now;
        self.cache.get_mut(pool_handle).is_some_and(|cached| {
            let is_current = is_kept_up_to_date || cached.is_fresh(now, stale_cache_value);
            is_current
                && !cached.has_pardoned(now)
                && !(waiting.selects && cached.is_spent())
                && (waiting.selects || cached.suffices(waiting.items))
        })
    }

    /// One query per pool: whoever asks while it waits, waits with it.
    fn ask(&mut self, pool_handle: PoolHandle, mut waiting: Vec<Waiting>) {
        if let Some(query) = self.queries.get_mut(&pool_handle) {
            query.waiting.append(&mut waiting);
            if query.is_late {
                return self.answer_by_stale_cache(&pool_handle);
            }
            return self.start_stale_answer(pool_handle);
        }
        let asked = self.items_to_ask_for(&pool_handle, &waiting);
        let timers = &self.config.timers;
        let most = timers.max_request_retransmit.saturating_add(2);
        let query = Query {
            waiting,
            asked,
            timeouts: 0,
            gives_up_at: self.now + timers.t1_enrp_request.saturating_mul(most),
            is_late: false,
        };
        self.queries.insert(pool_handle.clone(), query);
        // NR2: without a home registrar one is looked for; the request goes out once it is found.
        self.start_hunt_if_homeless();
        self.send_handle_resolution(&pool_handle, asked);
        // NR4.
        self.start_t1(pool_handle.clone());
        self.start_stale_answer(pool_handle);
    }

    fn items_to_ask_for(&self, pool_handle: &PoolHandle, waiting: &[Waiting]) -> Option<u32> {
        let own = waiting.iter().map(|waiting| {
            if waiting.selects {
                Some(ITEMS_TO_SELECT_FROM)
            } else {
                waiting.items
            }
        });
        // A subscription keeps its size: its updates have as many as the last request.
        let subscribed = self.subscriptions.get(pool_handle).map(|one| one.items);
        // Nor does who wants few leave sessions with nobody to go to when no registrar answers.
        let selected_from = self.cache.is_selected_from(pool_handle);
        let to_select_from = selected_from.then_some(Some(ITEMS_TO_SELECT_FROM));
        let all = own.chain(subscribed).chain(to_select_from);
        all.reduce(|one, other| if is_at_most(one, other) { other } else { one })
            .flatten()
    }

    /// How many pool elements a query asks for when it is sent again: who has joined it since may
    /// want more, and a subscription is renewed with it.
    fn items_by_now(&mut self, pool_handle: &PoolHandle) -> Option<u32> {
        let waiting = self.queries.get(pool_handle).map(|query| &query.waiting);
        let asked = self.items_to_ask_for(pool_handle, waiting.map_or(&[], Vec::as_slice));
        if let Some(query) = self.queries.get_mut(pool_handle) {
            query.asked = asked;
        }
        asked
    }

    fn start_hunt_if_homeless(&mut self) {
        if self.home.is_none() {
            self.start_hunt(None);
        }
    }

    /// NR1, NR3.
    pub(super) fn send_handle_resolution(&mut self, pool_handle: &PoolHandle, items: Option<u32>) {
        if let Some(home) = &self.home {
            let to = home.association;
            let message = HandleResolution {
                pool_handle: pool_handle.clone(),
                subscribe: self.subscriptions.contains_key(pool_handle),
                items,
            };
            self.outputs.send(to, message);
        }
    }

    /// Not beyond the end of the query, however often it is sent.
    fn start_t1(&mut self, pool_handle: PoolHandle) {
        let t1 = self.config.timers.t1_enrp_request;
        let end = self
            .queries
            .get(&pool_handle)
            .map(|query| query.gives_up_at);
        let deadline = self.now + t1;
        let deadline = end.map_or(deadline, |end| end.min(deadline));
        self.timers.start(
            Timer::T1EnrpRequest(pool_handle),
            deadline.max(self.now + SHORTEST),
        );
    }

    /// T1-ENRPrequest ran out (RFC 5352 §3.7.2): "the ASAP Endpoint should re-send the original
    /// request to the ENRP server and restart the T1-ENRPrequest timer. In parallel, the ASAP
    /// Endpoint should begin the ENRP server hunt procedures... This should be repeated up to
    /// MAX-REQUEST-RETRANSMIT times."
    pub(super) fn fire_enrp_request(&mut self, pool_handle: &PoolHandle) {
        let most = self.config.timers.max_request_retransmit;
        let Some(query) = self.queries.get_mut(pool_handle) else {
            return;
        };
        query.timeouts = query.timeouts.saturating_add(1);
        let gives_up = query.timeouts > most || query.gives_up_at <= self.now;
        self.hunt_beside_home();
        if gives_up {
            return self.give_up(pool_handle);
        }
        let asked = self.items_by_now(pool_handle);
        self.send_handle_resolution(pool_handle, asked);
        self.start_t1(pool_handle.clone());
    }

    /// Who selects from an old answer finds out by itself whether the pool element is still there.
    fn start_stale_answer(&mut self, pool_handle: PoolHandle) {
        let query = self.queries.get(&pool_handle);
        let selects = query.is_some_and(|query| query.waiting.iter().any(|one| one.selects));
        let has_old = self
            .cache
            .get_mut(&pool_handle)
            .is_some_and(|cached| cached.len() > 0);
        let timer = Timer::StaleAnswer(pool_handle);
        if selects && has_old && self.timers.deadline(&timer).is_none() {
            let wait = self.config.timers.stale_answer_after.max(SHORTEST);
            self.timers.start(timer, self.now + wait);
        }
    }

    /// The query goes on: its answer takes the place of the old one. Until then, who selects next
    /// does not wait again.
    pub(super) fn fire_stale_answer(&mut self, pool_handle: &PoolHandle) {
        if let Some(query) = self.queries.get_mut(pool_handle) {
            query.is_late = true;
        }
        self.answer_by_stale_cache(pool_handle);
    }

    /// Answers who selects.
    fn answer_by_stale_cache(&mut self, pool_handle: &PoolHandle) {
        let Some(query) = self.queries.get_mut(pool_handle) else {
            return;
        };
        let all = std::mem::take(&mut query.waiting);
        let mut still_waiting = Vec::new();
        for waiting in all {
            if !waiting.selects || !self.answer(pool_handle, waiting, Source::StaleCache) {
                still_waiting.push(waiting);
            }
        }
        if let Some(query) = self.queries.get_mut(pool_handle) {
            query.waiting = still_waiting;
        }
    }

    /// No registrar answers: an old answer is better than none, and says that it is old.
    fn give_up(&mut self, pool_handle: &PoolHandle) {
        let Some(query) = self.queries.remove(pool_handle) else {
            return;
        };
        self.timers.stop(&Timer::StaleAnswer(pool_handle.clone()));
        let error = if self.home.is_some() {
            ResolveFailure::Timeout
        } else {
            ResolveFailure::NoRegistrar
        };
        for waiting in query.waiting {
            if !self.answer(pool_handle, waiting, Source::StaleCache) {
                self.refuse(pool_handle.clone(), waiting, error.clone());
            }
        }
    }

    /// A new home registrar is asked everything that waits for an answer (RFC 5352 §3.7.1,
    /// §3.7.2), and for updates (§2.2.5).
    pub(super) fn ask_again(&mut self) {
        let pool_handles: Vec<_> = self.queries.keys().cloned().collect();
        for pool_handle in pool_handles {
            let asked = self.items_by_now(&pool_handle);
            self.send_handle_resolution(&pool_handle, asked);
            self.start_t1(pool_handle);
        }
        self.renew_subscriptions();
    }

    /// A response to a query; or an update, which is as good.
    pub(super) fn on_handle_resolution_response(&mut self, response: HandleResolutionResponse) {
        let HandleResolutionResponse {
            pool_handle,
            updates_accepted,
            result,
        } = response;
        self.on_updates_accepted(&pool_handle, updates_accepted);
        let query = self.queries.remove(&pool_handle);
        if query.is_some() {
            self.timers.stop(&Timer::T1EnrpRequest(pool_handle.clone()));
            self.timers.stop(&Timer::StaleAnswer(pool_handle.clone()));
        } else if !self.subscriptions.contains_key(&pool_handle) {
            self.discarded += 1;
            return;
        }
        match result {
            Ok(resolution) => self.on_resolution(pool_handle, query, resolution),
            Err(error) => self.on_negative_answer(&pool_handle, query, error),
        }
    }

    fn on_resolution(
        &mut self,
        pool_handle: PoolHandle,
        query: Option<Query>,
        resolution: Resolution,
    ) {
        let subscribed = self.subscriptions.get(&pool_handle).map(|one| one.items);
        let asked = query.as_ref().map(|query| query.asked).or(subscribed);
        let asked = asked.flatten();
        self.cache
            .insert(self.now, &pool_handle, &resolution, asked);
        let mut unsatisfied = Vec::new();
        for waiting in query.map(|query| query.waiting).unwrap_or_default() {
            let cached = self.cache.get_mut(&pool_handle);
            let suffices = cached.is_none_or(|cached| cached.suffices(waiting.items));
            if !waiting.selects && !suffices {
                unsatisfied.push(waiting);
            } else if !self.answer(&pool_handle, waiting, Source::Registrar) {
                self.refuse(pool_handle.clone(), waiting, ResolveFailure::UnknownPool);
            }
        }
        self.tell_subscriber(&pool_handle, Some(resolution));
        if !unsatisfied.is_empty() {
            self.ask(pool_handle, unsatisfied);
        }
    }

    fn on_negative_answer(
        &mut self,
        pool_handle: &PoolHandle,
        query: Option<Query>,
        error: OperationError,
    ) {
        let is_unknown = error.causes.contains(&ErrorCause::UnknownPoolHandle);
        // Nothing selectable is as good as no pool: what the cache has is not to be used.
        if is_unknown || error.causes.contains(&ErrorCause::LackOfResources) {
            self.cache.remove(pool_handle);
            self.tell_subscriber(pool_handle, None);
        }
        let error = if is_unknown {
            ResolveFailure::UnknownPool
        } else {
            ResolveFailure::Rejected(error)
        };
        if let Some(query) = query {
            self.fail(pool_handle, query, &error);
        }
    }

    /// Answers from the cache, into which every answer goes; false if that has nothing.
    fn answer(&mut self, pool_handle: &PoolHandle, waiting: Waiting, source: Source) -> bool {
        let Some(cached) = self.cache.get_mut(pool_handle) else {
            return false;
        };
        let request = waiting.request;
        let pool_handle = pool_handle.clone();
        let event = if waiting.selects {
            let selected = cached.select(&mut self.rng);
            selected.map(|pool_element| Event::Selected {
                request,
                pool_handle,
                pool_element,
                source,
            })
        } else {
            let resolution = cached.resolution(waiting.items);
            resolution.map(|resolution| Event::Resolved {
                request,
                pool_handle,
                resolution,
                source,
            })
        };
        let is_answered = event.is_some();
        if let Some(event) = event {
            self.outputs.emit(event);
        }
        is_answered
    }

    pub(super) fn fail(&mut self, pool_handle: &PoolHandle, query: Query, error: &ResolveFailure) {
        for waiting in query.waiting {
            self.refuse(pool_handle.clone(), waiting, error.clone());
        }
    }

    fn refuse(&mut self, pool_handle: PoolHandle, waiting: Waiting, error: ResolveFailure) {
        self.outputs.emit(Event::ResolveFailed {
            request: waiting.request,
            pool_handle,
            error,
        });
    }

    fn requests_waiting(&self) -> usize {
        self.queries.values().map(Query::waiting).sum()
    }
}
