//! Exit codes, and failures that carry one.

use std::io;
use std::process::ExitCode;

/// How a command ended, for scripts (docs/commands/README.md).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// 0: done.
    Success,
    /// 1: failed, for a reason that no other code names.
    Failed,
    /// 2: called wrongly.
    Usage,
    /// 3: no such pool, or a pool without pool elements.
    NotFound,
    /// 4: no registrar could be reached.
    NoRegistrar,
    /// 5: a registrar refused.
    Denied,
    /// 6: no answer in time.
    Timeout,
    /// 130: interrupted by a signal before it was done.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NoRegistrar => 4,
            Self::Denied => 5,
            Self::Timeout => 6,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a command did not succeed: what to tell the shell, and what to tell the operator.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

/// What every command returns.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure with its exit code; the error's text says what to do next.
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        Self { exit, error }
    }

    /// What went wrong and why, without what a cause only says again.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for cause in self.error.chain().map(ToString::to_string) {
            if text.is_empty() {
                text = cause;
            } else if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        text
    }

    /// Whether nobody reads our output any more, as in `rsp resolve POOL | head -1`.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Gives an error its exit code.
pub(crate) trait OrExit<T> {
    /// The value, or a failure with this exit code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Failed, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_numbers_are_those_of_the_documentation() {
        let numbers = [
            (Exit::Success, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotFound, 3),
            (Exit::NoRegistrar, 4),
            (Exit::Denied, 5),
            (Exit::Timeout, 6),
            (Exit::Interrupted, 130),
        ];
        for (exit, number) in numbers {
            assert_eq!(exit.number(), number, "{exit:?}");
        }
    }

    #[test]
    fn what_a_cause_says_again_is_left_out() {
        let cause = anyhow::anyhow!("in use");
        let error = cause.context("port 9 is in use").context("cannot start");
        assert_eq!(
            Failure::from(error).text(),
            "cannot start: port 9 is in use"
        );
    }

    #[test]
    fn a_broken_pipe_is_found_below_its_context() {
        let broken = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe));
        let failure = broken
            .context("cannot print")
            .or_exit(Exit::Failed)
            .unwrap_err();
        assert!(failure.is_broken_pipe());
        let other = Failure::from(io::Error::from(io::ErrorKind::NotFound));
        assert!(!other.is_broken_pipe());
    }
}
