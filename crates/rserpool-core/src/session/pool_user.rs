//! The pool user's end of a session, over all the associations that it has one after the other
//! (RFC 5352 §3.8, §3.9).
//!
//! Must not know what is in a cookie, nor by what policy a pool element is chosen.

use super::bad_message::ErrorsSent;
use crate::AssociationId;
use rserpool_wire::asap::{self, BusinessCard, Message};
use rserpool_wire::parameter::{Cookie, EncodedPoolElement, ErrorCause};
use rserpool_wire::{DecodeError, Decoded, PoolElementId, PoolHandle, Undecodable};
use std::collections::VecDeque;

/// Pool elements of a business card that are remembered: further ones would be tried only after
/// all these have failed, and then the pool's policy knows better.
pub const PREFERRED_ELEMENTS_MAX: usize = 16;

/// The pool user's end of a session.
///
/// It keeps one cookie, the latest, which the codec bounds to a message
/// ([`COOKIE_OCTETS_MAX`](rserpool_wire::parameter::COOKIE_OCTETS_MAX)), and one order of failover
/// of at most [`PREFERRED_ELEMENTS_MAX`].
#[derive(Debug)]
pub struct PoolUserSession {
    pool_handle: PoolHandle,
    cookie: Option<Cookie>,
    /// Whom the pool element recommends in its place, the best first.
    preferred: Vec<PoolElementId>,
    /// Given to each pool element, if this pool user is a pool element too.
    business_card: Option<BusinessCard>,
    current: Option<Current>,
    outputs: VecDeque<PoolUserSessionOutput>,
}

/// The association that the session has now.
#[derive(Debug)]
struct Current {
    association: AssociationId,
    errors: ErrorsSent,
}

/// What happens to a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolUserSessionInput {
    /// It has an association with a pool element, on which nothing has been sent yet.
    AssociationUp {
        /// Which.
        association: AssociationId,
    },
    /// An association has ended.
    AssociationDown {
        /// Which.
        association: AssociationId,
    },
    /// A message came on the control channel.
    Received {
        /// By which association.
        from: AssociationId,
        /// What it is.
        message: Result<Decoded<Message>, Undecodable>,
    },
    /// This pool user is also a pool element: by whom it can be replaced. It is told to the pool
    /// element of now and to all that follow.
    SetBusinessCard(BusinessCard),
}

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolUserSessionOutput {
    /// Send a message on the control channel. What comes with
    /// [`PoolUserSessionInput::AssociationUp`] goes before all data.
    Send {
        /// On which association.
        to: AssociationId,
        /// The message.
        message: Message,
    },
    /// Tell whoever wants to know.
    Event(PoolUserSessionEvent),
}

/// What has happened on the control channel.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PoolUserSessionEvent {
    /// The pool element gave a cookie, which is kept in place of the one before.
    CookieStored {
        /// Its length.
        octets: usize,
    },
    /// The next pool element was given the latest cookie.
    CookieEchoed {
        /// Its length.
        octets: usize,
    },
    /// The pool element told by whom it would like to be replaced.
    FailoverOrder {
        /// The pool elements, the best first.
        preferred: Vec<PoolElementId>,
    },
    /// The pool element told about another pool than the one of this session: of no use here.
    ForeignBusinessCard {
        /// Which.
        pool_handle: PoolHandle,
    },
    /// A message has no meaning here, or came by an association that is not the session's any
    /// more, and was dropped.
    UnexpectedMessage {
        /// Its number.
        message_type: u8,
    },
    /// Octets are no message; they were dropped and, where the rules want that, reported.
    BadMessage {
        /// What is wrong with them.
        error: DecodeError,
    },
    /// The pool element finds fault with a message.
    ErrorReceived(asap::Error),
}

impl PoolUserSession {
    /// A session with this pool, which has no association yet.
    pub fn new(pool_handle: PoolHandle) -> Self {
        Self {
            pool_handle,
            cookie: None,
            preferred: Vec::new(),
            business_card: None,
            current: None,
            outputs: VecDeque::new(),
        }
    }

    /// Something happened.
    pub fn handle_input(&mut self, input: PoolUserSessionInput) {
        match input {
            PoolUserSessionInput::AssociationUp { association } => {
                self.on_association_up(association);
            }
            PoolUserSessionInput::AssociationDown { association } => {
                self.current
                    .take_if(|current| current.association == association);
            }
            PoolUserSessionInput::Received { from, message } => self.on_received(from, message),
            PoolUserSessionInput::SetBusinessCard(card) => {
                self.business_card = Some(card);
                self.send_business_card();
            }
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<PoolUserSessionOutput> {
        self.outputs.pop_front()
    }

    /// The latest cookie.
    pub fn cookie(&self) -> Option<&Cookie> {
        self.cookie.as_ref()
    }

    /// BC2 (RFC 5352 §3.9): by whom the pool element of now would like to be replaced, the best
    /// first; if it has failed, until there is another one. An order and nothing else: where they
    /// are and whether they are in the pool is asked of a registrar, so that no pool element can
    /// send a user anywhere.
    pub fn preferred(&self) -> &[PoolElementId] {
        &self.preferred
    }

    fn on_association_up(&mut self, association: AssociationId) {
        let errors = ErrorsSent::default();
        self.current = Some(Current {
            association,
            errors,
        });
        // That order was for the failure that this association makes up for.
        self.preferred.clear();
        // The cookie is the first message on the control channel (RFC 5352 §3.8). There is one
        // only if another association of this session brought it.
        if let Some(cookie) = self.cookie.clone() {
            let octets = cookie.0.len();
            self.send(asap::CookieEcho { cookie });
            self.emit(PoolUserSessionEvent::CookieEchoed { octets });
        }
        self.send_business_card();
    }

    fn on_received(&mut self, from: AssociationId, message: Result<Decoded<Message>, Undecodable>) {
        // Another pool element serves: whatever this one still says, it is not the latest.
        let is_current = self
            .current
            .as_ref()
            .is_some_and(|current| current.association == from);
        match message {
            Ok(decoded) if is_current => {
                self.on_message(decoded.message);
                self.send_error(decoded.unrecognized);
            }
            Ok(decoded) => self.on_unexpected(&decoded.message),
            Err(Undecodable { error, report }) => {
                self.emit(PoolUserSessionEvent::BadMessage { error });
                if is_current {
                    self.send_error(report);
                }
            }
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Cookie(cookie) => self.on_cookie(cookie.cookie),
            Message::BusinessCard(card) => self.on_business_card(card),
            Message::Error(error) => self.emit(PoolUserSessionEvent::ErrorReceived(error)),
            // An echo goes the other way; all else is between others.
            Message::CookieEcho(_)
            | Message::Registration(_)
            | Message::Deregistration(_)
            | Message::RegistrationResponse(_)
            | Message::DeregistrationResponse(_)
            | Message::HandleResolution(_)
            | Message::HandleResolutionResponse(_)
            | Message::EndpointKeepAlive(_)
            | Message::EndpointKeepAliveAck(_)
            | Message::EndpointUnreachable(_)
            | Message::ServerAnnounce(_) => self.on_unexpected(&message),
        }
    }

    /// The latest cookie is stored, an older one discarded (RFC 5352 §3.8).
    fn on_cookie(&mut self, cookie: Cookie) {
        let octets = cookie.0.len();
        self.cookie = Some(cookie);
        self.emit(PoolUserSessionEvent::CookieStored { octets });
    }

    /// BC2 (RFC 5352 §3.9): the order of failover is that of the card. A later card is a new
    /// order.
    fn on_business_card(&mut self, card: BusinessCard) {
        let BusinessCard {
            pool_handle,
            pool_elements,
        } = card;
        if pool_handle != self.pool_handle {
            return self.emit(PoolUserSessionEvent::ForeignBusinessCard { pool_handle });
        }
        let identifiers = pool_elements.iter().map(EncodedPoolElement::id);
        self.preferred = identifiers.take(PREFERRED_ELEMENTS_MAX).collect();
        let preferred = self.preferred.clone();
        self.emit(PoolUserSessionEvent::FailoverOrder { preferred });
    }

    fn on_unexpected(&mut self, message: &Message) {
        let message_type = message.message_type();
        self.emit(PoolUserSessionEvent::UnexpectedMessage { message_type });
    }

    /// A pool user that is also a pool element tells so (RFC 5352 §3.9).
    fn send_business_card(&mut self) {
        if let Some(card) = self.business_card.clone() {
            self.send(card);
        }
    }

    fn send_error(&mut self, causes: Vec<ErrorCause>) {
        let report = self
            .current
            .as_mut()
            .and_then(|current| current.errors.report(causes));
        if let Some(error) = report {
            self.send(error);
        }
    }

    fn send(&mut self, message: impl Into<Message>) {
        if let Some(current) = &self.current {
            let (to, message) = (current.association, message.into());
            self.outputs
                .push_back(PoolUserSessionOutput::Send { to, message });
        }
    }

    fn emit(&mut self, event: PoolUserSessionEvent) {
        self.outputs.push_back(PoolUserSessionOutput::Event(event));
    }
}
