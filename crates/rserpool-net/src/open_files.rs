//! The number of descriptors a process may open.

/// Raises the soft limit of open files to the hard limit, and says what it then is.
///
/// A registrar holds a descriptor for each pool user over TCP and for each lifeline; the usual
/// soft limit of 1,024 is for programs that call `select`. Failing is no fault: the limits on
/// connections follow what there is.
pub fn raise_open_files_limit() -> u64 {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
            return FALLBACK;
        };
        if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
            return hard;
        }
        soft
    }
    #[cfg(not(unix))]
    FALLBACK
}

/// What is assumed where the limit cannot be read: the usual soft limit.
const FALLBACK: u64 = 1024;
