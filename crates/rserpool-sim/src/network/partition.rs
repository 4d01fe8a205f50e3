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
    /// The others still reach them.
    pub(crate) one_way: bool,
    /// The ends to which it keeps messages from getting.
    pub(crate) blocked: Vec<EndId>,
}

impl Partition {
    pub(crate) fn blocks(&self, from: NodeId, to: NodeId) -> bool {
        let (from, to) = (self.side.contains(&from), self.side.contains(&to));
        from != to && (from || !self.one_way)
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
        let [inside, outside] = [NodeId(1), NodeId(2)];
        let mut partition = Partition {
            fault: 0,
            side: [inside].into(),
            one_way: true,
            blocked: Vec::new(),
        };
        assert!(partition.blocks(inside, outside));
        assert!(!partition.blocks(outside, inside));
        partition.one_way = false;
        assert!(partition.blocks(outside, inside));
        assert!(!partition.blocks(outside, outside));
        assert!(is_blocked(&[partition], inside, outside));
    }
}
