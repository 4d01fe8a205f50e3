//! Whose SCTP a node uses.

use std::fmt;
use std::str::FromStr;

/// Whose SCTP a node uses.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SctpMode {
    /// The kernel's where it has one, and user space over UDP (RFC 6951) beside it. Who names a
    /// UDP port is reached over UDP; others by the kernel, and over UDP if that fails.
    #[default]
    Auto,
    /// The kernel's alone; a kernel without SCTP is an error.
    Kernel,
    /// User space over UDP, and over IP itself where that is allowed.
    Udp,
}

impl SctpMode {
    /// Every mode, as written.
    pub const NAMES: [&'static str; 3] = ["auto", "kernel", "udp"];
}

impl fmt::Display for SctpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Udp => "udp",
        })
    }
}

/// A text that names no [`SctpMode`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected auto, kernel or udp")]
pub struct InvalidSctpMode;

impl FromStr for SctpMode {
    type Err = InvalidSctpMode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "kernel" => Ok(Self::Kernel),
            "udp" => Ok(Self::Udp),
            _ => Err(InvalidSctpMode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_as_they_are_written() {
        for name in SctpMode::NAMES {
            assert_eq!(name.parse::<SctpMode>().unwrap().to_string(), name);
        }
        assert_eq!("tcp".parse::<SctpMode>(), Err(InvalidSctpMode));
    }
}
