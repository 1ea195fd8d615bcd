//! Gradient-boosted trees: softmax over three scores, one tree a class and round by second-order steps (Friedman 2001;
//! Chen and Guestrin 2016). The trees are grown by forust, histograms and all; what is boosted, when to stop and what
//! comes out, a forest our own kernels run, is here.

use crate::labels::Example;
use crate::metrics::{self, softmax};
use crate::network::CLASSES;
use forecast::forest::{Aggregate, Forest, Mode, TreeNode};
use forust_ml::Matrix;
use forust_ml::binning::{BinnedData, bin_matrix};
use forust_ml::gradientbooster::GrowPolicy;
use forust_ml::sampler::SampleMethod;
use forust_ml::splitter::MissingImputerSplitter;
use forust_ml::tree::{Tree, TreeRows};
use indicators::FEATURES;
use indicators::features::Row;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Bins of a column: finer thresholds than that fit noise.
const BINS: u16 = 64;
/// Second derivatives are kept above this, so that a certain row does not divide by zero.
const CURVATURE_MIN: f64 = 1e-6;
/// Less than this is noise, not learning.
const GAIN_MIN: f64 = 1e-5;

/// How trees are grown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Most rounds, of three trees each.
    pub rounds_max: u32,
    /// Rounds without improvement on the stopping rows after which boosting ends.
    pub patience_rounds: u32,
    /// What a tree's answer is multiplied by.
    pub learning_rate: f64,
    /// Questions on the longest way down.
    pub depth: usize,
    /// Least weight of the examples in a leaf.
    pub leaf_weight_min: f64,
    /// Penalty on the squares of a leaf's answer.
    pub l2: f64,
    /// Share of the columns a tree may ask about, drawn for each.
    pub columns: f64,
}

/// Trees and what they were worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Boosted {
    /// The forest, for rows as the engine makes them; scores, softmax not yet taken.
    pub forest: Forest,
    /// Rounds that did best on the stopping rows.
    pub rounds: u32,
    /// What splits on each feature gained, over all trees kept.
    pub gains: [f64; FEATURES],
}

/// Boosts from the base rates. Of the rounds those that did best on the stopping rows are kept; none, where nothing
/// held there.
pub fn boost(
    train: &[&Example],
    stop: &[&Example],
    base_rates: [f64; CLASSES],
    params: &Params,
    chance: &mut ChaCha8Rng,
) -> Boosted {
    let mut forest = empty(base_rates);
    let mut gains = [0.0; FEATURES];
    let Some(mut grower) = Grower::new(train, base_rates, params) else {
        return Boosted { forest, rounds: 0, gains };
    };
    let start = forest.base.clone();
    let mut exam: Vec<[f64; CLASSES]> =
        vec![std::array::from_fn(|class| f64::from(start[class])); stop.len()];
    let (mut best_loss, mut best) = (loss(&exam, stop), (0, 0, forest.nodes.len()));
    let mut grown: Vec<(usize, [f64; FEATURES])> = Vec::new();
    for round in 1..=params.rounds_max {
        for class in 0..CLASSES {
            let tree = grower.grow(class, chance);
            let root = plant(&mut forest, &tree, class);
            grown.push((class, gains_of(&tree)));
            for (scores, example) in exam.iter_mut().zip(stop) {
                scores[class] += leaf(&forest, root, &example.row);
            }
        }
        let now = loss(&exam, stop);
        if now < best_loss - GAIN_MIN {
            (best_loss, best) = (now, (round, forest.roots.len(), forest.nodes.len()));
        } else if round - best.0 >= params.patience_rounds {
            break;
        }
    }
    let (rounds, roots, nodes) = best;
    forest.roots.truncate(roots);
    forest.nodes.truncate(nodes);
    let leaves = forest.nodes.iter().filter(|node| matches!(node, TreeNode::Leaf { .. })).count();
    forest.weights.truncate(leaves);
    for (_, of_tree) in grown.iter().take(roots) {
        gains.iter_mut().zip(of_tree).for_each(|(sum, gain)| *sum += gain);
    }
    Boosted { forest, rounds, gains }
}

/// What a forest says of a row: the softmax of its scores.
pub fn odds(forest: &Forest, row: &Row) -> [f32; CLASSES] {
    let mut scores: [f64; CLASSES] = std::array::from_fn(|class| f64::from(forest.base[class]));
    for (tree, root) in forest.roots.iter().enumerate() {
        scores[tree % CLASSES] += leaf(forest, *root, row);
    }
    softmax(scores).map(|p| p as f32)
}

fn loss(scores: &[[f64; CLASSES]], of: &[&Example]) -> f64 {
    let pairs = scores.iter().zip(of).map(|(s, e)| (softmax(*s).map(|p| p as f32), e.class));
    metrics::score(pairs).map_or(f64::INFINITY, |scores| scores.log_loss)
}

fn empty(base_rates: [f64; CLASSES]) -> Forest {
    Forest {
        targets: CLASSES,
        base: base_rates.iter().map(|rate| rate.ln() as f32).collect(),
        aggregate: Aggregate::Sum,
        roots: vec![],
        nodes: vec![],
        weights: vec![],
    }
}

/// The training rows with the scores they have so far.
struct Grower<'a> {
    train: &'a [&'a Example],
    binned: BinnedData<f64>,
    splitter: MissingImputerSplitter,
    params: &'a Params,
    scores: Vec<[f64; CLASSES]>,
    /// Odds at the start of the round: the three trees of a round are steps from the same place.
    odds: Vec<[f64; CLASSES]>,
}

impl<'a> Grower<'a> {
    fn new(train: &'a [&'a Example], base_rates: [f64; CLASSES], params: &'a Params) -> Option<Self> {
        let columns: Vec<f64> =
            (0..FEATURES).flat_map(|at| train.iter().map(move |e| f64::from(e.row[at]))).collect();
        let weights: Vec<f64> = train.iter().map(|e| f64::from(e.weight)).collect();
        let matrix = Matrix::new(&columns, train.len(), FEATURES);
        let binned = bin_matrix(&matrix, &weights, BINS, f64::NAN, false).ok()?;
        let splitter = MissingImputerSplitter::new(
            0.0,
            params.l2 as f32,
            0.0,
            0.0,
            params.leaf_weight_min as f32,
            params.learning_rate as f32,
            false,
            Default::default(),
        );
        let scores = vec![base_rates.map(f64::ln); train.len()];
        Some(Self { train, binned, splitter, params, odds: vec![base_rates; train.len()], scores })
    }

    /// The next tree of a class.
    fn grow(&mut self, class: usize, chance: &mut ChaCha8Rng) -> Tree {
        if class == 0 {
            self.odds.iter_mut().zip(&self.scores).for_each(|(odds, scores)| *odds = softmax(*scores));
        }
        let slope = |(odds, example): (&[f64; CLASSES], &&Example)| {
            let (p, weight) = (odds[class], f64::from(example.weight));
            let happened = f64::from(u8::from(example.class == class));
            let curve = (p * (1.0 - p)).max(CURVATURE_MIN);
            ((weight * (p - happened)) as f32, (weight * curve) as f32)
        };
        let (slopes, curves): (Vec<f32>, Vec<f32>) = self.odds.iter().zip(self.train).map(slope).unzip();
        let data = Matrix::new(&self.binned.binned_data, self.train.len(), FEATURES);
        let mut tree = Tree::new();
        let rows = tree.fit(
            &data,
            data.index.clone(),
            &asked(self.params.columns, chance),
            &self.binned.cuts,
            &slopes,
            &curves,
            &self.splitter,
            usize::MAX,
            self.params.depth,
            false,
            &SampleMethod::None,
            &GrowPolicy::DepthWise,
        );
        self.learn(class, &tree, rows);
        tree
    }

    /// Adds the tree's answers to the scores.
    fn learn(&mut self, class: usize, tree: &Tree, rows: Option<TreeRows>) {
        if let Some(rows) = rows {
            for (rows, answer) in rows.leaves(tree) {
                rows.iter().for_each(|row| self.scores[*row][class] += answer);
            }
            return;
        }
        let mut alone = empty([1.0; CLASSES]);
        let root = plant(&mut alone, tree, class);
        for (scores, example) in self.scores.iter_mut().zip(self.train) {
            scores[class] += leaf(&alone, root, &example.row);
        }
    }
}

/// The columns one tree may ask about, in order; all of them, or as many as their share drawn by lot.
fn asked(share: f64, chance: &mut ChaCha8Rng) -> Vec<usize> {
    let wanted = ((FEATURES as f64 * share).round() as usize).clamp(1, FEATURES);
    let mut columns: Vec<usize> = (0..FEATURES).collect();
    while columns.len() > wanted {
        columns.remove(chance.random_range(0..columns.len()));
    }
    columns
}

/// Adds a grown tree to the forest; answers with its root.
fn plant(forest: &mut Forest, tree: &Tree, class: usize) -> usize {
    let root = forest.nodes.len();
    for node in &tree.nodes {
        if node.is_leaf {
            let from = forest.weights.len();
            forest.weights.push((class, node.weight_value));
            forest.nodes.push(TreeNode::Leaf { from, to: from + 1 });
            continue;
        }
        forest.nodes.push(TreeNode::Branch {
            feature: node.split_feature,
            mode: Mode::Lt,
            threshold: f64::from(single_above(node.split_value)),
            missing_is_yes: node.missing_node == node.left_child,
            yes: root + node.left_child,
            no: root + node.right_child,
        });
    }
    forest.roots.push(root);
    root
}

/// The smallest single that is not below a double: no single lies between the two, so `x <` either means the same.
fn single_above(x: f64) -> f32 {
    let near = (x as f32).clamp(f32::MIN, f32::MAX);
    if f64::from(near) < x { near.next_up().min(f32::MAX) } else { near }
}

/// What the tree at a root answers to a row.
fn leaf(forest: &Forest, root: usize, row: &Row) -> f64 {
    let mut at = root;
    loop {
        match &forest.nodes[at] {
            TreeNode::Branch { feature, mode, threshold, yes, no, .. } => {
                at = if mode.is_yes(f64::from(row[*feature]), *threshold) { *yes } else { *no };
            }
            TreeNode::Leaf { from, to } => {
                return forest.weights[*from..*to].iter().map(|(_, weight)| f64::from(*weight)).sum();
            }
        }
    }
}

fn gains_of(tree: &Tree) -> [f64; FEATURES] {
    let mut gains = [0.0; FEATURES];
    for node in tree.nodes.iter().filter(|node| !node.is_leaf) {
        gains[node.split_feature] += f64::from(node.split_gain);
    }
    gains
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_single_threshold_asks_the_same(x in -1e3f64..1e3, row in -1e3f32..1e3) {
            let threshold = single_above(x);
            prop_assert_eq!(f64::from(row) < x, row < threshold);
            for near in [threshold, threshold.next_down(), threshold.next_up()] {
                prop_assert_eq!(f64::from(near) < x, near < threshold);
            }
        }
    }
}
