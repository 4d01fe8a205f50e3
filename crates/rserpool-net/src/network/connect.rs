//! The associations that a node begins: with registrars, with other registrars, with pool elements.

use super::kernel::{Attempt, From};
use super::{Network, sctp_time};
use crate::error::NetError;
use crate::event::NetworkEvent;
use crate::interfaces::not_ours;
use crate::random::{random_sctp_port, random_seed};
use crate::sctp_over_udp::NoAssociation;
use crate::udp::{Port, UdpSockets};
use rserpool_core::{AssociationId, PeerAddress, RegistrarAddress, Transport};
use rserpool_sctp::{ConnectError, Remote};
use std::net::IpAddr;

impl Network {
    /// Begins an association with a registrar; `Arrival::Up` or `Arrival::Down` follows.
    pub(crate) fn connect(&mut self, registrar: &RegistrarAddress) -> AssociationId {
        let begun = match registrar.transport {
            Transport::Tcp => {
                return self
                    .tcp
                    .connect(registrar.addresses.clone(), registrar.port);
            }
            Transport::Sctp => {
                self.connect_sctp(&registrar.addresses, registrar.udp_port, registrar.port)
            }
        };
        begun.unwrap_or_else(|_| self.none_begun())
    }

    /// Begins an association with another registrar, from the SCTP port of ENRP. One that there is
    /// already, or that is being set up, is not begun again: `Arrival::Down` follows at once.
    pub(crate) fn connect_peer(&mut self, peer: &RegistrarAddress) -> AssociationId {
        if peer.transport != Transport::Sctp {
            return self.none_begun();
        }
        let attempt = Attempt {
            from: From::Enrp,
            addresses: not_ours(&peer.addresses, &self.own_addresses),
            sctp_port: peer.port,
        };
        self.connect_one(&attempt, peer.udp_port)
    }

    /// Begins an association with a pool element, from the SCTP port of ASAP, at the address from
    /// which it registered. As [`Self::connect_peer`], not if there is one already.
    pub(crate) fn connect_pool_element(&mut self, element: &PeerAddress) -> AssociationId {
        let attempt = Attempt {
            from: From::First,
            addresses: element.addresses.clone(),
            sctp_port: element.port,
        };
        self.connect_one(&attempt, element.udp_port)
    }

    fn connect_one(&mut self, attempt: &Attempt, udp_port: Option<u16>) -> AssociationId {
        let begun = self.begin(attempt, udp_port);
        begun.unwrap_or_else(|_| self.none_begun())
    }

    /// A number that is nobody's ends like any other that could not be set up; but not before what
    /// came earlier, as that may be the association because of which there is no other.
    pub(super) fn none_begun(&mut self) -> AssociationId {
        let association = self.tcp.new_association();
        self.not_begun.push_back(association);
        association
    }

    /// Begins an association with whoever is at the first of `addresses` that answers. Without
    /// `udp_port` it is not known whether they take SCTP over UDP.
    pub(crate) fn connect_sctp(
        &mut self,
        addresses: &[IpAddr],
        udp_port: Option<u16>,
        sctp_port: u16,
    ) -> Result<AssociationId, ConnectError> {
        let attempt = Attempt {
            from: From::Any,
            addresses: addresses.to_vec(),
            sctp_port,
        };
        self.begin(&attempt, udp_port)
    }

    fn begin(
        &mut self,
        attempt: &Attempt,
        udp_port: Option<u16>,
    ) -> Result<AssociationId, ConnectError> {
        match self.connect_by_kernel(attempt, udp_port) {
            Some(begun) => begun,
            None => self.connect_by_user_space(attempt, udp_port),
        }
    }

    pub(super) fn connect_by_user_space(
        &mut self,
        attempt: &Attempt,
        udp_port: Option<u16>,
    ) -> Result<AssociationId, ConnectError> {
        let remote = self.remote(&attempt.addresses, udp_port, attempt.sctp_port);
        let now = sctp_time(self.now());
        match attempt.from {
            From::Any => self.connect_from_any(&remote),
            From::First => self.sctp.connect_from_first(now, remote),
            From::Enrp => {
                let begun = self.sctp.connect_from_enrp(now, remote);
                begun.unwrap_or(Err(ConnectError::Candidates))
            }
        }
    }

    fn connect_from_any(&mut self, remote: &Remote) -> Result<AssociationId, ConnectError> {
        let now = sctp_time(self.now());
        match self.sctp.connect(now, remote) {
            Ok(association) => return Ok(association),
            Err(NoAssociation::Refused(error)) => return Err(error),
            Err(NoAssociation::AllAssociated) if self.sctp.is_full() => {
                return Err(ConnectError::TooManyAssociations);
            }
            Err(NoAssociation::AllAssociated) => {}
        }
        if let Err(error) = self.add_endpoint() {
            self.events.push_back(NetworkEvent::Unavailable(error));
            return Err(ConnectError::TooManyAssociations);
        }
        match self.sctp.connect(now, remote) {
            Ok(association) => Ok(association),
            Err(NoAssociation::Refused(error)) => Err(error),
            Err(NoAssociation::AllAssociated) => Err(ConnectError::TooManyAssociations),
        }
    }

    fn add_endpoint(&mut self) -> Result<(), NetError> {
        let (sockets, _) = UdpSockets::bind(&self.addresses, Port::Any)?;
        let config = rserpool_sctp::Config {
            // Another peer, to a kernel's SCTP, which does not look at UDP ports.
            sctp_port: random_sctp_port()?,
            // A pool element listens here, too: who takes it over knows only the port that it
            // registered from.
            ..self.sctp.config().clone()
        };
        self.sctp.add(config, random_seed()?, sockets);
        Ok(())
    }

    fn remote(&self, addresses: &[IpAddr], udp_port: Option<u16>, sctp_port: u16) -> Remote {
        let udp = self.sctp.candidates(addresses, udp_port);
        Remote { udp, sctp_port }
    }
}
