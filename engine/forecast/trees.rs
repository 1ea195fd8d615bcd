//! Forests compiled: every comparison becomes `x <= threshold, then left`, missing numbers become a second copy of
//! the row, and the nodes are packed for one of two ways to find the leaves.
//!
//! [`bits`] asks all questions of sixteen trees at once and strikes out leaves (QuickScorer, Lucchese et al. 2015,
//! turned to lanes): no jump depends on data. It takes AVX-512 and trees of at most 32 leaves. [`walk`] goes down
//! many trees in step, on any machine, whatever the trees are like.

mod bits;
mod walk;

use crate::forest::{Aggregate, Forest, Mode, TreeNode};
use pulp::Arch;
use std::collections::BTreeMap;

/// Most different numbers (and copies for missing ones) a forest may ask for.
const SLOTS_MAX: usize = 4096;
/// Most leaf weights, zeros included.
const WEIGHTS_MAX: usize = 1 << 24;

/// A compiled forest.
#[derive(Debug)]
pub(crate) struct Packed {
    slots: Vec<Slot>,
    base: Vec<f32>,
    over: f64,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Bits(bits::Bits),
    Walk(walk::Walk),
}

/// A number of the row that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    feature: usize,
    /// True when a missing number goes left: then it stands here as minus infinity.
    missing_left: bool,
}

/// Buffers of a run: the numbers asked for, and the scores.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    asked: Vec<f32>,
    scores: Vec<f64>,
}

impl Scratch {
    /// Makes room for a forest.
    pub(crate) fn grow(&mut self, packed: &Packed) {
        let asked = match &packed.way {
            Way::Bits(bits) => bits.row(),
            Way::Walk(_) => packed.slots.len() + 1,
        };
        self.asked.resize(self.asked.len().max(asked), 0.0);
        self.scores.resize(self.scores.len().max(packed.base.len()), 0.0);
    }
}

/// A tree in one shape: inner nodes go left when `slot <= threshold`.
#[derive(Debug)]
enum Branching {
    Ask {
        slot: usize,
        threshold: f32,
        left: Box<Branching>,
        right: Box<Branching>,
    },
    /// Weights, from and to in the forest's list.
    Leaf(usize, usize),
}

impl Packed {
    /// Compiles a checked forest for a machine.
    pub(crate) fn of(forest: &Forest, arch: Arch) -> Result<Self, String> {
        let mut slots = BTreeMap::new();
        let trees: Vec<Branching> =
            forest.roots.iter().map(|root| branching(forest, *root, &mut slots)).collect::<Result<_, _>>()?;
        let mut ordered: Vec<Slot> = vec![Slot { feature: 0, missing_left: false }; slots.len()];
        slots.iter().for_each(|(slot, at)| ordered[*at] = *slot);
        let way = match bits::Bits::of(forest, &trees, ordered.len(), arch) {
            Some(bits) => Way::Bits(bits),
            None => Way::Walk(walk::Walk::of(forest, &trees)?),
        };
        let is_mean = forest.aggregate == Aggregate::Average;
        let over = if is_mean { 1.0 / forest.roots.len() as f64 } else { 1.0 };
        Ok(Self { slots: ordered, base: forest.base.clone(), over, way })
    }

    /// Scores of a row.
    pub(crate) fn score(&self, row: &[f32], scratch: &mut Scratch, out: &mut [f32]) {
        for (asked, slot) in scratch.asked.iter_mut().zip(&self.slots) {
            let x = row[slot.feature];
            *asked = if slot.missing_left && x.is_nan() { f32::NEG_INFINITY } else { x };
        }
        let scores = &mut scratch.scores[..self.base.len()];
        match &self.way {
            Way::Bits(bits) => bits.score(&scratch.asked, scores),
            Way::Walk(walk) => walk.score(&mut scratch.asked[..self.slots.len() + 1], scores),
        }
        for ((out, score), base) in out.iter_mut().zip(scores).zip(&self.base) {
            *out = (*score * self.over) as f32 + base;
        }
    }
}

/// The largest float not above a double.
fn at_most(t: f64) -> f32 {
    let near = t as f32;
    if f64::from(near) > t { near.next_down() } else { near }
}

/// The largest float below a double.
fn below(t: f64) -> f32 {
    let near = t as f32;
    if f64::from(near) >= t { near.next_down() } else { near }
}

/// Depth at which a tree is refused: recursion must end long before the stack does.
const DEPTH_MAX: usize = 512;

fn branching(forest: &Forest, root: usize, slots: &mut BTreeMap<Slot, usize>) -> Result<Branching, String> {
    let depth = forest.depths().get(root).copied().unwrap_or(0);
    if depth > DEPTH_MAX {
        return Err(format!("a tree {depth} questions deep, more than {DEPTH_MAX}"));
    }
    let tree = branch(forest, root, slots);
    if slots.len() > SLOTS_MAX - 1 {
        return Err(format!("a forest that asks for more than {SLOTS_MAX} different numbers"));
    }
    Ok(tree)
}

fn branch(forest: &Forest, at: usize, slots: &mut BTreeMap<Slot, usize>) -> Branching {
    let (feature, mode, t, missing_is_yes, yes, no) = match forest.nodes[at] {
        TreeNode::Leaf { from, to } => return Branching::Leaf(from, to),
        TreeNode::Branch { feature, mode, threshold, missing_is_yes, yes, no } => {
            (feature, mode, threshold, missing_is_yes, yes, no)
        }
    };
    let mut slot = |missing_left| {
        let next = slots.len();
        *slots.entry(Slot { feature, missing_left }).or_insert(next)
    };
    let ask = |slot, threshold, left, right| Branching::Ask {
        slot,
        threshold,
        left: Box::new(left),
        right: Box::new(right),
    };
    match mode {
        Mode::Leq | Mode::Lt => {
            let (slot, t) = (slot(missing_is_yes), if mode == Mode::Lt { below(t) } else { at_most(t) });
            ask(slot, t, branch(forest, yes, slots), branch(forest, no, slots))
        }
        // Turned round: yes is right, and a missing number that is no goes left.
        Mode::Gt | Mode::Gte => {
            let (slot, t) = (slot(!missing_is_yes), if mode == Mode::Gte { below(t) } else { at_most(t) });
            ask(slot, t, branch(forest, no, slots), branch(forest, yes, slots))
        }
        // Two questions: not above, and then not below. A missing number equals nothing.
        Mode::Eq | Mode::Neq => {
            let (same, other, missing_is_same) =
                if mode == Mode::Eq { (yes, no, missing_is_yes) } else { (no, yes, false) };
            let (first, second) = (slot(missing_is_same), slot(false));
            let inner = ask(second, below(t), branch(forest, other, slots), branch(forest, same, slots));
            ask(first, at_most(t), inner, branch(forest, other, slots))
        }
    }
}

impl Branching {
    fn leaves(&self) -> usize {
        match self {
            Self::Leaf(..) => 1,
            Self::Ask { left, right, .. } => left.leaves() + right.leaves(),
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::Leaf(..) => 0,
            Self::Ask { left, right, .. } => 1 + left.depth().max(right.depth()),
        }
    }
}
