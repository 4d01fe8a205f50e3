//! A user-space SCTP endpoint (RFC 9260) with many associations, over UDP (RFC 6951), without a
//! socket, a clock or a runtime: octets and a time go in, datagrams and events come out.
//!
//! - [`Endpoint`]: the entry points.
//! - [`Config`], [`Timers`]: what may be chosen.
//! - [`Event`], [`Outgoing`], [`Transmit`]: what goes in and out.
//!
//! The association machinery is the `dcsctp` crate, unmodified, one socket for each association.
//! This crate adds what an endpoint open to strangers needs: demultiplexing, set-up without
//! state before an authenticated cookie, answers to packets out of the blue, detection of silent
//! peers, peers that move behind a NAT, and bounds on everything that others can fill.
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
