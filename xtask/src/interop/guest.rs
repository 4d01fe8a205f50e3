//! The guest's side: this program is its first process, and its only job.

use super::machine::{BEGIN, END, MODULES};
use super::{Failure, guest_job};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Modules that no system call asks for by itself.
const WANTED: [&str; 6] = ["sctp", "veth", "bridge", "sch_netem", "nf_tables", "dummy"];

/// Prepares the guest, does the job that lies in `folder`, and switches the guest off.
pub(super) fn main(folder: &Path) -> ! {
    let result = prepare(folder).and_then(|()| {
        println!("{BEGIN}");
        let job = read_job(folder)?;
        guest_job(&job)
    });
    if let Err(failure) = result {
        println!("error: {failure}");
        // The host finds the results incomplete; if it cannot read this, it fails just so.
        let _ = fs::write(folder.join("error"), failure.to_string());
    }
    println!("{END}");
    switch_off()
}

fn read_job(folder: &Path) -> Result<Vec<String>, Failure> {
    let path = folder.join("job");
    let text = fs::read_to_string(&path).map_err(|error| Failure::File { path, error })?;
    Ok(text.split('\0').map(str::to_owned).collect())
}

fn prepare(folder: &Path) -> Result<(), Failure> {
    for (kind, at) in [("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")] {
        command("mount", &["-t", kind, kind, at])?;
    }
    // modprobe looks for lib/modules below a folder, the package's are elsewhere; what the
    // kernel asks for by itself goes the same way.
    let modules = PathBuf::from("/run/lib/modules");
    let file = |error| Failure::File {
        path: modules.clone(),
        error,
    };
    fs::create_dir_all("/run/lib").map_err(file)?;
    symlink(MODULES, &modules).map_err(file)?;
    let modprobe = folder.join("modprobe");
    let script = "#!/bin/sh\nexec /sbin/modprobe -d /run \"$@\"\n";
    super::machine::write(&modprobe, script)?;
    fs::set_permissions(&modprobe, fs::Permissions::from_mode(0o755)).map_err(file)?;
    let path = modprobe.display().to_string();
    super::machine::write(Path::new("/proc/sys/kernel/modprobe"), &path)?;
    let mut arguments = vec!["-d", "/run", "-a"];
    arguments.extend(WANTED);
    command("modprobe", &arguments)?;
    command("ip", &["link", "set", "lo", "up"])
}

/// Runs a program of the guest to its end; what it says is part of the failure.
pub(super) fn command(program: &str, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = tool(program);
    command.args(arguments);
    let output = command
        .output()
        .map_err(|error| crate::process::start_failure(&command, error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::Check(format!(
        "`{}` failed: {}",
        crate::process::describe(&command),
        String::from_utf8_lossy(&output.stderr).trim()
    )))
}

/// A program of the guest: its first process has no search path.
pub(super) fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("HOME", "/tmp")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    command
}

fn switch_off() -> ! {
    // Nothing else can be done if this fails: the host has a time limit.
    let _ = fs::write("/proc/sysrq-trigger", "o");
    loop {
        std::thread::park();
    }
}
