//! The host's side of the guest: User-Mode Linux on this machine's own root file system.

use super::Failure;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The kernel of Debian's package `user-mode-linux`.
const KERNEL: &str = "linux.uml";
/// Where that package keeps its modules, one folder per version.
pub(super) const MODULES: &str = "/usr/lib/uml/modules";

/// What the guest prints before and after its job: all else on its console is the kernel's.
pub(super) const BEGIN: &str = "-- guest: begin";
pub(super) const END: &str = "-- guest: end";

/// A folder that host and guest share, and that is gone afterwards.
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    pub(super) fn new(keep: bool) -> Result<Self, Failure> {
        let name = format!("rserpool-interop-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        create(&path)?;
        Ok(Self { path, keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            println!("kept: {}", self.path.display());
        } else {
            // What cannot be removed is a temporary file all the same.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Why no guest can be started here, if so.
pub(super) fn obstacle() -> Option<String> {
    if !crate::process::exists(KERNEL) {
        return Some(format!(
            "`{KERNEL}` is missing: apt-get install user-mode-linux kmod iproute2 ethtool"
        ));
    }
    if !Path::new(MODULES).is_dir() {
        return Some(format!("{MODULES} is missing, so SCTP is too"));
    }
    if crate::process::effective_user() != Some(0) {
        return Some("only root may write where the guest's processes do".to_owned());
    }
    None
}

/// Boots a guest whose only job is this program with `arguments`, shows what it prints, and
/// waits for its end.
///
/// # Errors
///
/// If it cannot be started, or has not ended its job when `limit` is over.
pub(super) fn run(
    folder: &Path,
    arguments: &[String],
    shown: Shown,
    limit: Duration,
) -> Result<(), Failure> {
    write(&folder.join("job"), &arguments.join("\0"))?;
    let mut child = boot(folder)?;
    let output = child.stdout.take().expect("its output was asked for");
    let watch = Watch::over(&child, limit);
    let complete = show(BufReader::new(output), shown);
    let late = watch.is_over();
    end(&mut child);
    match (late, complete) {
        (true, _) => Err(Failure::Check(format!(
            "the guest has not ended within {} s",
            limit.as_secs()
        ))),
        (false, false) => Err(Failure::Check(
            "the guest ended before its job: its console is above".to_owned(),
        )),
        (false, true) => Ok(()),
    }
}

fn boot(folder: &Path) -> Result<Child, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::Start {
        program: "xtask".to_owned(),
        error,
    })?;
    let mut command = Command::new(KERNEL);
    command
        .args(["mem=1536M", "root=/dev/root", "rootfstype=hostfs"])
        .args(["rootflags=/", "rw", "con=null", "con0=null,fd:1", "quiet"])
        .arg(format!("uml_dir={}", folder.display()))
        .arg(format!("init={}", program.display()));
    command
        .args(["--", "interop", super::GUEST])
        .arg(folder)
        // Its memory is a file there.
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    command
        .spawn()
        .map_err(|error| crate::process::start_failure(&command, error))
}

/// Where what the job prints goes to.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    /// It is what was asked for.
    Stdout,
    /// It tells how far things are.
    Stderr,
}

/// Forwards what the job prints, and all that the kernel says if the job has not ended.
fn show(console: impl BufRead, shown: Shown) -> bool {
    let (mut begun, mut ended) = (false, false);
    let mut others = Vec::new();
    for line in console.lines() {
        let Ok(line) = line else { break };
        let line = line.trim_end();
        match line {
            BEGIN => begun = true,
            END => ended = true,
            _ if begun && !ended => match shown {
                Shown::Stdout => println!("{line}"),
                Shown::Stderr => eprintln!("{line}"),
            },
            _ => others.push(line.to_owned()),
        }
    }
    if !ended {
        others.iter().for_each(|line| eprintln!("{line}"));
    }
    ended
}

/// Ends a guest that takes too long.
struct Watch {
    over: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
}

impl Watch {
    fn over(child: &Child, limit: Duration) -> Self {
        let (over, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (group, late, quiet) = (child.id(), Arc::clone(&over), Arc::clone(&done));
        std::thread::spawn(move || {
            let step = Duration::from_millis(200);
            let mut left = limit;
            while !quiet.load(Ordering::Relaxed) {
                if left.is_zero() {
                    late.store(true, Ordering::Relaxed);
                    return kill_group(group);
                }
                std::thread::sleep(step);
                left = left.saturating_sub(step);
            }
        });
        Self { over, done }
    }

    fn is_over(&self) -> bool {
        self.done.store(true, Ordering::Relaxed);
        self.over.load(Ordering::Relaxed)
    }
}

fn end(child: &mut Child) {
    kill_group(child.id());
    // It has ended: only its number is given back.
    let _ = child.wait();
}

/// A guest is several processes of the host, one group.
fn kill_group(group: u32) {
    let _ = Command::new("kill")
        .args(["-9", "--", &format!("-{group}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

pub(super) fn create(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::File {
        path: path.to_owned(),
        error,
    })
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::File {
        path: path.to_owned(),
        error,
    })
}
