//! How sessions fared.
//!
//! Must not know a single one of them.

use std::fmt;
use std::time::Duration;

/// How sessions fared in a run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionStatistics {
    /// Sessions that were begun.
    pub begun: u64,
    /// Those that had all their answers.
    pub finished: u64,
    /// Those that ended with the process of their pool user.
    pub ended_with_user: u64,
    /// Those that did not go on, though there was a pool element for them.
    pub lost: u64,
    /// Deaths of pool elements that had sessions.
    pub kills: u64,
    /// Drainings that came to their end: no session was left at the pool element.
    pub drains: u64,
    /// Sessions that finished while their pool element was drained.
    pub finished_draining: u64,
    /// Sessions that were moved when a draining's deadline had passed.
    pub moved_draining: u64,
    /// How often a session went on at another pool element.
    pub moves: u64,
    /// Cookies that pool users were given.
    pub cookies: u64,
    /// Requests that were answered, the first time.
    pub answers: u64,
    /// Requests that were answered again as the session was moved.
    pub repeated: u64,
    /// The most such requests of one move.
    pub repeated_max: u64,
    /// The greatest share of a cookie interval that one move repeated, in percent.
    pub interval_repeated_max: u64,
    /// Requests that went to the next pool element by themselves.
    pub resent: u64,
    /// Requests that were given back, for the application to send them again.
    pub returned: u64,
    /// Moves of sessions without a cookie: all requests came again.
    pub rebuilt: u64,
    /// Pool elements that were not waited for any longer.
    pub given_up: u64,
    /// How often a business card's order of failover was followed.
    pub ordered: u64,
    /// Business cards of other pools, which were of no use.
    pub foreign_cards: u64,
    /// Pool users that had died and were called back by their business card.
    pub calls: u64,
    /// Calls that had all their answers.
    pub calls_finished: u64,
    /// Calls that one of those that the card recommends took.
    pub calls_recommended: u64,
    /// Calls of which it was looked whether everybody before in the card was not there.
    pub calls_checked: u64,
    /// From the notice that the pool element is gone to the first answer of the next one.
    pub gaps_after_notice: Vec<Duration>,
    /// From the pool element's death, or its closing of the session, to that answer.
    pub gaps_in_all: Vec<Duration>,
}

impl SessionStatistics {
    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        self.begun += other.begun;
        self.finished += other.finished;
        self.ended_with_user += other.ended_with_user;
        self.lost += other.lost;
        self.kills += other.kills;
        self.drains += other.drains;
        self.finished_draining += other.finished_draining;
        self.moved_draining += other.moved_draining;
        self.moves += other.moves;
        self.cookies += other.cookies;
        self.answers += other.answers;
        self.repeated += other.repeated;
        self.repeated_max = self.repeated_max.max(other.repeated_max);
        self.interval_repeated_max = self.interval_repeated_max.max(other.interval_repeated_max);
        self.resent += other.resent;
        self.returned += other.returned;
        self.rebuilt += other.rebuilt;
        self.given_up += other.given_up;
        self.ordered += other.ordered;
        self.foreign_cards += other.foreign_cards;
        self.calls += other.calls;
        self.calls_finished += other.calls_finished;
        self.calls_recommended += other.calls_recommended;
        self.calls_checked += other.calls_checked;
        self.gaps_after_notice.extend(&other.gaps_after_notice);
        self.gaps_in_all.extend(&other.gaps_in_all);
    }
}

/// The gap that so many of a thousand are not longer than; zero of none.
pub(super) fn of_a_thousand(gaps: &[Duration], share: usize) -> Duration {
    let mut gaps = gaps.to_vec();
    gaps.sort_unstable();
    let last = gaps.len().saturating_sub(1);
    let index = (gaps.len() * share).div_ceil(1_000).saturating_sub(1);
    gaps.get(index.min(last)).copied().unwrap_or_default()
}

impl fmt::Display for SessionStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            begun,
            finished,
            lost,
            kills,
            moves,
            cookies,
            answers,
            repeated,
            repeated_max,
            interval_repeated_max,
            ..
        } = self;
        writeln!(
            f,
            "sessions: {begun} begun, {finished} finished, {lost} lost; {answers} requests \
             answered, {cookies} cookies"
        )?;
        if self.drains > 0 {
            writeln!(
                f,
                "drained: {} pool elements, {} sessions finished there, {} moved at the deadline",
                self.drains, self.finished_draining, self.moved_draining
            )?;
        }
        writeln!(
            f,
            "moved: {moves} times after {kills} kills\n\
             repeated: {repeated} requests, at most {repeated_max} by one move and \
             {interval_repeated_max} % of a cookie interval"
        )?;
        let Self {
            resent,
            returned,
            rebuilt,
            given_up,
            ordered,
            foreign_cards,
            ..
        } = self;
        writeln!(
            f,
            "not known to have arrived: {resent} requests sent again, {returned} given back\n\
             without a cookie: {rebuilt} moves, and {given_up} times no answer in time\n\
             business cards: {ordered} times followed, {foreign_cards} of other pools"
        )?;
        if self.calls > 0 {
            writeln!(
                f,
                "called back: {} pool users, {} by whom their card recommends, {} to the end",
                self.calls, self.calls_recommended, self.calls_finished
            )?;
        }
        let [noticed, all] = [&self.gaps_after_notice, &self.gaps_in_all].map(|gaps| {
            let [median, most, longest] = [500, 990, 1_000].map(|share| of_a_thousand(gaps, share));
            format!("median {median:.1?}, p99 {most:.1?}, longest {longest:.1?}")
        });
        writeln!(f, "gap until the next answer, after the notice: {noticed}")?;
        write!(f, "gap until the next answer, in all: {all}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_longest_are_among_the_gaps() {
        let gaps: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let shares = [500, 990, 1_000].map(|share| of_a_thousand(&gaps, share).as_millis());
        assert_eq!(shares, [100, 198, 200]);
        assert_eq!(of_a_thousand(&[], 500), Duration::ZERO);
    }
}
