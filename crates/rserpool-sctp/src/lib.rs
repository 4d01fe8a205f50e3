//! A user-space SCTP endpoint (RFC 9260) with many associations, over UDP (RFC 6951) or IP itself,
//! without a socket, a clock or a runtime: octets and a time go in, datagrams and events come out.
//!
//! - [`Endpoint`]: the entry points.
//! - [`Config`], [`Timers`]: what may be chosen.
//! - [`Event`], [`Outgoing`], [`Transmit`]: what goes in and out.
//!
//! The association machinery is the `dcsctp` crate, unmodified, one socket for each association.
//! This crate adds what an endpoint open to strangers needs: demultiplexing, set-up without
//! state before an authenticated cookie, answers to packets out of the blue, detection of silent
//! peers, peers that move behind a NAT, several paths to a peer, and bounds on everything that
//! others can fill.
//!
//! # Several paths
//!
//! An endpoint with [`Config::local_addresses`] tells them to its peers, and every endpoint takes
//! those of its peers. Each becomes a path once it has answered a HEARTBEAT with our nonce
//! (RFC 9260 §5.4). Data takes the primary path as long as that answers; after one expiry of the
//! retransmission timer, the retransmission and all that follows take another (RFC 7829), and
//! return when the primary path answers again. An association is lost when all its paths are.
//! [`Endpoint::paths`] and [`Event::Path`] tell, [`Endpoint::set_primary`] chooses. A peer of one
//! address costs nothing of this.
//!
//! # Over IP itself
//!
//! A [`Transmit::to`] with port 0 is a packet for IP protocol 132, not encapsulated; so is one
//! from there. Addresses that such a peer lists have port 0 too.
//!
//! # Example
//!
//! Two endpoints in one process and in virtual time:
//!
//! ```
//! use rserpool_sctp::{Config, Endpoint, Event, Outgoing, Remote, Timestamp};
//!
//! let here = "192.0.2.1:9899".parse()?;
//! let there = "192.0.2.2:9899".parse()?;
//! let mut client = Endpoint::new(Config::new(5000), [1; 32]);
//! let mut server = Endpoint::new(Config { listen: true, ..Config::new(3863) }, [2; 32]);
//!
//! let now = Timestamp::ZERO;
//! let to_server = client.connect(now, Remote { udp: vec![there], sctp_port: 3863 })?;
//! let mut received = None;
//! while received.is_none() {
//!     while let Some(datagram) = client.poll_transmit() {
//!         server.handle_datagram(now, here, None, &datagram.payload);
//!     }
//!     while let Some(datagram) = server.poll_transmit() {
//!         client.handle_datagram(now, there, None, &datagram.payload);
//!     }
//!     while let Some(event) = client.poll_event() {
//!         if let Event::Up { association, .. } = event {
//!             let data = b"hello".to_vec();
//!             let message = Outgoing { stream: 0, ppid: 11, unordered: false, data };
//!             client.send(now, association, message)?;
//!         }
//!     }
//!     while let Some(event) = server.poll_event() {
//!         if let Event::Message { ppid: 11, data, .. } = event {
//!             received = Some(data);
//!         }
//!     }
//! }
//! assert_eq!(received.as_deref(), Some(&b"hello"[..]));
//! assert_eq!(client.remote(to_server), Some(there));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod addresses;
mod association;
mod config;
mod cookie;
mod demultiplexer;
mod endpoint;
mod event;
mod heartbeat;
mod out_of_the_blue;
mod outbox;
mod packet;
mod paths;
mod rate_limit;
mod reassembly;
mod replay_guard;
mod round_trip;
mod route;
mod statistics;
mod time;
mod timer_queue;

pub use config::{CANDIDATES_MAX, Config, LOCAL_ADDRESSES_MAX, Timers};
pub use endpoint::Endpoint;
pub use event::{
    AssociationId, ConnectError, DownReason, Event, Outgoing, PathState, PathStatus, Remote,
    SendError, SetPrimaryError, Transmit,
};
pub use statistics::Statistics;
pub use time::Timestamp;
