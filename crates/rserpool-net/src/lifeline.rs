//! The lifeline: a TCP connection that carries nothing and whose end is a hint.
//!
//! SCTP in user space leaves no trace in the kernel when its process is killed, so that nobody is
//! told. A TCP connection beside the association is closed by the kernel at that very moment; the
//! other end then probes the association with an SCTP HEARTBEAT, and ICMP's answer or silence ends
//! it within milliseconds. A lifeline never ends an association by itself, its absence changes
//! nothing, and peers that know nothing of it are unaffected (docs/deviations.md).
//!
//! Who opened the association opens the lifeline: to the TCP port with the number of the peer's
//! UDP encapsulation port, with one message:
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------+---------------+---------------+---------------+
//! |      'R'      |      'S'      |      'P'      |      'L'      |
//! +---------------+---------------+---------------+---------------+
//! |  version = 1  |                  reserved = 0                 |
//! +---------------+---------------+---------------+---------------+
//! |  verification tag of the packets that the opener sends        |
//! +---------------+---------------+---------------+---------------+
//! ```

use crate::inbox::{Found, Inbox};
use crate::tcp::ACCEPT_PAUSE;
use rserpool_core::AssociationId;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

/// Lifelines accepted at once. Who finds no room goes without.
const LIFELINES_MAX: usize = 1 << 16;

/// Lifelines that have not said yet what they are for.
const UNNAMED_MAX: usize = 1024;

/// A lifeline must say what it is for within this time.
const HELLO_TIMEOUT: Duration = Duration::from_secs(2);

/// A lifeline must be open within this time: the association is up, so the peer is near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

const HELLO_OCTETS: usize = 12;
const MAGIC: [u8; 8] = *b"RSPL\x01\0\0\0";

/// All lifelines of a node, both those it opened and those opened to it.
pub(crate) struct Lifelines {
    inbox: Rc<Inbox>,
    counts: Rc<Counts>,
    tasks: BTreeMap<u64, (AssociationId, AbortHandle)>,
    by_association: BTreeMap<AssociationId, u64>,
}

#[derive(Default)]
struct Counts {
    next: Cell<u64>,
    accepted: Cell<usize>,
    unnamed: Cell<usize>,
}

impl Lifelines {
    pub(crate) fn new(inbox: &Rc<Inbox>) -> Self {
        Self {
            inbox: Rc::clone(inbox),
            counts: Rc::default(),
            tasks: BTreeMap::new(),
            by_association: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Accepts lifelines until the node ends.
    pub(crate) fn listen(&self, listener: TcpListener) {
        let (inbox, counts) = (Rc::clone(&self.inbox), Rc::clone(&self.counts));
        tokio::task::spawn_local(accept(listener, inbox, counts));
    }

    /// Opens a lifeline beside an association that is up.
    pub(crate) fn open(&mut self, association: AssociationId, peer: SocketAddr, tag: u32) {
        let lifeline = self.counts.new_id();
        let inbox = Rc::clone(&self.inbox);
        let task = tokio::task::spawn_local(async move {
            if let Some(was_open) = hold(peer, tag).await {
                let ended = Found::LifelineEnded { lifeline, was_open };
                inbox.put(ended).await;
            }
        });
        self.insert(lifeline, association, task.abort_handle());
    }

    /// A lifeline said which association it is for. A later one replaces an earlier one.
    pub(crate) fn named(&mut self, named: Named, association: Option<AssociationId>) {
        match association {
            Some(association) => self.insert(named.lifeline, association, named.task),
            None => named.task.abort(),
        }
    }

    /// A lifeline ended: beside which association.
    pub(crate) fn ended(&mut self, lifeline: u64) -> Option<AssociationId> {
        let (association, _) = self.tasks.remove(&lifeline)?;
        self.by_association.remove(&association);
        Some(association)
    }

    /// The association is gone; its lifeline goes with it.
    pub(crate) fn close(&mut self, association: AssociationId) {
        if let Some(lifeline) = self.by_association.remove(&association)
            && let Some((_, task)) = self.tasks.remove(&lifeline)
        {
            task.abort();
        }
    }

    fn insert(&mut self, lifeline: u64, association: AssociationId, task: AbortHandle) {
        self.close(association);
        self.tasks.insert(lifeline, (association, task));
        self.by_association.insert(association, lifeline);
    }
}

/// A lifeline that was accepted and said its tag.
pub(crate) struct Named {
    pub(crate) tag: u32,
    lifeline: u64,
    task: AbortHandle,
}

impl Counts {
    fn new_id(&self) -> u64 {
        let id = self.next.get();
        self.next.set(id + 1);
        id
    }
}

async fn accept(listener: TcpListener, inbox: Rc<Inbox>, counts: Rc<Counts>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if counts.accepted.get() >= LIFELINES_MAX || counts.unnamed.get() >= UNNAMED_MAX {
            continue;
        }
        let lifeline = counts.new_id();
        let (to_name, name) = tokio::sync::oneshot::channel();
        let task = tokio::task::spawn_local(serve(
            stream,
            lifeline,
            name,
            Rc::clone(&inbox),
            Rc::clone(&counts),
        ));
        // Cannot fail: the task has not run yet.
        let _ = to_name.send(task.abort_handle());
    }
}

async fn serve(
    mut stream: TcpStream,
    lifeline: u64,
    own_task: tokio::sync::oneshot::Receiver<AbortHandle>,
    inbox: Rc<Inbox>,
    counts: Rc<Counts>,
) {
    let _accepted = Counted::new(&counts, |counts| &counts.accepted);
    let unnamed = Counted::new(&counts, |counts| &counts.unnamed);
    let mut hello = [0; HELLO_OCTETS];
    let read = timeout(HELLO_TIMEOUT, stream.read_exact(&mut hello)).await;
    let (Ok(Ok(_)), Some(tag), Ok(task)) = (read, read_hello(hello), own_task.await) else {
        return;
    };
    drop(unnamed);
    inbox
        .put(Found::LifelineNamed(Named {
            tag,
            lifeline,
            task,
        }))
        .await;
    wait_for_end(&mut stream).await;
    let was_open = true;
    inbox.put(Found::LifelineEnded { lifeline, was_open }).await;
}

/// Opens a lifeline and returns when it ends: whether it was open; `None` if nobody answered. Who
/// refuses may have been there a moment ago: the association came up. If it never had a lifeline,
/// it is probed in vain.
async fn hold(peer: SocketAddr, tag: u32) -> Option<bool> {
    let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(peer)).await;
    let Ok(mut stream) = connected.ok()? else {
        return Some(false);
    };
    if stream.write_all(&hello(tag)).await.is_ok() {
        wait_for_end(&mut stream).await;
    }
    Some(true)
}

/// Nothing is ever sent after the hello, so that whatever can be read is the end.
async fn wait_for_end(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0]).await;
}

fn hello(tag: u32) -> [u8; HELLO_OCTETS] {
    let mut hello = [0; HELLO_OCTETS];
    hello[..8].copy_from_slice(&MAGIC);
    hello[8..].copy_from_slice(&tag.to_be_bytes());
    hello
}

fn read_hello(octets: [u8; HELLO_OCTETS]) -> Option<u32> {
    let [.., a, b, c, d] = octets;
    octets
        .starts_with(&MAGIC)
        .then_some(u32::from_be_bytes([a, b, c, d]))
}

/// Counts something for as long as it lives.
struct Counted {
    counts: Rc<Counts>,
    which: fn(&Counts) -> &Cell<usize>,
}

impl Counted {
    fn new(counts: &Rc<Counts>, which: fn(&Counts) -> &Cell<usize>) -> Self {
        let count = which(counts);
        count.set(count.get() + 1);
        Self {
            counts: Rc::clone(counts),
            which,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let count = (self.which)(&self.counts);
        count.set(count.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_is_magic_version_and_tag() {
        let octets = hello(0x0102_0304);
        assert_eq!(&octets, b"RSPL\x01\0\0\0\x01\x02\x03\x04");
        assert_eq!(read_hello(octets), Some(0x0102_0304));
        assert_eq!(read_hello(*b"RSPL\x02\0\0\0\x01\x02\x03\x04"), None);
        assert_eq!(read_hello(*b"GET / HTTP/1"), None);
    }

    #[tokio::test]
    async fn who_is_gone_before_the_hello_is_noticed() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let peer = listener.local_addr().unwrap();
        let held = tokio::spawn(hold(peer, 1));
        // Killed with the connection in its backlog.
        drop(listener);
        assert!(held.await.unwrap().is_some());
        assert_eq!(hold(peer, 1).await, Some(false), "refused");
    }
}
