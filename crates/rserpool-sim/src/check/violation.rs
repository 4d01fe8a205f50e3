//! What must not happen, and how to see it again.

use crate::Scenario;
use rserpool_core::Timestamp;
use std::fmt;

/// What must hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Rule {
    /// What is decoded is what was encoded.
    Codec,
    /// One call has a bounded number of outputs.
    Outputs,
    /// Timeouts come to an end.
    Progress,
    /// Nobody uses an association that it knows to be gone.
    GoneAssociation,
    /// A registrar's events, answers and snapshot tell of the same pool elements.
    Listing,
    /// A registrar names only those who are registered with it.
    ListedAfterRemoval,
    /// No pool element is in one answer twice.
    ListedTwice,
    /// A pool element of weight 0 is not selected (RFC 5356 §4.2).
    WeightZero,
    /// Nobody who is alive, connected and answers is removed.
    FalseRemoval,
    /// Who is gone is not listed any more after the keep-alive interval and timeout.
    GoneInTime,
    /// Who is registered over an association is gone with it, at once.
    GoneAtOnce,
    /// Who is alive and connected is not taken over.
    FalseTakeover,
    /// What a registrar knows, its peers know soon.
    Replicated,
    /// What was corrupted is repaired by the next audit (RFC 5353 §3.6).
    Repaired,
    /// Limits hold.
    Limit,
    /// Each request of a pool user is answered in time.
    Answer,
    /// Each request of a pool user is answered once.
    AnswerOnce,
    /// Nobody gets updates who did not ask for them.
    UnaskedUpdate,
    /// A session's requests are counted one after the other, none twice and none left out.
    SessionState,
    /// A session that moves repeats at most one cookie interval.
    SessionRepeats,
    /// Of a session's requests, each has arrived, is sent again or is given back.
    Undelivered,
    /// A message to a pool is read once by a process at most, and in order.
    ReadOnce,
    /// A message to all gets to all who are well.
    SentToAll,
    /// Who has updates of a pool selects nobody who is not in it any more.
    SelectedAfterUpdate,
    /// A session whose pool element was drained repeats nothing.
    DrainedRepeats,
    /// Business cards say who comes next, and nothing else.
    BusinessCard,
    /// Without SCTP there is no control channel; over UDP, nobody is told of a loss.
    DataOnly,
    /// What pool users remember does not grow with the sessions that come and go.
    Footprint,
    /// Wherever a session goes on, its latest cookie comes first.
    LatestCookie,
    /// Once faults stop, all registrars are ready and know the same.
    Agreement,
    /// Once faults stop, all who live are registered, and nobody else.
    Registered,
    /// Once faults stop, pool handles resolve to what the home registrar lists.
    Resolved,
    /// Once faults stop, a subscriber knows what its home registrar lists.
    Subscribed,
    /// Once faults stop, sessions go on.
    SessionGoesOn,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Codec => "what is decoded is what was encoded",
            Self::Outputs => "one call has a bounded number of outputs",
            Self::Progress => "timeouts come to an end",
            Self::GoneAssociation => "nobody uses an association that is known to be gone",
            Self::Listing => "events, answers and snapshot tell of the same pool elements",
            Self::ListedAfterRemoval => "only who is registered is named",
            Self::ListedTwice => "nobody is in one answer twice",
            Self::WeightZero => "weight 0 is not selected",
            Self::FalseRemoval => "nobody who answers is removed",
            Self::GoneInTime => "who is silent is gone in time",
            Self::GoneAtOnce => "who has lost its association is gone at once",
            Self::FalseTakeover => "nobody who is alive and connected is taken over",
            Self::Replicated => "what a registrar knows, its peers know soon",
            Self::Repaired => "what was corrupted is repaired",
            Self::Limit => "limits hold",
            Self::Answer => "each request is answered in time",
            Self::AnswerOnce => "each request is answered once",
            Self::UnaskedUpdate => "nobody gets updates unasked",
            Self::SessionState => "a session goes on from its state",
            Self::SessionRepeats => "a session repeats at most one cookie interval",
            Self::Undelivered => "each request arrives, is sent again or is given back",
            Self::ReadOnce => "a message is read once at most, and in order",
            Self::SentToAll => "a message to all gets to all",
            Self::SelectedAfterUpdate => "who an update says is gone is not selected",
            Self::DrainedRepeats => "who was drained has nothing repeated",
            Self::BusinessCard => "a business card says who comes next",
            Self::DataOnly => "without SCTP there are data and nothing else",
            Self::Footprint => "sessions leave nothing behind",
            Self::LatestCookie => "the latest cookie comes first",
            Self::Agreement => "all registrars are ready and know the same again",
            Self::Registered => "all who live are registered again, and nobody else",
            Self::Resolved => "pool handles resolve again",
            Self::Subscribed => "subscribers are up to date again",
            Self::SessionGoesOn => "sessions go on",
        })
    }
}

/// Something that must not happen has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The seed of the run.
    pub seed: u64,
    /// When.
    pub at: Timestamp,
    /// What does not hold.
    pub rule: Rule,
    /// Who, and what exactly.
    pub detail: String,
    /// The command that shows it again, with its transcript.
    pub reproduce: String,
}

impl Violation {
    pub(crate) fn new(
        seed: u64,
        scenario: &Scenario,
        at: Timestamp,
        rule: Rule,
        detail: String,
    ) -> Self {
        Self {
            seed,
            at,
            rule,
            detail,
            reproduce: scenario.command(seed),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            at,
            rule,
            detail,
            reproduce,
        } = self;
        write!(
            f,
            "seed {seed}, {at}: {rule}: {detail}\n  again: {reproduce}"
        )
    }
}
