//! The library's events as log lines: the one place where levels and fields are decided.

mod peer;
mod pool_element;
mod pool_user;
mod registrar;

use rserpool::{EventReceiver, NetworkEvent, NodeEvent, SessionNews, SessionNotification};
use rserpool_core::{pool_element as element, pool_user as user, registrar as server};
use rserpool_wire::RegistrarId;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

/// A registrar has the handlespace of its mentor, or is alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Initialized {
    pub(crate) mentor: Option<RegistrarId>,
    pub(crate) pool_elements: usize,
}

/// Logs what a registrar tells, until it has ended; says when it is initialised.
pub(crate) fn log_registrar(
    events: EventReceiver<server::Event>,
) -> oneshot::Receiver<Initialized> {
    let (sender, receiver) = oneshot::channel();
    let mut sender = Some(sender);
    let log_machine = move |event: &server::Event| {
        registrar::log(event);
        if let server::Event::Initialized {
            mentor,
            pool_elements,
        } = *event
            && let Some(sender) = sender.take()
        {
            let initialized = Initialized {
                mentor,
                pool_elements,
            };
            // Whoever does not wait for it need not be told.
            let _ = sender.send(initialized);
        }
    };
    tokio::spawn(log(events, log_machine));
    receiver
}

/// Logs what a pool element tells, until it has ended.
pub(crate) fn log_pool_element(events: EventReceiver<element::Event>) {
    tokio::spawn(log(events, pool_element::log));
}

/// Logs what a pool user tells, until it has ended.
pub(crate) fn log_pool_user(events: EventReceiver<user::Event>) {
    tokio::spawn(log(events, pool_user::log));
}

async fn log<E: Clone>(mut events: EventReceiver<E>, mut log_machine: impl FnMut(&E)) {
    while let Some(event) = events.recv().await {
        match event {
            NodeEvent::Machine(event) => log_machine(&event),
            NodeEvent::Network(event) => log_network(&event),
            NodeEvent::Session(session) => log_session(&session),
        }
    }
}

/// What an application does is routine; what it did not want is told at `info`.
fn log_session(session: &SessionNotification) {
    let (pool, what) = (&session.pool_handle, &session.what);
    if matches!(
        what,
        SessionNews::Added { .. } | SessionNews::Removed { .. }
    ) {
        debug!(%pool, "{what}");
    } else {
        info!(%pool, "{what}");
    }
}

/// What others did wrong, or what is missing here, at `warn`; the end of a peer at `debug`.
fn log_network(event: &NetworkEvent) {
    if matches!(
        event,
        NetworkEvent::LifelineLost { .. }
            | NetworkEvent::Unreachable { .. }
            | NetworkEvent::NoRawIp {
                is_wanted: false,
                ..
            }
    ) {
        debug!("{event}");
    } else if matches!(
        event,
        NetworkEvent::Unavailable(_) | NetworkEvent::NoRawIp { .. } | NetworkEvent::Path { .. }
    ) {
        info!("{event}");
    } else {
        warn!("{event}");
    }
}
