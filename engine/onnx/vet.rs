//! The door: what a model file may contain. Everything is judged from the parsed text of the graph, before
//! any of it is computed, because some files hang while they are loaded and others while they run.
//!
//! A model is an acyclic graph of known, cheap, deterministic operators, from one float input of known width to
//! one float output of three columns. Each operator must depend on the input (bar a few that only move data), so
//! that nothing can be made to compute for ever at load time, and every constant's bytes are in the file.

use std::collections::BTreeSet;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::dimension;

/// How much of a model is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub bytes_max: usize,
    /// Most operators.
    pub nodes_max: usize,
    /// Most numbers any intermediate result may hold for one row.
    pub elements_max: usize,
    /// Most multiplications and divisions for one row, as far as the compiler counts them.
    pub operations_max: usize,
}

impl Limits {
    /// What a tabular model of ours never comes near, and what still loads in a few milliseconds and answers in
    /// under one.
    pub const TABULAR: Self =
        Self { bytes_max: 4 * 1024 * 1024, nodes_max: 256, elements_max: 65_536, operations_max: 4_000_000 };
}

/// Why a model was not taken, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Larger than allowed.
    #[error("has {found} bytes, more than the {most} allowed; use a smaller model")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
        /// The limit in bytes.
        most: usize,
    },
    /// Not an ONNX file, or damaged.
    #[error("is not a readable ONNX file ({0}); copy it again")]
    Unreadable(String),
    /// A version that is not known.
    #[error("{what} {found} is not known, only {range}; export it again with an older target")]
    Version {
        /// Which version.
        what: &'static str,
        /// What the file says.
        found: i64,
        /// What is known.
        range: &'static str,
    },
    /// Something the contract does not allow.
    #[error("{0}")]
    Contract(String),
    /// The graph is not what it says it is.
    #[error("graph: {0}; export it again")]
    Graph(String),
    /// An operator that is not taken.
    #[error("operator {operator} is not taken: {why}")]
    Operator {
        /// Its domain and name.
        operator: String,
        /// Why not, and what instead.
        why: &'static str,
    },
    /// An operator that only our own kernels take, in a graph they do not.
    #[error("operator {operator} is only taken where our own kernels take the whole graph: {why}")]
    KernelsOnly {
        /// Its name.
        operator: String,
        /// What the kernels do not take.
        why: String,
    },
    /// The compiler said no.
    #[error("could not be compiled: {0}; check it with the exporter's own checker")]
    Compile(String),
    /// The same answer whatever is asked.
    #[error("answers {0} to every row; retrain, or say `says_base_rates_only: 1` in its metrics")]
    Constant(String),
    /// The answer is no odds, or differs from run to run.
    #[error("answered {0}; the output must be probabilities (softmax last) and always the same")]
    Answer(String),
}

/// What the door found out: where the odds come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vetted {
    /// Columns of the input.
    pub width: usize,
    /// What the graph calls its input.
    pub input: String,
    /// Which output holds the odds.
    pub output: usize,
    /// The first operator that only our own kernels take, if there is one.
    pub kernels_only: Option<String>,
}

/// Operators that compute something cheap, row by row, the same each time.
const TAKEN: [&str; 40] = [
    "Abs",
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Clip",
    "Concat",
    "Div",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "GRU",
    "Gelu",
    "Gemm",
    "HardSigmoid",
    "Identity",
    "LSTM",
    "LayerNormalization",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pow",
    "Reciprocal",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Selu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Sqrt",
    "Sub",
    "Tanh",
    "Transpose",
];
/// Operators of the machine-learning domain that tract computes rightly.
const TAKEN_ML: [&str; 3] = ["LinearClassifier", "LinearRegressor", "Normalizer"];
/// Operators that tract does not know, gets wrong or takes milliseconds for: taken when our own kernels take the whole
/// graph. The first two only pick labels, which nobody asks for.
const KERNELS_ONLY: [&str; 6] = [
    "ArgMax",
    "ArrayFeatureExtractor",
    "Scaler",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "ZipMap",
];
/// Operators that only move data: they may stand on constants alone.
const MOVING: [&str; 8] =
    ["Cast", "Constant", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];
/// Newest ONNX file layout that is read.
const IR_MAX: i64 = 13;
/// Operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=23;
/// Sets of the machine-learning domain that are read.
const OPSETS_ML: std::ops::RangeInclusive<i64> = 1..=4;

/// Judges a parsed file that is to read `inputs` features.
///
/// # Errors
/// The first thing that is not allowed.
pub fn vet(model: &pb::ModelProto, inputs: usize, limits: &Limits) -> Result<Vetted, Fault> {
    check_versions(model)?;
    let graph = model.graph.as_ref().ok_or_else(|| Fault::Graph("there is none".into()))?;
    if !model.functions.is_empty() || !graph.sparse_initializer.is_empty() {
        return Err(Fault::Contract(
            "local functions and sparse weights are not taken; export without".into(),
        ));
    }
    if graph.node.len() > limits.nodes_max {
        let found = graph.node.len();
        return Err(Fault::Contract(format!("{found} operators, more than {}; simplify", limits.nodes_max)));
    }
    for tensor in &graph.initializer {
        check_constant(tensor)?;
    }
    let constants: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let input = check_input(graph, &constants, inputs)?;
    check_flow(graph, constants, input)?;
    let only = graph.node.iter().find(|n| KERNELS_ONLY.contains(&n.op_type.as_str()));
    let kernels_only = only.map(|n| n.op_type.clone());
    Ok(Vetted { width: inputs, input: input.to_string(), output: check_outputs(graph)?, kernels_only })
}

fn check_versions(model: &pb::ModelProto) -> Result<(), Fault> {
    if !(3..=IR_MAX).contains(&model.ir_version) {
        return Err(Fault::Version { what: "ir_version", found: model.ir_version, range: "3 to 13" });
    }
    for set in &model.opset_import {
        let (known, range) = match set.domain.as_str() {
            "" | "ai.onnx" => (OPSETS.contains(&set.version), "9 to 23"),
            "ai.onnx.ml" => (OPSETS_ML.contains(&set.version), "1 to 4"),
            // Harmless unless an operator of it is used, which is refused by name.
            _ => (true, ""),
        };
        if !known {
            return Err(Fault::Version { what: "operator set", found: set.version, range });
        }
    }
    Ok(())
}

/// A constant's bytes are in the file and are as many as its shape says.
fn check_constant(tensor: &pb::TensorProto) -> Result<(), Fault> {
    let name = &tensor.name;
    let external = pb::tensor_proto::DataLocation::External as i32;
    if tensor.data_location == Some(external) || !tensor.external_data.is_empty() {
        return Err(Fault::Contract(format!(
            "the weights `{name}` are in another file, which is never opened; export with the weights inside"
        )));
    }
    let wanted = tensor.dims.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?));
    let (size, listed) = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => (4, tensor.float_data.len()),
        Ok(DataType::Int32) => (4, tensor.int32_data.len()),
        Ok(DataType::Int64) => (8, tensor.int64_data.len()),
        Ok(DataType::Double) => (8, tensor.double_data.len()),
        _ => return Err(Fault::Contract(format!("the weights `{name}` are neither float nor integer"))),
    };
    let held = if tensor.raw_data.is_empty() { listed } else { tensor.raw_data.len() / size };
    let whole = tensor.raw_data.len().is_multiple_of(size);
    if wanted != Some(held) || !whole {
        return Err(Fault::Graph(format!("the weights `{name}` hold {held} numbers for {:?}", tensor.dims)));
    }
    let finite = match (tensor.data_type, tensor.raw_data.is_empty()) {
        (t, false) if t == DataType::Float as i32 => raw_floats(&tensor.raw_data).all(f32::is_finite),
        (t, true) if t == DataType::Float as i32 => tensor.float_data.iter().all(|w| w.is_finite()),
        _ => true,
    };
    if finite {
        Ok(())
    } else {
        Err(Fault::Contract(format!("the weights `{name}` hold NaN or infinity; retrain")))
    }
}

fn raw_floats(raw: &[u8]) -> impl Iterator<Item = f32> {
    raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// Exactly one input besides the weights: float, `[batch, inputs]`, the batch open or 1. Its name is free.
fn check_input<'a>(
    graph: &'a pb::GraphProto,
    constants: &BTreeSet<&str>,
    inputs: usize,
) -> Result<&'a str, Fault> {
    let mut open = graph.input.iter().filter(|i| !constants.contains(i.name.as_str()));
    let (Some(input), None) = (open.next(), open.next()) else {
        let count = graph.input.iter().filter(|i| !constants.contains(i.name.as_str())).count();
        return Err(Fault::Contract(format!("{count} inputs; a model has one, the row of features")));
    };
    let (kind, dims) = type_of(input)?;
    if kind != DataType::Float as i32 {
        return Err(Fault::Contract(format!("the input `{}` is not float32; export it so", input.name)));
    }
    match dims.as_slice() {
        [None | Some(1), Some(width)] if *width == inputs as i64 => Ok(&input.name),
        [None | Some(1), Some(width)] => Err(Fault::Contract(format!(
            "the input reads {width} features, the manifest names {inputs}; train it on this schema"
        ))),
        _ => Err(Fault::Contract(format!(
            "the input's shape is {}; it must be [batch, {inputs}] with the batch open or 1",
            shape_text(&dims)
        ))),
    }
}

/// One float output of three columns; beside it at most an integer label, as scikit-learn's exporter adds.
fn check_outputs(graph: &pb::GraphProto) -> Result<usize, Fault> {
    let mut odds = None;
    let (mut floats, mut labels) = (0, 0);
    for (i, output) in graph.output.iter().enumerate() {
        let is_map = |n: &pb::NodeProto| n.op_type == "ZipMap" && n.output.contains(&output.name);
        if graph.node.iter().any(is_map) {
            // A map from label to odds: the kernels read the row it is made of.
            floats += 1;
            odds = Some(i);
            continue;
        }
        let (kind, dims) = type_of(output)?;
        if kind == DataType::Float as i32 {
            floats += 1;
            match dims.as_slice() {
                [None | Some(1), None | Some(3)] => odds = Some(i),
                _ => {
                    let shape = shape_text(&dims);
                    return Err(Fault::Contract(format!(
                        "the output's shape is {shape}; it must be [batch, 3]"
                    )));
                }
            }
        } else if kind == DataType::Int64 as i32 || kind == DataType::String as i32 {
            labels += 1;
        } else {
            return Err(Fault::Contract(format!(
                "the output `{}` is not float32; export it so",
                output.name
            )));
        }
    }
    match (odds, floats, labels) {
        (Some(output), 1, 0 | 1) => Ok(output),
        _ => Err(Fault::Contract(format!(
            "{floats} float outputs and {labels} labels; a model has one float output, the odds of down, flat, up"
        ))),
    }
}

fn type_of(value: &pb::ValueInfoProto) -> Result<(i32, Vec<Option<i64>>), Fault> {
    let kind = value.r#type.as_ref().and_then(|t| t.value.as_ref());
    let Some(pb::type_proto::Value::TensorType(tensor)) = kind else {
        return Err(Fault::Graph(format!("`{}` is no tensor", value.name)));
    };
    let Some(shape) = &tensor.shape else {
        return Err(Fault::Graph(format!("`{}` has no declared shape", value.name)));
    };
    let dims = shape.dim.iter().map(|d| match &d.value {
        Some(dimension::Value::DimValue(n)) => Some(*n),
        _ => None,
    });
    Ok((tensor.elem_type, dims.collect()))
}

fn shape_text(dims: &[Option<i64>]) -> String {
    let names: Vec<String> = dims.iter().map(|d| d.map_or("?".into(), |n| n.to_string())).collect();
    format!("[{}]", names.join(", "))
}

/// Every operator reads only what was made before it, and (bar the moving ones) something that came from the
/// input; every output is made by one.
fn check_flow<'a>(
    graph: &'a pb::GraphProto,
    mut known: BTreeSet<&'a str>,
    input: &'a str,
) -> Result<(), Fault> {
    let mut live = BTreeSet::from([input]);
    known.insert(input);
    for node in &graph.node {
        let reads = || node.input.iter().map(String::as_str).filter(|n| !n.is_empty());
        check_operator(node)?;
        if let Some(missing) = reads().find(|n| !known.contains(n)) {
            let why = format!("{} reads `{missing}`, which nothing before it makes", node.op_type);
            return Err(Fault::Graph(why));
        }
        let is_live = reads().any(|n| live.contains(n));
        if !is_live && !MOVING.contains(&node.op_type.as_str()) {
            return Err(Fault::Operator {
                operator: node.op_type.clone(),
                why: "it computes on constants alone; fold constants when exporting",
            });
        }
        for made in node.output.iter().map(String::as_str).filter(|n| !n.is_empty()) {
            if !known.insert(made) {
                return Err(Fault::Graph(format!("`{made}` is made twice")));
            }
            if is_live {
                live.insert(made);
            }
        }
    }
    match graph.output.iter().find(|o| !live.contains(o.name.as_str())) {
        Some(output) => {
            Err(Fault::Graph(format!("the output `{}` does not come from the input", output.name)))
        }
        None => Ok(()),
    }
}

fn check_operator(node: &pb::NodeProto) -> Result<(), Fault> {
    let name = node.op_type.as_str();
    let refused =
        |why| Err(Fault::Operator { operator: format!("{} {name}", node.domain).trim().into(), why });
    let taken = match node.domain.as_str() {
        "" | "ai.onnx" => TAKEN.contains(&name) || MOVING.contains(&name),
        "ai.onnx.ml" => TAKEN_ML.contains(&name),
        _ => false,
    };
    let taken = taken
        || matches!(node.domain.as_str(), "" | "ai.onnx" | "ai.onnx.ml") && KERNELS_ONLY.contains(&name);
    if !taken {
        return refused(match name {
            "TreeEnsemble" => "it came with ai.onnx.ml 5; export trees with ai.onnx.ml 3",
            "Loop" | "Scan" | "If" => "control flow has no bound; unroll it",
            _ if name.starts_with("Random") || matches!(name, "Bernoulli" | "Multinomial") => {
                "a model must answer the same each time; remove the noise"
            }
            _ => "it is not in the list of known operators in docs/models.md",
        });
    }
    for attribute in &node.attribute {
        if attribute.g.is_some() || !attribute.graphs.is_empty() || attribute.sparse_tensor.is_some() {
            return refused("it carries a graph inside; inline it");
        }
        if let Some(tensor) = &attribute.t {
            check_constant(tensor)?;
        }
    }
    Ok(())
}
