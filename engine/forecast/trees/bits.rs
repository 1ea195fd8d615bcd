//! Sixteen trees at once, without walking: a bit for every leaf of a tree, numbered from the left. Each question that
//! sends the row right strikes out the leaves to its left; the lowest bit left is the leaf (QuickScorer). Question
//! by question, sixteen trees lie side by side in a register, and the row itself stays in registers.

use super::Branching;
use super::walk::only_target;
use crate::forest::{Aggregate, Forest};
use pulp::Arch;

/// Trees side by side.
const LANES: usize = 16;
/// Most leaves of a tree.
const LEAVES: usize = 32;
/// Most different numbers asked for: eight registers of the row.
const SLOTS: usize = 128;

/// A forest in lanes.
#[derive(Debug)]
pub(super) struct Bits {
    #[cfg(target_arch = "x86_64")]
    simd: pulp::x86::V4,
    groups: Vec<Group>,
    questions: Vec<Questions>,
    slots: Vec<[u8; LANES]>,
    /// Leaf weights: a group's tables, target by target, tree by tree.
    weights: Vec<f32>,
    /// Pairs of registers the row takes: 1, 2 or 4.
    pairs: usize,
}

/// One question of each of sixteen trees.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Questions {
    thresholds: [f32; LANES],
    /// What stays of the leaves when the row goes right.
    kept: [u32; LANES],
}

#[derive(Debug)]
struct Group {
    questions: std::ops::Range<usize>,
    targets: std::ops::Range<usize>,
    weights: usize,
}

impl Bits {
    /// `None` when the machine, the trees or the numbers asked for are not made for it.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn of(forest: &Forest, trees: &[Branching], slots: usize, arch: Arch) -> Option<Self> {
        let Arch::V4(simd) = arch else { return None };
        let is_sum = matches!(forest.aggregate, Aggregate::Sum | Aggregate::Average);
        // A table a tree for each target: more targets would be walked faster.
        let targets: Option<Vec<usize>> = trees.iter().map(|t| only_target(forest, t)).collect();
        let fits = slots <= SLOTS && trees.iter().all(|t| t.leaves() <= LEAVES);
        if !is_sum || !fits || targets.is_none() && forest.targets > 8 {
            return None;
        }
        let mut order: Vec<(usize, usize, usize)> =
            (0..trees.len()).map(|i| (targets.as_ref().map_or(0, |t| t[i]), trees[i].leaves(), i)).collect();
        order.sort_unstable();
        let pairs = slots.div_ceil(32).next_power_of_two();
        let mut bits =
            Self { simd, groups: vec![], questions: vec![], slots: vec![], weights: vec![], pairs };
        for same in order.chunk_by(|a, b| a.0 == b.0) {
            for chunk in same.chunks(LANES) {
                let range = if targets.is_some() { chunk[0].0..chunk[0].0 + 1 } else { 0..forest.targets };
                let group: Vec<&Branching> = chunk.iter().map(|(_, _, i)| &trees[*i]).collect();
                bits.add(forest, &group, range);
            }
        }
        Some(bits)
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn of(_: &Forest, _: &[Branching], _: usize, _: Arch) -> Option<Self> {
        None
    }

    /// Numbers of the row it reads.
    pub(super) const fn row(&self) -> usize {
        self.pairs * 2 * LANES
    }

    fn add(&mut self, forest: &Forest, trees: &[&Branching], targets: std::ops::Range<usize>) {
        let first = self.questions.len();
        let count = trees.iter().map(|t| t.leaves() - 1).max().unwrap_or(0);
        // A question nobody asks keeps every leaf.
        let nothing = Questions { thresholds: [f32::INFINITY; LANES], kept: [u32::MAX; LANES] };
        self.questions.resize(first + count, nothing);
        self.slots.resize(first + count, [0; LANES]);
        let weights = self.weights.len();
        let table = LANES * LEAVES;
        self.weights.resize(weights + targets.len() * table, 0.0);
        for (lane, tree) in trees.iter().enumerate() {
            let mut visit =
                Visit { bits: self, forest, lane, question: first, leaf: 0, weights, targets: &targets };
            visit.tree(tree);
        }
        self.groups.push(Group { questions: first..first + count, targets, weights });
    }

    pub(super) fn score(&self, row: &[f32], scores: &mut [f64]) {
        scores.fill(0.0);
        #[cfg(target_arch = "x86_64")]
        match self.pairs {
            1 => self.simd.vectorize(Score::<1> { bits: self, row, scores }),
            2 => self.simd.vectorize(Score::<2> { bits: self, row, scores }),
            _ => self.simd.vectorize(Score::<4> { bits: self, row, scores }),
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = row;
    }
}

/// A tree being written into a lane, from left to right.
struct Visit<'a> {
    bits: &'a mut Bits,
    forest: &'a Forest,
    lane: usize,
    question: usize,
    leaf: usize,
    weights: usize,
    targets: &'a std::ops::Range<usize>,
}

impl Visit<'_> {
    fn tree(&mut self, tree: &Branching) {
        match tree {
            Branching::Leaf(from, to) => {
                for (target, weight) in &self.forest.weights[*from..*to] {
                    let table = (target - self.targets.start) * LANES * LEAVES;
                    self.bits.weights[self.weights + table + self.lane * LEAVES + self.leaf] += weight;
                }
                self.leaf += 1;
            }
            Branching::Ask { slot, threshold, left, right } => {
                let question = self.question;
                self.question += 1;
                let from = self.leaf;
                self.tree(left);
                let struck = ((1u64 << self.leaf) - (1u64 << from)) as u32;
                let asked = &mut self.bits.questions[question];
                asked.thresholds[self.lane] = *threshold;
                asked.kept[self.lane] = !struck;
                self.bits.slots[question][self.lane] = *slot as u8;
                self.tree(right);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
struct Score<'a, const P: usize> {
    bits: &'a Bits,
    row: &'a [f32],
    scores: &'a mut [f64],
}

#[cfg(target_arch = "x86_64")]
impl<const P: usize> pulp::NullaryFnOnce for Score<'_, P> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { bits, row, scores } = self;
        let mut registers = [[[0.0f32; LANES]; 2]; P];
        for (to, from) in registers.as_flattened_mut().iter_mut().zip(row.chunks_exact(LANES)) {
            to.copy_from_slice(from);
        }
        let registers = registers.map(|pair| pair.map(pulp::cast));
        for group in &bits.groups {
            let leaves = leaves(bits, group, &registers);
            let tables = bits.weights[group.weights..].chunks_exact(LANES * LEAVES);
            for (target, table) in group.targets.clone().zip(tables) {
                let mut sum = [0.0f32; 4];
                for lane in 0..LANES {
                    sum[lane % 4] += table[lane * LEAVES + (leaves[lane] as usize & (LEAVES - 1))];
                }
                scores[target] += f64::from((sum[0] + sum[1]) + (sum[2] + sum[3]));
            }
        }
    }
}

/// The leaf each tree of a group ends in.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn leaves<const P: usize>(
    bits: &Bits,
    group: &Group,
    row: &[[std::arch::x86_64::__m512; 2]; P],
) -> [u32; LANES] {
    use std::arch::x86_64::_CMP_NLE_UQ;
    let (f, cd) = (bits.simd.avx512f, bits.simd.avx512cd);
    let mut left = f._mm512_set1_epi32(-1);
    let questions = &bits.questions[group.questions.clone()];
    let slots = &bits.slots[group.questions.clone()];
    for (asked, slots) in questions.iter().zip(slots) {
        let slots = f._mm512_cvtepu8_epi32(pulp::cast(*slots));
        let mut x = f._mm512_permutex2var_ps(row[0][0], slots, row[0][1]);
        if P > 1 {
            let odd = f._mm512_test_epi32_mask(slots, f._mm512_set1_epi32(32));
            x = f._mm512_mask_blend_ps(odd, x, f._mm512_permutex2var_ps(row[1][0], slots, row[1][1]));
            if P > 2 {
                let third = f._mm512_permutex2var_ps(row[2][0], slots, row[2][1]);
                let fourth = f._mm512_permutex2var_ps(row[3][0], slots, row[3][1]);
                let upper = f._mm512_mask_blend_ps(odd, third, fourth);
                let high = f._mm512_test_epi32_mask(slots, f._mm512_set1_epi32(64));
                x = f._mm512_mask_blend_ps(high, x, upper);
            }
        }
        // Not less or equal, or missing: right.
        let right = f._mm512_cmp_ps_mask::<_CMP_NLE_UQ>(x, pulp::cast(asked.thresholds));
        left = f._mm512_mask_and_epi32(left, right, left, pulp::cast(asked.kept));
    }
    let lowest = f._mm512_and_epi32(left, f._mm512_sub_epi32(f._mm512_setzero_si512(), left));
    let at = f._mm512_sub_epi32(f._mm512_set1_epi32(31), cd._mm512_lzcnt_epi32(lowest));
    pulp::cast(at)
}
