//! The project's style as a test: what no compiler and no clippy checks (CONTRIBUTING.md).

#![allow(clippy::unwrap_used, reason = "every function here is part of a test")]

mod dependencies;
mod documents;
mod lengths;
mod source;
mod words;

/// Fails with all problems at once, so that one run shows everything there is to mend.
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}
