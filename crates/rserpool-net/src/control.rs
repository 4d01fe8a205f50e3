//! The control channels of sessions (RFC 5352 §3.8, §3.9) on a node's network: whose end is here,
//! and how what it decides gets onto the association and to the application.
//!
//! It decides nothing: that is `rserpool_core::session`.

use crate::connection::Incoming;
use rserpool_core::AssociationId;
use rserpool_core::session::{
    PoolElementSession, PoolElementSessionCommand, PoolElementSessionEvent,
    PoolElementSessionOutput, PoolUserSession, PoolUserSessionEvent, PoolUserSessionInput,
    PoolUserSessionOutput,
};
use rserpool_wire::asap::{BusinessCard, Message};
use rserpool_wire::parameter::Cookie;
use rserpool_wire::{Decoded, PoolElementId, PoolHandle, Undecodable};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The pool user's end of a session, which outlives its associations: the node's thread tells it
/// what happens, whoever looks for the next pool element asks it whom.
#[derive(Clone, Debug)]
pub struct SessionControl(Arc<Mutex<PoolUserSession>>);

impl SessionControl {
    /// A session with this pool, which has no association yet.
    pub fn new(pool_handle: PoolHandle) -> Self {
        Self(Arc::new(Mutex::new(PoolUserSession::new(pool_handle))))
    }

    /// By whom the pool element that serves, or has just failed, would like to be replaced, the
    /// best first (RFC 5352 §3.9).
    pub fn preferred(&self) -> Vec<PoolElementId> {
        self.lock().preferred().to_vec()
    }

    /// Tells all pool elements of this session by whom this pool user, which is a pool element
    /// too, can be replaced. Whoever serves now is told once [`crate::Outlet::say_waiting`] is
    /// called.
    pub fn set_business_card(&self, card: BusinessCard) {
        let input = PoolUserSessionInput::SetBusinessCard(card);
        self.lock().handle_input(input);
    }

    /// A session stays valid whatever happened to who held it.
    fn lock(&self) -> MutexGuard<'_, PoolUserSession> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the application wants to say on the control channel.
#[derive(Debug)]
pub(crate) enum Saying {
    Cookie(Cookie),
    BusinessCard(BusinessCard),
    /// What a [`SessionControl`] was told before.
    Waiting,
}

/// The end of a session that is here.
#[derive(Debug)]
pub(crate) enum ControlEnd {
    PoolElement(PoolElementSession),
    PoolUser(SessionControl),
    /// The association has a data channel alone.
    DataOnly,
}

/// What the end of a session wants done with its association.
#[derive(Debug)]
pub(crate) enum ToDo {
    Send(Message),
    /// Before all data.
    EchoCookie(Message),
    Tell(Incoming),
    /// A message was of no use.
    CountDropped,
}

impl ControlEnd {
    /// The association is up, and nothing has been sent on it.
    pub(crate) fn on_up(&mut self, association: AssociationId) -> Vec<ToDo> {
        self.input(
            association,
            PoolUserSessionInput::AssociationUp { association },
        )
    }

    pub(crate) fn on_down(&mut self, association: AssociationId) {
        // It has nowhere to send anything.
        self.input(
            association,
            PoolUserSessionInput::AssociationDown { association },
        );
    }

    pub(crate) fn on_message(
        &mut self,
        from: AssociationId,
        message: Result<Decoded<Message>, Undecodable>,
    ) -> Vec<ToDo> {
        match self {
            Self::PoolElement(session) => {
                session.handle_message(message);
                of_pool_element(session)
            }
            Self::PoolUser(_) => self.input(from, PoolUserSessionInput::Received { from, message }),
            Self::DataOnly => vec![ToDo::CountDropped],
        }
    }

    pub(crate) fn say(&mut self, association: AssociationId, saying: Saying) -> Vec<ToDo> {
        match (self, saying) {
            (Self::PoolElement(session), Saying::Cookie(cookie)) => {
                session.handle_command(PoolElementSessionCommand::SendCookie(cookie));
                of_pool_element(session)
            }
            (Self::PoolElement(session), Saying::BusinessCard(card)) => {
                session.handle_command(PoolElementSessionCommand::SendBusinessCard(card));
                of_pool_element(session)
            }
            (Self::PoolUser(control), Saying::BusinessCard(card)) => {
                control.set_business_card(card);
                of_pool_user(&mut control.lock(), association)
            }
            (Self::PoolUser(control), Saying::Waiting) => {
                of_pool_user(&mut control.lock(), association)
            }
            // Cookies go from pool elements to pool users.
            (Self::PoolUser(_), Saying::Cookie(_))
            | (Self::PoolElement(_), Saying::Waiting)
            | (Self::DataOnly, _) => Vec::new(),
        }
    }

    /// For what only a pool user has to know: its session goes on.
    fn input(&mut self, association: AssociationId, input: PoolUserSessionInput) -> Vec<ToDo> {
        match self {
            Self::PoolElement(_) | Self::DataOnly => Vec::new(),
            Self::PoolUser(control) => {
                let mut session = control.lock();
                session.handle_input(input);
                of_pool_user(&mut session, association)
            }
        }
    }
}

fn of_pool_element(session: &mut PoolElementSession) -> Vec<ToDo> {
    let outputs = std::iter::from_fn(|| session.poll_output());
    let to_do = |output| match output {
        PoolElementSessionOutput::Send(message) => Some(ToDo::Send(message)),
        PoolElementSessionOutput::Event(PoolElementSessionEvent::CookieEcho(cookie)) => {
            Some(ToDo::Tell(Incoming::CookieEcho(cookie.0)))
        }
        PoolElementSessionOutput::Event(PoolElementSessionEvent::BusinessCard(card)) => {
            Some(ToDo::Tell(Incoming::BusinessCard(card)))
        }
        // Nothing can be done about an error that is reported.
        PoolElementSessionOutput::Event(PoolElementSessionEvent::ErrorReceived(_)) => None,
        PoolElementSessionOutput::Event(_) => Some(ToDo::CountDropped),
    };
    outputs.filter_map(to_do).collect()
}

fn of_pool_user(session: &mut PoolUserSession, association: AssociationId) -> Vec<ToDo> {
    let outputs = std::iter::from_fn(|| session.poll_output());
    let to_do = |output| match output {
        PoolUserSessionOutput::Send { to, message } if to == association => {
            let is_echo = matches!(message, Message::CookieEcho(_));
            Some(if is_echo {
                ToDo::EchoCookie(message)
            } else {
                ToDo::Send(message)
            })
        }
        // That association has ended before anybody could do it.
        PoolUserSessionOutput::Send { .. } => None,
        PoolUserSessionOutput::Event(event) => is_dropped(&event).then_some(ToDo::CountDropped),
    };
    outputs.filter_map(to_do).collect()
}

fn is_dropped(event: &PoolUserSessionEvent) -> bool {
    matches!(
        event,
        PoolUserSessionEvent::ForeignBusinessCard { .. }
            | PoolUserSessionEvent::UnexpectedMessage { .. }
            | PoolUserSessionEvent::BadMessage { .. }
    )
}
