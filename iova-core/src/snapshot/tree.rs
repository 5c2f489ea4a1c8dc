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

/// A busy tree of 65,536 nodes changes a few times while it is walked. A walk that has to go on anew so often gets
/// nowhere.
const MAX_RESUMES: usize = 64;

/// What one walk found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// It never had to go on anew.
    pub(super) at_once: bool,
}

/// Reads all nodes but the anchor.
///
/// The lock is not held, so a rotation may hide a subtree or show it twice. Where one walk shows that (nodes not
/// ascending, too deep, pointers into nowhere), it goes on from the root behind the last node that was good; the rest
/// shows when two walks disagree.
pub(super) fn read(memory: &Memory<'_>, layout: &Layout, iovad: u64) -> Result<Tree, Changed> {
    let mut nodes = Vec::new();
    for resumes in 0..MAX_RESUMES {
        if go_on(memory, layout, iovad, &mut nodes).is_ok() {
            return Ok(Tree { nodes, at_once: resumes == 0 });
        }
        memory.forget();
    }
    Err(Changed)
}

/// Appends the nodes that are behind those known.
fn go_on(memory: &Memory<'_>, layout: &Layout, iovad: u64, nodes: &mut Vec<Node>) -> Result<(), Changed> {
    let known = nodes.last().map(|last| last.hi);
    let mut path: Vec<(Node, u64)> = Vec::with_capacity(MAX_DEPTH);
    let mut current = memory.pointer(iovad + layout.rbroot)?;
    let mut bytes = vec![0; layout.iova_size];
    let (mut at_root, mut skipped) = (true, 0);
    loop {
        while current != 0 {
            if path.len() + skipped == MAX_DEPTH {
                return Err(Changed);
            }
            memory.read(current.wrapping_sub(layout.iova_node), &mut bytes)?;
            // `__rb_parent_color`, the first member: the root has no parent. One that has was rotated down since we
            // found it, and what is below it now is only a part of the tree.
            if std::mem::take(&mut at_root) && word(&bytes, layout.iova_node) & !3 != 0 {
                return Err(Changed);
            }
            let node = Node { lo: word(&bytes, layout.iova_lo), hi: word(&bytes, layout.iova_hi) };
            let right = word(&bytes, layout.iova_node + layout.rb_right);
            // Everything to the left of a known node is known too.
            if known.is_some_and(|known| node.lo <= known) {
                skipped += 1;
                current = right;
                continue;
            }
            path.push((node, right));
            current = word(&bytes, layout.iova_node + layout.rb_left);
        }
        let Some((node, right)) = path.pop() else { return Ok(()) };
        add(nodes, node)?;
        current = right;
    }
}

/// Appends a node, unless the order shows that the walk went astray. Where a node comes too late, one before it was out
/// of its place (moved, or freed and used again): whatever is behind this one is forgotten, to be read anew.
fn add(nodes: &mut Vec<Node>, node: Node) -> Result<(), Changed> {
    if node.lo > node.hi || nodes.len() == MAX_NODES {
        return Err(Changed);
    }
    if nodes.last().is_some_and(|last| last.hi >= node.lo) {
        nodes.truncate(nodes.partition_point(|known| known.hi < node.lo));
        return Err(Changed);
    }
    match node.hi {
        ANCHOR if node.lo == ANCHOR => {}
        ANCHOR => return Err(Changed),
        _ => nodes.push(node),
    }
    Ok(())
}
