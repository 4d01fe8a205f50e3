//! Octets as a script of what happens to a registrar; what the fuzz target `registrar` runs, and
//! what the replay of its corpus runs.
//!
//! A record is `operation association delay length octets…`:
//!
//! | operation | what happens |
//! |---|---|
//! | 0 | an SCTP association comes up |
//! | 1 | a TCP association comes up |
//! | 2 | an association is lost |
//! | 3 | a message could not be sent |
//! | 4 | an announce of another registrar is heard |
//! | 5 | a long time passes |
//! | 6 | the octets arrive as they are |
//! | 7 | the octets arrive as ENRP |
//! | 8 | the octets are heard on the ENRP multicast channel |
//! | 9 | what the registrar wants to connect to first is connected |
//! | 10 | … cannot be connected |
//! | else | the octets arrive, with the right message length put in |

use rserpool_core::registrar::{Command, Config, Destination, Input, Output, Remote};
use rserpool_core::{AssociationId, Machine, PeerAddress, Registrar, Timestamp, Transport};
use rserpool_wire::RegistrarId;
use rserpool_wire::asap::Message;
use rserpool_wire::enrp;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Associations that a script can name.
const ASSOCIATIONS: usize = 8;
/// No input makes a registrar of this size say more than this.
const OUTPUTS_MAX: usize = 600;
/// Calls of `handle_timeout` until the deadline is later than now.
const TIMEOUTS_MAX: usize = 100;

/// Runs the script; panics where an invariant does not hold.
pub(crate) fn run(script: &[u8]) {
    let mut run = Run::new();
    let mut rest = script;
    while let [operation, association, delay, length, after @ ..] = rest {
        let (octets, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        run.step(*operation % 16, *association, *delay, octets);
    }
    for association in (1..=run.last).map(AssociationId) {
        run.input(Input::AssociationLost { association });
    }
    let pools = run.registrar.snapshot().pools.into_iter();
    let mut elements = pools.flat_map(|pool| pool.pool_elements);
    assert!(
        elements.all(|element| element.association.is_none()),
        "everybody is gone"
    );
    run.input(Input::Command(Command::Shutdown));
    assert!(run.wanted.is_empty(), "nobody is connected to any longer");
    assert_eq!(run.registrar.poll_timeout(), None, "nothing is waited for");
}

struct Run {
    registrar: Registrar,
    now: Timestamp,
    /// The association behind each number that scripts use.
    current: [AssociationId; ASSOCIATIONS],
    up: BTreeSet<AssociationId>,
    /// Whom the registrar wants to be connected to.
    wanted: BTreeSet<Remote>,
    last: u64,
}

impl Run {
    fn new() -> Self {
        let mut config = Config::new(RegistrarId::new(0x0b0b_0b0b).expect("not zero"));
        config.multicast = true;
        config.limits.associations_max = 6;
        config.limits.elements_per_association_max = 4;
        config.limits.subscriptions_per_association_max = 2;
        config.limits.subscriptions_max = 4;
        config.enrp_multicast = true;
        config.peers = vec!["10.1.0.1:5000".parse().expect("an address")];
        config.enrp_transport.addresses = vec![IpAddr::V4(Ipv4Addr::new(10, 1, 0, 9))];
        config.limits.peers_max = 4;
        config.limits.adoptions_at_once_max = 2;
        let now = Timestamp(Duration::ZERO);
        let mut run = Self {
            registrar: Registrar::new(config, 7, now),
            now,
            current: [AssociationId(0); ASSOCIATIONS],
            up: BTreeSet::new(),
            wanted: BTreeSet::new(),
            last: 0,
        };
        run.drain();
        run
    }

    fn step(&mut self, operation: u8, number: u8, delay: u8, octets: &[u8]) {
        let unit = if operation == 5 { 500 } else { 1 };
        self.sleep(Duration::from_millis(u64::from(delay) * unit));
        let slot = usize::from(number) % self.current.len();
        let association = self.current[slot];
        match operation {
            0 => self.come_up(slot, Transport::Sctp),
            1 => self.come_up(slot, Transport::Tcp),
            2 => {
                self.up.remove(&association);
                self.input(Input::AssociationLost { association });
            }
            3 => self.input(Input::SendFailed {
                association,
                message: None,
            }),
            4 => {
                if let Ok(decoded) = Message::decode(octets) {
                    self.input(Input::Announced {
                        from: SocketAddr::from(([10, 0, 0, number], 3863)),
                        message: decoded.message,
                    });
                }
            }
            5 => {}
            6 => self.receive(association, octets),
            7 => self.input(Input::EnrpReceived {
                from: association,
                message: enrp::Message::decode(octets),
            }),
            8 => {
                if let Ok(decoded) = enrp::Message::decode(octets) {
                    self.input(Input::EnrpAnnounced {
                        from: SocketAddr::from(([10, 1, 0, number % 4], 9901)),
                        message: decoded.message,
                    });
                }
            }
            9 => self.connect(slot),
            10 => {
                if let Some(to) = self.wanted.pop_first() {
                    self.input(Input::ConnectFailed { to });
                }
            }
            _ => {
                let mut octets = octets.to_vec();
                let length = u16::try_from(octets.len())
                    .unwrap_or(u16::MAX)
                    .to_be_bytes();
                if let Some(field) = octets.get_mut(2..4) {
                    field.copy_from_slice(&length);
                }
                self.receive(association, &octets);
            }
        }
    }

    fn connect(&mut self, slot: usize) {
        let Some(to) = self.wanted.pop_first() else {
            return;
        };
        let (addresses, port, udp_port) = match &to {
            Remote::Peer(peer) => (peer.addresses.clone(), peer.port, peer.udp_port),
            Remote::PoolElement(peer) => (peer.addresses.clone(), peer.port, peer.udp_port),
        };
        self.last += 1;
        let association = AssociationId(self.last);
        self.current[slot] = association;
        self.up.insert(association);
        self.input(Input::Connected {
            association,
            to,
            peer: PeerAddress {
                transport: Transport::Sctp,
                addresses,
                port,
                udp_port,
            },
        });
    }

    fn come_up(&mut self, slot: usize, transport: Transport) {
        self.last += 1;
        let association = AssociationId(self.last);
        self.current[slot] = association;
        self.up.insert(association);
        let host = u8::try_from(slot % 4).unwrap_or(0);
        self.input(Input::AssociationUp {
            association,
            peer: PeerAddress {
                transport,
                addresses: vec![IpAddr::V4(Ipv4Addr::new(10, 1, 0, host))],
                port: 5000,
                udp_port: Some(9899),
            },
        });
    }

    fn receive(&mut self, from: AssociationId, octets: &[u8]) {
        let message = Message::decode(octets);
        self.input(Input::Received { from, message });
    }

    fn sleep(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(deadline) = self.registrar.poll_timeout() {
            if deadline > until {
                break;
            }
            self.now = self.now.max(deadline);
            self.fire();
        }
        self.now = until;
    }

    fn fire(&mut self) {
        let mut calls = 0;
        while self
            .registrar
            .poll_timeout()
            .is_some_and(|deadline| deadline <= self.now)
        {
            self.registrar.handle_timeout(self.now);
            self.drain();
            calls += 1;
            assert!(calls <= TIMEOUTS_MAX, "time must get on");
        }
    }

    fn input(&mut self, input: Input) {
        self.registrar.handle_input(self.now, input);
        self.drain();
        self.fire();
    }

    /// Whatever is sent can be read, and goes to somebody who is there.
    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.registrar.poll_output() {
            outputs += 1;
            assert!(outputs <= OUTPUTS_MAX, "too many outputs");
            match output {
                Output::Send { to, message } => {
                    if let Destination::Association(association) = to {
                        assert!(self.up.contains(&association), "sent to nobody: {message}");
                    }
                    let octets = message.encode();
                    let decoded = Message::decode(&octets).expect("whatever is sent can be read");
                    assert_eq!(decoded.message, message);
                }
                Output::Close { association, .. } => {
                    self.up.remove(&association);
                }
                Output::SendEnrp { to, message } => {
                    if let Destination::Association(association) = to {
                        assert!(self.up.contains(&association), "sent to nobody: {message}");
                    }
                    let octets = message.encode();
                    let decoded =
                        enrp::Message::decode(&octets).expect("whatever is sent can be read");
                    assert_eq!(decoded.message, message);
                }
                Output::Connect { to } => {
                    assert!(self.wanted.insert(to), "asked for twice");
                }
                Output::StopConnecting { to } => {
                    assert!(self.wanted.remove(&to), "stopped what was not begun");
                }
                Output::Event(_) => {}
            }
        }
    }
}
