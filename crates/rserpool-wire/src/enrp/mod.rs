//! The 10 ENRP messages (RFC 5353 §2), one file each.

mod error;
mod handle_table_request;
mod handle_table_response;
mod handle_update;
mod init_takeover;
mod init_takeover_ack;
mod list_request;
mod list_response;
mod presence;
mod route;
mod takeover;
mod takeover_server;

pub use error::Error;
pub use handle_table_request::HandleTableRequest;
pub use handle_table_response::{HandleTable, HandleTableResponse, PoolEntry, Rejected};
pub use handle_update::{HandleUpdate, UpdateAction};
pub use init_takeover::InitTakeover;
pub use init_takeover_ack::InitTakeoverAck;
pub use list_request::ListRequest;
pub use list_response::ListResponse;
pub use presence::Presence;
pub use takeover_server::TakeoverServer;

use crate::error::{Decoded, Undecodable};
use crate::message::{self, messages};
use crate::writer::{Length, Sink, Writer};
use alloc::vec::Vec;
use core::fmt;

/// Any ENRP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// ENRP_PRESENCE
    Presence(Presence),
    /// ENRP_HANDLE_TABLE_REQUEST
    HandleTableRequest(HandleTableRequest),
    /// ENRP_HANDLE_TABLE_RESPONSE
    HandleTableResponse(HandleTableResponse),
    /// ENRP_HANDLE_UPDATE
    HandleUpdate(HandleUpdate),
    /// ENRP_LIST_REQUEST
    ListRequest(ListRequest),
    /// ENRP_LIST_RESPONSE
    ListResponse(ListResponse),
    /// ENRP_INIT_TAKEOVER
    InitTakeover(InitTakeover),
    /// ENRP_INIT_TAKEOVER_ACK
    InitTakeoverAck(InitTakeoverAck),
    /// ENRP_TAKEOVER_SERVER
    TakeoverServer(TakeoverServer),
    /// ENRP_ERROR
    Error(Error),
}

messages!(
    Presence,
    HandleTableRequest,
    HandleTableResponse,
    HandleUpdate,
    ListRequest,
    ListResponse,
    InitTakeover,
    InitTakeoverAck,
    TakeoverServer,
    Error,
);
