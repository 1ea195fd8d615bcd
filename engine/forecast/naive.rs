//! What a graph means, written down as plainly as possible and in double precision: the referee of the kernels.
//! Slow, allocating, and sharing no code with them. [`differs`] holds a kernel against it.

use crate::forest::{Aggregate, Forest, TreeNode};
use crate::graph::{Binary, Graph, Norm, Op, Reduction, Unary};
use crate::kernel::Kernel;
use crate::plan::Plan;

/// All values of a graph for one row per input; `None` when the rows do not fit or the graph is wrong.
pub fn evaluate(graph: &Graph, inputs: &[&[f32]]) -> Option<Vec<Vec<f64>>> {
    graph.check().ok()?;
    let widths = graph.inputs.iter().map(|(_, w)| *w);
    if inputs.len() != graph.inputs.len() || !widths.zip(inputs).all(|(w, row)| row.len() == w) {
        return None;
    }
    let mut values: Vec<Vec<f64>> =
        inputs.iter().map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect();
    for node in &graph.nodes {
        let reads: Vec<&[f64]> = node.reads.iter().map(|r| values[*r].as_slice()).collect();
        values.push(compute(&node.op, &reads, node.width));
    }
    Some(values)
}

/// The odds of a model of one row of features; `None` as above, or when it answers no odds.
pub fn odds(graph: &Graph, row: &[f32]) -> Option<[f64; 3]> {
    let at = graph.odds()?;
    evaluate(graph, &[row])?.swap_remove(at).try_into().ok()
}

/// How far a kernel's odds may be from the definition's, or another executor's.
pub const TOLERANCE: f64 = 1e-5;

/// The first row on which a kernel and the definition differ by more than [`TOLERANCE`], in words. Rows on which both
/// answer no odds agree.
pub fn differs(graph: &Graph, kernel: &mut Kernel, rows: &[Vec<f32>]) -> Option<String> {
    rows.iter().find_map(|row| {
        let Some(wanted) = odds(graph, row) else { return Some("the graph makes no odds".into()) };
        let mut found = [0.0f32; 3];
        let said = kernel.predict(row, &mut found);
        let sound = wanted.iter().all(|p| p.is_finite());
        let near = found.iter().zip(wanted).all(|(p, w)| (f64::from(*p) - w).abs() <= TOLERANCE);
        match said {
            Ok(()) if near => None,
            Err(_) if !sound => None,
            _ => Some(format!("the kernel answers {found:?}, the definition {wanted:?} to {row:.80?}")),
        }
    })
}

fn compute(op: &Op, reads: &[&[f64]], width: usize) -> Vec<f64> {
    let x = reads[0];
    let wide = |list: &[f32], i: usize| f64::from(list[i]);
    match op {
        Op::Affine { weights, bias } => (0..width)
            .map(|o| {
                let sum: f64 = (0..x.len()).map(|i| x[i] * wide(weights, i * width + o)).sum();
                sum + wide(bias, o)
            })
            .collect(),
        // Rounded at each step as the runtimes do, because trees may compare the result with a threshold.
        Op::Scale { sub, mul, add } => (0..width)
            .map(|i| round(round(round(x[i] - wide(sub, i)) * wide(mul, i)) + wide(add, i)))
            .collect(),
        Op::Apply(f) => x.iter().map(|x| apply(*f, *x)).collect(),
        Op::Combine(f) => {
            let y = reads[1];
            let pick = |row: &[f64], i: usize| if row.len() == 1 { row[0] } else { row[i] };
            (0..width).map(|i| combine(*f, pick(x, i), pick(y, i))).collect()
        }
        Op::LayerNorm { epsilon, scale, shift } => {
            let mean = x.iter().sum::<f64>() / width as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            let by = 1.0 / (variance + f64::from(*epsilon)).sqrt();
            (0..width).map(|i| (x[i] - mean) * by * wide(scale, i) + wide(shift, i)).collect()
        }
        Op::Softmax => softmax(x),
        Op::LogSoftmax => {
            let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let log = x.iter().map(|x| (x - most).exp()).sum::<f64>().ln();
            x.iter().map(|x| x - most - log).collect()
        }
        Op::SoftmaxZero => softmax_zero(x),
        Op::Normalize(norm) => normalize(*norm, x),
        Op::Reduce(Reduction::Sum) => vec![x.iter().sum()],
        Op::Reduce(Reduction::Mean) => vec![x.iter().sum::<f64>() / x.len() as f64],
        Op::Concat => reads.concat(),
        Op::Trees(forest) => scores(forest, x),
    }
}

/// As a 32-bit float.
fn round(x: f64) -> f64 {
    f64::from(x as f32)
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raised: Vec<f64> = x.iter().map(|x| (x - most).exp()).collect();
    let sum: f64 = raised.iter().sum();
    raised.iter().map(|e| e / sum).collect()
}

fn softmax_zero(x: &[f64]) -> Vec<f64> {
    let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let is_zero = |x: f64| x.abs() <= 1e-7;
    let raised = |x: &f64| if is_zero(*x) { x * (-most).exp() } else { (x - most).exp() };
    let sum: f64 = x.iter().filter(|x| !is_zero(**x)).map(raised).sum();
    x.iter().map(|x| if sum > 0.0 { raised(x) / sum } else { 0.0 }).collect()
}

fn normalize(norm: Norm, x: &[f64]) -> Vec<f64> {
    let by = match norm {
        Norm::Max => x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Norm::L1 => x.iter().map(|x| x.abs()).sum(),
        Norm::L2 => x.iter().map(|x| x * x).sum::<f64>().sqrt(),
    };
    x.iter().map(|x| if by == 0.0 { *x } else { x / by }).collect()
}

fn combine(f: Binary, a: f64, b: f64) -> f64 {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
    }
}

fn apply(f: Unary, x: f64) -> f64 {
    let wide = f64::from;
    match f {
        Unary::Relu => x.max(0.0),
        Unary::LeakyRelu(slope) => {
            if x < 0.0 {
                wide(slope) * x
            } else {
                x
            }
        }
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Elu(alpha) => {
            if x < 0.0 {
                wide(alpha) * x.exp_m1()
            } else {
                x
            }
        }
        Unary::Selu(alpha, gamma) => wide(gamma) * if x < 0.0 { wide(alpha) * x.exp_m1() } else { x },
        Unary::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Unary::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Erf => erf(x),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Square => x * x,
        Unary::Reciprocal => 1.0 / x,
        Unary::Abs => x.abs(),
        Unary::Clip(low, high) => x.max(wide(low)).min(wide(high)),
        Unary::HardSigmoid(alpha, beta) => (wide(alpha) * x + wide(beta)).clamp(0.0, 1.0),
        Unary::Probit => std::f64::consts::SQRT_2 * inverse_erf(2.0 * x - 1.0),
    }
}

/// Maclaurin series inside, continued fraction outside (Abramowitz and Stegun 7.1.5, 7.1.14): ten digits and more.
fn erf(x: f64) -> f64 {
    let z = x.abs();
    let root = std::f64::consts::PI.sqrt();
    let value = if z < 3.0 {
        let (mut term, mut sum) = (z, z);
        for n in 1..120 {
            term *= -z * z / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        2.0 / root * sum
    } else {
        let fraction = (1..60).rev().fold(z, |below, k| z + f64::from(k) / 2.0 / below);
        1.0 - (-z * z).exp() / (root * fraction)
    };
    if x.is_nan() { x } else { value.copysign(x) }
}

/// In 32 bits and with five digits of pi, as the runtimes have it: near 0 their cancellation is part of the answer.
fn inverse_erf(x: f64) -> f64 {
    #[expect(clippy::approx_constant, reason = "onnxruntime's constant, not the circle's")]
    const PI: f32 = 3.14159;
    let x = x as f32;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let half = 2.0 / (PI * 0.147) + 0.5 * log;
    f64::from((-half + (half * half - 1.0 / 0.147 * log).sqrt()).sqrt().copysign(x))
}

/// Walks every tree as ONNX says.
fn scores(forest: &Forest, row: &[f64]) -> Vec<f64> {
    let mut found: Vec<Option<f64>> = vec![None; forest.targets];
    for root in &forest.roots {
        let (from, to) = leaf(forest, *root, row);
        for (target, weight) in &forest.weights[from..to] {
            let weight = f64::from(*weight);
            let so_far = found[*target];
            found[*target] = Some(match forest.aggregate {
                Aggregate::Sum | Aggregate::Average => so_far.unwrap_or(0.0) + weight,
                Aggregate::Min => so_far.map_or(weight, |s| s.min(weight)),
                Aggregate::Max => so_far.map_or(weight, |s| s.max(weight)),
            });
        }
    }
    let trees = forest.roots.len() as f64;
    let over = if forest.aggregate == Aggregate::Average { trees } else { 1.0 };
    found.iter().zip(&forest.base).map(|(s, base)| s.unwrap_or(0.0) / over + f64::from(*base)).collect()
}

fn leaf(forest: &Forest, root: usize, row: &[f64]) -> (usize, usize) {
    let mut at = root;
    loop {
        match forest.nodes[at] {
            TreeNode::Leaf { from, to } => return (from, to),
            TreeNode::Branch { feature, mode, threshold, missing_is_yes, yes, no } => {
                let x = round(row[feature]);
                let is_yes = mode.is_yes(x, threshold) || (missing_is_yes && x.is_nan());
                at = if is_yes { yes } else { no };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_that_of_the_tables() {
        for (x, wanted) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (2.9, 0.999_958_902_121_900_5),
            (3.1, 0.999_988_351_342_632_8),
            (-1.0, -0.842_700_792_949_714_9),
        ] {
            assert!((erf(x) - wanted).abs() < 1e-12, "{x}: {}", erf(x));
        }
        assert!((apply(Unary::Probit, 0.975) - 1.96).abs() < 0.01, "the approximation is good to two digits");
    }
}
