//! Why a pool element is not registered.

use crate::error::NetError;
use rserpool_wire::parameter::OperationError;
use std::fmt;

/// Why a pool element is not registered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RegisterFailed {
    /// A socket or thread could not be had.
    Network(NetError),
    /// The registrar rejected the registration.
    Rejected(Option<OperationError>),
    /// Registrars were found, and none answered.
    NoAnswer,
    /// No registrar was found in time.
    NoRegistrar,
    /// The pool element ended.
    Ended,
}

impl RegisterFailed {
    /// Whether registering again with nothing changed may succeed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Network(error) => error.is_temporary(),
            Self::NoAnswer | Self::NoRegistrar => true,
            Self::Rejected(_) | Self::Ended => false,
        }
    }
}

impl fmt::Display for RegisterFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(error) => error.fmt(f),
            Self::Rejected(Some(error)) => write!(f, "the registrar rejected it: {error}"),
            Self::Rejected(None) => f.write_str("the registrar rejected it without saying why"),
            Self::NoAnswer => f.write_str("no registrar answers: check that one is running"),
            Self::NoRegistrar => f.write_str(
                "no registrar was found: start one (`rsp registrar`), or name one by its address",
            ),
            Self::Ended => f.write_str("the pool element has ended: register a new one"),
        }
    }
}

impl std::error::Error for RegisterFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Network(error) = self {
            Some(error)
        } else {
            None
        }
    }
}
