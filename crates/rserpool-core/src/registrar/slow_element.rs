//! Pool elements that were removed because they did not answer a keep-alive (RFC 5352 §3.5), and
//! are still connected. They may only be slow: when the answer comes after all, they are what they
//! were. So nobody need be told anything that it has not asked for, which rsplib's pool elements
//! answer by leaving.
//!
//! Must not know why the answer was late.

use super::event::RemovalReason;
use super::{Registrar, Timer};
use crate::{AssociationId, Timestamp};
use rserpool_handlespace::ElementKey;
use rserpool_wire::asap::{DeregistrationResponse, EndpointKeepAliveAck};
use rserpool_wire::parameter::EncodedPoolElement;
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::BTreeMap;

/// Whoever registers and never answers fills this and no more: as many as a large scope has on one
/// host that is stopped for a moment. Beyond, a pool element is told that it was removed.
const SLOW_ELEMENTS_MAX: usize = 65_536;

/// A pool element, and over which association it was registered.
type SlowElementKey = (AssociationId, PoolHandle, PoolElementId);

/// Those that were removed and may answer yet.
pub(super) type SlowElements = BTreeMap<SlowElementKey, SlowElement>;

/// A pool element that was removed and may answer yet.
#[derive(Clone, Debug)]
pub(super) struct SlowElement {
    pool_element: EncodedPoolElement,
    /// The end of its registration life; `None`: never.
    expires_at: Option<Timestamp>,
}

impl Registrar {
    /// Removes a pool element that has not answered.
    pub(super) fn remove_slow_element(&mut self, key: ElementKey, reason: RemovalReason) {
        let expires_at = self.handlespace.element(key).and_then(|element| {
            let timer = element.data.life_timer;
            self.timers.deadline(timer, Timer::RegistrationLife(key))
        });
        let Some(removed) = self.remove(key, reason) else {
            return;
        };
        let Some(association) = removed.data.association() else {
            return;
        };
        let pool_element = removed.encoded;
        if self.slow_elements.len() >= SLOW_ELEMENTS_MAX {
            return self.tell_removed(association, removed.pool_handle, pool_element.id());
        }
        let slow = (association, removed.pool_handle, pool_element.id());
        let remembered = SlowElement {
            pool_element,
            expires_at,
        };
        self.slow_elements.insert(slow, remembered);
    }

    /// Whether an answer comes from a pool element that was removed for not answering: it is
    /// registered as it was, for as long as it was.
    pub(super) fn reinstates(&mut self, from: AssociationId, ack: &EndpointKeepAliveAck) -> bool {
        let (handle, id) = (&ack.pool_handle, ack.pool_element);
        let Some(slow) = self.forget_slow_element(from, handle, id) else {
            return false;
        };
        // It may have registered elsewhere, or its life has run out.
        let is_expired = slow.expires_at.is_some_and(|at| at <= self.now);
        if is_expired || self.handlespace.find(handle, id).is_some() {
            return false;
        }
        let pool_element = slow.pool_element.decode();
        if self.add(from, handle, &pool_element, None).is_err() {
            self.tell_removed(from, handle.clone(), id);
            return true;
        }
        self.counters.reinstatements += 1;
        if let Some(key) = self.handlespace.find(handle, id)
            && let Some(expires_at) = slow.expires_at
            && let Some(state) = self.handlespace.data_mut(key)
        {
            let timer = Timer::RegistrationLife(key);
            self.timers.start(&mut state.life_timer, timer, expires_at);
        }
        true
    }

    /// It has registered or deregistered meanwhile: a late answer means nothing any more.
    pub(super) fn forget_slow_element(
        &mut self,
        from: AssociationId,
        pool_handle: &PoolHandle,
        id: PoolElementId,
    ) -> Option<SlowElement> {
        if self.slow_elements.is_empty() {
            return None;
        }
        self.slow_elements.remove(&(from, pool_handle.clone(), id))
    }

    /// The association is gone, and with it whoever may have answered.
    pub(super) fn forget_slow_elements(&mut self, of: AssociationId) {
        let from = (of, PoolHandle::new(&[]), PoolElementId(0));
        let slow = self.slow_elements.range(from..);
        let theirs = slow.take_while(|((association, _, _), _)| *association == of);
        let theirs: Vec<_> = theirs.map(|(key, _)| key.clone()).collect();
        for key in theirs {
            self.slow_elements.remove(&key);
        }
    }

    /// RFC 5352 §2.2.4: a pool element learns that its registration has ended, and may come back.
    /// rsplib's would close the association instead, so they find out by themselves.
    pub(super) fn tell_removed(
        &mut self,
        association: AssociationId,
        pool_handle: PoolHandle,
        pool_element: PoolElementId,
    ) {
        if self.config.compatibility.is_rsplib() {
            return;
        }
        let response = DeregistrationResponse {
            pool_handle,
            pool_element,
            error: None,
        };
        self.send(association, response);
    }
}
