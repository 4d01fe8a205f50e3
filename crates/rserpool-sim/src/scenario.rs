//! What is simulated: how many of whom, with which timers, under which faults, for how long.
//!
//! Must not know how any of it is done.

use crate::fault::{FaultKind, FaultKinds};
use crate::random::Random;
use rserpool_core::Timers;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What is simulated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// Registrars.
    pub registrars: usize,
    /// Pool elements.
    pub elements: usize,
    /// Pool users.
    pub users: usize,
    /// Pools, among which the pool elements are spread.
    pub pools: usize,
    /// The timers of all.
    pub preset: Preset,
    /// Whether registrars announce themselves; clients know the registrars by configuration too,
    /// unless `announced_only`.
    pub multicast: bool,
    /// Clients learn of registrars only by announces.
    pub announced_only: bool,
    /// How registrars find each other.
    pub peering: Peering,
    /// What may go wrong.
    pub faults: FaultKinds,
    /// Sessions with pool elements that each pool user holds.
    pub sessions: usize,
    /// Pools that each pool user sends messages to, each message by itself.
    pub senders: usize,
    /// Operational scopes (RFC 3237 §2.7), to which registrars, pools and pool users are dealt in
    /// turn. So many pool elements, one in each scope, are one process. The pools are a multiple of
    /// it, and strangers are in no scope.
    pub scopes: usize,
    /// Pool users are pool elements too, as far as there are such (RFC 3237 §2.3): the first pool
    /// user and the first pool element are one process, and so on. Who has died is called back.
    pub peers: bool,
    /// How long faults happen; the time until all is well again comes on top.
    pub duration: Duration,
    /// Whether the transcript is kept as text. Its digest always is.
    pub transcript: bool,
}

impl Scenario {
    /// A quiet scope: one registrar, default timers, no fault, one minute.
    pub fn new(elements: usize, users: usize) -> Self {
        Self {
            registrars: 1,
            elements,
            users,
            pools: 1,
            preset: Preset::Default,
            multicast: true,
            announced_only: false,
            peering: Peering::All,
            faults: FaultKinds::none(),
            sessions: 0,
            senders: 0,
            scopes: 1,
            peers: false,
            duration: Duration::from_secs(60),
            transcript: false,
        }
    }

    /// A small scope with some faults, all drawn from the seed: of many seeds, some have the
    /// combination that breaks something. Without sessions: they can be added.
    pub fn random(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5ce_4a210);
        let mut number = |low: u64, high: u64| {
            usize::try_from(low + random.below(high - low + 1)).unwrap_or(usize::MAX)
        };
        let registrars = [1, 2, 2, 3, 3, 3, 4, 5][number(0, 7)];
        let elements = number(1, 24);
        let users = number(1, 8);
        let pools = number(1, 4);
        let preset = [Preset::Default, Preset::Default, Preset::Fast, Preset::Rfc][number(0, 3)];
        let multicast = number(0, 3) != 0;
        let announced_only = multicast && number(0, 2) == 0;
        let peering = match number(0, 5) {
            0 | 1 => Peering::All,
            2 => Peering::First,
            3 if multicast => Peering::Multicast,
            _ if multicast => Peering::AllAndMulticast,
            _ => Peering::All,
        };
        let duration = match preset {
            Preset::Default => Duration::from_secs(60),
            Preset::Fast => Duration::from_secs(20),
            Preset::Rfc => Duration::from_secs(900),
        };
        let mut faults = FaultKinds::none();
        let likely = [10, 30, 60, 100][number(0, 3)];
        for kind in FaultKind::ALL {
            if random.percent(likely) {
                faults.add(kind);
            }
        }
        Self {
            registrars,
            elements,
            users,
            pools,
            preset,
            multicast,
            announced_only,
            peering,
            faults,
            sessions: 0,
            senders: 0,
            scopes: 1,
            peers: false,
            duration,
            transcript: false,
        }
    }

    /// The command that runs this again with this seed, and prints its transcript.
    pub fn command(&self, seed: u64) -> String {
        let mut command = format!("cargo xtask sim --seed {seed}");
        let drawn = Self {
            transcript: self.transcript,
            sessions: self.sessions,
            senders: self.senders,
            peers: self.peers,
            ..Self::random(seed)
        };
        if self.sessions > 0 {
            command.push_str(&format!(" --sessions {}", self.sessions));
        }
        if self.senders > 0 {
            command.push_str(&format!(" --senders {}", self.senders));
        }
        if self.peers {
            command.push_str(" --callbacks");
        }
        if *self == drawn {
            return command;
        }
        let Self {
            registrars,
            elements,
            users,
            pools,
            preset,
            multicast,
            announced_only,
            peering,
            faults,
            sessions: _,
            senders: _,
            scopes,
            peers: _,
            duration,
            transcript: _,
        } = self;
        let seconds = duration.as_secs_f64();
        command.push_str(&format!(
            " --nodes {registrars},{elements},{users} --pools {pools} --preset {preset} \
             --peers {peering} --faults {faults} --seconds {seconds}"
        ));
        if !multicast {
            command.push_str(" --no-multicast");
        }
        if *announced_only {
            command.push_str(" --announced-only");
        }
        if *scopes > 1 {
            command.push_str(&format!(" --scopes {scopes}"));
        }
        command
    }
}

/// How registrars find each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Peering {
    /// Each is told of all others.
    All,
    /// Each is told of the first one, and learns of others from it.
    First,
    /// They hear each other on the multicast channel.
    Multicast,
    /// Each is told of all others, and they hear each other.
    AllAndMulticast,
}

impl Peering {
    /// All ways.
    pub const ALL: [Self; 4] = [
        Self::All,
        Self::First,
        Self::Multicast,
        Self::AllAndMulticast,
    ];

    pub(crate) fn has_multicast(self) -> bool {
        matches!(self, Self::Multicast | Self::AllAndMulticast)
    }
}

impl fmt::Display for Peering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::All => "all",
            Self::First => "first",
            Self::Multicast => "multicast",
            Self::AllAndMulticast => "all+multicast",
        })
    }
}

impl FromStr for Peering {
    type Err = UnknownPeering;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|peering| peering.to_string() == text)
            .ok_or(UnknownPeering)
    }
}

/// A text that names no way to find peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownPeering;

impl fmt::Display for UnknownPeering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected all, first, multicast or all+multicast")
    }
}

impl std::error::Error for UnknownPeering {}

/// A preset of all timers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Preset {
    /// [`Timers::rfc`]
    Rfc,
    /// [`Timers::default`]
    Default,
    /// [`Timers::fast`]
    Fast,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 3] = [Self::Rfc, Self::Default, Self::Fast];

    /// Its timers.
    pub fn timers(self) -> Timers {
        match self {
            // A pool element that stopped for good after two attempts, as the RFC has it, cannot
            // be expected to come back.
            Self::Rfc => Timers {
                keep_trying: true,
                ..Timers::rfc()
            },
            Self::Default => Timers::default(),
            Self::Fast => Timers::fast(),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rfc => "rfc",
            Self::Default => "default",
            Self::Fast => "fast",
        })
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.to_string() == text)
            .ok_or(UnknownPreset)
    }
}

/// A text that names no preset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownPreset;

impl fmt::Display for UnknownPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected rfc, default or fast")
    }
}

impl std::error::Error for UnknownPreset {}
