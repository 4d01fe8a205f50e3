//! The 14 ASAP messages (RFC 5352 §2.2), one file each.

mod business_card;
mod cookie;
mod cookie_echo;
mod cookie_message;
mod deregistration;
mod deregistration_response;
mod element_name;
mod endpoint_keep_alive;
mod endpoint_keep_alive_ack;
mod endpoint_unreachable;
mod error;
mod handle_resolution;
mod handle_resolution_response;
mod registration;
mod registration_response;
mod server_announce;

pub use business_card::BusinessCard;
pub use cookie::Cookie;
pub use cookie_echo::CookieEcho;
pub use deregistration::Deregistration;
pub use deregistration_response::DeregistrationResponse;
pub use endpoint_keep_alive::EndpointKeepAlive;
pub use endpoint_keep_alive_ack::EndpointKeepAliveAck;
pub use endpoint_unreachable::EndpointUnreachable;
pub use error::Error;
pub use handle_resolution::HandleResolution;
pub use handle_resolution_response::{HandleResolutionResponse, Resolution};
pub use registration::Registration;
pub use registration_response::RegistrationResponse;
pub use server_announce::{ANNOUNCED_TRANSPORTS_MAX, AnnouncedTransport, ServerAnnounce};

use crate::error::{Decoded, Undecodable};
use crate::message::{self, messages};
use crate::writer::{Length, Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// Any ASAP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// ASAP_REGISTRATION
    Registration(Registration),
    /// ASAP_DEREGISTRATION
    Deregistration(Deregistration),
    /// ASAP_REGISTRATION_RESPONSE
    RegistrationResponse(RegistrationResponse),
    /// ASAP_DEREGISTRATION_RESPONSE
    DeregistrationResponse(DeregistrationResponse),
    /// ASAP_HANDLE_RESOLUTION
    HandleResolution(HandleResolution),
    /// ASAP_HANDLE_RESOLUTION_RESPONSE
    HandleResolutionResponse(HandleResolutionResponse),
    /// ASAP_ENDPOINT_KEEP_ALIVE
    EndpointKeepAlive(EndpointKeepAlive),
    /// ASAP_ENDPOINT_KEEP_ALIVE_ACK
    EndpointKeepAliveAck(EndpointKeepAliveAck),
    /// ASAP_ENDPOINT_UNREACHABLE
    EndpointUnreachable(EndpointUnreachable),
    /// ASAP_SERVER_ANNOUNCE
    ServerAnnounce(ServerAnnounce),
    /// ASAP_COOKIE
    Cookie(Cookie),
    /// ASAP_COOKIE_ECHO
    CookieEcho(CookieEcho),
    /// ASAP_BUSINESS_CARD
    BusinessCard(BusinessCard),
    /// ASAP_ERROR
    Error(Error),
}

messages!(
    Registration,
    Deregistration,
    RegistrationResponse,
    DeregistrationResponse,
    HandleResolution,
    HandleResolutionResponse,
    EndpointKeepAlive,
    EndpointKeepAliveAck,
    EndpointUnreachable,
    ServerAnnounce,
    Cookie,
    CookieEcho,
    BusinessCard,
    Error,
);
