//! TreeEnsembleClassifier and TreeEnsembleRegressor: from parallel lists to a forest whose every way ends.

use super::dense::row;
use super::{Known, Made, Reader, constant};
use crate::forest::{Aggregate, Forest, Mode, TreeNode};
use crate::graph::Op;
use crate::proto::Node;
use std::collections::BTreeMap;

/// Most nodes of a forest.
const NODES_MAX: usize = 1 << 20;

/// The lists of a file, all as long as there are nodes.
struct Lists<'a> {
    trees: &'a [i64],
    ids: &'a [i64],
    features: &'a [i64],
    yes: &'a [i64],
    no: &'a [i64],
    modes: Vec<Option<Mode>>,
    thresholds: Vec<f64>,
    missing: &'a [i64],
}

impl Reader<'_> {
    pub(super) fn trees(&mut self, node: &Node<'_>, reads: &[Option<Known>]) -> Made {
        let (value, shape) = row(reads)?;
        let [1, inputs] = shape[..] else { return Err(format!("a row of shape {shape:?}")) };
        let forest = forest(node)?;
        forest.check(inputs)?;
        let shape = vec![1, forest.targets];
        let made = self.push(Op::Trees(forest), &[value], shape)?;
        self.post_transform(node, made)
    }
}

fn ints<'a>(node: &'a Node<'_>, name: &str) -> &'a [i64] {
    node.attribute(name).map(|a| a.ints.as_slice()).unwrap_or_default()
}

/// Numbers given as floats or, in newer files, as a tensor of doubles.
fn reals(node: &Node<'_>, name: &str) -> Result<Vec<f64>, String> {
    let floats = node.attribute(name).map(|a| a.floats.as_slice()).unwrap_or_default();
    match node.attribute(&format!("{name}_as_tensor")).and_then(|a| a.tensor.as_ref()) {
        Some(tensor) if floats.is_empty() => Ok(constant(tensor)?.numbers.to_vec()),
        _ => Ok(floats.iter().map(|x| f64::from(*x)).collect()),
    }
}

fn lists<'a>(node: &'a Node<'_>) -> Result<Lists<'a>, String> {
    let mode = |text: &&[u8]| match *text {
        b"LEAF" => Ok(None),
        b"BRANCH_LEQ" => Ok(Some(Mode::Leq)),
        b"BRANCH_LT" => Ok(Some(Mode::Lt)),
        b"BRANCH_GTE" => Ok(Some(Mode::Gte)),
        b"BRANCH_GT" => Ok(Some(Mode::Gt)),
        b"BRANCH_EQ" => Ok(Some(Mode::Eq)),
        b"BRANCH_NEQ" => Ok(Some(Mode::Neq)),
        other => Err(format!("a branch of mode {}", String::from_utf8_lossy(other))),
    };
    let texts = node.attribute("nodes_modes").map(|a| a.texts.as_slice()).unwrap_or_default();
    let lists = Lists {
        trees: ints(node, "nodes_treeids"),
        ids: ints(node, "nodes_nodeids"),
        features: ints(node, "nodes_featureids"),
        yes: ints(node, "nodes_truenodeids"),
        no: ints(node, "nodes_falsenodeids"),
        modes: texts.iter().map(mode).collect::<Result<_, _>>()?,
        thresholds: reals(node, "nodes_values")?,
        missing: ints(node, "nodes_missing_value_tracks_true"),
    };
    let count = lists.trees.len();
    let lengths = [lists.ids.len(), lists.features.len(), lists.yes.len(), lists.no.len()];
    let fits = lengths.iter().all(|n| *n == count)
        && lists.modes.len() == count
        && lists.thresholds.len() == count
        && (lists.missing.is_empty() || lists.missing.len() == count);
    if fits && (1..=NODES_MAX).contains(&count) {
        Ok(lists)
    } else {
        Err("lists of nodes that differ in length, or too many nodes".into())
    }
}

/// The weights of each node, by its place in the lists.
type Leaves = BTreeMap<usize, Vec<(usize, f32)>>;

fn forest(node: &Node<'_>) -> Result<Forest, String> {
    let lists = lists(node)?;
    let places: BTreeMap<(i64, i64), usize> =
        (0..lists.trees.len()).map(|i| ((lists.trees[i], lists.ids[i]), i)).collect();
    if places.len() != lists.trees.len() {
        return Err("two nodes of a tree with the same number".into());
    }
    let is_classifier = node.operator == "TreeEnsembleClassifier";
    let word = if is_classifier { "class" } else { "target" };
    let targets = targets(node, is_classifier)?;
    let leaves = leaves(node, word, &places)?;
    let base: Vec<f32> = reals(node, "base_values")?.iter().map(|b| *b as f32).collect();
    let base = match base.len() {
        0 => vec![0.0; targets],
        n if n == targets => base,
        n => return Err(format!("{n} base values for {targets} targets")),
    };
    let mut forest = Forest {
        targets,
        base,
        aggregate: if is_classifier { Aggregate::Sum } else { aggregate(node)? },
        roots: vec![],
        nodes: Vec::with_capacity(lists.trees.len()),
        weights: vec![],
    };
    for root in roots(&lists, &places)? {
        forest.roots.push(forest.nodes.len());
        plant(&mut forest, &lists, &places, &leaves, root)?;
    }
    Ok(forest)
}

fn targets(node: &Node<'_>, is_classifier: bool) -> Result<usize, String> {
    if !is_classifier {
        let count = node.int("n_targets", 1);
        return usize::try_from(count)
            .ok()
            .filter(|n| (1..=4096).contains(n))
            .ok_or(format!("{count} targets"));
    }
    let names = node.attribute("classlabels_strings").map_or(0, |a| a.texts.len());
    match ints(node, "classlabels_int64s").len().max(names) {
        n @ 3..=4096 => Ok(n),
        n => Err(format!("a classifier of {n} classes, which cannot answer three odds")),
    }
}

fn aggregate(node: &Node<'_>) -> Result<Aggregate, String> {
    match node.text("aggregate_function").unwrap_or("SUM") {
        "SUM" => Ok(Aggregate::Sum),
        "AVERAGE" => Ok(Aggregate::Average),
        "MIN" => Ok(Aggregate::Min),
        "MAX" => Ok(Aggregate::Max),
        other => Err(format!("the aggregate {other}")),
    }
}

fn leaves(node: &Node<'_>, word: &str, places: &BTreeMap<(i64, i64), usize>) -> Result<Leaves, String> {
    let list = |what: &str| ints(node, &format!("{word}_{what}"));
    let (trees, ids, targets) = (list("treeids"), list("nodeids"), list("ids"));
    let weights = reals(node, &format!("{word}_weights"))?;
    if [ids.len(), targets.len(), weights.len()].iter().any(|n| *n != trees.len()) {
        return Err("lists of leaf weights that differ in length".into());
    }
    let mut leaves = Leaves::new();
    for i in 0..trees.len() {
        let place = places.get(&(trees[i], ids[i])).ok_or("a weight of a node that is not there")?;
        let target = usize::try_from(targets[i]).map_err(|_| "a weight of no target")?;
        leaves.entry(*place).or_default().push((target, weights[i] as f32));
    }
    Ok(leaves)
}

/// The nodes nobody leads to, one a tree, in the order of the file.
fn roots(lists: &Lists<'_>, places: &BTreeMap<(i64, i64), usize>) -> Result<Vec<usize>, String> {
    let mut is_child = vec![false; lists.trees.len()];
    for i in 0..lists.trees.len() {
        if lists.modes[i].is_some() {
            for child in [lists.yes[i], lists.no[i]] {
                let place = places.get(&(lists.trees[i], child)).ok_or("a branch that leads nowhere")?;
                // Two ways to a node would make it two trees, or none that ends.
                if std::mem::replace(&mut is_child[*place], true) {
                    return Err("two branches that lead to the same node".into());
                }
            }
        }
    }
    let roots: Vec<usize> = (0..is_child.len()).filter(|i| !is_child[*i]).collect();
    let mut trees: Vec<i64> = roots.iter().map(|r| lists.trees[*r]).collect();
    trees.sort_unstable();
    if trees.is_empty() || trees.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("a tree with no start, or with two".into());
    }
    Ok(roots)
}

/// Adds the tree below a node, parents before children.
fn plant(
    forest: &mut Forest,
    lists: &Lists<'_>,
    places: &BTreeMap<(i64, i64), usize>,
    leaves: &Leaves,
    root: usize,
) -> Result<(), String> {
    // Each waiting node: its place, and which branch of which planted node leads there.
    let mut waiting: Vec<(usize, Option<(usize, bool)>)> = vec![(root, None)];
    while let Some((place, parent)) = waiting.pop() {
        let at = forest.nodes.len();
        if let Some((parent, is_yes)) = parent
            && let Some(TreeNode::Branch { yes, no, .. }) = forest.nodes.get_mut(parent)
        {
            *(if is_yes { yes } else { no }) = at;
        }
        let Some(mode) = lists.modes[place] else {
            let from = forest.weights.len();
            forest.weights.extend(leaves.get(&place).into_iter().flatten());
            forest.nodes.push(TreeNode::Leaf { from, to: forest.weights.len() });
            continue;
        };
        let feature = usize::try_from(lists.features[place]).map_err(|_| "a branch that asks no feature")?;
        forest.nodes.push(TreeNode::Branch {
            feature,
            mode,
            threshold: lists.thresholds[place],
            missing_is_yes: lists.missing.get(place).is_some_and(|m| *m != 0),
            yes: 0,
            no: 0,
        });
        for (child, is_yes) in [(lists.no[place], false), (lists.yes[place], true)] {
            let place = places.get(&(lists.trees[place], child)).ok_or("a branch that leads nowhere")?;
            waiting.push((*place, Some((at, is_yes))));
        }
    }
    Ok(())
}
