//! Operators of the domain ai.onnx.ml, trees aside.

use super::dense::row;
use super::shapes::count;
use super::{Known, Made, Reader};
use crate::graph::{Norm, Op, Unary};
use crate::proto::Node;

type Reads = [Option<Known>];

impl Reader<'_> {
    /// `None` when the operator is not known.
    pub(super) fn learned(&mut self, node: &Node<'_>, reads: &Reads) -> Option<Made> {
        Some(match node.operator {
            "Scaler" => self.scaler(node, reads),
            "Normalizer" => self.normalizer(node, reads),
            "LinearRegressor" | "LinearClassifier" => self.linear(node, reads),
            "TreeEnsembleClassifier" | "TreeEnsembleRegressor" => self.trees(node, reads),
            // The map's keys are the labels, its values the row itself.
            "ZipMap" => row(reads).map(|(value, shape)| Known::Row { value, shape }),
            _ => return None,
        })
    }

    fn scaler(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let width = count(&shape).unwrap_or(0);
        let list = |name: &str, otherwise: f64| -> Result<Vec<f64>, String> {
            match node.attribute(name).map(|a| a.floats.as_slice()).unwrap_or_default() {
                [] => Ok(vec![otherwise; width]),
                [one] => Ok(vec![f64::from(*one); width]),
                all if all.len() == width => Ok(all.iter().map(|x| f64::from(*x)).collect()),
                other => Err(format!("{} numbers as `{name}` for {width} features", other.len())),
            }
        };
        let (offset, scale) = (list("offset", 0.0)?, list("scale", 1.0)?);
        self.scale([&offset, &scale, &vec![0.0; width]], value, shape)
    }

    fn normalizer(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let norm = match node.text("norm").unwrap_or("MAX") {
            "MAX" => Norm::Max,
            "L1" => Norm::L1,
            "L2" => Norm::L2,
            other => return Err(format!("the norm {other}")),
        };
        match shape[..] {
            [1, _] => self.push(Op::Normalize(norm), &[value], shape),
            _ => Err(format!("a row of shape {shape:?}")),
        }
    }

    fn linear(&mut self, node: &Node<'_>, reads: &Reads) -> Made {
        let (value, shape) = row(reads)?;
        let [1, inputs] = shape[..] else { return Err(format!("a row of shape {shape:?}")) };
        let coefficients = node.attribute("coefficients").map(|a| a.floats.as_slice()).unwrap_or_default();
        let outputs = coefficients.len() / inputs;
        if outputs == 0 || outputs * inputs != coefficients.len() {
            return Err(format!("{} coefficients for {inputs} features", coefficients.len()));
        }
        if node.operator == "LinearClassifier" && outputs < 3 {
            return Err("LinearClassifier of two classes, which cannot answer three odds".into());
        }
        let bias = match node.attribute("intercepts").map(|a| a.floats.as_slice()).unwrap_or_default() {
            [] => vec![0.0; outputs],
            all if all.len() == outputs => all.to_vec(),
            other => return Err(format!("{} intercepts for {outputs} outputs", other.len())),
        };
        // The file's matrix has a row an output; ours a row an input.
        let weights =
            (0..inputs * outputs).map(|at| coefficients[at % outputs * inputs + at / outputs]).collect();
        let made = self.push(Op::Affine { weights, bias }, &[value], vec![1, outputs])?;
        self.post_transform(node, made)
    }

    /// What classifiers and regressors do with their scores last.
    pub(super) fn post_transform(&mut self, node: &Node<'_>, scores: Known) -> Made {
        let Known::Row { value, shape } = scores else { return Ok(scores) };
        let op = match node.text("post_transform").unwrap_or("NONE") {
            "NONE" => return Ok(Known::Row { value, shape }),
            "SOFTMAX" => Op::Softmax,
            "LOGISTIC" => Op::Apply(Unary::Sigmoid),
            "SOFTMAX_ZERO" => Op::SoftmaxZero,
            "PROBIT" => Op::Apply(Unary::Probit),
            other => return Err(format!("post_transform {other}")),
        };
        self.push(op, &[value], shape)
    }
}
