//! The tree of one domain, in address order, read without its lock.

use super::layout::Layout;
use super::memory::{Memory, word};
use super::{Changed, Node};

/// A red-black tree of n nodes is at most 2 log2(n+1) high: 64 is enough for 2^32 nodes.
const MAX_DEPTH: usize = 64;
/// 4 GiB in pages is 2^20 nodes; devices may hold more above. A damaged walk ends here.
const MAX_NODES: usize = 1 << 23;
/// `IOVA_ANCHOR` (`drivers/iommu/iova.c`): the node at the end of the space that is no mapping.
const ANCHOR: u64 = u64::MAX;

/// Reads all nodes but the anchor.
///
/// The lock is not held, so a rotation may hide a subtree or show it twice. What can be seen in one walk (nodes not
/// ascending, too deep, pointers into nowhere) is [`Changed`]; the rest shows when two walks disagree.
pub(super) fn read(memory: &Memory<'_>, layout: &Layout, iovad: u64) -> Result<Vec<Node>, Changed> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut path: Vec<(Node, u64)> = Vec::with_capacity(MAX_DEPTH);
    let mut current = memory.pointer(iovad + layout.rbroot)?;
    let mut bytes = vec![0; layout.iova_size];
    loop {
        while current != 0 {
            if path.len() == MAX_DEPTH {
                return Err(Changed);
            }
            memory.read(current.wrapping_sub(layout.iova_node), &mut bytes)?;
            // `__rb_parent_color`, the first member: the root has no parent. One that has was rotated down since we
            // found it, and what is below it now is only a part of the tree.
            if path.is_empty() && nodes.is_empty() && word(&bytes, layout.iova_node) & !3 != 0 {
                return Err(Changed);
            }
            let node = Node { lo: word(&bytes, layout.iova_lo), hi: word(&bytes, layout.iova_hi) };
            path.push((node, word(&bytes, layout.iova_node + layout.rb_right)));
            current = word(&bytes, layout.iova_node + layout.rb_left);
        }
        let Some((node, right)) = path.pop() else { return Ok(nodes) };
        let ascending = nodes.last().is_none_or(|last| last.hi < node.lo);
        if !ascending || node.lo > node.hi || nodes.len() == MAX_NODES {
            return Err(Changed);
        }
        match node.hi {
            ANCHOR if node.lo == ANCHOR => {}
            ANCHOR => return Err(Changed),
            _ => nodes.push(node),
        }
        current = right;
    }
}
