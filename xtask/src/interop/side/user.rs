//! Pool users of both sides, which send a numbered line now and then.

use super::{Registrar, Side, Stage, rsplib, values};
use crate::interop::Failure;
use crate::interop::network::Node;
use crate::interop::program::Program;
use std::io::Write;
use std::time::{Duration, Instant};

/// A running pool user of an echo pool.
pub(in crate::interop) struct User {
    side: Side,
    pub(in crate::interop) program: Program,
}

/// An answer that a user got.
#[derive(Clone, Debug)]
pub(in crate::interop) struct Answer {
    pub(in crate::interop) at: Instant,
    /// The identifier of the element that gave it, as in `0x00000001`.
    pub(in crate::interop) element: String,
}

impl User {
    /// Starts one that sends a line each `every`.
    pub(in crate::interop) fn start(
        side: Side,
        node: &Node,
        pool: &str,
        every: Duration,
        registrars: &[&Registrar],
        more: &[&str],
        stage: &Stage,
    ) -> Result<Self, Failure> {
        stage.prepare_kernel(side, node)?;
        let mut words = match side {
            Side::Ours | Side::Udp => {
                let every = every.as_millis().to_string();
                let connect = ["connect", pool, "--json", "--no-multicast"];
                let mut words = stage.ours(side, &connect);
                words.extend(["--every-ms", &every].map(str::to_owned));
                words
            }
            Side::Rsplib => {
                let pool = format!("-poolhandle={pool}");
                let arguments = [pool, "-asapannounce=off".to_owned()];
                rsplib("rspterminal", &arguments)
            }
        };
        for registrar in registrars {
            words.extend(registrar.option(side));
        }
        words.extend(more.iter().map(|&word| word.to_owned()));
        let mut program = Program::start(node, &node.name, &words, &stage.folder)?;
        if side == Side::Rsplib {
            feed(&mut program, every);
        }
        Ok(Self { side, program })
    }

    /// All answers so far.
    pub(in crate::interop) fn answers(&self) -> Vec<Answer> {
        let lines = self.program.lines();
        lines
            .iter()
            .filter_map(|(at, line)| self.answer(*at, line))
            .collect()
    }

    /// Waits for so many answers that come after `since` and fit.
    pub(in crate::interop) fn wait_for_answers(
        &self,
        count: usize,
        since: Instant,
        limit: Duration,
        fits: impl Fn(&Answer) -> bool,
    ) -> Result<Vec<Answer>, Failure> {
        self.program
            .wait_until(&format!("{count} answers"), limit, |lines| {
                let answers: Vec<Answer> = lines
                    .iter()
                    .filter(|(at, _)| *at >= since)
                    .filter_map(|(at, line)| self.answer(*at, line))
                    .filter(|answer| fits(answer))
                    .collect();
                (answers.len() >= count).then_some(answers)
            })
    }

    fn answer(&self, at: Instant, line: &str) -> Option<Answer> {
        let element = match self.side {
            Side::Ours | Side::Udp => {
                let answer = line.contains("\"event\":\"answer\"");
                answer.then(|| {
                    values(line, "pool_element")
                        .first()
                        .map(|&id| id.to_owned())
                })??
            }
            // `from PE $00000001> line 1`
            Side::Rsplib => {
                let rest = line.split("from PE $").nth(1)?;
                let (id, text) = rest.split_once("> ")?;
                text.starts_with("line ").then(|| format!("0x{id}"))?
            }
        };
        Some(Answer { at, element })
    }
}

/// Types a numbered line each `every`, until the program has ended.
fn feed(program: &mut Program, every: Duration) {
    let Some(mut input) = program.input() else {
        return;
    };
    std::thread::spawn(move || {
        for number in 1_u64.. {
            if writeln!(input, "line {number}").is_err() {
                return;
            }
            std::thread::sleep(every);
        }
    });
}
