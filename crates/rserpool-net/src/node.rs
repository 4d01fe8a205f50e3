//! A node on its thread, and the handle by which an application talks to it.
//!
//! Nodes live on threads of this library (`threads`), and so work the same under any runtime of
//! the application.

use crate::driver::{Commands, Driver, Role, Shared};
use crate::error::{NetError, Operation};
use crate::event::NetworkEvent;
use crate::session_notification::SessionNotification;
use crate::threads::{self, Place};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Commands of an application that its node has not taken yet; who sends more waits.
const COMMANDS_MAX: usize = 1024;

/// Something that happened at a node: at its machine (`E`), its transport or its sessions.
#[derive(Clone, Debug)]
pub enum NodeEvent<E> {
    /// What the protocol machine tells.
    Machine(E),
    /// What the transport tells.
    Network(NetworkEvent),
    /// What happens to the sessions of a pool user.
    Session(SessionNotification),
}

/// The sending half of a node's event stream.
pub(crate) struct Events<E>(broadcast::Sender<NodeEvent<E>>);

impl<E: Clone> Events<E> {
    pub(crate) fn tell(&self, event: NodeEvent<E>) {
        // Nobody listening is no fault.
        let _ = self.0.send(event);
    }

    pub(crate) fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The events of a node, from when it was subscribed to. Bounded: who reads slowly misses some.
#[derive(Debug)]
pub struct EventReceiver<E> {
    receiver: broadcast::Receiver<NodeEvent<E>>,
    missed: u64,
}

impl<E: Clone> EventReceiver<E> {
    /// The next event; `None` when the node has ended. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<NodeEvent<E>> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => self.missed += missed,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many events were lost because this receiver read too slowly.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

/// An application's handle of a node. Dropping it ends the node in good order, on its thread.
pub(crate) struct Node<C, E> {
    commands: mpsc::Sender<C>,
    events: broadcast::WeakSender<NodeEvent<E>>,
    /// Made before the node started, so that its first events are seen.
    first_events: Mutex<Option<EventReceiver<E>>>,
    finished: watch::Receiver<()>,
    /// Tells the node that it was abandoned, by being dropped.
    _alive: oneshot::Sender<()>,
}

impl<C: Send + 'static, E: Clone + Send + 'static> Node<C, E> {
    /// Builds the node on a thread, and says how that went. `build` gets the event stream; what it
    /// returns besides the node is for the application.
    pub(crate) async fn start<R, T>(
        place: Place,
        build: impl FnOnce(Events<E>) -> Built<R, T> + Send + 'static,
    ) -> Result<(Self, T), NetError>
    where
        R: Role<Command = C> + 'static,
        T: Send + 'static,
    {
        let (commands, role_commands) = mpsc::channel(COMMANDS_MAX);
        let (events, receiver) = broadcast::channel(R::EVENTS_MAX);
        let (alive, abandoned) = oneshot::channel();
        let (finish, finished) = watch::channel(());
        let (started, start) = oneshot::channel();
        let weak = events.downgrade();
        let events = Events(events);
        let run = move || async move {
            match build(events.clone()) {
                Ok((role, node, data, told)) => {
                    let commands = Commands {
                        role: role_commands,
                        data,
                        abandoned,
                    };
                    let tell = move |event| events.tell(NodeEvent::Network(event));
                    let driver = Driver {
                        role,
                        node,
                        tell: Box::new(tell),
                    };
                    if started.send(Ok(told)).is_ok() {
                        driver.run(commands).await;
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        };
        let failed = |error| NetError::new(Operation::StartThread, None, error);
        threads::run(place, finish, run).map_err(failed)?;
        // Dropped by the thread only if it panicked, which is told on standard error.
        let gone = || failed(std::io::ErrorKind::Other.into());
        let told = start.await.map_err(|_| gone())??;
        let first_events = EventReceiver {
            receiver,
            missed: 0,
        };
        let node = Self {
            commands,
            events: weak,
            first_events: Mutex::new(Some(first_events)),
            finished,
            _alive: alive,
        };
        Ok((node, told))
    }

    /// A subscription to the events; the first one has them from the start.
    pub(crate) fn events(&self) -> EventReceiver<E> {
        let mut first = self
            .first_events
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        first.take().unwrap_or_else(|| {
            // After the end of the node: a stream that has ended too.
            let ended = || broadcast::channel(1).1;
            let receiver = self
                .events
                .upgrade()
                .map_or_else(ended, |events| events.subscribe());
            EventReceiver {
                receiver,
                missed: 0,
            }
        })
    }

    pub(crate) fn commands(&self) -> &mpsc::Sender<C> {
        &self.commands
    }

    /// Sends a command that has an answer; `None` if the node has ended.
    pub(crate) async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> C) -> Option<T> {
        ask(&self.commands, command).await
    }

    /// Waits until nothing of the node is left.
    pub(crate) async fn finished(&self) {
        let mut finished = self.finished.clone();
        while finished.changed().await.is_ok() {}
    }
}

impl<C, E> fmt::Debug for Node<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

/// Sends a command that has an answer; `None` if the node has ended.
pub(crate) async fn ask<C, T>(
    commands: &mpsc::Sender<C>,
    command: impl FnOnce(oneshot::Sender<T>) -> C,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(reply)).await.ok()?;
    answer.await.ok()
}

/// What is built on a node's thread: the role, what it shares with the frame, the commands of its
/// data associations, and what the application is told.
pub(crate) type Built<R, T> = Result<(R, Shared, DataReceiver, T), NetError>;

/// Where the commands of the data associations come from.
pub(crate) type DataReceiver = mpsc::UnboundedReceiver<crate::connection::DataCommand>;
