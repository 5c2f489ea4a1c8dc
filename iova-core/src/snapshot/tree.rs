//! The tree of one domain, in address order, read without its lock.

use std::time::Duration;

use super::layout::Layout;
use super::memory::{Memory, word};
use super::{Changed, Node};

/// A red-black tree of n nodes is at most 2 log2(n+1) high: 64 is enough for 2^32 nodes.
const MAX_DEPTH: usize = 64;
/// 4 GiB in pages is 2^20 nodes; devices may hold more above. A damaged walk ends here.
const MAX_NODES: usize = 1 << 23;
/// `struct iova` has 40 bytes; with more than this it would be another struct.
const MAX_IOVA_SIZE: usize = 256;
/// `IOVA_ANCHOR` (`drivers/iommu/iova.c`): the node at the end of the space that is no mapping.
const ANCHOR: u64 = u64::MAX;

/// A walk goes on anew from the root so often: each time that costs one way down.
const MAX_RESUMES: usize = 1024;
/// Walks that found nothing more before it gives up.
const MAX_VAIN: usize = 16;
/// Vain walks after which a node's parent may be another than the one it was found by: on a tree that changes faster than
/// it can be read, a walk that may have missed something is better than none.
const STRICT_VAIN: usize = MAX_VAIN / 2;
/// Time for whoever is in the middle of a change to end it, where a walk has got no further.
const PAUSE: Duration = Duration::from_micros(100);

/// What one walk found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// It never had to go on anew.
    pub(super) at_once: bool,
}

/// Reads all nodes but the anchor.
///
/// The lock is not held, so a rotation may hide a subtree or show it twice, and a node may be freed and used again
/// elsewhere. Where one walk shows that (another parent, nodes not ascending, too deep, pointers into nowhere), it goes
/// on from the root behind the last node that was good; the rest shows when two walks disagree.
pub(super) fn read(memory: &Memory<'_>, layout: &Layout, iovad: u64) -> Result<Tree, Changed> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut vain = 0;
    for resumes in 0..MAX_RESUMES {
        let before = nodes.last().copied();
        let walk = Walk { memory, layout, known: before.map(|last| last.hi), strict: vain < STRICT_VAIN };
        if walk.go_on(iovad, &mut nodes).is_ok() {
            return Ok(Tree { nodes, at_once: resumes == 0 });
        }
        memory.forget();
        if nodes.last().map(|last| last.hi) <= before.map(|last| last.hi) {
            vain += 1;
            if vain == MAX_VAIN {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }
    Err(Changed)
}

/// A node as it is in memory. What leads to a node is the address of its `rb_node`.
struct Place {
    node: Node,
    parent: u64,
    left: u64,
    right: u64,
}

/// One way through the tree, from the root.
struct Walk<'a> {
    memory: &'a Memory<'a>,
    layout: &'a Layout,
    /// Last page of what earlier walks have found.
    known: Option<u64>,
    strict: bool,
}

impl Walk<'_> {
    /// Appends the nodes that are behind those known.
    fn go_on(&self, iovad: u64, nodes: &mut Vec<Node>) -> Result<(), Changed> {
        let mut path: Vec<(Node, u64, u64)> = Vec::with_capacity(MAX_DEPTH);
        let (mut parent, mut skipped) = (0, 0);
        let mut current = self.memory.pointer(iovad + self.layout.rbroot)?;
        loop {
            while current != 0 {
                if path.len() + skipped == MAX_DEPTH {
                    return Err(Changed);
                }
                let place = self.place(current, parent)?;
                parent = current;
                // Everything to the left of a known node is known too.
                if self.known.is_some_and(|known| place.node.lo <= known) {
                    skipped += 1;
                    current = place.right;
                } else {
                    path.push((place.node, current, place.right));
                    current = place.left;
                }
            }
            let Some((node, address, right)) = path.pop() else { return Ok(()) };
            add(nodes, node)?;
            (parent, current) = (address, right);
        }
    }

    /// Reads a node that was found by `parent`; 0: at the root. A root with a parent was rotated down since it was found,
    /// and what is below it is only a part of the tree; another parent means that the node has moved, or is used again.
    fn place(&self, address: u64, parent: u64) -> Result<Place, Changed> {
        let layout = self.layout;
        let mut bytes = [0; MAX_IOVA_SIZE];
        let bytes = bytes.get_mut(..layout.iova_size).ok_or(Changed)?;
        self.memory.read(address.wrapping_sub(layout.iova_node), bytes)?;
        let place = Place {
            node: Node { lo: word(bytes, layout.iova_lo), hi: word(bytes, layout.iova_hi) },
            // `__rb_parent_color`, the first member.
            parent: word(bytes, layout.iova_node) & !3,
            left: word(bytes, layout.iova_node + layout.rb_left),
            right: word(bytes, layout.iova_node + layout.rb_right),
        };
        let moved = place.parent != parent && (self.strict || parent == 0);
        if moved { Err(Changed) } else { Ok(place) }
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
