//! The kernel's SCTP beside that of user space: which of them an association is begun by, and what
//! it brings.
//!
//! A peer that names no UDP port is tried by the kernel, and if that cannot be, over UDP. The node
//! knows the association by one number all the time.

use super::{Arrival, Network, sctp_time};
use crate::error::NetError;
use crate::event::NetworkEvent;
use crate::interfaces::told_to_peers;
use crate::kernel_sctp::{KernelSctp, NotBegun, SctpMode, is_kernel};
use crate::random::random_sctp_port;
use rserpool_core::{AssociationId, PeerAddress, Transport};
use rserpool_sctp::{Config, ConnectError, DownReason, Event, PathState};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// From which of our ports an association is begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum From {
    /// Any: a client's.
    Any,
    /// The one that clients know.
    First,
    /// The one that other registrars know.
    Enrp,
}

/// Whom an association leads to that the kernel is setting up, for user space to try after it.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) from: From,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) sctp_port: u16,
}

/// Associations of user space that took the place of one of the kernel's, under its number.
#[derive(Default)]
pub(super) struct Aliases {
    inner: BTreeMap<AssociationId, AssociationId>,
    outer: BTreeMap<AssociationId, AssociationId>,
}

impl Aliases {
    fn add(&mut self, outer: AssociationId, inner: AssociationId) {
        self.inner.insert(outer, inner);
        self.outer.insert(inner, outer);
    }

    /// The association that the node means.
    pub(super) fn inner(&self, association: AssociationId) -> AssociationId {
        self.inner.get(&association).copied().unwrap_or(association)
    }

    fn outer(&self, association: AssociationId) -> AssociationId {
        self.outer.get(&association).copied().unwrap_or(association)
    }

    fn remove(&mut self, outer: AssociationId) {
        if let Some(inner) = self.inner.remove(&outer) {
            self.outer.remove(&inner);
        }
    }

    /// What the node is told, by the numbers that it knows.
    pub(super) fn translate(&mut self, mut arrival: Arrival) -> Arrival {
        match &mut arrival {
            Arrival::Up { association, .. }
            | Arrival::PeerAddresses { association, .. }
            | Arrival::Received { association, .. }
            | Arrival::SendFailed { association, .. } => *association = self.outer(*association),
            Arrival::Down { association, .. } => {
                *association = self.outer(*association);
                let ended = *association;
                self.remove(ended);
            }
            // That of a user is translated nowhere.
            Arrival::Finished { .. } | Arrival::Multicast { .. } => {}
        }
        arrival
    }
}

/// Opens the kernel's sockets as the mode has it, and settles the SCTP port that both have.
pub(super) fn start(
    mode: SctpMode,
    addresses: &[IpAddr],
    sctp: &mut Config,
    enrp: Option<&Config>,
) -> Result<(Option<KernelSctp>, Option<NetError>), NetError> {
    let opened = match mode {
        SctpMode::Udp => Ok(None),
        SctpMode::Auto | SctpMode::Kernel => open(addresses, sctp, enrp).map(Some),
    };
    let (kernel, missing) = match opened {
        Ok(kernel) => (kernel, None),
        // Most kernels have none loaded; a port that is taken is worth a word.
        Err(error) if mode == SctpMode::Auto => (None, Some(error).filter(NetError::is_in_use)),
        Err(error) => return Err(error),
    };
    if let Some(kernel) = &kernel {
        sctp.sctp_port = kernel.port();
    } else if sctp.sctp_port == 0 {
        sctp.sctp_port = random_sctp_port()?;
    }
    Ok((kernel, missing))
}

fn open(
    addresses: &[IpAddr],
    sctp: &Config,
    enrp: Option<&Config>,
) -> Result<KernelSctp, NetError> {
    let mut kernel = KernelSctp::start(addresses, sctp.clone())?;
    if let Some(enrp) = enrp {
        kernel.add_enrp(enrp)?;
    }
    Ok(kernel)
}

impl Network {
    /// Begins an association by the kernel, if it is to be tried by it. `None`: user space is.
    pub(super) fn connect_by_kernel(
        &mut self,
        attempt: &Attempt,
        udp_port: Option<u16>,
    ) -> Option<Result<AssociationId, ConnectError>> {
        let now = sctp_time(self.now());
        let kernel = self.kernel.as_mut()?;
        let is_alone = self.mode == SctpMode::Kernel;
        // Several may share an address and an SCTP port, each at a UDP port of its own.
        if udp_port.is_some() && !is_alone {
            return None;
        }
        let (to, port) = (told_to_peers(&attempt.addresses), attempt.sctp_port);
        let begun = match attempt.from {
            From::Any => kernel.connect(now, &to, port),
            From::First => kernel.connect_from_first(now, &to, port),
            From::Enrp => kernel.connect_from_enrp(now, &to, port),
        };
        match begun {
            Ok(association) => {
                if !is_alone {
                    self.attempts.insert(association, attempt.clone());
                }
                Some(Ok(association))
            }
            Err(NotBegun::TooMany) => Some(Err(ConnectError::TooManyAssociations)),
            Err(NotBegun::Failed) if is_alone => Some(Ok(self.none_begun())),
            Err(NotBegun::Failed) => None,
        }
    }

    /// Takes what the kernel's sockets have.
    pub(super) fn receive_by_kernel(&mut self) {
        let now = sctp_time(self.now());
        if let Some(kernel) = &mut self.kernel {
            kernel.receive(now);
            while let Some(event) = kernel.poll_told() {
                self.events.push_back(event);
            }
        }
    }

    pub(super) fn on_kernel_event(&mut self, association: AssociationId, event: Event) {
        match event {
            Event::Up {
                remote,
                sctp_port,
                accepted,
                ..
            } => {
                self.attempts.remove(&association);
                let peer = self.kernel_peer(association, sctp_port);
                self.arrivals.push_back(Arrival::Up {
                    association,
                    peer,
                    remote,
                    accepted,
                });
                self.tell_addresses(association);
            }
            Event::Restarted {
                remote, sctp_port, ..
            } => {
                let Some(kernel) = &mut self.kernel else {
                    return;
                };
                // Where nobody is waited for, it would be nobody's.
                let renumbered = kernel
                    .listens(association)
                    .then(|| kernel.renumber(association));
                let Some(now) = renumbered.flatten() else {
                    return self.abort(association, "state was lost: associate again");
                };
                self.down(association, DownReason::Lost);
                let peer = self.kernel_peer(now, sctp_port);
                self.arrivals.push_back(Arrival::Up {
                    association: now,
                    peer,
                    remote,
                    accepted: true,
                });
                self.tell_addresses(now);
            }
            Event::Path { remote, state, .. } => {
                if state == PathState::Active {
                    self.tell_addresses(association);
                }
                if let Some(peer) = self.peer(association) {
                    self.events.push_back(NetworkEvent::Path {
                        peer,
                        address: remote.ip(),
                        state,
                    });
                }
            }
            Event::Down { reason, .. } => match self.attempts.remove(&association) {
                Some(attempt) if reason != DownReason::LocalAbort => {
                    self.try_user_space(association, &attempt, reason);
                }
                Some(_) | None => self.down(association, reason),
            },
            Event::Message { .. } | Event::ShutdownByPeer { .. } | Event::SendFailed { .. } => {
                self.on_sctp_event(association, event);
            }
        }
    }

    /// The kernel did not get there.
    fn try_user_space(
        &mut self,
        association: AssociationId,
        attempt: &Attempt,
        reason: DownReason,
    ) {
        match self.connect_by_user_space(attempt, None) {
            Ok(begun) => self.aliases.add(association, begun),
            Err(_) => self.down(association, reason),
        }
    }

    fn tell_addresses(&mut self, association: AssociationId) {
        if let Some(kernel) = &self.kernel {
            let addresses = kernel.peer_addresses(association);
            self.peer_addresses_changed(association, addresses);
        }
    }

    fn kernel_peer(&self, association: AssociationId, sctp_port: u16) -> PeerAddress {
        let kernel = self.kernel.as_ref();
        let addresses = kernel.map(|kernel| kernel.peer_addresses(association));
        PeerAddress {
            transport: Transport::Sctp,
            addresses: addresses.unwrap_or_default().confirmed,
            port: sctp_port,
            udp_port: None,
        }
    }

    /// The kernel's SCTP, if the association is its.
    pub(super) fn kernel_of(&mut self, association: AssociationId) -> Option<&mut KernelSctp> {
        self.kernel.as_mut().filter(|_| is_kernel(association))
    }
}
