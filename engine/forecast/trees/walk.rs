//! Trees walked down in step: while one waits for its node, the others go on.

use super::{Branching, WEIGHTS_MAX};
use crate::forest::{Aggregate, Forest};

/// Trees walked together: enough to hide a cache's delay, few enough to stay in registers.
const STEP: usize = 8;
/// Bits of a node's second half that say where its left child is; the slot is above them.
const LEFT_BITS: u32 = 20;

/// A node in eight bytes: left when `asked[slot] <= threshold`, and right is next to left. A leaf leads to itself.
#[derive(Debug, Clone, Copy)]
struct Node {
    threshold: f32,
    slot_and_left: u32,
}

/// A forest to be walked.
#[derive(Debug)]
pub(super) struct Walk {
    nodes: Vec<Node>,
    /// For a leaf: where its weights begin.
    leaves: Vec<u32>,
    /// Trees in order of their depth: root, and the target of all its weights when they are of one.
    trees: Vec<(u32, u32)>,
    /// Depth of each step of trees.
    depths: Vec<usize>,
    weights: Vec<f32>,
    /// Weights a leaf: 1, or one for each target.
    stride: usize,
    aggregate: Aggregate,
    /// The slot that is minus infinity, which every leaf asks for.
    rest: usize,
}

/// The one target of every leaf of a tree, if there is one.
pub(super) fn only_target(forest: &Forest, tree: &Branching) -> Option<usize> {
    fn visit(forest: &Forest, tree: &Branching, found: &mut Option<usize>) -> bool {
        match tree {
            Branching::Ask { left, right, .. } => visit(forest, left, found) && visit(forest, right, found),
            Branching::Leaf(from, to) => match forest.weights[*from..*to] {
                [] => true,
                [(target, _)] => *found.get_or_insert(target) == target,
                _ => false,
            },
        }
    }
    let mut found = None;
    visit(forest, tree, &mut found).then(|| found.unwrap_or(0))
}

impl Walk {
    pub(super) fn of(forest: &Forest, trees: &[Branching]) -> Result<Self, String> {
        let is_sum = matches!(forest.aggregate, Aggregate::Sum | Aggregate::Average);
        let targets: Option<Vec<usize>> = trees.iter().map(|t| only_target(forest, t)).collect();
        // A leaf of no weight says nothing, which only a sum can overlook.
        let targets = targets.filter(|_| is_sum);
        let stride = if targets.is_some() { 1 } else { forest.targets };
        let leaves: usize = trees.iter().map(Branching::leaves).sum();
        // Two nodes a leaf at most.
        if leaves >= 1 << (LEFT_BITS - 1) || leaves.saturating_mul(stride) > WEIGHTS_MAX {
            return Err(format!("a forest of {leaves} leaves"));
        }
        let mut order: Vec<(usize, usize)> = trees.iter().enumerate().map(|(i, t)| (t.depth(), i)).collect();
        order.sort_unstable();
        let rest = slots(trees);
        let mut walk = Self {
            nodes: vec![],
            leaves: vec![],
            trees: vec![],
            depths: order
                .chunks(STEP)
                .map(|step| step.iter().map(|(depth, _)| *depth).max().unwrap_or(0))
                .collect(),
            weights: vec![],
            stride,
            aggregate: forest.aggregate,
            rest,
        };
        for (_, tree) in order {
            let target = targets.as_ref().map_or(0, |t| t[tree]);
            let root = walk.nodes.len();
            walk.nodes.push(Node { threshold: 0.0, slot_and_left: 0 });
            walk.leaves.push(0);
            walk.place(forest, &trees[tree], root);
            walk.trees.push((root as u32, target as u32));
        }
        Ok(walk)
    }

    /// Writes a node at a place and its children behind all there is.
    fn place(&mut self, forest: &Forest, tree: &Branching, at: usize) {
        let (slot, threshold, left) = match tree {
            Branching::Leaf(from, to) => {
                self.leaves[at] = self.weights.len() as u32;
                self.push_weights(&forest.weights[*from..*to]);
                // Minus infinity is not above plus infinity: the walk stays.
                (self.rest, f32::INFINITY, at)
            }
            Branching::Ask { slot, threshold, .. } => (*slot, *threshold, self.nodes.len()),
        };
        self.nodes[at] = Node { threshold, slot_and_left: (slot as u32) << LEFT_BITS | left as u32 };
        if let Branching::Ask { left: yes, right: no, .. } = tree {
            self.nodes.extend([self.nodes[at]; 2]);
            self.leaves.extend([0; 2]);
            self.place(forest, yes, left);
            self.place(forest, no, left + 1);
        }
    }

    fn push_weights(&mut self, weights: &[(usize, f32)]) {
        let nothing = match self.aggregate {
            Aggregate::Sum | Aggregate::Average => 0.0,
            Aggregate::Min => f32::INFINITY,
            Aggregate::Max => f32::NEG_INFINITY,
        };
        let from = self.weights.len();
        self.weights.resize(from + self.stride, nothing);
        for (target, weight) in weights {
            let slot = &mut self.weights[from + if self.stride == 1 { 0 } else { *target }];
            *slot = match self.aggregate {
                Aggregate::Sum | Aggregate::Average => *slot + weight,
                Aggregate::Min => slot.min(*weight),
                Aggregate::Max => slot.max(*weight),
            };
        }
    }

    pub(super) fn score(&self, asked: &mut [f32], scores: &mut [f64]) {
        asked[self.rest] = f32::NEG_INFINITY;
        let nothing = match self.aggregate {
            Aggregate::Sum | Aggregate::Average => 0.0,
            Aggregate::Min => f64::INFINITY,
            Aggregate::Max => f64::NEG_INFINITY,
        };
        scores.fill(nothing);
        let steps = self.trees.chunks_exact(STEP);
        for tree in steps.remainder() {
            let depth = self.depths.last().copied().unwrap_or(0);
            self.walk::<1>(std::slice::from_ref(tree), depth, asked, scores);
        }
        for (trees, depth) in steps.zip(&self.depths) {
            self.walk::<STEP>(trees, *depth, asked, scores);
        }
        // A target no leaf spoke of.
        scores.iter_mut().filter(|s| s.is_infinite()).for_each(|s| *s = 0.0);
    }

    fn walk<const N: usize>(&self, trees: &[(u32, u32)], depth: usize, asked: &[f32], scores: &mut [f64]) {
        let mut at: [usize; N] = std::array::from_fn(|i| trees[i].0 as usize);
        for _ in 0..depth {
            for at in &mut at {
                let node = self.nodes[*at];
                let left = (node.slot_and_left & ((1 << LEFT_BITS) - 1)) as usize;
                let x = asked[(node.slot_and_left >> LEFT_BITS) as usize];
                // NaN is not below anything: it goes right.
                let is_left = x <= node.threshold;
                *at = left + usize::from(!is_left);
            }
        }
        for (at, (_, target)) in at.iter().zip(trees) {
            let from = self.leaves[*at] as usize;
            let weights = &self.weights[from..from + self.stride];
            if self.stride == 1 && self.is_sum() {
                scores[*target as usize] += f64::from(weights[0]);
            } else {
                self.combine(weights, scores);
            }
        }
    }

    const fn is_sum(&self) -> bool {
        matches!(self.aggregate, Aggregate::Sum | Aggregate::Average)
    }

    fn combine(&self, weights: &[f32], scores: &mut [f64]) {
        for (score, weight) in scores.iter_mut().zip(weights) {
            let weight = f64::from(*weight);
            *score = match self.aggregate {
                Aggregate::Sum | Aggregate::Average => *score + weight,
                Aggregate::Min => score.min(weight),
                Aggregate::Max => score.max(weight),
            };
        }
    }
}

/// How many slots trees ask for.
fn slots(trees: &[Branching]) -> usize {
    fn most(tree: &Branching) -> usize {
        match tree {
            Branching::Leaf(..) => 0,
            Branching::Ask { slot, left, right, .. } => (slot + 1).max(most(left)).max(most(right)),
        }
    }
    trees.iter().map(most).max().unwrap_or(0)
}
