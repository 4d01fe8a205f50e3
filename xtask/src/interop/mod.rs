//! Our programs and rsplib's on the same nodes: scenarios whose roles either side plays.
//!
//! The nodes are network namespaces of a User-Mode Linux guest, whose kernel has SCTP. The guest
//! runs on this machine's own files, so what was built here runs there; its first process is
//! this very program.

mod capture;
mod guest;
mod machine;
mod network;
mod options;
mod program;
mod report;
mod scenario;
mod side;

use crate::process::{self, Failure};
use machine::{Folder, Shown};
use options::Options;
use scenario::{Cast, Outcome, Record};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long all scenarios together may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// How many guests play at a time, if there are as many processors: each has one.
const GUESTS_MAX: usize = 4;

/// How many casts play at a time in a guest.
const AT_A_TIME: usize = 4;

/// Says that this is the guest's first process.
const GUEST: &str = "--guest";

/// Plays what `arguments` ask for.
pub(crate) fn main(arguments: &[String]) -> Result<(), Failure> {
    // The kernel adds words of its own to those of its first process.
    if let [first, folder, ..] = arguments
        && first == GUEST
    {
        guest::main(Path::new(folder));
    }
    let options = Options::parse(arguments)?;
    if let Some(why) = machine::obstacle() {
        if std::env::var_os("CI").is_some() {
            return Err(Failure::Check(format!("cannot run: {why}")));
        }
        println!("SKIPPED: {why}");
        return Ok(());
    }
    let folder = Folder::new(options.keep)?;
    if let Some(command) = &options.command {
        let job = ["--run".to_owned(), command.clone()];
        machine::run(folder.path(), &job, Shown::Stdout, LIMIT)?;
        return guest_error(folder.path());
    }
    play(&options, folder.path())
}

fn play(options: &Options, folder: &Path) -> Result<(), Failure> {
    let rsp = match &options.rsp {
        Some(rsp) => rsp.clone(),
        None => build_rsp()?,
    };
    if options.casts.iter().any(|cast| cast.scenario == "tests") {
        scenario::tests::build(folder)?;
    }
    let mut job = vec!["--play".to_owned()];
    job.extend([&rsp, folder].map(|path| path.display().to_string()));
    for cast in &options.casts {
        job.push(format!("{} {}", cast.scenario, cast.roles()));
    }
    let played = play_in_guests(folder, &job, options.casts.len());
    let records: Vec<Record> = (options.casts.iter())
        .map(|cast| cast.judge(folder))
        .collect();
    if options.json {
        report::json(&records);
    } else {
        report::table(&records);
    }
    played?;
    let failed = records
        .iter()
        .filter(|record| record.outcome == Outcome::Failed)
        .count();
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::Check(format!(
        "{failed} of {} runs failed",
        records.len()
    )))
}

/// Boots a guest per processor, which share the casts.
fn play_in_guests(folder: &Path, job: &[String], casts: usize) -> Result<(), Failure> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let guests = processors.min(GUESTS_MAX).min(casts.div_ceil(AT_A_TIME));
    let run = |number: usize| {
        let folder = folder.join(format!("guest-{number}"));
        machine::create(&folder)?;
        machine::run(&folder, job, Shown::Stderr, LIMIT)?;
        guest_error(&folder)
    };
    thread::scope(|scope| {
        let run = &run;
        let guests: Vec<_> = (1..=guests)
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        join(guests)
    })
}

/// The first failure of several threads.
fn join(threads: Vec<thread::ScopedJoinHandle<'_, Result<(), Failure>>>) -> Result<(), Failure> {
    let ended = threads.into_iter().map(|thread| {
        let panicked = |_| Err(Failure::Check("a scenario panicked".to_owned()));
        thread.join().unwrap_or_else(panicked)
    });
    // All are waited for.
    ended.fold(Ok(()), Result::and)
}

fn build_rsp() -> Result<PathBuf, Failure> {
    let mut command = process::cargo();
    process::run(command.args(["build", "--quiet", "--package", "rsp"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| process::root().join("target"), PathBuf::from);
    Ok(target.join("debug/rsp"))
}

/// What the guest could not do, if anything.
fn guest_error(folder: &Path) -> Result<(), Failure> {
    match std::fs::read_to_string(folder.join("error")) {
        Ok(text) => Err(Failure::Check(text)),
        Err(_) => Ok(()),
    }
}

/// What the guest does, by the words of its job.
fn guest_job(job: &[String]) -> Result<(), Failure> {
    match job {
        [kind, command] if kind == "--run" => {
            let mut shell = guest::tool("sh");
            process::run(shell.args(["-c", command]))
        }
        [kind, rsp, folder, casts @ ..] if kind == "--play" => {
            let casts = casts.iter().map(|line| Cast::parse(line));
            play_in_guest(
                &casts.collect::<Result<Vec<_>, _>>()?,
                Path::new(rsp),
                Path::new(folder),
            )
        }
        _ => Err(Failure::Usage("the guest's job is unknown".to_owned())),
    }
}

/// Plays all casts that no other guest plays, some at a time: most of their time they wait.
fn play_in_guest(casts: &[Cast], rsp: &Path, folder: &Path) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let play_some = |place: usize| {
        while let Some(cast) = casts.get(next.fetch_add(1, Ordering::Relaxed)) {
            cast.play(place, rsp, folder)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let play_some = &play_some;
        let players: Vec<_> = (0..AT_A_TIME)
            .map(|place| scope.spawn(move || play_some(place)))
            .collect();
        join(players)
    })
}
