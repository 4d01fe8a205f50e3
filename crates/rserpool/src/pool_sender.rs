//! Sending each message to a pool by itself (RFC 5352 §6.5, data.send.request): to whom the policy
//! selects for it, to one pool element, or to all.

use crate::{
    ConnectFailed, PoolUser, ResolveFailed, SendFailed, Session, SessionEvent, SessionSender,
};
use rserpool_core::pool_user::ResolveFailure;
use rserpool_core::session::{OnFailover, SessionMessage};
use rserpool_net::Received;
use rserpool_wire::parameter::{EncodedPoolElement, PoolElement};
use rserpool_wire::{PoolElementId, PoolHandle};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::error::Error;
use std::fmt;
use tokio::sync::{mpsc, oneshot};

/// Associations that a [`PoolSender`] keeps; the one that was used longest ago is closed for
/// another. [`PoolSender::send_to_all`] reaches so many pool elements at once.
pub const POOL_SENDER_ASSOCIATIONS_MAX: usize = 256;

/// What the pool elements send waits for [`PoolSender::recv`] up to this many; beyond, they wait.
const EVENTS_MAX: usize = 64;

/// Sends messages to the pool elements of a pool, each message by itself, and receives what they
/// answer. For a dialogue with one of them there is [`Session`]: here no pool element takes over
/// what another one knew.
///
/// A message goes to a pool element by an association that is kept for later ones. How it is
/// delivered is what the [`SessionMessage`] says (RFC 5352 §6.5.5): with
/// [`OnFailover::Resend`] (ASAP_SEND_FAILOVER) what a pool element may not have goes to another
/// one, with [`OnFailover::Return`] (ASAP_SEND_NO_FAILOVER) it comes back as
/// [`PoolEvent::Undelivered`]. Both happen while [`PoolSender::recv`] is called.
#[derive(Debug)]
pub struct PoolSender {
    user: PoolUser,
    pool_handle: PoolHandle,
    /// Pool elements that this process itself is.
    own: BTreeSet<PoolElementId>,
    members: BTreeMap<PoolElementId, Member>,
    last: Option<PoolElementId>,
    uses: u64,
    events: mpsc::Receiver<FromMember>,
    events_sender: mpsc::Sender<FromMember>,
    /// What goes to another pool element than this, which may not have it.
    again: VecDeque<(PoolElementId, SessionMessage)>,
    /// What is told next.
    told: VecDeque<PoolEvent>,
}

/// A pool element to which there is an association.
#[derive(Debug)]
struct Member {
    sender: SessionSender,
    last_use: u64,
    /// Closes the association.
    close: oneshot::Sender<()>,
}

#[derive(Debug)]
enum FromMember {
    Message(PoolElementId, Received),
    Ended {
        id: PoolElementId,
        sender: SessionSender,
        undelivered: Vec<SessionMessage>,
    },
}

/// What the pool elements of a pool bring.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PoolEvent {
    /// A message (RFC 5352 §6.6, data.received).
    Message {
        /// The pool element that sent it.
        from: PoolElementId,
        /// The message.
        received: Received,
    },
    /// The association with a pool element has ended, or was closed for another one. What was sent
    /// to it without saying what shall happen then may be lost, and what it has not answered will
    /// not be answered.
    Ended {
        /// The pool element.
        element: PoolElementId,
    },
    /// A pool element may not have a message with [`OnFailover::Return`], or one that was sent to
    /// all (RFC 5352 §6.7, error.report). It follows [`PoolEvent::Ended`].
    Undelivered {
        /// To whom it was sent.
        to: PoolElementId,
        /// The message.
        message: SessionMessage,
    },
}

/// Why a message was not sent to a pool.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PoolSendFailed {
    /// No association with a pool element.
    Connect(ConnectFailed),
    /// The message cannot be sent.
    Send(SendFailed),
}

impl PoolSendFailed {
    /// Whether another pool element may do better.
    fn is_of_one(&self) -> bool {
        matches!(
            self,
            Self::Connect(ConnectFailed::Unreachable(_)) | Self::Send(SendFailed::Closed)
        )
    }
}

impl fmt::Display for PoolSendFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(failed) => failed.fmt(f),
            Self::Send(failed) => failed.fmt(f),
        }
    }
}

impl Error for PoolSendFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::Connect(failed) => failed,
            Self::Send(failed) => failed,
        })
    }
}

impl From<ConnectFailed> for PoolSendFailed {
    fn from(failed: ConnectFailed) -> Self {
        Self::Connect(failed)
    }
}

/// To whom a message was sent that was for all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SentToAll {
    /// These pool elements.
    pub to: Vec<PoolElementId>,
    /// Not to these, and why.
    pub failed: Vec<(PoolElementId, PoolSendFailed)>,
}

impl PoolSender {
    pub(crate) fn new(user: PoolUser, pool_handle: PoolHandle) -> Self {
        let (events_sender, events) = mpsc::channel(EVENTS_MAX);
        Self {
            user,
            pool_handle,
            own: BTreeSet::new(),
            members: BTreeMap::new(),
            last: None,
            uses: 0,
            events,
            events_sender,
            again: VecDeque::new(),
            told: VecDeque::new(),
        }
    }

    /// This process itself is a pool element of the pool, by this identifier: what is sent to all
    /// does not go to it, but with [`PoolSender::send_to_all_and_self`].
    pub fn add_own(&mut self, pool_element: PoolElementId) {
        self.own.insert(pool_element);
    }

    /// Sends a message to the pool element that the policy selects for it (RFC 5352 §6.5.1,
    /// §6.5.2), and gives its identifier. Those that cannot be reached are passed over.
    ///
    /// # Errors
    /// See [`PoolSendFailed`].
    pub async fn send(
        &mut self,
        message: impl Into<SessionMessage>,
    ) -> Result<PoolElementId, PoolSendFailed> {
        let message = message.into();
        let mut failed = Vec::new();
        loop {
            let element = self.select().await?;
            let id = element.id;
            match self.deliver(element, message.clone()).await {
                Ok(()) => return Ok(id),
                Err(error) if error.is_of_one() && !failed.contains(&id) => failed.push(id),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends a message to this pool element (RFC 5352 §6.5.3).
    ///
    /// # Errors
    /// See [`PoolSendFailed`].
    pub async fn send_to(
        &mut self,
        pool_element: PoolElementId,
        message: impl Into<SessionMessage>,
    ) -> Result<(), PoolSendFailed> {
        let message = message.into();
        if self.members.contains_key(&pool_element) {
            return self.send_to_member(pool_element, message).await;
        }
        let all = self.resolve().await?;
        let element = all.into_iter().find(|element| element.id == pool_element);
        let element = element.ok_or(ConnectFailed::Unreachable(pool_element))?;
        self.deliver(element, message).await
    }

    /// Sends a message to the pool element that was sent the one before (ASAP_SEND_TO_LAST), and
    /// gives its identifier; the first one, and if that pool element has gone, as
    /// [`PoolSender::send`].
    ///
    /// # Errors
    /// See [`PoolSendFailed`].
    pub async fn send_to_last(
        &mut self,
        message: impl Into<SessionMessage>,
    ) -> Result<PoolElementId, PoolSendFailed> {
        let message = message.into();
        if let Some(last) = self.last
            && self.members.contains_key(&last)
        {
            match self.send_to_member(last, message.clone()).await {
                Err(PoolSendFailed::Send(SendFailed::Closed)) => {}
                sent => return sent.map(|()| last),
            }
        }
        self.send(message).await
    }

    /// Sends a copy to each pool element of the pool but this process itself (ASAP_SEND_TO_ALL):
    /// those that the registrar knows now, up to [`POOL_SENDER_ASSOCIATIONS_MAX`]. A pool element
    /// that fails is not replaced, as the others have the message: with another [`OnFailover`]
    /// than `Forget` it is told by [`PoolEvent::Undelivered`].
    ///
    /// # Errors
    /// The pool handle was not resolved. What concerns one pool element is in [`SentToAll`].
    pub async fn send_to_all(
        &mut self,
        message: impl Into<SessionMessage>,
    ) -> Result<SentToAll, PoolSendFailed> {
        let own = self.own.clone();
        self.send_to_all_but(&own, message.into()).await
    }

    /// As [`PoolSender::send_to_all`], and to this process itself (ASAP_SEND_TO_SELF).
    ///
    /// # Errors
    /// As there.
    pub async fn send_to_all_and_self(
        &mut self,
        message: impl Into<SessionMessage>,
    ) -> Result<SentToAll, PoolSendFailed> {
        self.send_to_all_but(&BTreeSet::new(), message.into()).await
    }

    /// The next message or news. Meanwhile sends again what goes to another pool element; if there
    /// is none, that is told as undelivered.
    ///
    /// Cancelling the future loses nothing.
    pub async fn recv(&mut self) -> PoolEvent {
        loop {
            if let Some(event) = self.told.pop_front() {
                return event;
            }
            self.send_again().await;
            if !self.told.is_empty() {
                continue;
            }
            match self.events.recv().await {
                Some(FromMember::Message(from, received)) => {
                    return PoolEvent::Message { from, received };
                }
                Some(FromMember::Ended {
                    id,
                    sender,
                    undelivered,
                }) => self.on_ended(id, &sender, undelivered),
                // This has a sender itself.
                None => std::future::pending().await,
            }
        }
    }

    async fn send_to_all_but(
        &mut self,
        not_to: &BTreeSet<PoolElementId>,
        mut message: SessionMessage,
    ) -> Result<SentToAll, PoolSendFailed> {
        if message.on_failover == OnFailover::Resend {
            message.on_failover = OnFailover::Return;
        }
        let mut elements = self.resolve().await?;
        elements.retain(|element| !not_to.contains(&element.id));
        elements.truncate(POOL_SENDER_ASSOCIATIONS_MAX);
        self.connect_to_all(&elements).await;
        let mut sent = SentToAll::default();
        for element in elements {
            let id = element.id;
            match self.deliver(element, message.clone()).await {
                Ok(()) => sent.to.push(id),
                Err(error) => sent.failed.push((id, error)),
            }
        }
        Ok(sent)
    }

    /// Begins the associations that are missing, all at once: one that does not answer holds up
    /// nobody else. Who cannot be reached is told when it is sent to.
    async fn connect_to_all(&mut self, elements: &[PoolElement]) {
        let missing = elements
            .iter()
            .filter(|element| !self.members.contains_key(&element.id));
        let (connected, mut connecting) = mpsc::channel(POOL_SENDER_ASSOCIATIONS_MAX);
        for element in missing {
            let session = self.user.session(self.pool_handle.clone());
            let (id, session) = (element.id, session.only_with(element.clone()));
            let connected = connected.clone();
            let connect = async move {
                // Who wanted it may have stopped waiting.
                let _ = connected.send((id, session.connect().await)).await;
            };
            self.user.client().spawn(connect).await;
        }
        drop(connected);
        while let Some((id, session)) = connecting.recv().await {
            if let Ok(session) = session {
                self.add(id, session).await;
            }
        }
    }

    async fn send_again(&mut self) {
        while let Some((to, message)) = self.again.front().cloned() {
            let sent = self.send(message.clone()).await;
            self.again.pop_front();
            if sent.is_err() {
                self.told.push_back(PoolEvent::Undelivered { to, message });
                return;
            }
        }
    }

    fn on_ended(
        &mut self,
        id: PoolElementId,
        sender: &SessionSender,
        undelivered: Vec<SessionMessage>,
    ) {
        let is_its = |member: &Member| member.sender.is_same(sender);
        if self.members.get(&id).is_some_and(is_its) {
            self.members.remove(&id);
        }
        self.told.push_back(PoolEvent::Ended { element: id });
        for message in undelivered {
            if message.on_failover == OnFailover::Resend {
                self.again.push_back((id, message));
            } else {
                let to = id;
                self.told.push_back(PoolEvent::Undelivered { to, message });
            }
        }
    }

    async fn select(&self) -> Result<PoolElement, PoolSendFailed> {
        let selected = self.user.client().select(self.pool_handle.clone()).await;
        let selected = selected.map_err(connect_failed)?;
        Ok(selected.decode())
    }

    /// As many pool elements as the registrar likes to tell.
    async fn resolve(&self) -> Result<Vec<PoolElement>, PoolSendFailed> {
        let items = u32::try_from(POOL_SENDER_ASSOCIATIONS_MAX).ok();
        let pool_handle = self.pool_handle.clone();
        let resolved = self.user.client().resolve(pool_handle, items).await;
        let (resolution, _) = resolved.map_err(connect_failed)?;
        let elements = resolution.pool_elements.iter();
        Ok(elements.map(EncodedPoolElement::decode).collect())
    }

    async fn deliver(
        &mut self,
        element: PoolElement,
        message: SessionMessage,
    ) -> Result<(), PoolSendFailed> {
        let id = element.id;
        if self.members.contains_key(&id) {
            match self.send_to_member(id, message.clone()).await {
                // It had ended, which is about to be told: it may be back.
                Err(PoolSendFailed::Send(SendFailed::Closed)) => drop(self.members.remove(&id)),
                sent => return sent,
            }
        }
        let session = self.user.session(self.pool_handle.clone());
        let session = session.only_with(element).connect().await?;
        self.add(id, session).await;
        self.send_to_member(id, message).await
    }

    async fn send_to_member(
        &mut self,
        id: PoolElementId,
        message: SessionMessage,
    ) -> Result<(), PoolSendFailed> {
        let gone = || PoolSendFailed::Send(SendFailed::Closed);
        self.uses += 1;
        let member = self.members.get_mut(&id).ok_or_else(gone)?;
        member.last_use = self.uses;
        let sent = member.sender.send_message(message).await;
        sent.map_err(PoolSendFailed::Send)?;
        self.last = Some(id);
        Ok(())
    }

    async fn add(&mut self, id: PoolElementId, session: Session) {
        if self.members.len() >= POOL_SENDER_ASSOCIATIONS_MAX {
            let oldest = self.members.iter().min_by_key(|(_, one)| one.last_use);
            let oldest = oldest.map(|(&id, _)| id);
            if let Some(oldest) = oldest.and_then(|id| self.members.remove(&id)) {
                // It may have ended.
                let _ = oldest.close.send(());
            }
        }
        self.uses += 1;
        let (close, closed) = oneshot::channel();
        let member = Member {
            sender: session.sender(),
            last_use: self.uses,
            close,
        };
        self.members.insert(id, member);
        let listening = listen(id, session, closed, self.events_sender.clone());
        self.user.client().spawn(listening).await;
    }
}

fn connect_failed(failure: ResolveFailure) -> PoolSendFailed {
    PoolSendFailed::Connect(if failure == ResolveFailure::Stopped {
        ConnectFailed::Stopped
    } else {
        ConnectFailed::Resolve(ResolveFailed::from(failure))
    })
}

/// Tells what a pool element sends, until its association ends or makes room for another.
async fn listen(
    id: PoolElementId,
    mut session: Session,
    mut closed: oneshot::Receiver<()>,
    events: mpsc::Sender<FromMember>,
) {
    let sender = session.sender();
    loop {
        let received = tokio::select! {
            received = session.recv() => received.map_err(|_| session.take_undelivered()),
            // Of one that is forgotten because it has ended, what it may not have is still told.
            Ok(()) = &mut closed => Err(Vec::new()),
            // Nobody listens any more.
            () = events.closed() => return,
        };
        let event = match received {
            Ok(SessionEvent::Message(received)) => FromMember::Message(id, received),
            // It has no failover.
            Ok(_) => continue,
            Err(undelivered) => {
                let ended = FromMember::Ended {
                    id,
                    sender,
                    undelivered,
                };
                // Nobody listens any more.
                return drop(events.send(ended).await);
            }
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}
