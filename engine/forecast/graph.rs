//! A model as plain data: what every operator of it computes on one row of numbers, constants beside it. The
//! reader makes it of a file, the kernels are compiled from it, and the naive evaluator defines what it means.
//!
//! Values are numbered: first the inputs, then what each node makes, in order. All are rows of 32-bit floats.

use crate::forest::Forest;

/// Most numbers a value may hold.
pub const WIDTH_MAX: usize = 65_536;
/// Most numbers all values of a graph may hold together.
pub const NUMBERS_MAX: usize = 1 << 20;

/// A model.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// Names and widths of the inputs, in the file's order.
    pub inputs: Vec<(String, usize)>,
    /// What is computed, each reading only what comes before it.
    pub nodes: Vec<Node>,
    /// Names and values of the outputs that are floats, in the file's order.
    pub outputs: Vec<(String, usize)>,
}

/// One computation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What.
    pub op: Op,
    /// Of which values.
    pub reads: Vec<usize>,
    /// How many numbers it makes.
    pub width: usize,
}

/// What a node computes. `x` is the row it reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// `x W + b`; the weight from input `i` to output `o` is at `i * outputs + o`.
    Affine {
        /// W, row by row.
        weights: Vec<f32>,
        /// b.
        bias: Vec<f32>,
    },
    /// `(x - sub) * mul + add`, number by number.
    Scale {
        /// Taken away first: a mean is near its values, so nothing is lost by it.
        sub: Vec<f32>,
        /// Then multiplied.
        mul: Vec<f32>,
        /// Then added.
        add: Vec<f32>,
    },
    /// A function of each number.
    Apply(Unary),
    /// Two rows number by number; one of them may be a single number.
    Combine(Binary),
    /// `(x - mean) / sqrt(variance + epsilon) * scale + shift` over the row.
    LayerNorm {
        /// Added to the variance.
        epsilon: f32,
        /// Multiplied.
        scale: Vec<f32>,
        /// Added.
        shift: Vec<f32>,
    },
    /// exp(x) over its sum.
    Softmax,
    /// Its logarithm.
    LogSoftmax,
    /// Softmax that leaves numbers within 1e-7 of zero at zero.
    SoftmaxZero,
    /// The row over a norm of it.
    Normalize(Norm),
    /// One number of the row.
    Reduce(Reduction),
    /// All rows read, one after another.
    Concat,
    /// A forest of decision trees.
    Trees(Forest),
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// max(x, 0).
    Relu,
    /// x, or this times x below zero.
    LeakyRelu(f32),
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// x, or this times (exp(x) - 1) below zero.
    Elu(f32),
    /// gamma times: x, or alpha (exp(x) - 1) below zero.
    Selu(f32, f32),
    /// x times the normal distribution function of x.
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    /// log(1 + exp(x)).
    Softplus,
    /// Error function.
    Erf,
    /// exp(x).
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// x times x.
    Square,
    /// 1 / x.
    Reciprocal,
    /// |x|.
    Abs,
    /// Kept between two bounds.
    Clip(f32, f32),
    /// Kept between 0 and 1: this times x plus that.
    HardSigmoid(f32, f32),
    /// sqrt(2) times the inverse error function of 2x - 1, in the approximation by Winitzki (a = 0.147) that
    /// onnxruntime uses, with its five digits of pi.
    Probit,
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// a + b.
    Add,
    /// a - b.
    Sub,
    /// a b.
    Mul,
    /// a / b.
    Div,
}

/// A norm of a row; a row of norm zero stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// The largest number, with its sign, as ONNX defines it (scikit-learn itself takes absolute values).
    Max,
    /// Sum of absolute values.
    L1,
    /// Root of the sum of squares.
    L2,
}

/// One number of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The sum.
    Sum,
    /// The mean.
    Mean,
}

/// Why a graph cannot be computed: it was put together wrongly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node {node}: {what}; export the model again")]
pub struct GraphFault {
    /// Position of the node.
    pub node: usize,
    /// What is wrong.
    pub what: String,
}

impl Graph {
    /// How many numbers a value holds; `None` when there is no such value.
    pub fn width(&self, value: usize) -> Option<usize> {
        match value.checked_sub(self.inputs.len()) {
            None => self.inputs.get(value).map(|(_, width)| *width),
            Some(node) => self.nodes.get(node).map(|n| n.width),
        }
    }

    /// The one output of three numbers, when the model answers odds: one input, one float output.
    pub fn odds(&self) -> Option<usize> {
        match (self.inputs.as_slice(), self.outputs.as_slice()) {
            ([_], [(_, value)]) if self.width(*value) == Some(3) => Some(*value),
            _ => None,
        }
    }

    /// True when trees are in it.
    pub fn has_trees(&self) -> bool {
        self.nodes.iter().any(|n| matches!(n.op, Op::Trees(_)))
    }

    /// Multiplications and comparisons for one row, roughly.
    pub fn operations(&self) -> usize {
        let of = |node: &Node| match &node.op {
            Op::Affine { weights, .. } => weights.len(),
            Op::Trees(forest) => forest.steps(),
            Op::Apply(_) | Op::Softmax | Op::LogSoftmax | Op::SoftmaxZero => 8 * node.width,
            _ => node.reads.iter().filter_map(|r| self.width(*r)).sum::<usize>() + node.width,
        };
        self.nodes.iter().map(of).fold(0, usize::saturating_add)
    }

    /// Checks that every node fits what it reads, so that nothing can be out of bounds when it runs.
    ///
    /// # Errors
    /// The first node that does not fit.
    pub fn check(&self) -> Result<(), GraphFault> {
        let widths = self.inputs.iter().map(|(_, w)| *w).chain(self.nodes.iter().map(|n| n.width));
        let numbers = widths.clone().fold(0usize, usize::saturating_add);
        if widths.clone().any(|w| w == 0 || w > WIDTH_MAX) || numbers > NUMBERS_MAX {
            let what =
                format!("a value holds none or more than {WIDTH_MAX} numbers, or all together too many");
            return Err(GraphFault { node: 0, what });
        }
        for (i, node) in self.nodes.iter().enumerate() {
            let made = self.inputs.len() + i;
            let reads: Option<Vec<usize>> =
                node.reads.iter().map(|r| self.width(*r).filter(|_| *r < made)).collect();
            let fault = |what: String| GraphFault { node: i, what };
            let reads = reads.ok_or_else(|| fault("it reads what is not made before it".into()))?;
            node.op.check(&reads, node.width).map_err(fault)?;
        }
        match self.outputs.iter().find(|(_, value)| self.width(*value).is_none()) {
            Some((name, _)) => Err(GraphFault { node: 0, what: format!("the output `{name}` is not made") }),
            None => Ok(()),
        }
    }
}

impl Op {
    fn check(&self, reads: &[usize], width: usize) -> Result<(), String> {
        let fits = match (self, reads) {
            (Self::Concat, reads) => !reads.is_empty() && reads.iter().sum::<usize>() == width,
            (Self::Combine(_), [a, b]) => *a.max(b) == width && (a == b || *a == 1 || *b == 1),
            (Self::Affine { weights, bias }, [inputs]) => {
                weights.len() == inputs * width && bias.len() == width
            }
            (Self::Scale { sub, mul, add }, [inputs]) => {
                *inputs == width && [sub, mul, add].iter().all(|c| c.len() == width)
            }
            (Self::LayerNorm { scale, shift, .. }, [inputs]) => {
                *inputs == width && scale.len() == width && shift.len() == width
            }
            (Self::Reduce(_), [_]) => width == 1,
            (Self::Trees(forest), [inputs]) => {
                forest.check(*inputs)?;
                forest.targets == width
            }
            (
                Self::Apply(_) | Self::Softmax | Self::LogSoftmax | Self::SoftmaxZero | Self::Normalize(_),
                [inputs],
            ) => *inputs == width,
            _ => false,
        };
        if !fits {
            return Err(format!("{} does not fit the widths {reads:?} to {width}", self.name()));
        }
        self.check_finite()
    }

    fn check_finite(&self) -> Result<(), String> {
        let finite = |list: &[f32]| list.iter().all(|x| x.is_finite());
        let right = match self {
            Self::Affine { weights, bias } => finite(weights) && finite(bias),
            Self::Scale { sub, mul, add } => finite(sub) && finite(mul) && finite(add),
            Self::LayerNorm { epsilon, scale, shift } => {
                *epsilon >= 0.0 && epsilon.is_finite() && finite(scale) && finite(shift)
            }
            _ => true,
        };
        if right { Ok(()) } else { Err(format!("the weights of {} are not finite; retrain", self.name())) }
    }

    /// How many numbers its constants are.
    pub fn constants(&self) -> usize {
        match self {
            Self::Affine { weights, bias } => weights.len() + bias.len(),
            Self::Scale { sub, .. } => 3 * sub.len(),
            Self::LayerNorm { scale, .. } => 2 * scale.len(),
            _ => 0,
        }
    }

    /// A word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Affine { .. } => "a dense layer",
            Self::Scale { .. } => "a scaling",
            Self::Apply(_) => "a function",
            Self::Combine(_) => "a sum or product of rows",
            Self::LayerNorm { .. } => "a layer normalisation",
            Self::Softmax | Self::LogSoftmax | Self::SoftmaxZero => "a softmax",
            Self::Normalize(_) => "a normaliser",
            Self::Reduce(_) => "a sum of a row",
            Self::Concat => "a concatenation",
            Self::Trees(_) => "a forest",
        }
    }
}
