//! The pool element's end of a session, one per association (RFC 5352 §3.8, §3.9).
//!
//! Must not know what is in a cookie: the application made it, and gets it back.

use super::bad_message::ErrorsSent;
use rserpool_wire::asap::{self, BusinessCard, Message};
use rserpool_wire::parameter::{Cookie, ErrorCause};
use rserpool_wire::{DecodeError, Decoded, Undecodable};
use std::collections::VecDeque;

/// The pool element's end of a session. It begins with the association and ends with it: a pool
/// user that comes again is another session.
#[derive(Default, Debug)]
pub struct PoolElementSession {
    /// The first echo is the state to go on from; what was served since is worth more than a
    /// second one.
    has_echo: bool,
    errors: ErrorsSent,
    outputs: VecDeque<PoolElementSessionOutput>,
}

/// What the application asks of its end of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolElementSessionCommand {
    /// Give the pool user this state to keep, in place of what it was given before.
    SendCookie(Cookie),
    /// Tell the pool user by whom this pool element would like to be replaced.
    SendBusinessCard(BusinessCard),
}

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolElementSessionOutput {
    /// Send a message on the control channel.
    Send(Message),
    /// Tell whoever wants to know.
    Event(PoolElementSessionEvent),
}

/// What has happened on the control channel.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PoolElementSessionEvent {
    /// The session was begun at another pool element, which gave this cookie. The application has
    /// it before the data that was sent after it.
    CookieEcho(Cookie),
    /// The session has its state; another echo was ignored.
    SecondCookieEcho,
    /// The pool user is a pool element too: by whom it can be replaced.
    BusinessCard(BusinessCard),
    /// A message has no meaning here, and was dropped.
    UnexpectedMessage {
        /// Its number.
        message_type: u8,
    },
    /// Octets are no message; they were dropped and, where the rules want that, reported.
    BadMessage {
        /// What is wrong with them.
        error: DecodeError,
    },
    /// The pool user finds fault with a message.
    ErrorReceived(asap::Error),
}

impl PoolElementSession {
    /// A session that has just begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// A message came on the control channel.
    pub fn handle_message(&mut self, message: Result<Decoded<Message>, Undecodable>) {
        match message {
            Ok(decoded) => {
                self.on_message(decoded.message);
                self.send_error(decoded.unrecognized);
            }
            Err(Undecodable { error, report }) => {
                self.emit(PoolElementSessionEvent::BadMessage { error });
                self.send_error(report);
            }
        }
    }

    /// The application wants something.
    pub fn handle_command(&mut self, command: PoolElementSessionCommand) {
        let message = match command {
            PoolElementSessionCommand::SendCookie(cookie) => asap::Cookie { cookie }.into(),
            PoolElementSessionCommand::SendBusinessCard(card) => card.into(),
        };
        self.outputs
            .push_back(PoolElementSessionOutput::Send(message));
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<PoolElementSessionOutput> {
        self.outputs.pop_front()
    }

    fn on_message(&mut self, message: Message) {
        let event = match message {
            Message::CookieEcho(echo) => self.on_cookie_echo(echo),
            Message::BusinessCard(card) => PoolElementSessionEvent::BusinessCard(card),
            Message::Error(error) => PoolElementSessionEvent::ErrorReceived(error),
            // A cookie goes the other way; all else is between others.
            Message::Cookie(_)
            | Message::Registration(_)
            | Message::Deregistration(_)
            | Message::RegistrationResponse(_)
            | Message::DeregistrationResponse(_)
            | Message::HandleResolution(_)
            | Message::HandleResolutionResponse(_)
            | Message::EndpointKeepAlive(_)
            | Message::EndpointKeepAliveAck(_)
            | Message::EndpointUnreachable(_)
            | Message::ServerAnnounce(_) => PoolElementSessionEvent::UnexpectedMessage {
                message_type: message.message_type(),
            },
        };
        self.emit(event);
    }

    fn on_cookie_echo(&mut self, echo: asap::CookieEcho) -> PoolElementSessionEvent {
        if std::mem::replace(&mut self.has_echo, true) {
            return PoolElementSessionEvent::SecondCookieEcho;
        }
        PoolElementSessionEvent::CookieEcho(echo.cookie)
    }

    fn send_error(&mut self, causes: Vec<ErrorCause>) {
        if let Some(error) = self.errors.report(causes) {
            self.outputs
                .push_back(PoolElementSessionOutput::Send(error));
        }
    }

    fn emit(&mut self, event: PoolElementSessionEvent) {
        self.outputs
            .push_back(PoolElementSessionOutput::Event(event));
    }
}
