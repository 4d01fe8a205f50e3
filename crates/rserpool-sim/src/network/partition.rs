//! Partitions: some nodes cannot reach the others.
//!
//! Must not know for how long.

use crate::network::EndId;
use crate::node::NodeId;
use std::collections::BTreeSet;

/// Some nodes cannot reach the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Partition {
    /// Which fault of the plan it is.
    pub(crate) fault: u32,
    pub(crate) side: BTreeSet<NodeId>,
    /// Whom they cannot reach; `None`: everybody else.
    pub(crate) others: Option<NodeId>,
    /// The others still reach them.
    pub(crate) one_way: bool,
    /// The ends to which it keeps messages from getting.
    pub(crate) blocked: Vec<EndId>,
}

impl Partition {
    pub(crate) fn blocks(&self, from: NodeId, to: NodeId) -> bool {
        let is_meant = |node| self.others.is_none_or(|other| other == node);
        match (self.side.contains(&from), self.side.contains(&to)) {
            (true, false) => is_meant(to),
            (false, true) => is_meant(from) && !self.one_way,
            (true, true) | (false, false) => false,
        }
    }
}

/// Whether any of them keeps messages from getting there.
pub(crate) fn is_blocked(partitions: &[Partition], from: NodeId, to: NodeId) -> bool {
    partitions
        .iter()
        .any(|partition| partition.blocks(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_blocks_only_those_inside() {
        let [inside, outside, third] = [NodeId(1), NodeId(2), NodeId(3)];
        let mut partition = Partition {
            fault: 0,
            side: [inside].into(),
            others: None,
            one_way: true,
            blocked: Vec::new(),
        };
        assert!(partition.blocks(inside, outside));
        assert!(!partition.blocks(outside, inside));
        partition.one_way = false;
        assert!(partition.blocks(outside, inside));
        assert!(!partition.blocks(outside, outside));
        partition.others = Some(third);
        assert!(!partition.blocks(outside, inside));
        assert!(partition.blocks(third, inside));
        assert!(is_blocked(&[partition], inside, third));
    }
}
