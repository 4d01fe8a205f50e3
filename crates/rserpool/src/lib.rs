//! Reliable Server Pooling (RFC 3237, 5351-5356) for applications.
//!
//! Servers join a *pool* under a *pool handle* and become [`PoolElement`]s. A [`Registrar`] knows
//! who is alive and how loaded. A [`PoolUser`] resolves the handle by the pool's [`Policy`] and has
//! [`Session`]s with the pool, which go on with another pool element when one dies.
//!
//! All three in one program, on this host alone:
//!
//! ```
//! use rserpool::{Multicast, PoolElement, PoolUser, Registrar, RegistrarAddress, SessionEvent};
//! use std::net::{IpAddr, Ipv4Addr};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let here = [IpAddr::from(Ipv4Addr::LOCALHOST)];
//! let registrar = Registrar::builder().addresses(here).multicast(Multicast::off());
//! let registrar = registrar.udp_port(0).tcp_port(0).start().await?;
//! let udp_port = registrar.endpoints().udp_port;
//! let at: RegistrarAddress = format!("127.0.0.1:3863/udp={udp_port}").parse()?;
//!
//! let element = PoolElement::builder("echo").registrars([at.clone()]).addresses(here);
//! let mut element = element.multicast(Multicast::off()).register().await?;
//! tokio::spawn(async move {
//!     while let Some(mut user) = element.accept().await {
//!         while let Some(request) = user.recv().await {
//!             let _ = user.send(request.data).await;
//!         }
//!     }
//! });
//!
//! let user = PoolUser::builder().registrars([at]).multicast(Multicast::off()).start().await?;
//! let mut session = user.connect("echo").await?;
//! session.send("hello").await?;
//! let SessionEvent::Message(answer) = session.recv().await? else { panic!("nobody died") };
//! assert_eq!(answer.data, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! | | |
//! |---|---|
//! | [`PoolElement`], [`Connection`] | a server, and a user of it |
//! | [`PoolUser`], [`Session`], [`PoolSender`], [`Subscription`] | a client |
//! | [`Connection::send_cookie`], [`CookieSeal`] | state that outlives its server |
//! | [`PoolElement::drain`] | the end of a server that nobody notices |
//! | [`Registrar`] | the RFCs' "ENRP server" |
//! | [`Timers`] | three presets of everything that has to do with time |
//! | [`Multicast`] | how registrars are found |
//! | [`EventReceiver`] | what happens, for logs and dashboards |
//!
//! What RFC 5352 §6 calls a primitive:
//!
//! | §6 | |
//! |---|---|
//! | registration.request | [`PoolElementBuilder::register`], [`PoolElement::join`] |
//! | deregistration.request | [`PoolElement::deregister`], [`PoolElement::drain`] |
//! | cache_populate_request, translation.request | [`PoolUser::resolve`] |
//! | cache_purge_request | [`PoolUser::purge_cache`] |
//! | data.send.request to a pool handle | [`PoolSender::send`], [`Session::send_message`] |
//! | … to a pool element handle | [`PoolSender::send_to`], [`SessionBuilder::pool_element`] |
//! | … to a transport address | [`PoolUser::connect_to`] |
//! | ASAP_SEND_FAILOVER, ASAP_SEND_NO_FAILOVER | [`OnFailover::Resend`], [`OnFailover::Return`] |
//! | ASAP_SEND_TO_LAST | [`PoolSender::send_to_last`]; all messages of a [`Session`] |
//! | ASAP_SEND_TO_ALL | [`PoolSender::send_to_all`] |
//! | … with ASAP_SEND_TO_SELF | [`PoolSender::send_to_all_and_self`] |
//! | ASAP_SCTP_UNORDER | [`SessionMessage::unordered()`] |
//! | data.received, error.report | [`SessionEvent`], [`PoolEvent`] |
//! | transport.failure | [`PoolUser::report_unreachable`], [`Session::report_failure`] |
//!
//! Each is used from any tokio runtime and works beside it: a registrar on a thread of its own,
//! all pool elements and pool users of a process on as many threads as it has processors.
//! Dropping a handle never blocks.

mod cookie;
mod error;
mod membership;
mod operational_scopes;
mod options;
mod pool_element;
mod pool_sender;
mod pool_user;
mod registrar;
mod session;
mod timers;
mod transport_address;
mod two_call;

pub use cookie::{CookieKey, CookieRefused, CookieSeal, InvalidCookieKey, SealFailed};
pub use error::{
    ConnectFailed, RegisterFailed, ResolveFailed, SendFailed, SessionLost, StartError,
};
pub use membership::{Member, Membership};
pub use operational_scopes::OperationalScopes;
pub use pool_element::{PoolElement, PoolElementBuilder};
pub use pool_sender::{
    POOL_SENDER_ASSOCIATIONS_MAX, PoolEvent, PoolSendFailed, PoolSender, SentToAll,
};
pub use pool_user::{PoolUpdate, PoolUser, PoolUserBuilder, Subscription};
pub use registrar::{Registrar, RegistrarBuilder};
pub use session::{
    Session, SessionBuilder, SessionElement, SessionEvent, SessionSender, StateSender,
};
pub use timers::{SessionTimers, Timers};
pub use transport_address::TransportAddress;
pub use two_call::{NextServerFailed, Server};

pub use rserpool_core::pool_element::UserProtocol;
pub use rserpool_core::pool_user::Limits as PoolUserLimits;
pub use rserpool_core::registrar::{
    Limits, PeerSnapshot, PeerStatus, PoolElementSnapshot, PoolSnapshot, Snapshot,
};
pub use rserpool_core::session::{OnFailover, SessionMessage};
pub use rserpool_core::{Compatibility, InvalidRegistrarAddress, RegistrarAddress, Transport};
pub use rserpool_handlespace::{MemberSelection, Policies};
pub use rserpool_net::{
    Connection, ConnectionEvent, DataTransport, Drained, EventReceiver, Multicast, NetworkEvent,
    NetworkStatistics, NodeEvent, PoolElementEndpoints, Received, RegistrarEndpoints as Endpoints,
    Scope, SctpMode, SessionNews, SessionNotification,
};
pub use rserpool_wire::asap::{BusinessCard, Resolution};
pub use rserpool_wire::parameter::{Policy, PolicyType, UserTransport};
pub use rserpool_wire::{PoolElementId, PoolHandle, RegistrarId};

/// What happens at a registrar and its transport.
pub type RegistrarEvent = NodeEvent<rserpool_core::registrar::Event>;
/// What happens at a pool element and its transport.
pub type PoolElementEvent = NodeEvent<rserpool_core::pool_element::Event>;
/// What happens at a pool user, its transport and its sessions.
pub type PoolUserEvent = NodeEvent<rserpool_core::pool_user::Event>;

/// The examples of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
