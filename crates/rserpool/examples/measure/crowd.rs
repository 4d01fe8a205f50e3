//! A process of very many pool elements over few associations: they register, and answer
//! keep-alives.

use crate::Failure;
use crate::elements::say;
use crate::options::Options;
use rserpool::{PoolElementId, PoolHandle};
use rserpool_core::{ASAP_PORT, SCTP_UDP_PORT};
use rserpool_net::ASAP_PPID;
use rserpool_sctp::{AssociationId, Config, Endpoint, Event, Outgoing, Remote, Timers, Timestamp};
use rserpool_wire::RegistrationLife;
use rserpool_wire::asap::{EndpointKeepAliveAck, Message, Registration};
use rserpool_wire::parameter::{
    EncapsulationPorts, Policy, PoolElement, SctpTransport, TransportUse, UserTransport,
};
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Registrations that wait for their response, for each association.
const OUTSTANDING_MAX: u32 = 32;
const SCTP_PORT: u16 = 5_000;

pub(crate) fn run(arguments: &[String]) -> Result<bool, Failure> {
    let values = [
        "registrars",
        "address",
        "pool",
        "pools",
        "count",
        "associations",
    ];
    let options = Options::parse(arguments, &values, &[])?;
    let registrars = options.registrars()?;
    let associations = options.number("associations", 8)?.max(1);
    let count = options.number("count", 100_000)?;
    let (told, all_told) = channel();
    for number in 0..associations {
        let registrar = &registrars[usize::try_from(number)? % registrars.len()];
        let at = SocketAddr::new(
            registrar.addresses[0],
            registrar.udp_port.unwrap_or(SCTP_UDP_PORT),
        );
        let share = Share {
            pool: options.text("pool", "pool"),
            pools: options.number("pools", 1)?.max(1),
            address: options.address()?,
            next: number,
            step: associations,
            end: count,
        };
        let told = told.clone();
        thread::spawn(move || {
            if let Err(failure) = Member::new(at, share).and_then(|mut m| m.serve(&told)) {
                let _ = told.send(Err(failure));
            }
        });
    }
    for _ in 0..associations {
        all_told.recv()??;
    }
    say(&format!("ready {count}"));
    // They go on answering until whoever started this is gone.
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(true)
}

/// The pool elements of one association: every so many-th.
struct Share {
    pool: String,
    pools: u32,
    address: IpAddr,
    next: u32,
    step: u32,
    end: u32,
}

/// One association.
struct Member {
    socket: UdpSocket,
    endpoint: Endpoint,
    association: AssociationId,
    started: Instant,
    share: Share,
    is_up: bool,
    outstanding: u32,
}

impl Member {
    fn new(registrar: SocketAddr, share: Share) -> Result<Self, Failure> {
        let socket = UdpSocket::bind((share.address, 0))?;
        let mut seed = [0; 32];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
        let config = Config {
            // Nothing here is to be noticed soon.
            timers: Timers::rfc(),
            ..Config::new(SCTP_PORT)
        };
        let mut endpoint = Endpoint::new(config, seed);
        let remote = Remote {
            udp: vec![registrar],
            sctp_port: ASAP_PORT,
        };
        Ok(Self {
            association: endpoint.connect(Timestamp::ZERO, remote)?,
            socket,
            endpoint,
            started: Instant::now(),
            share,
            is_up: false,
            outstanding: 0,
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.started.elapsed())
    }

    /// Tells when all are registered, then goes on until the process ends.
    fn serve(&mut self, told: &Sender<Result<(), Failure>>) -> Result<(), Failure> {
        let mut datagram = vec![0; 65_536];
        let mut is_told = false;
        loop {
            while let Some(event) = self.endpoint.poll_event() {
                self.on_event(event)?;
            }
            while self.is_up && self.outstanding < OUTSTANDING_MAX && self.has_next() {
                self.register_next()?;
            }
            if !is_told && !self.has_next() && self.outstanding == 0 {
                is_told = true;
                told.send(Ok(()))?;
            }
            while let Some(transmit) = self.endpoint.poll_transmit() {
                self.socket.send_to(&transmit.payload, transmit.to)?;
            }
            let now = self.now();
            let due = self.endpoint.poll_timeout();
            let wait = due.map_or(Duration::from_secs(1), |due| {
                due.saturating_duration_since(now)
            });
            if wait.is_zero() {
                self.endpoint.handle_timeout(now);
                continue;
            }
            self.socket.set_read_timeout(Some(wait))?;
            match self.socket.recv_from(&mut datagram) {
                Ok((octets, from)) => {
                    let now = self.now();
                    self.endpoint
                        .handle_datagram(now, from, None, &datagram[..octets]);
                }
                Err(error) if is_time_out(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn on_event(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Up { .. } => self.is_up = true,
            Event::Message { data, .. } => match Message::decode(&data).map(|d| d.message) {
                Ok(Message::RegistrationResponse(response)) => {
                    self.outstanding -= 1;
                    if let Err(error) = response.result {
                        return Err(format!("a registration was rejected: {error:?}").into());
                    }
                }
                Ok(Message::EndpointKeepAlive(asked)) => {
                    if let Some(pool_element) = asked.pool_element {
                        self.send(&Message::from(EndpointKeepAliveAck {
                            pool_handle: asked.pool_handle,
                            pool_element,
                        }))?;
                    }
                }
                _ => {}
            },
            Event::Down { reason, .. } => return Err(format!("association: {reason}").into()),
            Event::Restarted { .. }
            | Event::ShutdownByPeer { .. }
            | Event::Path { .. }
            | Event::SendFailed { .. } => {}
        }
        Ok(())
    }

    fn has_next(&self) -> bool {
        self.share.next < self.share.end
    }

    fn register_next(&mut self) -> Result<(), Failure> {
        let number = self.share.next;
        self.share.next += self.share.step;
        self.outstanding += 1;
        let pool = format!("{}-{}", self.share.pool, number % self.share.pools);
        let port = self.socket.local_addr()?.port();
        let ports = EncapsulationPorts {
            user: port.try_into().ok(),
            asap: port.try_into().ok(),
        };
        self.send(&Message::from(Registration {
            pool_handle: PoolHandle::from(pool.as_str()),
            pool_element: PoolElement {
                id: PoolElementId(number + 1),
                home_registrar: None,
                registration_life: RegistrationLife::Seconds(3_600),
                user_transport: UserTransport::Sctp(SctpTransport {
                    port: SCTP_PORT,
                    transport_use: TransportUse::DATA_ONLY,
                    addresses: vec![self.share.address],
                }),
                policy: Policy::RoundRobin,
                asap_transport: None,
                encapsulation_ports: ports,
            },
        }))
    }

    fn send(&mut self, message: &Message) -> Result<(), Failure> {
        let outgoing = Outgoing {
            stream: 0,
            ppid: ASAP_PPID,
            unordered: false,
            data: message.encode(),
        };
        let now = self.now();
        Ok(self.endpoint.send(now, self.association, outgoing)?)
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
