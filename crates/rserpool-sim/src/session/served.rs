//! The pool element's end of a session: its state lives as long as the process.
//!
//! Must not know what happened at other pool elements, but by a cookie.

use super::{SessionId, first_state, state_after};
use rserpool_core::session::PoolElementSession;
use rserpool_wire::asap::BusinessCard;
use rserpool_wire::parameter::Cookie;

/// The pool element's end of a session.
#[derive(Debug, Default)]
pub(crate) struct ServedSession {
    pub(crate) control: PoolElementSession,
    /// Nothing before the first request or the cookie.
    pub(crate) progress: Option<Progress>,
    /// Something has arrived: a cookie would be too late.
    pub(crate) has_begun: bool,
    /// How many requests the latest cookie covers.
    pub(crate) covered: u64,
    /// The card of a pool user that is a pool element too.
    pub(crate) card: Option<BusinessCard>,
}

/// How far a session is: what a cookie says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    pub(crate) session: SessionId,
    /// Requests counted.
    pub(crate) count: u64,
    pub(crate) state: u64,
}

impl Progress {
    pub(crate) fn first(session: SessionId) -> Self {
        Self {
            session,
            count: 0,
            state: first_state(session),
        }
    }

    /// One request more.
    pub(crate) fn next(self) -> Self {
        let count = self.count + 1;
        Self {
            count,
            state: state_after(self.state, count),
            ..self
        }
    }

    /// Cookies are of several lengths, so that padding is tried, too.
    pub(crate) fn cookie(self) -> Cookie {
        let mut octets = Vec::new();
        octets.extend_from_slice(&self.session.0.to_be_bytes());
        octets.extend_from_slice(&self.count.to_be_bytes());
        octets.extend_from_slice(&self.state.to_be_bytes());
        let more = usize::try_from(self.state % 7).unwrap_or(0);
        octets.resize(octets.len() + more, 0xc0);
        Cookie(octets)
    }

    /// `None`: no cookie of ours.
    pub(crate) fn of_cookie(cookie: &Cookie) -> Option<Self> {
        let (session, rest) = cookie.0.split_first_chunk::<4>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (state, _) = rest.split_first_chunk::<8>()?;
        let progress = Self {
            session: SessionId(u32::from_be_bytes(*session)),
            count: u64::from_be_bytes(*count),
            state: u64::from_be_bytes(*state),
        };
        (progress.cookie() == *cookie).then_some(progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_says_how_far_the_session_is_and_a_changed_one_nothing() {
        let mut progress = Progress::first(SessionId(9));
        for _ in 0..20 {
            let cookie = progress.cookie();
            assert_eq!(Progress::of_cookie(&cookie), Some(progress));
            let mut longer = cookie.clone();
            longer.0.push(0xc0);
            assert_eq!(Progress::of_cookie(&longer), None);
            assert_eq!(Progress::of_cookie(&Cookie(cookie.0[..19].into())), None);
            progress = progress.next();
        }
    }
}
