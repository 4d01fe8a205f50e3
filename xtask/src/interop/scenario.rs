//! What is played, by whom, and how it ended.

mod cookies;
mod demo;
mod echo;
mod handlespaces;
mod paths;
mod policies;
mod takeover;
pub(super) mod tests;

use super::Failure;
use super::capture::{self, Capture};
use super::network::{Network, Node, bridge};
use super::side::{Side, Stage};
use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// One scenario: a file of its own each.
pub(super) struct Scenario {
    /// As it is called for: the number, and a word where one number has several.
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// What its roles are called.
    pub(super) roles: &'static [&'static str],
    /// By whom its roles are played, in their order.
    casts: fn() -> Vec<Vec<Side>>,
    /// The role whose rsplib is to blame if this fails; otherwise rsplib is to blame only where
    /// it plays all roles.
    judge: Option<usize>,
    /// Interfaces of each node.
    paths: u8,
    /// Plays it: what was seen, or why it failed.
    play: fn(&Run) -> Result<String, Failure>,
}

/// Every scenario, as they are played: what needs much of the processor is last.
pub(super) const SCENARIOS: [Scenario; 10] = [
    demo::SCENARIO,
    tests::SCENARIO,
    echo::SCENARIO,
    echo::ENCAPSULATED,
    paths::SCENARIO,
    handlespaces::SCENARIO,
    takeover::KILLED,
    takeover::CUT,
    cookies::SCENARIO,
    policies::SCENARIO,
];

/// Who plays ours where nothing else is said.
const OURS: Side = Side::Ours;

/// Ours and rsplib's in each of `roles` roles.
fn every(roles: usize) -> Vec<Vec<Side>> {
    let mut casts = vec![Vec::new()];
    for _ in 0..roles {
        let longer = |cast: Vec<Side>| {
            [OURS, Side::Rsplib].map(|side| {
                let mut cast = cast.clone();
                cast.push(side);
                cast
            })
        };
        casts = casts.into_iter().flat_map(longer).collect();
    }
    casts
}

/// A scenario and who plays its roles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Cast {
    pub(super) scenario: &'static str,
    pub(super) sides: Vec<Side>,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// What rsplib's programs decide fails.
    Theirs,
    /// Ours cannot play this role yet.
    NotYet,
}

/// What is left of a run.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) cast: Cast,
    pub(super) outcome: Outcome,
    pub(super) seconds: f64,
    pub(super) detail: String,
}

/// A run as it is played.
pub(super) struct Run {
    pub(super) sides: Vec<Side>,
    pub(super) stage: Stage,
    network: RefCell<Network>,
    /// The addresses of those nodes on which ours run.
    ours: RefCell<Vec<String>>,
}

impl Scenario {
    pub(super) fn by_id(id: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.id == id)
    }

    /// Whether it is called for by `text`: its name, or the number alone.
    pub(super) fn is_called(&self, text: &str) -> bool {
        self.id == text || self.id.split('-').next() == Some(text)
    }

    /// Its casts: those of `roles` that have as many roles, otherwise its own.
    pub(super) fn casts(&self, roles: &[Vec<Side>]) -> Vec<Cast> {
        let cast = |sides| Cast {
            scenario: self.id,
            sides,
        };
        let fit = |sides: &Vec<Side>| sides.len() == self.roles.len();
        let sides = if roles.is_empty() {
            (self.casts)()
        } else {
            roles.to_vec()
        };
        sides.into_iter().filter(fit).map(cast).collect()
    }
}

impl Cast {
    /// The number, a space, and the roles.
    pub(super) fn parse(line: &str) -> Result<Self, Failure> {
        let unknown = || Failure::Usage(format!("`{line}` is no cast"));
        let (id, roles) = line.split_once(' ').ok_or_else(unknown)?;
        Ok(Self {
            scenario: Scenario::by_id(id).ok_or_else(unknown)?.id,
            sides: roles
                .split('-')
                .map(Side::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// As in `ours-rsplib-ours`.
    pub(super) fn roles(&self) -> String {
        let names: Vec<&str> = self.sides.iter().map(|side| side.name()).collect();
        names.join("-")
    }

    fn folder(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}-{}", self.scenario, self.roles()))
    }

    /// Plays it, in the guest, and leaves a record in its folder; unless another guest does.
    pub(super) fn play(&self, place: usize, rsp: &Path, folder: &Path) -> Result<(), Failure> {
        let scenario = Scenario::by_id(self.scenario).expect("a cast is one of a scenario");
        let folder = self.folder(folder);
        match fs::create_dir(&folder) {
            Ok(()) => {}
            // Whoever makes the folder plays.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => {
                return Err(Failure::File {
                    path: folder,
                    error,
                });
            }
        }
        let start = Instant::now();
        let result = self.play_on_new_nodes(scenario, place, rsp, &folder);
        let is_theirs = |&side: &Side| side == Side::Rsplib;
        let blamed = match scenario.judge {
            Some(role) => self.sides.get(role).is_some_and(is_theirs),
            None => self.sides.iter().all(is_theirs),
        };
        let (outcome, detail) = match result {
            Ok(detail) => (Outcome::Passed, detail),
            Err(failure) if blamed => (Outcome::Theirs, failure.to_string()),
            Err(failure) => (Outcome::Failed, failure.to_string()),
        };
        let record = Record {
            cast: self.clone(),
            outcome,
            seconds: start.elapsed().as_secs_f64(),
            detail,
        };
        println!("{}", record.line());
        record.write(&folder)
    }

    fn play_on_new_nodes(
        &self,
        scenario: &Scenario,
        place: usize,
        rsp: &Path,
        folder: &Path,
    ) -> Result<String, Failure> {
        let network = Network::new(place, scenario.paths)?;
        let capture = Capture::start(&bridge(place, 1), &capture::file(folder))?;
        let run = Run {
            sides: self.sides.clone(),
            stage: Stage {
                rsp: rsp.to_owned(),
                folder: folder.to_owned(),
                encapsulated: self.sides.contains(&Side::Udp),
                compatible: self.sides.contains(&Side::Rsplib),
            },
            network: RefCell::new(network),
            ours: RefCell::default(),
        };
        let result = (scenario.play)(&run);
        drop(capture);
        super::machine::write(&folder.join("ours"), &run.ours.borrow().join("\n"))?;
        result
    }

    /// What was recorded, together with what tshark says of the packets.
    pub(super) fn judge(&self, folder: &Path) -> Record {
        let folder = self.folder(folder);
        let Some(mut record) = Record::read(self, &folder) else {
            return Record {
                cast: self.clone(),
                outcome: Outcome::Failed,
                seconds: 0.0,
                detail: "it was not played".to_owned(),
            };
        };
        let ours = fs::read_to_string(folder.join("ours")).unwrap_or_default();
        let ours: Vec<String> = ours.lines().map(str::to_owned).collect();
        if let Err(failure) = capture::verdict(&capture::file(&folder), &ours) {
            record.outcome = Outcome::Failed;
            record.detail = format!("{failure} ({})", record.detail);
        }
        record
    }
}

impl Run {
    /// Who plays: as many as the scenario has roles.
    fn cast<const ROLES: usize>(&self) -> Result<[Side; ROLES], Failure> {
        let wrong = |_| Failure::Usage(format!("{ROLES} roles are played"));
        self.sides.clone().try_into().map_err(wrong)
    }

    /// A new node on which a program of `side` runs.
    pub(super) fn node(&self, name: &str, side: Side) -> Result<Node, Failure> {
        let node = self.network.borrow_mut().node(name)?;
        if side.is_ours() {
            self.ours.borrow_mut().push(node.address(1));
        }
        Ok(node)
    }
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::Theirs, Self::NotYet];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Theirs => "rsplib fails",
            Self::NotYet => "not yet",
        }
    }
}

impl Record {
    /// As it is shown.
    pub(super) fn line(&self) -> String {
        format!(
            "{:<7} {:<28} {:<12} {:6.1} s  {}",
            self.cast.scenario,
            self.cast.roles(),
            self.outcome.name(),
            self.seconds,
            self.detail
        )
    }

    fn write(&self, folder: &Path) -> Result<(), Failure> {
        let detail = self.detail.replace(['\n', '\t'], " ");
        let text = format!("{}\t{}\t{detail}", self.outcome.name(), self.seconds);
        super::machine::write(&folder.join("result"), &text)
    }

    fn read(cast: &Cast, folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join("result")).ok()?;
        let mut fields = text.splitn(3, '\t');
        let name = fields.next()?;
        Some(Self {
            cast: cast.clone(),
            outcome: Outcome::ALL
                .into_iter()
                .find(|outcome| outcome.name() == name)?,
            seconds: fields.next()?.parse().ok()?,
            detail: fields.next()?.to_owned(),
        })
    }
}
