//! Work for a pool: each task goes to the worker that the policy selects for it, and if that one
//! dies, its unfinished tasks go to the others. At the end all workers are told to go home.
//!
//! ```sh
//! rsp registrar & cargo run --example work_queue work & cargo run --example work_queue work
//! cargo run --example work_queue                 # in a second terminal: type texts
//! ```
//!
//! Each line comes back in capital letters, with the name of the worker. Workers take turns.
//! `kill -9` one that has just been given some lines (`seq 1000 | cargo run …`): every line is
//! answered all the same. Ctrl-D ends the boss, and the workers too.

use rserpool::{
    Connection, Multicast, OnFailover, PoolElement, PoolElementId, PoolEvent, PoolSender, PoolUser,
    RegistrarAddress, SessionMessage,
};
use std::collections::{BTreeMap, VecDeque};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

/// Tasks that are under way at one time.
const UNDER_WAY_MAX: usize = 100;

/// What all workers are told at the end.
const GO_HOME: &[u8] = b"go home";

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).peekable();
    let works = arguments.next_if_eq("work").is_some();
    // Further arguments are registrars; without any, they are found by multicast.
    let registrars = arguments.map(|at| at.parse());
    let registrars: Vec<RegistrarAddress> = registrars.collect::<Result<_, _>>()?;
    let multicast = match registrars[..] {
        [] => Multicast::default(),
        _ => Multicast::off(),
    };
    if works {
        let element = PoolElement::builder("work").registrars(registrars);
        work(element.multicast(multicast).register().await?).await
    } else {
        let user = PoolUser::builder().registrars(registrars);
        let user = user.multicast(multicast).start().await?;
        let mut boss = Boss {
            workers: user.pool("work"),
            under_way: BTreeMap::new(),
        };
        boss.hand_out().await?;
        // A message that was sent is on its way, and would end with this process.
        user.stop().await;
        Ok(())
    }
}

/// Takes tasks of everybody until somebody says that it is over.
async fn work(mut element: PoolElement) -> Result<(), Failure> {
    let name = element.id().to_string();
    println!("worker {name} waits for tasks");
    let (go_home, mut is_over) = mpsc::channel(1);
    loop {
        tokio::select! {
            Some(connection) = element.accept() => {
                tokio::spawn(do_tasks(connection, name.clone(), go_home.clone()));
            }
            _ = is_over.recv() => break,
        }
    }
    element.deregister().await;
    println!("worker {name} goes home");
    Ok(())
}

async fn do_tasks(mut connection: Connection, name: String, go_home: mpsc::Sender<()>) {
    while let Some(task) = connection.recv().await {
        if task.data == GO_HOME {
            // That it has been said before is all right.
            let _ = go_home.try_send(());
            return;
        }
        let text = String::from_utf8_lossy(&task.data).to_uppercase();
        if connection.send(format!("{text} by {name}")).await.is_err() {
            return;
        }
    }
}

struct Boss {
    workers: PoolSender,
    /// What each worker has not answered yet, in its order: a worker answers in order.
    under_way: BTreeMap<PoolElementId, VecDeque<String>>,
}

impl Boss {
    async fn hand_out(&mut self) -> Result<(), Failure> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut is_over = false;
        while !is_over || self.count() > 0 {
            tokio::select! {
                line = lines.next_line(), if !is_over && self.count() < UNDER_WAY_MAX => {
                    match line? {
                        Some(line) if line.is_empty() => {}
                        Some(line) => self.give(line).await?,
                        None => is_over = true,
                    }
                }
                event = self.workers.recv() => self.on_event(event).await?,
            }
        }
        let told = self.workers.send_to_all(GO_HOME).await?;
        println!("{} workers go home", told.to.len());
        Ok(())
    }

    async fn give(&mut self, task: String) -> Result<(), Failure> {
        // It comes back if its worker may not have it; who had it and died is another matter.
        let message = SessionMessage::new(task.as_str()).on_failover(OnFailover::Return);
        let worker = self.workers.send(message).await?;
        self.under_way.entry(worker).or_default().push_back(task);
        Ok(())
    }

    async fn on_event(&mut self, event: PoolEvent) -> Result<(), Failure> {
        match event {
            PoolEvent::Message { from, received } => {
                println!("{}", String::from_utf8_lossy(&received.data));
                self.under_way.entry(from).or_default().pop_front();
            }
            // All that it has not answered, whether or not it had it, is for others.
            PoolEvent::Ended { element } => {
                for task in self.under_way.remove(&element).unwrap_or_default() {
                    self.give(task).await?;
                }
            }
            // It is one of those.
            PoolEvent::Undelivered { .. } | _ => {}
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.under_way.values().map(VecDeque::len).sum()
    }
}
