//! A message to a pool, and what is to become of it when a pool element fails (RFC 5352 §6.5.5).

/// A message to whichever pool element serves the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionMessage {
    /// The stream: messages of one stream keep their order.
    pub stream: u16,
    /// Payload protocol identifier, the application's choice; 11 is ASAP's own.
    pub ppid: u32,
    /// Whether it may overtake others of its stream (ASAP_SCTP_UNORDER).
    pub unordered: bool,
    /// What becomes of it if its pool element fails.
    pub on_failover: OnFailover,
    /// The octets, at least one.
    pub data: Vec<u8>,
}

/// What becomes of a message when its pool element fails before it is known to have arrived
/// (RFC 5352 §6.5.5).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum OnFailover {
    /// It is forgotten: the application knows by the answers what to ask again.
    #[default]
    Forget,
    /// ASAP_SEND_FAILOVER: the next pool element gets it. Each message is acknowledged by the SCTP
    /// of at least one pool element, and two may work on it. What was acknowledged but not read
    /// when a pool element failed is lost, as §6.5.5 warns: only an answer says that it was.
    Resend,
    /// ASAP_SEND_NO_FAILOVER: it is given back to the application.
    Return,
}

impl SessionMessage {
    /// A message on stream 0 with payload protocol 0, ordered, forgotten at a failover.
    pub fn new(data: impl Into<Vec<u8>>) -> Self {
        Self {
            stream: 0,
            ppid: 0,
            unordered: false,
            on_failover: OnFailover::default(),
            data: data.into(),
        }
    }

    /// On this stream.
    #[must_use]
    pub fn stream(mut self, stream: u16) -> Self {
        self.stream = stream;
        self
    }

    /// With this payload protocol identifier.
    #[must_use]
    pub fn ppid(mut self, ppid: u32) -> Self {
        self.ppid = ppid;
        self
    }

    /// Without regard to the order in its stream.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        self.unordered = true;
        self
    }

    /// With this fate if its pool element fails.
    #[must_use]
    pub fn on_failover(mut self, on_failover: OnFailover) -> Self {
        self.on_failover = on_failover;
        self
    }
}

impl From<Vec<u8>> for SessionMessage {
    fn from(data: Vec<u8>) -> Self {
        Self::new(data)
    }
}

impl From<&[u8]> for SessionMessage {
    fn from(data: &[u8]) -> Self {
        Self::new(data)
    }
}

impl From<&str> for SessionMessage {
    fn from(data: &str) -> Self {
        Self::new(data)
    }
}

impl From<String> for SessionMessage {
    fn from(data: String) -> Self {
        Self::new(data)
    }
}
