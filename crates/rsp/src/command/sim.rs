//! `rsp sim`: a whole operational scope in virtual time, under faults.

use crate::exit::Outcome;
use crate::output;
use anyhow::{Context, anyhow};
use rserpool_sim::{FaultKinds, Peering, Preset, Scenario, Violation};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Simulate registrars, elements and users under faults, all from one seed
///
/// The machines are those that run everywhere else; time, network and faults are simulated, so
/// that an hour takes seconds, and the same seed and options give the same run to the last octet.
/// What must always hold is checked after every step; once the faults have stopped, all must be
/// well again in time. If something does not hold, the exit code is 1, and the command that shows
/// it again is printed.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What everything random is drawn from; without it a random one, which is shown
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many registrars, pool elements and pool users
    #[arg(long, value_name = "R,E,U", value_parser = nodes)]
    nodes: Option<Nodes>,
    /// Among how many pools the elements are spread
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pools: Option<usize>,
    /// The timers of all: default, fast or rfc
    #[arg(long, value_name = "PRESET")]
    preset: Option<Preset>,
    /// How registrars find each other: all, first, multicast or all+multicast
    #[arg(long, value_name = "HOW")]
    peers: Option<Peering>,
    /// What goes wrong: names with commas, `all` or `none`; a wrong name lists them
    #[arg(long, value_name = "A,B,C")]
    faults: Option<FaultKinds>,
    /// Sessions that each user holds with elements, with a state that moves by cookies
    #[arg(long, value_name = "N", default_value_t = 0)]
    sessions: usize,
    /// How long it does; the time until all is well again comes on top
    #[arg(long, value_name = "S", value_parser = seconds)]
    seconds: Option<Duration>,
    /// Registrars do not announce themselves
    #[arg(long)]
    no_multicast: bool,
    /// Elements and users know the registrars by their announces only
    #[arg(long, conflicts_with = "no_multicast")]
    announced_only: bool,
    /// Only the summary, no line for each event
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  rsp sim --seed 42                             nodes, timers and faults are drawn from it, too
  rsp sim --nodes 3,10,3 --faults crash,hang --seconds 60
  rsp sim --nodes 3,1000,10 --faults none --seconds 10 --quiet
  rsp sim --sessions 2 --faults crash --quiet   how sessions fare
  cargo xtask sim --seeds 1000                  many seeds, in the source's directory

Each line has its time, a column for each node, and what happened. Columns: registrars, elements,
users, strangers; `>` sends, `<` receives, `@` tells, `+` association up, `x` association lost,
`!` fault; nodes with nothing to say are `.` running, `h` hanging, `p` paused or blank: down.";

type Nodes = [usize; 3];

/// Nodes of one kind: the simulator knows no more addresses.
const NODES_MAX: usize = 10_000;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let seed = arguments.seed.unwrap_or_else(random_seed);
    let scenario = arguments.scenario(seed);
    output::line(said(seed, &scenario))?;
    let began = Instant::now();
    let outcome = rserpool_sim::run(seed, &scenario);
    let took = began.elapsed();
    output::text(&outcome.transcript)?;
    let simulated = outcome.simulated;
    output::line(format!(
        "{:.1} s simulated in {:.2} s, {:.0} times real time",
        simulated.as_secs_f64(),
        took.as_secs_f64(),
        simulated.as_secs_f64() / took.as_secs_f64().max(f64::EPSILON)
    ))?;
    output::line(&outcome.statistics)?;
    judge(seed, &scenario, &outcome.violations)
}

/// Says what did not hold, and how to see it again.
fn judge(seed: u64, scenario: &Scenario, violations: &[Violation]) -> Outcome {
    if violations.is_empty() {
        return Ok(output::line("Everything held.")?);
    }
    for violation in violations {
        let Violation {
            at, rule, detail, ..
        } = violation;
        output::line(format!("VIOLATION at {at}: {rule}: {detail}"))?;
    }
    output::line(format!("seed {seed}, commit {}", commit()))?;
    output::line(format!("again: {}", again(seed, scenario)))?;
    let count = violations.len();
    Err(anyhow!("{count} violations; please report the last two lines").into())
}

impl Arguments {
    /// What the options say; drawn from the seed if they say nothing.
    fn scenario(&self, seed: u64) -> Scenario {
        let Self {
            nodes,
            pools,
            preset,
            peers,
            faults,
            seconds,
            ..
        } = self;
        let is_given = nodes.is_some()
            || pools.is_some()
            || preset.is_some()
            || peers.is_some()
            || faults.is_some()
            || seconds.is_some()
            || self.no_multicast
            || self.announced_only;
        let mut scenario = if is_given {
            let mut scenario = Scenario::new(10, 3);
            scenario.registrars = 3;
            scenario
        } else {
            Scenario::random(seed)
        };
        if let Some([registrars, elements, users]) = *nodes {
            scenario.registrars = registrars;
            scenario.elements = elements;
            scenario.users = users;
        }
        scenario.pools = pools.unwrap_or(scenario.pools);
        scenario.preset = preset.unwrap_or(scenario.preset);
        scenario.peering = peers.unwrap_or(scenario.peering);
        scenario.duration = seconds.unwrap_or(scenario.duration);
        if let Some(faults) = faults {
            scenario.faults = faults.clone();
        }
        if is_given {
            scenario.multicast = !self.no_multicast;
            scenario.announced_only = self.announced_only;
        }
        scenario.sessions = self.sessions;
        scenario.transcript = !self.quiet;
        scenario
    }
}

fn said(seed: u64, scenario: &Scenario) -> String {
    let Scenario {
        registrars,
        elements,
        users,
        pools,
        preset,
        faults,
        duration,
        sessions,
        ..
    } = scenario;
    let seconds = duration.as_secs_f64();
    format!(
        "seed {seed}: {registrars} registrars, {elements} elements, {users} users of {sessions} \
         sessions, {pools} pools, timers {preset}, {seconds} s of faults: {faults}"
    )
}

/// The command that shows the same run.
fn again(seed: u64, scenario: &Scenario) -> String {
    // The simulator words it for its own program, which takes the same options.
    let command = scenario.command(seed);
    match command.split_once(" --") {
        Some((_, options)) => format!("rsp sim --{options}"),
        None => command,
    }
}

/// Of which source this program was built: as its packager says, or its source directory does.
fn commit() -> String {
    if let Some(commit) = option_env!("RSP_COMMIT") {
        return commit.to_owned();
    }
    from_checkout(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|| "unknown".to_owned())
}

fn from_checkout(directory: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory);
    let output = git
        .args(["describe", "--always", "--dirty"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

fn random_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Short, because people type it.
    RandomState::new().build_hasher().finish() % 1_000_000
}

fn nodes(text: &str) -> anyhow::Result<Nodes> {
    let numbers: Result<Vec<usize>, _> = text.split(',').map(str::parse).collect();
    let numbers: Nodes = numbers
        .ok()
        .and_then(|numbers| numbers.try_into().ok())
        .context("expected three numbers, as in 3,10,3")?;
    let [registrars, ..] = numbers;
    anyhow::ensure!(registrars > 0, "expected at least one registrar");
    anyhow::ensure!(
        numbers.iter().all(|number| *number <= NODES_MAX),
        "expected at most {NODES_MAX} of each"
    );
    Ok(numbers)
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "expected a number from 1 on".to_owned())
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let seconds: f64 = text.parse().context("expected seconds, as in 60 or 0.5")?;
    Duration::try_from_secs_f64(seconds).context("expected seconds, as in 60 or 0.5")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sim: Arguments,
    }

    fn scenario(line: &str) -> Scenario {
        let words = line.split(' ').skip(1);
        Line::try_parse_from(words).unwrap().sim.scenario(7)
    }

    #[test]
    fn without_options_the_seed_decides() {
        let mut drawn = Scenario::random(7);
        drawn.transcript = true;
        assert_eq!(scenario("rsp sim --seed 7"), drawn);
        assert_eq!(again(7, &drawn), "rsp sim --seed 7");
    }

    #[test]
    fn the_command_that_is_printed_gives_the_same_scenario() {
        for options in [
            "",
            " --nodes 2,5,1 --faults crash,hang --seconds 2.5",
            " --no-multicast --pools 3 --peers first",
            " --announced-only --preset fast --quiet",
            " --sessions 2",
            " --sessions 1 --nodes 2,5,1",
        ] {
            let mut first = scenario(&format!("rsp sim --seed 7{options}"));
            first.transcript = true;
            assert_eq!(scenario(&again(7, &first)), first, "{options}");
        }
    }

    #[test]
    fn a_violation_is_a_failure() {
        let scenario = scenario("rsp sim --seed 7");
        let violation = Violation {
            seed: 7,
            at: rserpool_core::Timestamp::ZERO,
            rule: rserpool_sim::Rule::Codec,
            detail: "made up".into(),
            reproduce: scenario.command(7),
        };
        assert!(judge(7, &scenario, &[]).is_ok());
        let failure = judge(7, &scenario, &[violation]).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "--nodes 0,1,1",
            "--nodes 1,1",
            "--nodes 1,99999,1",
            "--pools 0",
            "--seconds -1",
            "--faults frogs",
        ] {
            let words = ["sim"].into_iter().chain(line.split(' '));
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn a_directory_that_is_no_checkout_has_no_commit() {
        assert_eq!(from_checkout(Path::new("/")), None);
    }
}
