//! From where to where a packet goes.

use std::net::{IpAddr, SocketAddr};

use crate::event::Transmit;

/// One of our addresses, where it is known or chosen, and one of a peer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) local: Option<IpAddr>,
    pub(crate) remote: SocketAddr,
}

impl Route {
    pub(crate) fn carry(self, payload: Vec<u8>) -> Transmit {
        Transmit {
            from: self.local,
            to: self.remote,
            payload,
        }
    }
}
