//! A guest whose kernel has SCTP: User-Mode Linux on this host's own root file system, on two
//! wires to a namespace of the host.

use super::namespace::Namespace;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const INIT: &str = include_str!("guest_init.sh");

/// What a test of it takes, all from packages of Debian.
const PROGRAMS: [&str; 7] = [
    "linux.uml",
    "rspregistrar",
    "rspserver",
    "rspterminal",
    "ethtool",
    "modprobe",
    "nft",
];

/// One at a time: each is a whole host.
static ONE: Mutex<()> = Mutex::new(());

/// A running guest; gone when dropped.
pub(crate) struct Guest {
    _only: MutexGuard<'static, ()>,
    folder: PathBuf,
    processes: Child,
}

impl Guest {
    /// Boots one. At `host` its wires are `wire0` and `wire1`, with addresses 10.90.0.1 and
    /// 10.91.0.1; the guest has .2. `None` where that cannot be: the test is skipped, and says so.
    pub(crate) fn boot(host: &Namespace) -> Option<Self> {
        let folders = ["/usr/local/bin", "/usr/bin", "/usr/sbin", "/sbin"];
        let exists = |program: &str| {
            folders
                .iter()
                .any(|at| Path::new(at).join(program).exists())
        };
        if let Some(missing) = PROGRAMS.into_iter().find(|program| !exists(program)) {
            eprintln!("skipped: `{missing}` is not installed");
            return None;
        }
        let only = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("rserpool-guest-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Of a process of this number that was killed.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let init = folder.join("init");
        fs::write(&init, INIT).unwrap();
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();
        for wire in 0..2 {
            host.ip(&format!("tuntap add dev wire{wire} mode tap"));
            host.ip(&format!("address add 10.9{wire}.0.1/24 dev wire{wire}"));
            host.ip(&format!("link set wire{wire} up"));
        }
        let processes = host.inside(|| start(&folder, &init));
        let guest = Self {
            _only: only,
            folder,
            processes,
        };
        guest.wait_for("ready", Duration::from_secs(60));
        Some(guest)
    }

    /// Runs a shell script in it; what that printed.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> String {
        let _ = fs::remove_file(self.folder.join("done"));
        fs::write(self.folder.join("next"), script).unwrap();
        fs::rename(self.folder.join("next"), self.folder.join("script")).unwrap();
        self.wait_for("done", Duration::from_secs(60));
        let output = fs::read(self.folder.join("done")).unwrap();
        String::from_utf8_lossy(&output).into_owned()
    }

    #[track_caller]
    fn wait_for(&self, file: &str, patience: Duration) {
        let start = Instant::now();
        while !self.folder.join(file).exists() {
            assert!(start.elapsed() < patience, "the guest takes too long");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let group = nix::unistd::Pid::from_raw(self.processes.id().try_into().unwrap());
        // Several processes of the host, one group; perhaps gone already.
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.processes.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn start(folder: &Path, init: &Path) -> Child {
    let wire = |number: u8| format!("vec{number}:transport=tap,ifname=wire{number},depth=128");
    let mut command = Command::new("linux.uml");
    command
        .args(["mem=384M", "root=/dev/root", "rootfstype=hostfs"])
        .args(["rootflags=/", "rw", "con=null", "con0=null,fd:1", "quiet"])
        .arg(format!("uml_dir={}", folder.display()))
        .arg(format!("init={}", init.display()))
        .args([wire(0), wire(1)])
        // Its memory is a file there.
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn().unwrap()
}
