//! `--compatibility`: with what the operational scope is compatible.

/// With what the operational scope is compatible.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct CompatibilityOptions {
    #[arg(long, value_enum, value_name = "WITH", env = "RSP_COMPATIBILITY")]
    #[arg(
        default_value = "rfc",
        hide_default_value = true,
        hide_possible_values = true
    )]
    #[arg(help = "rfc, or rsplib, to share pools with it; the same for all of a scope")]
    #[arg(long_help = HELP)]
    compatibility: Compatibility,
}

const HELP: &str = "\
With what this is compatible: rfc (the default), or rsplib, the C implementation. It has to be the
same for all registrars, elements and users that share pools.

What rsplib does differently and can be told apart is understood with either. With rsplib also:
 - registration lives are milliseconds, not seconds;
 - of two registrars that want to take over a third, the one with the lower identifier does;
 - announces go to the groups 239.0.0.50 and 239.0.0.51 with TTL 30, from the UDP port that has the
   number of the SCTP port;
 - the checksum over more than some 20,000 elements of one registrar is rsplib's;
 - a peer is asked whether it is there after 5 s of silence, not sooner;
 - who does not say how many elements it wants gets 128 at most; answers come in the order of
   requests; an element is not told that its registration life ran out;
 - what rsplib cannot read is refused: pool handles of more than 32 octets, policies that it does
   not have, user transports other than SCTP, TCP and UDP";

/// See [`rserpool::Compatibility`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Compatibility {
    Rfc,
    Rsplib,
}

impl CompatibilityOptions {
    /// What is asked for.
    pub(crate) fn compatibility(self) -> rserpool::Compatibility {
        match self.compatibility {
            Compatibility::Rfc => rserpool::Compatibility::Rfc,
            Compatibility::Rsplib => rserpool::Compatibility::Rsplib,
        }
    }
}
