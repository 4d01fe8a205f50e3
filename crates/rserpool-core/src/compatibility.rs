//! With what a scope is compatible: the RFCs, or rsplib, the C implementation, where it cannot be
//! both. It is one setting for all of an operational scope.
//!
//! What rsplib sends and can be understood beside the RFCs is understood without this setting.
//! Must not know any machine.

use crate::Timers;
use rserpool_wire::parameter::{ErrorCause, PolicyType, PoolElement, UserTransport};
use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId, RegistrationLife};
use std::time::Duration;

/// What all registrars, pool elements and pool users of a scope agree on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compatibility {
    /// RFC 5351 to 5356.
    #[default]
    Rfc,
    /// rsplib, where it departs from the RFCs:
    ///
    /// - a registration life is a number of milliseconds, not of seconds (RFC 5354 §3.10);
    /// - of two registrars that want to take over a third, the one with the lower identifier does
    ///   (RFC 5353 §3.5.1: the higher one);
    /// - the PE checksum loses carries in large handlespaces (RFC 5353 §3.6.2);
    /// - what rsplib cannot read is refused: pool handles of more than 32 octets, other policies
    ///   than its own, user transports other than SCTP, TCP and UDP;
    /// - who has not asked is not told that its registration life ran out, and answers come in the
    ///   order of requests, whatever they are for.
    Rsplib,
}

/// The longest pool handle that rsplib takes; a longer one aborts its process.
const RSPLIB_POOL_HANDLE_OCTETS_MAX: usize = 32;

/// The policies that rsplib can read: those of RFC 5356, and its own. It has two more, both
/// Priority Least Used with a distance penalty, that it cannot send itself.
const RSPLIB_POLICIES: [PolicyType; 16] = [
    PolicyType::ROUND_ROBIN,
    PolicyType::WEIGHTED_ROUND_ROBIN,
    PolicyType::RANDOM,
    PolicyType::WEIGHTED_RANDOM,
    PolicyType::PRIORITY,
    PolicyType::LEAST_USED,
    PolicyType::LEAST_USED_WITH_DEGRADATION,
    PolicyType::PRIORITY_LEAST_USED,
    PolicyType::RANDOMIZED_LEAST_USED,
    PolicyType(0xb000_1001),
    PolicyType(0xb000_1002),
    PolicyType(0xb000_1003),
    PolicyType(0xb000_1004),
    PolicyType(0xb000_2001),
    PolicyType(0xb000_2002),
    PolicyType(0xb000_2003),
];

/// Pool elements in a response to who does not say how many: as many as rsplib ever sends.
const RSPLIB_ITEMS_MAX: usize = 128;

/// rsplib shows its presence every 2.444 s, an eighth more or less, and waits 5 s itself.
const RSPLIB_MAX_TIME_LAST_HEARD: Duration = Duration::from_secs(5);

/// The longest life that is not "for ever" (RFC 5354 §3.10).
const LIFE_MAX: u32 = 0x7fff_ffff;

impl Compatibility {
    /// Whether it is rsplib's.
    pub fn is_rsplib(self) -> bool {
        self == Self::Rsplib
    }

    /// How long a registration holds; `None`: for ever.
    pub fn duration(self, life: RegistrationLife) -> Option<Duration> {
        match (life, self) {
            (RegistrationLife::Infinite, _) => None,
            (RegistrationLife::Seconds(seconds), Self::Rfc) => {
                Some(Duration::from_secs(seconds.into()))
            }
            (RegistrationLife::Seconds(number), Self::Rsplib) => {
                Some(Duration::from_millis(number.into()))
            }
        }
    }

    /// The same as it is sent: in whole units, at least one; `None`: for ever.
    pub fn registration_life(self, life: Option<Duration>) -> RegistrationLife {
        let Some(life) = life else {
            return RegistrationLife::Infinite;
        };
        let unit = match self {
            Self::Rfc => Duration::from_secs(1),
            Self::Rsplib => Duration::from_millis(1),
        };
        let units = life.as_nanos().div_ceil(unit.as_nanos());
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        RegistrationLife::Seconds(units.clamp(1, LIFE_MAX))
    }

    /// Whether there may be such a pool.
    ///
    /// # Errors
    /// Why not: the pool handle as an invalid value.
    pub(crate) fn check_pool_handle(self, pool_handle: &PoolHandle) -> Result<(), ErrorCause> {
        let octets = pool_handle.as_octets();
        if self.is_rsplib() && octets.len() > RSPLIB_POOL_HANDLE_OCTETS_MAX {
            return Err(ErrorCause::InvalidValues(octets.to_vec()));
        }
        Ok(())
    }

    /// Whether there may be such a pool element in such a pool.
    ///
    /// # Errors
    /// Why not: the pool handle or the pool element as an invalid value.
    pub(crate) fn check(
        self,
        pool_handle: &PoolHandle,
        pool_element: &PoolElement,
    ) -> Result<(), ErrorCause> {
        self.check_pool_handle(pool_handle)?;
        let has_transport = match pool_element.user_transport {
            UserTransport::Sctp(_) | UserTransport::Tcp(_) | UserTransport::Udp(_) => true,
            UserTransport::UdpLite(_) | UserTransport::Dccp(_) | UserTransport::Opaque(_) => false,
        };
        let has_policy = RSPLIB_POLICIES.contains(&pool_element.policy.policy_type());
        let has_identifier = pool_element.id != PoolElementId(0);
        if self.is_rsplib() && !(has_transport && has_policy && has_identifier) {
            let mut octets = Vec::new();
            pool_element.encode_into(&mut octets);
            return Err(ErrorCause::InvalidValues(octets));
        }
        Ok(())
    }

    /// Whether the first of two registrars takes over a third that both want to take over
    /// (RFC 5353 §3.5.1, rule 2).
    pub(crate) fn prevails(self, one: RegistrarId, over: RegistrarId) -> bool {
        match self {
            Self::Rfc => one > over,
            Self::Rsplib => one < over,
        }
    }

    /// The timers with which it can live.
    pub(crate) fn timers(self, mut timers: Timers) -> Timers {
        if self.is_rsplib() {
            timers.max_time_last_heard = timers.max_time_last_heard.max(RSPLIB_MAX_TIME_LAST_HEARD);
        }
        timers
    }

    /// How many pool elements answer who does not say how many it wants.
    pub(crate) fn items_default(self, items: usize) -> usize {
        match self {
            Self::Rfc => items,
            Self::Rsplib => items.min(RSPLIB_ITEMS_MAX),
        }
    }
}
