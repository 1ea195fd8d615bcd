//! Operators of the default domain.

use super::shapes::{axis, count, joined, narrow, reshaped, squeezed, unsqueezed};
use super::{Constant, Known, Made, Reader, constant};
use crate::graph::{Binary, Op, Reduction, Unary};
use crate::proto::{Node, kind};
use std::rc::Rc;

/// What an operator reads, where inputs left out are `None`.
type Reads = [Option<Known>];

/// The first read as a row.
pub(super) fn row(reads: &Reads) -> Result<(usize, Vec<usize>), String> {
    match reads.first() {
        Some(Some(Known::Row { value, shape })) => Ok((*value, shape.clone())),
        _ => Err("it computes on constants alone; fold constants when exporting".into()),
    }
}

fn weights(reads: &Reads, at: usize) -> Result<&Constant, String> {
    match reads.get(at) {
        Some(Some(Known::Constant(constant))) => Ok(constant),
        _ => Err(format!("input {at} is not a constant")),
    }
}

/// The width of a row whose numbers all lie along its last dimension.
fn flat(shape: &[usize]) -> Result<usize, String> {
    match shape {
        [lead @ .., width] if lead.iter().all(|d| *d == 1) => Ok(*width),
        _ => Err(format!("a row of shape {shape:?}")),
    }
}

/// Axes as an input, or as a setting in older sets.
fn axes(node: &Node<'_>, reads: &Reads) -> Result<Vec<i64>, String> {
    match reads.get(1) {
        Some(Some(_)) => Ok(weights(reads, 1)?.ints()),
        _ => Ok(node.attribute("axes").map(|a| a.ints.clone()).unwrap_or_default()),
    }
}

impl Reader<'_> {
    /// `None` when the operator is not known.
    pub(super) fn dense(&mut self, node: &Node<'_>, reads: &Reads) -> Option<Made> {
        if let Some(made) = moved(node, reads) {
            return Some(made);
        }
        Some(match node.operator {
            "Gemm" => self.gemm(node, reads),
            "MatMul" => self.matmul(reads),
            "Add" => self.binary(Binary::Add, reads),
            "Sub" => self.binary(Binary::Sub, reads),
            "Mul" => self.binary(Binary::Mul, reads),
            "Div" => self.binary(Binary::Div, reads),
            "Pow" => self.power(reads),
            "Neg" => self.scaled(reads, -1.0),
            "BatchNormalization" => self.batch_normalization(node, reads),
            "LayerNormalization" => self.layer_normalization(node, reads),
            "Softmax" => self.softmax(Op::Softmax, node, reads),
            "LogSoftmax" => self.softmax(Op::LogSoftmax, node, reads),
            "ReduceMean" => self.reduce(Reduction::Mean, node, reads),
            "ReduceSum" => self.reduce(Reduction::Sum, node, reads),
            "Concat" => self.concat(node, reads),
            "Clip" => self.clip(node, reads),
            _ => {
                let f = function(node)?;
                row(reads).and_then(|(value, shape)| self.push(Op::Apply(f), &[value], shape))
            }
        })
    }

    fn gemm(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        if node.int("transA", 0) != 0 {
            return Err("a row turned into a column".into());
        }
        let mut matrix = weights(reads, 1)?.clone();
        if node.int("transB", 0) != 0 {
            matrix = matrix.transposed(&[])?;
        }
        let [inputs, outputs] = matrix.shape[..] else { return Err("weights that are no matrix".into()) };
        if shape != [1, inputs] {
            return Err(format!("{shape:?} times {:?}", matrix.shape));
        }
        let (alpha, beta) = (f64::from(node.float("alpha", 1.0)), f64::from(node.float("beta", 1.0)));
        let bias = match reads.get(2) {
            Some(Some(_)) => weights(reads, 2)?.spread(&[1, outputs]).ok_or("a bias that does not fit")?,
            _ => vec![0.0; outputs],
        };
        let scaled = |list: &[f64], by: f64| narrow(&list.iter().map(|w| w * by).collect::<Vec<_>>());
        let op = Op::Affine { weights: scaled(&matrix.numbers, alpha)?, bias: scaled(&bias, beta)? };
        self.push(op, &[value], vec![1, outputs])
    }

    fn matmul(&mut self, reads: &Reads) -> Made {
        let (value, mut shape) = row(reads)?;
        let matrix = weights(reads, 1)?;
        let [inputs, outputs] = matrix.shape[..] else { return Err("weights that are no matrix".into()) };
        if flat(&shape)? != inputs {
            return Err(format!("{shape:?} times {:?}", matrix.shape));
        }
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        self.push(Op::Affine { weights: matrix.floats()?, bias: vec![0.0; outputs] }, &[value], shape)
    }

    fn binary(&mut self, f: Binary, reads: &Reads) -> Made {
        match reads {
            [Some(Known::Row { value: a, shape: left }), Some(Known::Row { value: b, shape: right })] => {
                let made = joined(left, right)?;
                let one = |s: &[usize]| count(s) == Some(1);
                // Otherwise a row beside a column would make a table.
                let alike = one(left) || one(right) || count(left) == count(right);
                if !alike || count(&made) != count(left).max(count(right)) {
                    return Err(format!("rows of {left:?} and {right:?}"));
                }
                self.push(Op::Combine(f), &[*a, *b], made)
            }
            [Some(Known::Row { value, shape }), Some(Known::Constant(c))] => {
                let (shape, c) = beside(shape, c)?;
                let (zero, one) = (vec![0.0; c.len()], vec![1.0; c.len()]);
                let inverse: Vec<f64> = c.iter().map(|c| 1.0 / c).collect();
                let (sub, mul, add) = match f {
                    Binary::Add => (zero, one, c),
                    Binary::Sub => (c, one, zero),
                    Binary::Mul => (zero.clone(), c, zero),
                    Binary::Div => (zero.clone(), inverse, zero),
                };
                self.scale([&sub, &mul, &add], *value, shape)
            }
            [Some(Known::Constant(c)), Some(Known::Row { value, shape })] => {
                self.constant_first(f, c, *value, shape)
            }
            _ => Err("it computes on constants alone; fold constants when exporting".into()),
        }
    }

    fn constant_first(&mut self, f: Binary, c: &Constant, value: usize, shape: &[usize]) -> Made {
        let (shape, c) = beside(shape, c)?;
        let (zero, one) = (vec![0.0; c.len()], vec![1.0; c.len()]);
        match f {
            Binary::Add => self.scale([&zero, &one, &c], value, shape),
            Binary::Mul => self.scale([&zero, &c, &zero], value, shape),
            Binary::Sub => self.scale([&c, &vec![-1.0; c.len()], &zero], value, shape),
            Binary::Div => match self.push(Op::Apply(Unary::Reciprocal), &[value], shape.clone())? {
                Known::Row { value, .. } => self.scale([&zero, &c, &zero], value, shape),
                other => Ok(other),
            },
        }
    }

    pub(super) fn scale(&mut self, [sub, mul, add]: [&[f64]; 3], value: usize, shape: Vec<usize>) -> Made {
        let op = Op::Scale { sub: narrow(sub)?, mul: narrow(mul)?, add: narrow(add)? };
        self.push(op, &[value], shape)
    }

    fn scaled(&mut self, reads: &Reads, by: f64) -> Made {
        let (value, shape) = row(reads)?;
        let width = count(&shape).unwrap_or(0);
        let zero = vec![0.0; width];
        self.scale([&zero, &vec![by; width], &zero], value, shape)
    }

    fn power(&mut self, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let exponent = weights(reads, 1)?;
        let f = match exponent.numbers[..] {
            [2.0] => Unary::Square,
            [0.5] => Unary::Sqrt,
            [-1.0] => Unary::Reciprocal,
            _ => return Err("a power other than 2, 1/2 and -1".into()),
        };
        let shape = joined(&shape, &exponent.shape)?;
        self.push(Op::Apply(f), &[value], shape)
    }

    fn batch_normalization(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let width = flat(&shape)?;
        if shape.len() != 2 || node.int("training_mode", 0) != 0 {
            return Err(format!("a batch of shape {shape:?} or in training"));
        }
        let list = |at| weights(reads, at).map(|c| c.numbers.clone());
        let (scale, shift, mean, variance) = (list(1)?, list(2)?, list(3)?, list(4)?);
        if [&scale, &shift, &mean, &variance].iter().any(|c| c.len() != width) {
            return Err("constants that do not fit the row".into());
        }
        let epsilon = f64::from(node.float("epsilon", 1e-5));
        let mul: Vec<f64> =
            scale.iter().zip(variance.iter()).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
        self.scale([&mean, &mul, &shift], value, shape)
    }

    fn layer_normalization(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let width = flat(&shape)?;
        let lead = axis(node.int("axis", -1), shape.len())?;
        if shape.iter().take(lead).any(|d| *d != 1) || node.makes.iter().skip(1).any(|n| !n.is_empty()) {
            return Err("an axis that is not the row's, or mean and deviation as outputs".into());
        }
        let scale = weights(reads, 1)?.floats()?;
        let shift = match reads.get(2) {
            Some(Some(_)) => weights(reads, 2)?.floats()?,
            _ => vec![0.0; width],
        };
        if scale.len() != width || shift.len() != width {
            return Err("constants that do not fit the row".into());
        }
        self.push(Op::LayerNorm { epsilon: node.float("epsilon", 1e-5), scale, shift }, &[value], shape)
    }

    /// Before set 13 everything from the axis on is one row; since then only the axis itself.
    fn softmax(&mut self, op: Op, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let old = self.opset < 13;
        let at = axis(node.int("axis", if old { 1 } else { -1 }), shape.len())?;
        let rest = shape.get(at + 1..).unwrap_or_default();
        if shape[..at].iter().any(|d| *d != 1) || !old && rest.iter().any(|d| *d != 1) {
            return Err(format!("axis {at} of {shape:?}"));
        }
        self.push(op, &[value], shape)
    }

    fn reduce(&mut self, f: Reduction, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let axes = axes(node, reads)?;
        let axes: Vec<usize> = axes.iter().map(|a| axis(*a, shape.len())).collect::<Result<_, _>>()?;
        let all = (0..shape.len()).all(|i| shape[i] == 1 || axes.contains(&i));
        // The batch itself must not be summed over.
        if !all || axes.is_empty() || axes.contains(&0) {
            return Err(format!("axes {axes:?} of {shape:?}"));
        }
        let kept = node.int("keepdims", 1) != 0;
        let left = (0..shape.len()).filter(|i| kept || !axes.contains(i));
        let shape = left.map(|_| 1).collect();
        self.push(Op::Reduce(f), &[value], shape)
    }

    fn concat(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (_, first) = row(reads)?;
        let at = axis(node.int("axis", 1), first.len())?;
        let mut made = first.clone();
        let mut values = Vec::new();
        let mut along = 0;
        for read in reads {
            let Some(Known::Row { value, shape }) = read else {
                return Err("a constant among the rows".into());
            };
            let fits = shape.len() == first.len()
                && (0..shape.len()).all(|i| i == at || shape[i] == first[i])
                && shape[..at].iter().all(|d| *d == 1);
            if !fits || at >= shape.len() {
                return Err(format!("{shape:?} beside {first:?}"));
            }
            along += shape[at];
            values.push(*value);
        }
        made[at] = along;
        self.push(Op::Concat, &values, made)
    }

    fn clip(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let bound = |at: usize, name: &str, otherwise: f32| match reads.get(at) {
            Some(Some(_)) => {
                weights(reads, at)?.floats()?.first().copied().ok_or("an empty bound".to_string())
            }
            _ => Ok(node.float(name, otherwise)),
        };
        let f = Unary::Clip(bound(1, "min", f32::MIN)?, bound(2, "max", f32::MAX)?);
        self.push(Op::Apply(f), &[value], shape)
    }
}

/// A constant repeated beside a row that stays as long as it is, and the row's shape after.
fn beside(shape: &[usize], c: &Constant) -> Result<(Vec<usize>, Vec<f64>), String> {
    let made = joined(shape, &c.shape)?;
    if count(&made) != count(shape) {
        return Err(format!("a constant {:?} that makes a row of {shape:?} longer", c.shape));
    }
    let spread = c.spread(&made).ok_or("a constant that does not fit")?;
    Ok((made, spread))
}

/// A shape after a move.
type Reshaped = Result<Vec<usize>, String>;

/// Operators that only move numbers, on rows and constants alike.
fn moved(node: &Node<'_>, reads: &Reads) -> Option<Made> {
    let shaped = |f: &dyn Fn(&[usize]) -> Reshaped| -> Made {
        match reads.first() {
            Some(Some(Known::Row { value, shape })) => Ok(Known::Row { value: *value, shape: f(shape)? }),
            Some(Some(Known::Constant(c))) => {
                Ok(Known::Constant(Constant { shape: f(&c.shape)?, numbers: Rc::clone(&c.numbers) }))
            }
            _ => Err("it reads nothing".into()),
        }
    };
    Some(match node.operator {
        "Identity" => shaped(&|s| Ok(s.to_vec())),
        "Dropout" => shaped(&|s| Ok(s.to_vec())),
        "Cast" => cast(node, reads),
        "Constant" => named_constant(node),
        "Reshape" => weights(reads, 1)
            .map(|c| c.numbers.clone())
            .and_then(|asked| shaped(&|s| reshaped(s, &asked, node.int("allowzero", 0) != 0))),
        "Flatten" => shaped(&|s| {
            let at = axis(node.int("axis", 1), s.len())?;
            Ok(vec![count(&s[..at]).unwrap_or(0), count(&s[at..]).unwrap_or(0)])
        }),
        "Squeeze" => axes(node, reads).and_then(|axes| shaped(&|s| squeezed(s, &axes))),
        "Unsqueeze" => axes(node, reads).and_then(|axes| shaped(&|s| unsqueezed(s, &axes))),
        "Transpose" => transpose(node, reads),
        _ => return None,
    })
}

fn cast(node: &Node<'_>, reads: &Reads) -> Made {
    let to = node.int("to", 0);
    match reads.first() {
        Some(Some(Known::Row { value, shape })) if [kind::FLOAT, kind::DOUBLE].contains(&to) => {
            Ok(Known::Row { value: *value, shape: shape.clone() })
        }
        Some(Some(Known::Constant(c))) if [kind::FLOAT, kind::DOUBLE].contains(&to) => {
            Ok(Known::Constant(c.clone()))
        }
        Some(Some(Known::Constant(c))) if [kind::INT32, kind::INT64].contains(&to) => {
            let numbers = Rc::new(c.numbers.iter().map(|n| n.trunc()).collect());
            Ok(Known::Constant(Constant { shape: c.shape.clone(), numbers }))
        }
        _ => Err("Cast to something else than floats".into()),
    }
}

fn named_constant(node: &Node<'_>) -> Made {
    let of = |shape: Vec<usize>, numbers: Vec<f64>| {
        Ok(Known::Constant(Constant { shape, numbers: numbers.into() }))
    };
    let Some(value) = node.attributes.first() else { return Err("Constant without a value".into()) };
    match (value.name, &value.tensor, value.float, value.int) {
        ("value", Some(tensor), ..) => Ok(Known::Constant(constant(tensor)?)),
        ("value_float", _, Some(x), _) if x.is_finite() => of(vec![], vec![f64::from(x)]),
        ("value_int", _, _, Some(n)) => of(vec![], vec![n as f64]),
        ("value_floats", ..) if value.floats.iter().all(|x| x.is_finite()) => {
            of(vec![value.floats.len()], value.floats.iter().map(|x| f64::from(*x)).collect())
        }
        ("value_ints", ..) => of(vec![value.ints.len()], value.ints.iter().map(|n| *n as f64).collect()),
        _ => Err("Constant of another kind".into()),
    }
}

fn transpose(node: &Node<'_>, reads: &Reads) -> Made {
    let order = node.attribute("perm").map(|a| a.ints.clone()).unwrap_or_default();
    match reads.first() {
        Some(Some(Known::Constant(c))) => Ok(Known::Constant(c.transposed(&order)?)),
        Some(Some(Known::Row { value, shape })) => {
            // One long dimension stays in order wherever it goes.
            if shape.iter().filter(|d| **d != 1).count() > 1 {
                return Err(format!("Transpose of {shape:?}"));
            }
            let ones =
                Constant { shape: shape.clone(), numbers: vec![0.0; count(shape).unwrap_or(0)].into() };
            Ok(Known::Row { value: *value, shape: ones.transposed(&order)?.shape })
        }
        _ => Err("it reads nothing".into()),
    }
}

/// Functions of each number.
fn function(node: &Node<'_>) -> Option<Unary> {
    Some(match node.operator {
        "Relu" => Unary::Relu,
        "LeakyRelu" => Unary::LeakyRelu(node.float("alpha", 0.01)),
        "Tanh" => Unary::Tanh,
        "Sigmoid" => Unary::Sigmoid,
        "Elu" => Unary::Elu(node.float("alpha", 1.0)),
        "Selu" => Unary::Selu(node.float("alpha", 1.673_263_2), node.float("gamma", 1.050_701)),
        "Gelu" if node.text("approximate") == Some("tanh") => Unary::GeluTanh,
        "Gelu" => Unary::Gelu,
        "Softplus" => Unary::Softplus,
        "Erf" => Unary::Erf,
        "Exp" => Unary::Exp,
        "Log" => Unary::Log,
        "Sqrt" => Unary::Sqrt,
        "Reciprocal" => Unary::Reciprocal,
        "Abs" => Unary::Abs,
        "HardSigmoid" => Unary::HardSigmoid(node.float("alpha", 0.2), node.float("beta", 0.5)),
        _ => return None,
    })
}
