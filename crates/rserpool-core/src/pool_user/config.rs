//! How a pool user is set up, and its limits.

use crate::{Compatibility, RegistrarAddress, Timers};

/// How a pool user is set up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Config {
    /// Registrars that are known without announces.
    pub registrars: Vec<RegistrarAddress>,
    /// Its timers.
    pub timers: Timers,
    /// What it may use up.
    pub limits: Limits,
    /// What all of the scope agree on.
    pub compatibility: Compatibility,
}

/// What a pool user may use up, by its own user or by registrars.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Requests that wait for an answer.
    pub requests_max: usize,
    /// Pools in the cache; the one used longest ago is dropped for another.
    pub cached_pools_max: usize,
    /// Pools subscribed to; a registrar has a limit too.
    pub subscriptions_max: usize,
    /// Reports of unreachable pool elements that wait for a registrar.
    pub reports_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_max: 4_096,
            cached_pools_max: 1_024,
            subscriptions_max: 256,
            reports_max: 64,
        }
    }
}
