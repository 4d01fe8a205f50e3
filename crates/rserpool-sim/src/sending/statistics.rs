//! How messages fared.
//!
//! Must not know a single one of them.

use std::fmt;

/// How messages to pools fared in a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SendingStatistics {
    /// Messages that were sent, to one or to all.
    pub messages: u64,
    /// Those that nobody could be found for.
    pub refused: u64,
    /// Messages to the pool element that had the one before.
    pub to_last: u64,
    /// Messages to all.
    pub to_all: u64,
    /// Copies of those that were sent, and those that were not.
    pub copies: u64,
    /// Pool elements that a message to all could not be sent to.
    pub not_reached: u64,
    /// How often it was looked whether a message to all got to a pool element that was well.
    pub reach_checked: u64,
    /// Messages that a pool element read.
    pub read: u64,
    /// Messages that went to another pool element by themselves.
    pub resent: u64,
    /// Messages that were given back.
    pub given_back: u64,
    /// Messages that were forgotten with their association.
    pub forgotten: u64,
    /// Those among the resent that one process read twice, as only the transport's acknowledgement
    /// was lost.
    pub read_twice: u64,
}

impl fmt::Display for SendingStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            messages,
            refused,
            to_last,
            to_all,
            copies,
            not_reached,
            reach_checked,
            read,
            resent,
            given_back,
            forgotten,
            read_twice,
        } = self;
        write!(
            f,
            "messages to pools: {messages}, of which {to_last} to the last and {to_all} to all in \
             {copies} copies; {refused} for nobody, {not_reached} copies not sent, \
             {reach_checked} looked after\n\
             {read} read, {resent} sent again, {given_back} given back, {forgotten} forgotten, \
             {read_twice} read twice"
        )
    }
}
