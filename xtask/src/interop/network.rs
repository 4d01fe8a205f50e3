//! Nodes: one network namespace each, joined by one bridge per path.

use super::Failure;
use super::guest::{command, tool};
use std::process::Command;

/// The nodes of a scenario. They are gone when this is.
pub(super) struct Network {
    /// Which of the networks that exist at a time.
    number: usize,
    paths: u8,
    nodes: Vec<Node>,
}

/// One host of a scenario.
#[derive(Clone)]
pub(super) struct Node {
    /// As it is called in its scenario.
    pub(super) name: String,
    /// The name of its namespace.
    namespace: String,
    network: usize,
    paths: u8,
    number: u8,
}

impl Network {
    /// A network whose nodes have `paths` interfaces each, on as many bridges.
    pub(super) fn new(number: usize, paths: u8) -> Result<Self, Failure> {
        for path in 1..=paths {
            let bridge = bridge(number, path);
            // Without snooping, multicast goes everywhere, as from a switch that knows nothing.
            let add = format!("link add {bridge} type bridge mcast_snooping 0");
            ip(&add)?;
            ip(&format!("link set {bridge} up"))?;
        }
        Ok(Self {
            number,
            paths,
            nodes: Vec::new(),
        })
    }

    /// One more node, at 10.PATH.0.NUMBER.
    pub(super) fn node(&mut self, name: &str) -> Result<Node, Failure> {
        let count = u8::try_from(self.nodes.len()).expect("a scenario has few nodes");
        let node = Node {
            name: name.to_owned(),
            namespace: format!("{}-{name}", self.number),
            network: self.number,
            paths: self.paths,
            number: count + 1,
        };
        let name = &node.namespace;
        ip(&format!("netns add {name}"))?;
        self.nodes.push(node.clone());
        ip(&format!("-n {name} link set lo up"))?;
        for path in 1..=self.paths {
            let (outer, inner) = (node.outer(path), interface(path));
            ip(&format!(
                "link add {outer} type veth peer name {inner} netns {name}"
            ))?;
            let bridge = bridge(self.number, path);
            ip(&format!("link set {outer} master {bridge} up"))?;
            let address = node.address(path);
            ip(&format!("-n {name} addr add {address}/24 dev {inner}"))?;
            ip(&format!("-n {name} link set {inner} up"))?;
            node.switch_offloads_off(&inner)?;
        }
        ip(&format!(
            "-n {name} route add 224.0.0.0/4 dev {}",
            interface(1)
        ))?;
        Ok(node)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in &self.nodes {
            for path in 1..=self.paths {
                let _ = ip(&format!("link del {}", node.outer(path)));
            }
            let _ = ip(&format!("netns del {}", node.namespace));
        }
        for path in 1..=self.paths {
            let _ = ip(&format!("link del {}", bridge(self.number, path)));
        }
    }
}

impl Node {
    /// Its address on a path; the first one is 1.
    pub(super) fn address(&self, path: u8) -> String {
        format!("10.{path}.0.{}", self.number)
    }

    /// All its addresses, the first path's first.
    pub(super) fn addresses(&self) -> Vec<String> {
        (1..=self.paths).map(|path| self.address(path)).collect()
    }

    /// A program that runs there.
    pub(super) fn program(&self, program: &str) -> Command {
        let mut command = tool("ip");
        command.args(["netns", "exec", &self.namespace, program]);
        command
    }

    /// Cuts a path of this node: frames are lost without a word, as with a broken switch.
    pub(super) fn cut(&self, path: u8) -> Result<(), Failure> {
        self.set_port(path, "0")
    }

    /// Mends what was cut.
    pub(super) fn heal(&self, path: u8) -> Result<(), Failure> {
        self.set_port(path, "3")
    }

    /// Disables its port of the bridge, or has it forward again.
    fn set_port(&self, path: u8, state: &str) -> Result<(), Failure> {
        let port = self.outer(path);
        command("bridge", &["link", "set", "dev", &port, "state", state])
    }

    /// Sets a parameter of this node's kernel.
    pub(super) fn set(&self, name: &str, value: &str) -> Result<(), Failure> {
        let setting = format!("{name}={value}");
        command(
            "ip",
            &["netns", "exec", &self.namespace, "sysctl", "-q", &setting],
        )
    }

    fn outer(&self, path: u8) -> String {
        format!("s{}n{}p{path}", self.network, self.number)
    }

    /// What the kernel sends over UDP must fit: its segmentation loses messages larger than a
    /// packet when both are on (Linux 6.1).
    fn switch_offloads_off(&self, interface: &str) -> Result<(), Failure> {
        let offloads = ["gso", "off", "tx-sctp-segmentation", "off", "tx", "off"];
        let mut arguments = vec!["netns", "exec", &self.namespace, "ethtool", "-K", interface];
        arguments.extend(offloads);
        command("ip", &arguments)
    }
}

/// The bridge of a path; all that nodes send to each other passes it.
pub(super) fn bridge(network: usize, path: u8) -> String {
    format!("bridge{network}p{path}")
}

fn interface(path: u8) -> String {
    format!("eth{}", path - 1)
}

fn ip(arguments: &str) -> Result<(), Failure> {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    command("ip", &arguments)
}
