//! The options that registrars, pool elements and pool users have in common.

use rserpool_net::Port;

/// A port as applications give it.
pub(crate) fn port_or_any(port: u16) -> Port {
    if port == 0 {
        Port::Any
    } else {
        Port::Exactly(port)
    }
}

/// Options of every builder.
macro_rules! node_options {
    () => {
        /// Local addresses; none: all. A pool element registers those that are given, otherwise
        /// the one toward its registrar.
        pub fn addresses(mut self, addresses: impl Into<Vec<std::net::IpAddr>>) -> Self {
            self.addresses = addresses.into();
            self
        }

        /// UDP port that carries SCTP; 0: any. Otherwise any, for a registrar 9899 if it is free.
        pub fn udp_port(mut self, port: u16) -> Self {
            self.udp_port = crate::options::port_or_any(port);
            self
        }

        /// Whose SCTP; otherwise the kernel's where it has one, and user space over UDP beside it.
        pub fn sctp(mut self, mode: rserpool_net::SctpMode) -> Self {
            self.sctp_mode = mode;
            self
        }

        /// Where announces are sent and heard; [`Multicast::off`]: nowhere.
        pub fn multicast(mut self, multicast: Multicast) -> Self {
            self.multicast = multicast;
            self
        }

        /// What all of the operational scope agree on: the RFCs, or rsplib where it cannot be both.
        pub fn compatibility(mut self, compatibility: crate::Compatibility) -> Self {
            self.compatibility = compatibility;
            self
        }

        /// All timers.
        pub fn timers(mut self, timers: Timers) -> Self {
            self.timers = timers;
            self
        }

        /// Makes everything random in the protocol the same in each run; for tests.
        pub fn seed(mut self, seed: u64) -> Self {
            self.seed = Some(seed);
            self
        }
    };
}

/// Options of those who look for a registrar.
macro_rules! client_options {
    () => {
        /// Registrars that are known by address; without any they are found by multicast.
        pub fn registrars(mut self, registrars: impl Into<Vec<RegistrarAddress>>) -> Self {
            self.registrars = registrars.into();
            self
        }

        /// What may wait for the application over all associations, in octets; otherwise 256 MiB.
        /// When more does, the association that most of it is of ends, and its messages are lost.
        /// One association brings 256 KiB, and its peer has to wait then.
        pub fn unread_octets_max(mut self, octets: usize) -> Self {
            self.unread_octets_max = octets;
            self
        }

        /// SCTP port; otherwise a random one.
        pub fn sctp_port(mut self, port: u16) -> Self {
            self.sctp_port = Some(port);
            self
        }
    };
}

pub(crate) use {client_options, node_options};
