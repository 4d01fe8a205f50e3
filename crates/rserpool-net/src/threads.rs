//! The threads that nodes live on.
//!
//! An SCTP endpoint stays on one thread, and so does its node. A registrar has a thread for
//! itself. Pool elements and pool users share as many as there are processors: a process may have
//! a thousand, and a thread each would be woken, and put to sleep again, for every datagram.
//! Applications run elsewhere, so that nothing on these threads ever blocks; each turn of a node is
//! bounded, so that a busy one does not starve its neighbours; and one that panics ends alone.
//!
//! Must not know what a node is.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, available_parallelism};
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

/// The stack of a thread: the buffers of nodes are on the heap.
const STACK_OCTETS: usize = 512 << 10;

/// More threads than this are not shared, however many processors there are: beyond it the
/// kernel's loopback and network queues decide.
const SHARED_MAX: usize = 16;

/// Where a node lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// On a thread of its own, of this name.
    Alone(String),
    /// With others of its kind.
    Shared,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Begin = Box<dyn FnOnce() -> Task + Send>;

/// Runs what `begin` makes on a thread, with whatever local tasks it spawns; these end with it, and
/// `last` is dropped after them.
///
/// # Errors
/// The system has no further thread, or no descriptors for one.
pub(crate) fn run<F: Future<Output = ()> + 'static>(
    place: Place,
    last: impl Send + 'static,
    begin: impl FnOnce() -> F + Send + 'static,
) -> io::Result<()> {
    let (thread, lodging) = match place {
        Place::Alone(name) => (start_thread(name)?, None),
        Place::Shared => {
            let (thread, lodging) = lock().lodge()?;
            (thread, Some(lodging))
        }
    };
    thread.begin(begin, (last, lodging));
    Ok(())
}

static SHARED: Mutex<SharedThreads> = Mutex::new(SharedThreads(Vec::new(), 0));

/// All that are running, and the number of the next.
struct SharedThreads(Vec<SharedThread>, u64);

struct SharedThread {
    id: u64,
    tasks: usize,
    thread: Thread,
}

fn lock() -> MutexGuard<'static, SharedThreads> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedThreads {
    fn lodge(&mut self) -> io::Result<(Thread, Lodging)> {
        let at = self.emptiest_or_new()?;
        let shared = &mut self.0[at];
        shared.tasks += 1;
        Ok((shared.thread.clone(), Lodging(shared.id)))
    }

    /// The index of the one with the fewest tasks, or of a new one while there are processors
    /// for it.
    fn emptiest_or_new(&mut self) -> io::Result<usize> {
        let processors = available_parallelism().map_or(1, usize::from);
        if self.0.len() < processors.min(SHARED_MAX) {
            match start_thread(format!("rserpool {}", self.0.len())) {
                Ok(thread) => {
                    let id = self.1;
                    self.1 += 1;
                    self.0.push(SharedThread {
                        id,
                        tasks: 0,
                        thread,
                    });
                    return Ok(self.0.len() - 1);
                }
                Err(error) if self.0.is_empty() => return Err(error),
                // Those that there are will do.
                Err(_) => {}
            }
        }
        let all = self.0.iter().enumerate();
        let emptiest = all.min_by_key(|(_, thread)| thread.tasks);
        Ok(emptiest.map_or(0, |(index, _)| index))
    }
}

/// A place on a shared thread, until it is dropped. With its last one the thread ends.
struct Lodging(u64);

impl Drop for Lodging {
    fn drop(&mut self) {
        let mut shared = lock();
        shared.0.retain_mut(|thread| {
            thread.tasks -= usize::from(thread.id == self.0);
            thread.tasks > 0
        });
    }
}

/// A running thread. It ends when all clones of this are dropped and its tasks have ended.
#[derive(Clone)]
struct Thread(mpsc::UnboundedSender<Begin>);

impl Thread {
    fn begin<F: Future<Output = ()> + 'static>(
        &self,
        begin: impl FnOnce() -> F + Send + 'static,
        last: impl Send + 'static,
    ) {
        let begin = move || -> Task {
            Box::pin(async move {
                let _last = last;
                // Its own set: its tasks end with it, not with the thread.
                LocalSet::new().run_until(async { begin().await }).await;
            })
        };
        // The thread waits for this as long as there is a sender.
        let _ = self.0.send(Box::new(begin));
    }
}

fn start_thread(name: String) -> io::Result<Thread> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (sender, mut begins) = mpsc::unbounded_channel::<Begin>();
    let serve = async move {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                begin = begins.recv() => match begin {
                    Some(begin) => drop(tasks.spawn_local(begin())),
                    None => break,
                },
                // Who panicked has been told of on standard error, and its owner sees it end.
                Some(_) = tasks.join_next() => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    };
    let run = move || LocalSet::new().block_on(&runtime, serve);
    let thread = Builder::new().name(name).stack_size(STACK_OCTETS);
    thread.spawn(run)?;
    Ok(Thread(sender))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::{ThreadId, current};
    use std::time::Duration;
    use tokio::sync::{mpsc, oneshot};
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(10);

    /// A task that says where it is and ends when it is told to: by that, or by a panic.
    struct Lodger {
        at: ThreadId,
        end: Option<oneshot::Sender<bool>>,
        gone: mpsc::Receiver<()>,
    }

    impl Lodger {
        async fn start(place: Place) -> Self {
            let (at, is_at) = oneshot::channel();
            let (end, to_end) = oneshot::channel::<bool>();
            let (last, gone) = mpsc::channel(1);
            let begin = move || async move {
                at.send(current().id()).unwrap();
                assert!(to_end.await.unwrap(), "told to panic");
            };
            run(place, last, begin).unwrap();
            Self {
                at: timeout(SOON, is_at).await.unwrap().unwrap(),
                end: Some(end),
                gone,
            }
        }

        async fn end(&mut self, in_order: bool) {
            self.end.take().unwrap().send(in_order).unwrap();
            let gone = timeout(SOON, self.gone.recv()).await;
            assert_eq!(gone.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn who_is_alone_has_a_thread_of_its_name_and_it_ends_with_it() {
        let (named, name) = oneshot::channel();
        let begin = move || async move {
            named
                .send(current().name().unwrap_or_default().to_owned())
                .unwrap();
        };
        let (last, mut gone) = mpsc::channel::<()>(1);
        run(Place::Alone("alone".into()), last, begin).unwrap();
        assert_eq!(name.await.unwrap(), "alone");
        assert_eq!(gone.recv().await, None);
        let (a, b) = (
            Lodger::start(Place::Alone("a".into())).await,
            Lodger::start(Place::Alone("b".into())).await,
        );
        assert_ne!(a.at, b.at);
    }

    /// One test, as all share the threads of this process.
    #[tokio::test]
    async fn many_share_few_threads_and_one_that_panics_ends_alone() {
        let mut lodgers = Vec::new();
        for _ in 0..3 * SHARED_MAX {
            lodgers.push(Lodger::start(Place::Shared).await);
        }
        let mut threads: Vec<_> = lodgers.iter().map(|lodger| lodger.at).collect();
        threads.sort_by_key(|thread| format!("{thread:?}"));
        threads.dedup();
        let processors = available_parallelism().map_or(1, usize::from);
        assert!(threads.len() <= processors.min(SHARED_MAX), "{threads:?}");
        let mut unlucky = lodgers.pop().unwrap();
        unlucky.end(false).await;
        for lodger in &mut lodgers {
            lodger.end(true).await;
        }
        // Also once all were gone, there is a thread for the next.
        Lodger::start(Place::Shared).await.end(true).await;
    }

    /// What a task has spawned ends with it, though its thread goes on.
    #[tokio::test]
    async fn what_a_lodger_spawned_ends_with_it() {
        let mut neighbour = Lodger::start(Place::Shared).await;
        let (held, mut released) = mpsc::channel::<()>(1);
        let begin = move || async move {
            tokio::task::spawn_local(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
        };
        run(Place::Shared, (), begin).unwrap();
        assert_eq!(timeout(SOON, released.recv()).await.unwrap(), None);
        neighbour.end(true).await;
    }
}
