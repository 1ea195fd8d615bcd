//! An ONNX file's bytes to a [`Graph`], when every operator between its inputs and its float outputs is one our
//! kernels know. Constants are folded, moving operators (Reshape, Identity, ZipMap ...) leave no trace, and what
//! only labels need is left out. Shapes are those of one row.
//!
//! Operators: <https://onnx.ai/onnx/operators/>; nothing is computed here but the constants' rearrangement, so no
//! file can make reading slow.

mod dense;
mod learned;
mod shapes;
mod trees;

use crate::graph::{Graph, GraphFault, Node as GraphNode, Op, WIDTH_MAX};
use crate::proto::{self, kind};
use crate::wire::Damage;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Most operators of a file.
pub const NODES_MAX: usize = 1024;
/// Most numbers that constants and computed rows may take in memory, copies included.
const SPENT_MAX: usize = 1 << 24;
/// Operator sets of the default domain whose meaning is known here.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=23;
/// Those of ai.onnx.ml.
const OPSETS_ML: std::ops::RangeInclusive<i64> = 1..=4;

/// Why a file gave no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// No ONNX file, or a damaged one.
    #[error("is not a readable ONNX file ({0}); copy it again")]
    Unreadable(Damage),
    /// Wrong whoever reads it.
    #[error("{0}")]
    Refused(String),
    /// Beyond these kernels; a general runtime may know it.
    #[error("{0}")]
    Beyond(String),
    /// Its parts do not fit together.
    #[error(transparent)]
    Graph(#[from] GraphFault),
}

/// Reads a file.
///
/// # Errors
/// Why not; [`ReadFault::Beyond`] when another executor may take it.
pub fn read(bytes: &[u8]) -> Result<Graph, ReadFault> {
    let model = proto::Model::read(bytes).map_err(ReadFault::Unreadable)?;
    let refused = |why: &str| Err(ReadFault::Refused(why.into()));
    let Some(file) = &model.graph else { return refused("the file holds no graph; export it again") };
    if model.functions || file.sparse {
        return refused("local functions and sparse weights are not taken; export without");
    }
    if file.nodes.len() > NODES_MAX {
        return refused("the graph has too many operators; simplify");
    }
    let mut reader = Reader::new(&model)?;
    reader.take_constants(file)?;
    reader.take_inputs(file)?;
    for node in &file.nodes {
        reader.take_node(node)?;
    }
    reader.take_outputs(file)?;
    reader.graph.check()?;
    Ok(reader.graph)
}

/// A constant with its shape. Integers are kept as doubles: shapes and axes are far below 2^53.
#[derive(Clone, Debug)]
struct Constant {
    shape: Vec<usize>,
    /// Shared, because a chain of operators that only rename would otherwise copy a large constant at each step.
    numbers: Rc<Vec<f64>>,
}

/// What is known under a name.
#[derive(Clone, Debug)]
enum Known {
    /// A value of the graph, seen in a shape.
    Row { value: usize, shape: Vec<usize> },
    /// A constant.
    Constant(Constant),
    /// Nothing of ours, and why.
    Beyond(String),
}

/// An operator's result, or why our kernels do not know it.
type Made = Result<Known, String>;

struct Reader<'a> {
    graph: Graph,
    known: BTreeMap<&'a str, Known>,
    opset: i64,
    /// Numbers held so far: a small file may name one constant many times.
    spent: usize,
}

impl<'a> Reader<'a> {
    fn new(model: &proto::Model<'a>) -> Result<Self, ReadFault> {
        let mut opset = 1;
        for (domain, version) in &model.opsets {
            let known = match *domain {
                "" | "ai.onnx" => {
                    opset = *version;
                    OPSETS.contains(version)
                }
                "ai.onnx.ml" => OPSETS_ML.contains(version),
                _ => true,
            };
            if !known {
                let why = format!("operator set {domain} {version} is not known to the kernels");
                return Err(ReadFault::Beyond(why));
            }
        }
        let graph = Graph { inputs: vec![], nodes: vec![], outputs: vec![] };
        Ok(Self { graph, known: BTreeMap::new(), opset, spent: 0 })
    }

    fn take_constants(&mut self, file: &proto::Graph<'a>) -> Result<(), ReadFault> {
        for tensor in &file.constants {
            let constant = constant(tensor).map_err(ReadFault::Refused)?;
            self.name(tensor.name, Known::Constant(constant))?;
        }
        Ok(())
    }

    fn take_inputs(&mut self, file: &proto::Graph<'a>) -> Result<(), ReadFault> {
        for input in &file.inputs {
            if self.known.contains_key(input.name) {
                continue;
            }
            let refused = |what: &str| ReadFault::Refused(format!("the input `{}` {what}", input.name));
            if input.kind != kind::FLOAT {
                return Err(refused("is not float32; export it so"));
            }
            let dims = input.dims.as_ref().ok_or_else(|| refused("has no declared shape"))?;
            let (Some(None | Some(1)), [_, rest @ ..]) = (dims.first(), dims.as_slice()) else {
                return Err(refused("must be [batch, features] with the batch open or 1"));
            };
            let mut shape = vec![1usize];
            for dim in rest {
                let dim = dim.and_then(|d| usize::try_from(d).ok()).filter(|d| (1..=WIDTH_MAX).contains(d));
                shape.push(dim.ok_or_else(|| refused("has an open or impossible dimension"))?);
            }
            let width = shapes::count(&shape).filter(|w| *w <= WIDTH_MAX);
            let width = width.ok_or_else(|| refused("is too wide"))?;
            let value = self.graph.inputs.len();
            self.graph.inputs.push((input.name.into(), width));
            self.name(input.name, Known::Row { value, shape })?;
        }
        // Inputs are numbered before nodes: none may follow.
        Ok(())
    }

    fn take_node(&mut self, node: &proto::Node<'a>) -> Result<(), ReadFault> {
        let unknown = node.reads.iter().find(|n| !n.is_empty() && !self.known.contains_key(*n));
        if let Some(missing) = unknown {
            let why = format!("{} reads `{missing}`, which nothing before it makes", node.operator);
            return Err(ReadFault::Refused(why));
        }
        for attribute in &node.attributes {
            if let Some(tensor) = &attribute.tensor {
                constant(tensor).map_err(ReadFault::Refused)?;
            }
        }
        let made = self.make(node);
        let which = output_of(node);
        for (i, name) in node.makes.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let known = match &made {
                Ok(known) if i == which => known.clone(),
                Ok(_) => Known::Beyond(format!("output {i} of {} is not computed", node.operator)),
                Err(why) => Known::Beyond(why.clone()),
            };
            self.name(name, known)?;
        }
        Ok(())
    }

    fn make(&mut self, node: &proto::Node<'a>) -> Made {
        if node.attributes.iter().any(|a| a.foreign) {
            return Err(format!("{} carries a graph inside", node.operator));
        }
        let reads: Vec<Option<Known>> = node.reads.iter().map(|n| self.known.get(n).cloned()).collect();
        // What only labels read may be anything; what reads it is as unknown.
        for read in reads.iter().flatten() {
            if let Known::Beyond(why) = read {
                return Err(why.clone());
            }
        }
        let made = match node.domain {
            "" => self.dense(node, &reads),
            "ai.onnx.ml" => self.learned(node, &reads),
            _ => None,
        };
        let named =
            |why: String| if why.contains(node.operator) { why } else { format!("{}: {why}", node.operator) };
        made.unwrap_or_else(|| Err(format!("{} is not among the kernels' operators", node.operator)))
            .map_err(named)
    }

    fn take_outputs(&mut self, file: &proto::Graph<'a>) -> Result<(), ReadFault> {
        for output in &file.outputs {
            let floats = [kind::FLOAT, 0].contains(&output.kind);
            match self.known.get(output.name) {
                Some(Known::Row { value, .. }) => self.graph.outputs.push((output.name.into(), *value)),
                Some(Known::Beyond(why)) if floats => return Err(ReadFault::Beyond(why.clone())),
                // Labels: nobody asks for them.
                Some(Known::Beyond(_)) => {}
                Some(Known::Constant(_)) => {
                    return Err(ReadFault::Refused(format!("the output `{}` is a constant", output.name)));
                }
                None => return Err(ReadFault::Refused(format!("the output `{}` is not made", output.name))),
            }
        }
        if self.graph.outputs.is_empty() {
            return Err(ReadFault::Refused("the model has no float output".into()));
        }
        Ok(())
    }

    fn name(&mut self, name: &'a str, known: Known) -> Result<(), ReadFault> {
        if let Known::Constant(constant) = &known
            && Rc::strong_count(&constant.numbers) == 1
        {
            self.spent = self.spent.saturating_add(constant.numbers.len());
        }
        if self.spent > SPENT_MAX {
            return Err(ReadFault::Refused("the model holds too many numbers; use a smaller one".into()));
        }
        match self.known.insert(name, known) {
            None => Ok(()),
            Some(_) => Err(ReadFault::Refused(format!("`{name}` is made twice"))),
        }
    }

    /// Adds a computation and gives its result in a shape of as many numbers.
    fn push(&mut self, op: Op, reads: &[usize], shape: Vec<usize>) -> Made {
        let width = shapes::count(&shape).filter(|w| (1..=WIDTH_MAX).contains(w));
        let width = width.ok_or("it makes too many numbers")?;
        self.spent = self.spent.saturating_add(op.constants()).saturating_add(width);
        if self.spent > SPENT_MAX {
            return Err("the model holds too many numbers; use a smaller one".into());
        }
        self.graph.nodes.push(GraphNode { op, reads: reads.to_vec(), width });
        Ok(Known::Row { value: self.graph.inputs.len() + self.graph.nodes.len() - 1, shape })
    }
}

/// Which output of an operator is the row: classifiers make the label first.
fn output_of(node: &proto::Node<'_>) -> usize {
    usize::from(matches!(node.operator, "LinearClassifier" | "TreeEnsembleClassifier"))
}

/// A tensor's numbers, as many as its shape says, all in the file, all finite.
fn constant(tensor: &proto::Tensor<'_>) -> Result<Constant, String> {
    let name = tensor.name;
    if tensor.external {
        return Err(format!(
            "the weights `{name}` are in another file, which is never opened; export with the weights inside"
        ));
    }
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect();
    let wanted = shape.as_deref().and_then(shapes::count);
    let numbers = numbers(tensor);
    let (Some(shape), Some(numbers)) = (shape, numbers) else {
        return Err(format!("the weights `{name}` are neither float nor integer"));
    };
    if wanted != Some(numbers.len()) {
        return Err(format!("the weights `{name}` hold {} numbers for {:?}", numbers.len(), tensor.dims));
    }
    if !numbers.iter().all(|n| n.is_finite()) {
        return Err(format!("the weights `{name}` hold NaN or infinity; retrain"));
    }
    Ok(Constant { shape, numbers: Rc::new(numbers) })
}

fn numbers(tensor: &proto::Tensor<'_>) -> Option<Vec<f64>> {
    let raw = tensor.raw;
    let size = match tensor.kind {
        kind::FLOAT | kind::INT32 => 4,
        kind::INT64 | kind::DOUBLE => 8,
        kind::BOOL => 1,
        _ => return None,
    };
    if raw.is_empty() {
        let ints = || tensor.listed_ints.iter().map(|n| *n as f64).collect();
        return Some(match tensor.kind {
            kind::FLOAT | kind::DOUBLE => tensor.listed.clone(),
            _ => ints(),
        });
    }
    if !raw.len().is_multiple_of(size) {
        return None;
    }
    let bits = |b: &[u8]| b.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    let number = |b: &[u8]| match tensor.kind {
        kind::FLOAT => f64::from(f32::from_bits(bits(b) as u32)),
        kind::DOUBLE => f64::from_bits(bits(b)),
        kind::INT32 => f64::from(bits(b) as i32),
        _ => bits(b) as i64 as f64,
    };
    Some(raw.chunks_exact(size).map(number).collect())
}
