//! No kernel's SCTP but Linux's is known here.

use super::KernelSctpStatistics;
use crate::error::{NetError, Operation};
use crate::event::NetworkEvent;
use crate::network::PeerAddresses;
use rserpool_core::AssociationId;
use rserpool_sctp::{Config, Event, Outgoing, SendError, Timestamp};
use std::net::{IpAddr, SocketAddr};

/// There is none.
pub(crate) enum KernelSctp {}

/// See the one that there is.
pub(crate) enum NotBegun {
    TooMany,
    Failed,
}

type Begun = Result<AssociationId, NotBegun>;

impl KernelSctp {
    pub(crate) fn start(_: &[IpAddr], _: Config) -> Result<Self, NetError> {
        let source = std::io::ErrorKind::Unsupported.into();
        Err(NetError::new(Operation::UseKernelSctp, None, source))
    }
    pub(crate) fn add_enrp(&mut self, _: &Config) -> Result<(), NetError> {
        match *self {}
    }
    pub(crate) fn port(&self) -> u16 {
        match *self {}
    }
    pub(crate) fn connect(&mut self, _: Timestamp, _: &[IpAddr], _: u16) -> Begun {
        match *self {}
    }
    pub(crate) fn connect_from_first(&mut self, _: Timestamp, _: &[IpAddr], _: u16) -> Begun {
        match *self {}
    }
    pub(crate) fn connect_from_enrp(&mut self, _: Timestamp, _: &[IpAddr], _: u16) -> Begun {
        match *self {}
    }
    pub(crate) async fn ready(&mut self) {
        match *self {}
    }
    pub(crate) fn is_ready(&self) -> bool {
        match *self {}
    }
    pub(crate) fn receive(&mut self, _: Timestamp) {
        match *self {}
    }
    pub(crate) fn poll_event(&mut self) -> Option<(AssociationId, Event)> {
        match *self {}
    }
    pub(crate) fn poll_told(&mut self) -> Option<NetworkEvent> {
        match *self {}
    }
    pub(crate) fn renumber(&mut self, _: AssociationId) -> Option<AssociationId> {
        match *self {}
    }
    pub(crate) fn stop_listening(&mut self) {
        match *self {}
    }

    pub(crate) fn listens(&self, _: AssociationId) -> bool {
        match *self {}
    }
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        match *self {}
    }
    pub(crate) fn send(&mut self, _: AssociationId, _: Outgoing) -> Result<(), SendError> {
        match *self {}
    }
    pub(crate) fn flush(&mut self, _: Timestamp) {
        match *self {}
    }
    pub(crate) fn shutdown(&mut self, _: AssociationId) {
        match *self {}
    }
    pub(crate) fn abort(&mut self, _: AssociationId, _: &str) {
        match *self {}
    }
    pub(crate) fn send_queue_octets(&self, _: AssociationId) -> usize {
        match *self {}
    }
    pub(crate) fn associations(&self) -> usize {
        match *self {}
    }
    pub(crate) fn remote(&self, _: AssociationId) -> Option<SocketAddr> {
        match *self {}
    }
    pub(crate) fn peer_addresses(&self, _: AssociationId) -> PeerAddresses {
        match *self {}
    }
    pub(crate) fn local_addresses(&self, _: AssociationId) -> Vec<IpAddr> {
        match *self {}
    }
    pub(crate) fn statistics(&self) -> KernelSctpStatistics {
        match *self {}
    }
}
