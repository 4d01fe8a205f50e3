//! The system's randomness: for keys, seeds and identifiers.

use crate::error::{NetError, Operation};

/// 32 octets, as for an SCTP endpoint's keys.
pub(crate) fn random_seed() -> Result<[u8; 32], NetError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| NetError::new(Operation::Randomness, None, error.into()))?;
    Ok(seed)
}

/// A seed for a machine.
pub(crate) fn random_u64() -> Result<u64, NetError> {
    let [a, b, c, d, e, f, g, h, ..] = random_seed()?;
    Ok(u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
}

/// A random number, as for identifiers.
///
/// # Errors
/// The system's randomness cannot be read.
pub fn random_u32() -> Result<u32, NetError> {
    let [a, b, c, d, ..] = random_seed()?;
    Ok(u32::from_ne_bytes([a, b, c, d]))
}

/// An SCTP port of the dynamic range. A kernel's SCTP tells peers of one host apart by it alone,
/// whatever UDP ports they have.
pub(crate) fn random_sctp_port() -> Result<u16, NetError> {
    const FIRST: u16 = 49_152;
    let [low, high, ..] = random_seed()?;
    Ok(FIRST + u16::from_ne_bytes([low, high]) % (u16::MAX - FIRST))
}
