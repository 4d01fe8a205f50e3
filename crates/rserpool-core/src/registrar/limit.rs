//! The limits by name.

use std::fmt;

/// A limit that somebody reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Limit {
    /// `associations_max`
    Associations,
    /// `pool_handle_octets_max`
    PoolHandleOctets,
    /// `element_octets_max`
    PoolElementOctets,
    /// `pools_max`
    Pools,
    /// `elements_max`
    PoolElements,
    /// `elements_per_pool_max`
    PoolElementsOfPool,
    /// `elements_per_association_max`
    PoolElementsOfAssociation,
    /// `subscriptions_max`
    Subscriptions,
    /// `subscriptions_per_association_max`
    SubscriptionsOfAssociation,
    /// `registrars_heard_max`
    RegistrarsHeard,
    /// `reports_per_second`
    UnreachableReports,
    /// `errors_per_second`
    Errors,
    /// `peers_max`
    Peers,
    /// `table_sessions_max`
    TableSessions,
    /// `deferred_resolutions_max`
    DeferredResolutions,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Associations => "associations_max",
            Self::PoolHandleOctets => "pool_handle_octets_max",
            Self::PoolElementOctets => "element_octets_max",
            Self::Pools => "pools_max",
            Self::PoolElements => "elements_max",
            Self::PoolElementsOfPool => "elements_per_pool_max",
            Self::PoolElementsOfAssociation => "elements_per_association_max",
            Self::Subscriptions => "subscriptions_max",
            Self::SubscriptionsOfAssociation => "subscriptions_per_association_max",
            Self::RegistrarsHeard => "registrars_heard_max",
            Self::UnreachableReports => "reports_per_second",
            Self::Errors => "errors_per_second",
            Self::Peers => "peers_max",
            Self::TableSessions => "table_sessions_max",
            Self::DeferredResolutions => "deferred_resolutions_max",
        })
    }
}
