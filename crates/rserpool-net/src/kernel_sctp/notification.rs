//! What the kernel's notifications (RFC 6458 §6.1) mean.

use oxirush_sctp::{AssociationChange, PeerAddressState};
use rserpool_sctp::{DownReason, PathState};
use std::time::Duration;

/// What a peer says when it aborts is kept up to here; it is not to be trusted.
const REASON_OCTETS_MAX: usize = 128;

/// User-Initiated Abort (RFC 9260 §3.3.10.12).
const USER_INITIATED_ABORT: u16 = 12;

/// Why an association ended that was up.
pub(super) fn lost(change: &AssociationChange) -> DownReason {
    // Without a cause an ABORT looks as silence does.
    if change.cause == 0 && change.info.is_empty() {
        return DownReason::Lost;
    }
    DownReason::PeerAborted {
        cause: Some(change.cause).filter(|cause| *cause != 0),
        reason: abort_reason(&change.info),
    }
}

/// Why one could not be set up. A kernel where nobody listens refuses without a cause; what comes
/// before the first retransmission is an answer.
pub(super) fn not_begun(
    change: &AssociationChange,
    after: Duration,
    rto_initial: Duration,
) -> DownReason {
    if change.cause != 0 || after < rto_initial {
        DownReason::Refused {
            cause: Some(change.cause).filter(|cause| *cause != 0),
        }
    } else {
        DownReason::Lost
    }
}

/// How a path is now, if it is news.
pub(super) fn path_state(state: PeerAddressState) -> Option<PathState> {
    match state {
        PeerAddressState::Available | PeerAddressState::Confirmed => Some(PathState::Active),
        PeerAddressState::Unreachable => Some(PathState::Inactive),
        PeerAddressState::PotentiallyFailed => Some(PathState::PotentiallyFailed),
        PeerAddressState::Added
        | PeerAddressState::Removed
        | PeerAddressState::MadePrimary
        | PeerAddressState::Unknown(_)
        | _ => None,
    }
}

/// The text of the first user-initiated abort in the causes of an ABORT chunk.
fn abort_reason(mut causes: &[u8]) -> String {
    const HEADER_OCTETS: usize = 4;
    while let Some((&[code_high, code_low, length_high, length_low], rest)) =
        causes.split_first_chunk::<HEADER_OCTETS>()
    {
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let octets = length.saturating_sub(HEADER_OCTETS).min(rest.len());
        if u16::from_be_bytes([code_high, code_low]) == USER_INITIATED_ABORT {
            let text = &rest[..octets.min(REASON_OCTETS_MAX)];
            return String::from_utf8_lossy(text).into_owned();
        }
        causes = rest
            .get(octets.next_multiple_of(HEADER_OCTETS)..)
            .unwrap_or_default();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9260_3_3_10_12_the_reason_of_an_abort_is_found_behind_other_causes() {
        let causes = b"\x00\x0b\x00\x05x\0\0\0\x00\x0c\x00\x08gone";
        assert_eq!(abort_reason(causes), "gone");
    }

    #[test]
    fn causes_that_are_cut_or_lie_about_their_length_have_no_reason_or_a_short_one() {
        assert_eq!(abort_reason(b""), "");
        assert_eq!(abort_reason(b"\x00\x0c"), "");
        assert_eq!(abort_reason(b"\x00\x0c\xff\xffab"), "ab");
        assert_eq!(abort_reason(b"\x00\x0b\x00\x00\x00\x0c\x00\x05z"), "z");
        let long = [&b"\x00\x0c\x02\x04"[..], &[b'a'; 512]].concat();
        assert_eq!(abort_reason(&long).len(), REASON_OCTETS_MAX);
    }
}
