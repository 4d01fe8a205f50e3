//! `cargo xtask interop`: our programs and rsplib's, on nodes of a guest whose kernel has SCTP.

use super::Task;
use crate::interop;

pub(crate) const TASK: Task = Task {
    name: "interop",
    summary: "Ours and rsplib's programs in a User-Mode Linux guest: scenarios by role",
    help: HELP,
    run: interop::main,
};

const HELP: &str = "\
Usage: cargo xtask interop [OPTIONS]

Boots User-Mode Linux on this machine's own files, makes a network namespace per node, and plays
each scenario with ours and rsplib's in every role. Needs root and the packages user-mode-linux
kmod iproute2 ethtool tcpdump tshark rsplib-registrar rsplib-services rsplib-tools; without them
it is skipped, but fails where CI is set.

Options:
  --scenario N        Only this one (repeatable)
  --roles SIDE,…      Only these roles, in the scenario's order (repeatable): `ours` over the
                      guest's kernel SCTP, `udp` for ours in user space, or `rsplib`
  --rsp FILE          Our program, built elsewhere; otherwise it is built
  --keep              Keep the folder with logs, captures and results
  --json              The results as JSON
  --run COMMAND       Boot the guest and run a shell's command in it, instead of scenarios
";
