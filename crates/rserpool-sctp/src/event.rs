//! What goes in and out of an endpoint, beside octets and time.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

/// Names one association of an endpoint. Never given twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AssociationId(pub u64);

/// Whom to connect to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remote {
    /// UDP addresses at which the peer may be found, at most [`crate::CANDIDATES_MAX`]. All are
    /// tried at once; the first that answers wins.
    pub udp: Vec<SocketAddr>,
    /// The peer's SCTP port.
    pub sctp_port: u16,
}

/// A message to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Stream, below what was negotiated with the peer.
    pub stream: u16,
    /// Payload protocol identifier.
    pub ppid: u32,
    /// Deliver without regard to the order in the stream.
    pub unordered: bool,
    /// The message; at least one octet.
    pub data: Vec<u8>,
}

/// One SCTP packet to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The local address to send from; `None`: as the routing table has it.
    pub from: Option<IpAddr>,
    /// Where to: a UDP address (RFC 6951); with port 0 an IP address, not encapsulated.
    pub to: SocketAddr,
    /// The SCTP packet: a UDP payload, or an IP payload of protocol 132.
    pub payload: Vec<u8>,
}

/// How a path of an association is (RFC 9260 §5.4, RFC 7829 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathState {
    /// The peer named this address and has not yet shown that it is there: no data goes to it.
    Unconfirmed,
    /// It answers.
    Active,
    /// A packet to it went unanswered: data takes another path while there is one.
    PotentiallyFailed,
    /// More than [`crate::Timers::path_max_retrans`] packets in a row went unanswered.
    Inactive,
}

/// One path of an association, from [`crate::Endpoint::paths`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathStatus {
    /// Our address; `None`: as the routing table has it.
    pub local: Option<IpAddr>,
    /// The peer's address, as in [`Transmit::to`].
    pub remote: SocketAddr,
    /// How it is.
    pub state: PathState,
    /// Data goes here as long as it is [`PathState::Active`].
    pub is_primary: bool,
    /// Data goes here now.
    pub is_used: bool,
}

/// What an endpoint tells its owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// An association is established.
    Up {
        /// Which.
        association: AssociationId,
        /// The UDP address the peer is at now.
        remote: SocketAddr,
        /// The peer's SCTP port.
        sctp_port: u16,
        /// The peer began it.
        accepted: bool,
    },
    /// The peer lost its state and set the association up again (RFC 9260 §5.2.4 case A).
    /// Messages that it had not acknowledged come back as [`Event::SendFailed`] first.
    Restarted {
        /// Which.
        association: AssociationId,
        /// The UDP address the peer is at now.
        remote: SocketAddr,
        /// The peer's SCTP port.
        sctp_port: u16,
    },
    /// A message arrived.
    Message {
        /// From which association.
        association: AssociationId,
        /// Stream it came on.
        stream: u16,
        /// Payload protocol identifier.
        ppid: u32,
        /// The message, complete.
        data: Vec<u8>,
    },
    /// The peer began to close: nothing more can be sent. [`Event::Down`] follows once all that
    /// was handed over before has been acknowledged.
    ShutdownByPeer {
        /// Which.
        association: AssociationId,
    },
    /// A path of an association with more than one is confirmed (`Active` for the first time),
    /// fails, or works again.
    Path {
        /// Of which association.
        association: AssociationId,
        /// The peer's address.
        remote: SocketAddr,
        /// How it is now.
        state: PathState,
    },
    /// A message that the peer has not acknowledged when the association ended or was restarted.
    /// The peer may have received it or not. Comes before the [`Event::Down`] or
    /// [`Event::Restarted`] that caused it, in the order of sending.
    SendFailed {
        /// On which association.
        association: AssociationId,
        /// Its stream.
        stream: u16,
        /// Its payload protocol identifier.
        ppid: u32,
        /// The message.
        data: Vec<u8>,
    },
    /// The association ended, or could not be set up. The last event of an association.
    Down {
        /// Which.
        association: AssociationId,
        /// Why.
        reason: DownReason,
    },
}

/// Why an association ended.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum DownReason {
    /// Closed in good order by either side.
    #[error("closed")]
    Closed,
    /// The peer sent an ABORT.
    #[error("aborted by the peer (error cause {cause:?}): {reason}")]
    PeerAborted {
        /// The first error cause code (RFC 9260 §3.3.10), if there was one.
        cause: Option<u16>,
        /// The peer's words (cause 12), shortened, not to be trusted; often empty.
        reason: String,
    },
    /// Ended by [`crate::Endpoint::abort`], or because the peer broke the protocol.
    #[error("aborted here")]
    LocalAbort,
    /// Ended because incomplete messages took more than [`crate::Config::reassembly_octets_max`]
    /// and this association held most of it.
    #[error("out of memory for incomplete messages, of which {remote} held {octets} octets")]
    OutOfResource {
        /// The peer's UDP address.
        remote: SocketAddr,
        /// Its share, in octets.
        octets: usize,
    },
    /// The peer does not answer any more, or never did.
    #[error("the peer does not answer")]
    Lost,
    /// The peer answered the set-up with ABORT: nobody listens there, or it has no room.
    #[error("refused by the peer (error cause {cause:?})")]
    Refused {
        /// The first error cause code (RFC 9260 §3.3.10), if there was one.
        cause: Option<u16>,
    },
    /// The network reported that nobody is at the peer's address.
    #[error("the peer's address is unreachable")]
    Unreachable,
}

/// Why [`crate::Endpoint::connect`] did not begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ConnectError {
    /// No candidate address, or more than [`crate::CANDIDATES_MAX`].
    #[error("give between 1 and {} addresses", crate::CANDIDATES_MAX)]
    Candidates,
    /// Port 0 names nobody.
    #[error("give the peer's SCTP port; 0 names nobody")]
    Port,
    /// There is an association with this peer, or one in set-up: use it.
    #[error("an association with this peer exists: use it or abort it first")]
    AlreadyAssociated(AssociationId),
    /// [`crate::Config::associations_max`] is reached.
    #[error("no room for another association: raise associations_max or end some")]
    TooManyAssociations,
}

/// Why a path did not become the primary one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SetPrimaryError {
    /// No such association, or not any more.
    #[error("no such association")]
    UnknownAssociation,
    /// Not a path of this association, not confirmed yet, or the only one.
    #[error("no such path, or it is not confirmed: choose another, or wait until it is")]
    NoSuchPath,
}

/// Why a message was not taken. The association is as before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SendError {
    /// No such association, or not any more.
    #[error("no such association")]
    UnknownAssociation,
    /// Not up yet, or closing.
    #[error("the association is not up: wait for it, or connect again")]
    NotConnected,
    /// The unacknowledged messages fill [`crate::Config::send_queue_octets_max`].
    #[error("too much is unacknowledged: send again when the queue is shorter")]
    QueueFull,
    /// Larger than [`crate::Config::message_octets_max`].
    #[error("the message is larger than message_octets_max")]
    TooLarge,
    /// Not below the number of streams negotiated with the peer.
    #[error("the peer has no such stream")]
    InvalidStream,
    /// RFC 9260 has no empty messages.
    #[error("a message needs at least one octet")]
    Empty,
}
