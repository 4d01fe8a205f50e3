//! Network namespaces without a name: they are gone when the processes in them are, however a test
//! ends.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;

/// A host of its own.
pub(crate) struct Namespace(File);

impl Namespace {
    /// A new one, with nothing but a loopback interface. `None` without the right to it: the test
    /// is then skipped, and says so.
    pub(crate) fn new() -> Option<Self> {
        let entered = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok::<_, nix::Error>(File::open("/proc/thread-self/ns/net").unwrap())
        });
        match entered.join().unwrap() {
            Ok(file) => {
                let namespace = Self(file);
                namespace.ip("link set lo up");
                Some(namespace)
            }
            Err(error) => {
                eprintln!("skipped: network namespaces take root ({error})");
                None
            }
        }
    }

    /// Does something within it: sockets and processes that are made then belong to it.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let within = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        };
        thread::scope(|scope| scope.spawn(within).join().unwrap())
    }

    /// Runs `ip` within it.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &str) {
        let output = self.inside(|| {
            let mut command = Command::new("ip");
            command.args(arguments.split_whitespace());
            command.stdin(Stdio::null()).output().unwrap()
        });
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {arguments}: {error}");
    }

    /// Lets nothing through an interface any more, in silence.
    #[track_caller]
    pub(crate) fn cut(&self, interface: &str) {
        let chain = |name: &str, hook: &str, direction: &str| {
            let hook = format!("type filter hook {hook} priority -300");
            format!("chain {name} {{\n{hook};\n{direction} {interface} drop;\n}}\n")
        };
        let chains = [
            chain("in", "prerouting", "iifname"),
            chain("out", "postrouting", "oifname"),
        ];
        let rules = format!("table inet cut {{\n{}}}\n", chains.concat());
        let output = self.inside(|| Command::new("nft").arg(rules).output().unwrap());
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cutting {interface}: {error}");
    }

    /// A cable to another one: interface `name` at both ends, with these addresses.
    pub(crate) fn connect(&self, other: &Self, name: &str, addresses: [[&str; 2]; 2]) {
        let path = format!("/proc/{}/fd/{}", std::process::id(), other.0.as_raw_fd());
        self.ip(&format!(
            "link add {name} type veth peer name {name} netns {path}"
        ));
        for [here, there] in addresses {
            for (end, address) in [(self, here), (other, there)] {
                let nodad = if address.contains(':') { "nodad" } else { "" };
                end.ip(&format!("address add {address} dev {name} {nodad}"));
                end.ip(&format!("link set {name} up"));
            }
        }
    }
}
