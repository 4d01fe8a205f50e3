//! Whole sessions over associations that break at any moment (RFC 5352 §3.8): a job that several
//! pool elements work on one after the other, with their progress in cookies.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/session.rs"]
mod session;
mod support;

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use rserpool_core::session::{
    PoolElementSession, PoolElementSessionCommand, PoolElementSessionEvent,
    PoolElementSessionOutput, PoolUserSession, PoolUserSessionOutput,
};
use rserpool_wire::asap::Message;
use session::*;
use std::collections::VecDeque;
use support::echo;

/// Units of work in a job, and after how many of them the pool element gives a cookie.
const UNITS: u64 = 200;
const COOKIE_INTERVAL: u64 = 7;

/// What is under way on an association: one stream, so in order.
#[derive(Clone, Debug)]
enum Packet {
    Control(Message),
    /// To the pool element: begin; to the pool user: all is done.
    Data,
}

/// A pool element at work.
struct Worker {
    session: PoolElementSession,
    is_begun: bool,
    /// Where it began: what the echo said, or nothing.
    begun_at: u64,
    done: u64,
}

struct World {
    user: PoolUserSession,
    association: u64,
    worker: Worker,
    to_element: VecDeque<Packet>,
    to_user: VecDeque<Packet>,
    /// Progress that the latest received cookie tells.
    stored: u64,
    worked: u64,
    /// What may be done again at most, given which cookies were lost.
    repeated_max: u64,
    kills: u64,
    is_complete: bool,
}

fn worker() -> Worker {
    Worker {
        session: PoolElementSession::new(),
        is_begun: false,
        begun_at: 0,
        done: 0,
    }
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            user: PoolUserSession::new(echo()),
            association: 0,
            worker: worker(),
            to_element: VecDeque::new(),
            to_user: VecDeque::new(),
            stored: 0,
            worked: 0,
            repeated_max: 0,
            kills: 0,
            is_complete: false,
        };
        world.connect();
        world
    }

    /// The session goes on at a pool element that knows nothing.
    fn connect(&mut self) {
        self.association += 1;
        self.worker = worker();
        let had_cookie = self.user.cookie().is_some();
        for output in up(&mut self.user, self.association) {
            if let PoolUserSessionOutput::Send { message, .. } = output {
                self.to_element.push_back(Packet::Control(message));
            }
        }
        assert_eq!(self.to_element.len(), usize::from(had_cookie));
        // The data follows at once.
        self.to_element.push_back(Packet::Data);
    }

    /// The pool element dies, and with it what it knew and what was under way.
    fn kill(&mut self) {
        let is_cookie = |packet: &&Packet| matches!(packet, Packet::Control(_));
        let lost = u64::try_from(self.to_user.iter().filter(is_cookie).count()).unwrap();
        self.repeated_max += COOKIE_INTERVAL * (1 + lost) - 1;
        self.to_user.clear();
        self.to_element.clear();
        down(&mut self.user, self.association);
        self.kills += 1;
        self.connect();
    }

    fn deliver_to_element(&mut self) {
        match self.to_element.pop_front() {
            Some(Packet::Control(message)) => {
                let outputs = element_receives(&mut self.worker.session, message);
                let [PoolElementSessionOutput::Event(PoolElementSessionEvent::CookieEcho(cookie))] =
                    &outputs[..]
                else {
                    panic!("{outputs:?}")
                };
                assert!(!self.worker.is_begun, "the echo comes before the data");
                let progress = u64::from_be_bytes(cookie.0[..].try_into().unwrap());
                assert_eq!(progress, self.stored, "it is the latest cookie");
                (self.worker.begun_at, self.worker.done) = (progress, progress);
            }
            Some(Packet::Data) => {
                assert_eq!(
                    self.worker.begun_at, self.stored,
                    "nothing is skipped or forgotten"
                );
                self.worker.is_begun = true;
            }
            None => {}
        }
    }

    fn deliver_to_user(&mut self) {
        match self.to_user.pop_front() {
            Some(Packet::Control(message)) => {
                received(&mut self.user, self.association, message);
                let cookie = self.user.cookie().unwrap();
                let progress = u64::from_be_bytes(cookie.0[..].try_into().unwrap());
                assert!(progress > self.stored, "progress is never lost");
                self.stored = progress;
            }
            Some(Packet::Data) => self.is_complete = true,
            None => {}
        }
    }

    fn work(&mut self) {
        let worker = &mut self.worker;
        if !worker.is_begun || worker.done == UNITS {
            return;
        }
        worker.done += 1;
        self.worked += 1;
        if worker.done == UNITS {
            self.to_user.push_back(Packet::Data);
        } else if (worker.done - worker.begun_at).is_multiple_of(COOKIE_INTERVAL) {
            let cookie = parameter(&worker.done.to_be_bytes());
            let command = PoolElementSessionCommand::SendCookie(cookie);
            worker.session.handle_command(command);
            for output in element_outputs(&mut worker.session) {
                if let PoolElementSessionOutput::Send(message) = output {
                    self.to_user.push_back(Packet::Control(message));
                }
            }
        }
    }
}

#[test]
fn a_job_is_finished_and_at_most_one_cookie_interval_repeated_per_failure() {
    let (mut kills, mut worked, mut allowed) = (0, 0, 0);
    for seed in 0..2000 {
        let mut rng = Pcg64::seed_from_u64(seed);
        let mut world = World::new();
        // From one failure in four steps to one in a hundred.
        let one_in = 4 + seed % 97;
        while !world.is_complete {
            match rng.next_u64() % 3 {
                0 => world.deliver_to_element(),
                1 => world.deliver_to_user(),
                _ => world.work(),
            }
            // The last of many elements lives.
            if world.kills < 100 && rng.next_u64().is_multiple_of(one_in) && !world.is_complete {
                world.kill();
            }
        }
        let most = UNITS + world.repeated_max;
        assert!(
            world.worked <= most,
            "seed {seed}: {} of {most}",
            world.worked
        );
        assert!(world.worked >= UNITS, "seed {seed}: {}", world.worked);
        kills += world.kills;
        worked += world.worked;
        allowed += most;
    }
    println!("2000 jobs, {kills} failures, {worked} units done, {allowed} allowed");
    assert!(kills > 50_000, "{kills}");
}
