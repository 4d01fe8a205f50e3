//! The kinds of faults, by name.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FaultKind {
    /// A process dies and stays away for a while or for good; its host says so at once.
    Crash,
    /// A host is gone: nobody says so.
    Vanish,
    /// A process ends in order: it says so to everybody, and is back later.
    Stop,
    /// A process dies and is back at once, before everybody has noticed.
    Restart,
    /// A process accepts associations and messages, and does nothing with them; later it goes on.
    Hang,
    /// A process does not run, its transport neither; later it goes on.
    Pause,
    /// A node's clock jumps ahead by minutes to years.
    ClockJump,
    /// A node's clock stands still, then catches up at once.
    ClockFreeze,
    /// Some nodes cannot reach the others.
    Partition,
    /// Some nodes cannot reach the others, but hear them.
    OneWay,
    /// An association breaks; each end notices in its own time.
    Cut,
    /// An association is slow, up to twice the keep-alive timeout.
    Slow,
    /// Announces are lost, doubled and reordered.
    Announces,
    /// A pool element changes its policy value.
    Policy,
    /// A pool element leaves its pool and comes back.
    Leave,
    /// A pool user says all the time that live pool elements cannot be reached.
    Liar,
    /// A stranger sends octets that are no messages, or damaged ones.
    Garbage,
    /// A stranger sends messages of the wrong role, and of pool elements that it is not.
    WrongRole,
    /// The link between two registrars is clogged.
    Clog,
    /// The link between two registrars is clogged in one direction.
    ClogOneWay,
    /// A registrar starts again with the identifier of another one that lives, and later again
    /// with one of its own.
    SameIdentifier,
    /// A registrar's copy loses or gains a pool element of another registrar.
    Corrupt,
    /// A stranger speaks ENRP: in others' names, of pool elements and registrars that are not its
    /// business.
    FalsePeer,
    /// A stranger registers as many pool elements as it can, and announces as many registrars.
    Flood,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 24] = [
        Self::Crash,
        Self::Vanish,
        Self::Stop,
        Self::Restart,
        Self::Hang,
        Self::Pause,
        Self::ClockJump,
        Self::ClockFreeze,
        Self::Partition,
        Self::OneWay,
        Self::Cut,
        Self::Slow,
        Self::Announces,
        Self::Policy,
        Self::Leave,
        Self::Liar,
        Self::Garbage,
        Self::WrongRole,
        Self::Flood,
        Self::Clog,
        Self::ClogOneWay,
        Self::SameIdentifier,
        Self::Corrupt,
        Self::FalsePeer,
    ];

    /// What strangers do.
    pub(crate) const OF_STRANGERS: [Self; 4] =
        [Self::Garbage, Self::WrongRole, Self::Flood, Self::FalsePeer];

    /// Whether a stranger does it.
    pub(crate) fn is_of_a_stranger(self) -> bool {
        Self::OF_STRANGERS.contains(&self)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Crash => "crash",
            Self::Vanish => "vanish",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Hang => "hang",
            Self::Pause => "pause",
            Self::ClockJump => "clock-jump",
            Self::ClockFreeze => "clock-freeze",
            Self::Partition => "partition",
            Self::OneWay => "one-way",
            Self::Cut => "cut",
            Self::Slow => "slow",
            Self::Announces => "announces",
            Self::Policy => "policy",
            Self::Leave => "leave",
            Self::Liar => "liar",
            Self::Garbage => "garbage",
            Self::WrongRole => "wrong-role",
            Self::Flood => "flood",
            Self::Clog => "clog",
            Self::ClogOneWay => "clog-one-way",
            Self::SameIdentifier => "same-identifier",
            Self::Corrupt => "corrupt",
            Self::FalsePeer => "false-peer",
        })
    }
}

impl FromStr for FaultKind {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or(UnknownFault)
    }
}

/// A text that names no fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownFault;

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected all, none or some of {}",
            FaultKinds::all().to_string().replace(',', ", ")
        )
    }
}

impl std::error::Error for UnknownFault {}

/// A set of kinds of faults. As text: their names with commas, `all` or `none`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FaultKinds(BTreeSet<FaultKind>);

impl FaultKinds {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything can go wrong.
    pub fn all() -> Self {
        Self(FaultKind::ALL.into())
    }

    /// Lets this go wrong too.
    pub fn add(&mut self, kind: FaultKind) {
        self.0.insert(kind);
    }

    /// Whether this can go wrong.
    pub fn contains(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }

    /// The kinds.
    pub fn iter(&self) -> impl Iterator<Item = FaultKind> {
        self.0.iter().copied()
    }
}

impl FromIterator<FaultKind> for FaultKinds {
    fn from_iter<I: IntoIterator<Item = FaultKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

impl fmt::Display for FaultKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, kind) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{kind}")?;
        }
        Ok(())
    }
}

impl FromStr for FaultKinds {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::all()),
            "none" => Ok(Self::none()),
            names => names.split(',').map(str::parse).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read() {
        for kinds in [
            FaultKinds::all(),
            FaultKinds::none(),
            [FaultKind::OneWay, FaultKind::Crash].into_iter().collect(),
        ] {
            assert_eq!(kinds.to_string().parse(), Ok(kinds));
        }
        assert_eq!("all".parse(), Ok(FaultKinds::all()));
        assert_eq!("crash,nonsense".parse::<FaultKinds>(), Err(UnknownFault));
    }
}
