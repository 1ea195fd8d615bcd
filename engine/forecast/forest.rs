//! Decision trees as ONNX defines them (ai.onnx.ml TreeEnsembleClassifier and TreeEnsembleRegressor), as plain data.

/// A forest: every tree adds the weights of the leaf a row ends in.
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    /// How many scores it makes.
    pub targets: usize,
    /// Added to the scores after combining; one each.
    pub base: Vec<f32>,
    /// How the trees are combined.
    pub aggregate: Aggregate,
    /// Where each tree starts.
    pub roots: Vec<usize>,
    /// The nodes of all trees.
    pub nodes: Vec<TreeNode>,
    /// The weights of all leaves: target and weight.
    pub weights: Vec<(usize, f32)>,
}

/// How trees are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their sum over the number of trees.
    Average,
    /// The smallest; zero for a target no leaf spoke of.
    Min,
    /// The largest; zero for a target no leaf spoke of.
    Max,
}

/// A node of a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TreeNode {
    /// A question.
    Branch {
        /// Which number of the row is asked.
        feature: usize,
        /// How it is compared.
        mode: Mode,
        /// With what; double, because some exporters write doubles.
        threshold: f64,
        /// True when a missing number (NaN) counts as yes.
        missing_is_yes: bool,
        /// The node after a yes.
        yes: usize,
        /// The node after a no.
        no: usize,
    },
    /// An end: its weights, from and to in the forest's list.
    Leaf {
        /// First.
        from: usize,
        /// After the last.
        to: usize,
    },
}

/// How a number is compared with the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// x <= threshold.
    Leq,
    /// x < threshold.
    Lt,
    /// x >= threshold.
    Gte,
    /// x > threshold.
    Gt,
    /// x == threshold.
    Eq,
    /// x != threshold.
    Neq,
}

impl Mode {
    /// The answer for a number; NaN compares as floating point does.
    pub fn is_yes(self, x: f64, threshold: f64) -> bool {
        match self {
            Self::Leq => x <= threshold,
            Self::Lt => x < threshold,
            Self::Gte => x >= threshold,
            Self::Gt => x > threshold,
            Self::Eq => x == threshold,
            Self::Neq => x != threshold,
        }
    }
}

impl Forest {
    /// Questions asked for one row at most.
    pub fn steps(&self) -> usize {
        let depths = self.depths();
        self.roots.iter().map(|r| depths.get(*r).copied().unwrap_or(0)).sum()
    }

    /// The longest way down from each node.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0usize; self.nodes.len()];
        // A node's children come after it, so one pass from the end knows all of them.
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if let TreeNode::Branch { yes, no, .. } = node {
                let of = |n: &usize| depths.get(*n).copied().unwrap_or(0);
                depths[i] = 1 + of(yes).max(of(no));
            }
        }
        depths
    }

    /// Checks that nothing can be out of bounds for rows of `inputs` numbers, and that every way ends: children come
    /// after their parent.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, inputs: usize) -> Result<(), String> {
        if self.targets == 0 || self.base.len() != self.targets || self.roots.is_empty() {
            return Err("the forest has no trees, no targets or the wrong number of base values".into());
        }
        if self.roots.iter().any(|r| *r >= self.nodes.len()) {
            return Err("a tree starts at no node".into());
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let right = match node {
                TreeNode::Branch { feature, threshold, yes, no, .. } => {
                    let children = [yes, no].iter().all(|c| (i + 1..self.nodes.len()).contains(*c));
                    *feature < inputs && !threshold.is_nan() && children
                }
                TreeNode::Leaf { from, to } => from <= to && *to <= self.weights.len(),
            };
            if !right {
                return Err(format!("tree node {i} asks or leads outside of the model"));
            }
        }
        let sound = |(target, weight): &(usize, f32)| *target < self.targets && weight.is_finite();
        if !self.weights.iter().all(sound) || !self.base.iter().all(|b| b.is_finite()) {
            return Err("a leaf's weight is not finite or of no target; retrain".into());
        }
        Ok(())
    }
}
