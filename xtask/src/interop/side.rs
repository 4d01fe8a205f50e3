//! Whose programs: each role is played by ours or by rsplib's.

mod element;
mod registrar;
mod user;

use super::Failure;
use super::network::Node;
use std::path::PathBuf;

pub(super) use element::{Element, Part};
pub(super) use registrar::{Listing, Registrar};
pub(super) use user::User;

/// Whose program plays a role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Side {
    /// `rsp`, which uses the guest's kernel for SCTP.
    Ours,
    /// `rsp` with SCTP in user space, over UDP.
    Udp,
    /// The programs of Debian's packages rsplib-registrar and rsplib-services.
    Rsplib,
}

impl Side {
    const ALL: [Self; 3] = [Self::Ours, Self::Udp, Self::Rsplib];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Udp => "udp",
            Self::Rsplib => "rsplib",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        Self::ALL
            .into_iter()
            .find(|side| side.name() == text)
            .ok_or_else(|| {
                Failure::Usage(format!("`{text}` is no role's side: ours, udp or rsplib"))
            })
    }

    /// Whether its programs are `rsp`.
    pub(super) fn is_ours(self) -> bool {
        self != Self::Rsplib
    }
}

/// How the roles of one scenario run are played.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) rsp: PathBuf,
    pub(super) folder: PathBuf,
    /// Whether some have SCTP in user space over UDP: then the kernel's goes over UDP too.
    pub(super) encapsulated: bool,
    /// Whether any role is rsplib's: then ours speak so that it understands.
    pub(super) compatible: bool,
}

impl Stage {
    /// Our program, what it does, and by what it carries SCTP.
    pub(super) fn ours(&self, side: Side, arguments: &[&str]) -> Vec<String> {
        let mut words = vec![self.rsp.display().to_string()];
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        let sctp = if side == Side::Udp { "udp" } else { "kernel" };
        words.extend(["--sctp", sctp].map(str::to_owned));
        if self.compatible {
            words.extend(["--compatibility", "rsplib"].map(str::to_owned));
        }
        words
    }

    /// Makes a node's kernel one whose SCTP reaches all others.
    pub(super) fn prepare_kernel(&self, side: Side, node: &Node) -> Result<(), Failure> {
        if self.encapsulated && side != Side::Udp {
            node.set("net.sctp.udp_port", "9899")?;
            node.set("net.sctp.encap_port", "9899")?;
        }
        Ok(())
    }
}

/// The options that name all addresses of a node.
fn addresses(node: &Node) -> Vec<String> {
    let option = |address| ["--address".to_owned(), address];
    node.addresses().into_iter().flat_map(option).collect()
}

/// A program of rsplib: line by line, so that nothing is lost when it is killed.
pub(super) fn rsplib(program: &str, arguments: &[String]) -> Vec<String> {
    let mut words: Vec<String> = ["stdbuf", "-oL", program].map(str::to_owned).to_vec();
    words.extend_from_slice(arguments);
    words.push("-logcolor=off".to_owned());
    words
}

/// The values of `"name":"…"` in a line of JSON, in order.
pub(super) fn values<'a>(json: &'a str, name: &str) -> Vec<&'a str> {
    let key = format!("\"{name}\":\"");
    json.split(&key)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}
