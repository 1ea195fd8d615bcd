//! A fitted model as an ONNX file: input `features` [N, F] float32, output `probs` [N, 3]. A network becomes Gemm, Relu,
//! Gemm, Softmax; trees become one TreeEnsembleClassifier whose labels nobody asks for.
//! Field numbers are those of onnx.proto (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>).

use crate::learner::Body;
use crate::network::{CLASSES, Network};
use crate::protobuf::Message;
use forecast::forest::{Forest, Mode, TreeNode};
use indicators::FEATURES;

/// Layout of the file (2023), and the operator sets; old enough for every runtime in use.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
const OPSET_ML: i64 = 3;
/// Float32 in `TensorProto.DataType`.
const FLOAT: i64 = 1;
/// Of `AttributeProto.AttributeType`: an integer, a text, and lists of floats, integers and texts.
const INT: i64 = 2;
const TEXT: i64 = 3;
const FLOATS: i64 = 6;
const INTS: i64 = 7;
const TEXTS: i64 = 8;

/// The file's bytes. `name` and `notes` (key and text) are carried as metadata.
pub fn write(body: &Body, name: &str, notes: &[(&str, &str)]) -> Vec<u8> {
    let opset = |domain, version| Message::new().text(1, domain).int(2, version);
    let note = |(key, value): &(&str, &str)| Message::new().text(1, key).text(2, value);
    let (graph, opsets) = match body {
        Body::Network(network, _) => (of_network(network, name), vec![opset("", OPSET)]),
        Body::Trees(forest) => {
            (of_trees(forest, name), vec![opset("", OPSET), opset("ai.onnx.ml", OPSET_ML)])
        }
    };
    Message::new()
        .int(1, IR_VERSION)
        .text(2, "wingspread")
        .text(3, env!("CARGO_PKG_VERSION"))
        .message(7, graph)
        .messages(8, opsets)
        .messages(14, notes.iter().map(note))
        .finish()
}

fn of_network(network: &Network, name: &str) -> Message {
    let axis = Message::new().text(1, "axis").int(3, 1).int(20, INT);
    let (inputs, hidden) = (network.inputs, network.hidden);
    Message::new()
        .message(1, node("hidden", "Gemm", &["features", "w1", "b1"]))
        .message(1, node("active", "Relu", &["hidden"]))
        .message(1, node("logits", "Gemm", &["active", "w2", "b2"]))
        .message(1, node("probs", "Softmax", &["logits"]).message(5, axis))
        .text(2, name)
        .message(5, tensor("w1", &[inputs, hidden], &network.first))
        .message(5, tensor("b1", &[hidden], &network.first_bias))
        .message(5, tensor("w2", &[hidden, CLASSES], &network.second))
        .message(5, tensor("b2", &[CLASSES], &network.second_bias))
        .message(11, value("features", inputs))
        .message(12, value("probs", CLASSES))
}

fn of_trees(forest: &Forest, name: &str) -> Message {
    let trees = Message::new()
        .text(1, "features")
        .text(2, "label")
        .text(2, "probs")
        .text(3, "probs")
        .text(4, "TreeEnsembleClassifier")
        .text(7, "ai.onnx.ml")
        .message(5, Message::new().text(1, "post_transform").text(4, "SOFTMAX").int(20, TEXT))
        .message(5, ints("classlabels_int64s", 0..CLASSES as i64))
        .message(5, floats("base_values", forest.base.iter().copied()));
    Message::new()
        .message(1, attributes(trees, forest))
        .text(2, name)
        .message(11, value("features", FEATURES))
        .message(12, value("probs", CLASSES))
}

/// The parallel lists of nodes and leaves. A node's number is its place in its tree.
fn attributes(trees: Message, forest: &Forest) -> Message {
    let ends = forest.roots.iter().skip(1).copied().chain([forest.nodes.len()]);
    let spans = || forest.roots.iter().copied().zip(ends.clone()).zip(0i64..);
    // Of every node: its tree, its number and itself.
    let nodes = || {
        spans()
            .flat_map(|((root, end), tree)| (root..end).map(move |at| (tree, (at - root) as i64, root, at)))
    };
    type Asked = (usize, Mode, f64, bool, usize, usize);
    let branch = |at: usize| match &forest.nodes[at] {
        TreeNode::Branch { feature, mode, threshold, missing_is_yes, yes, no } => {
            Some((*feature, *mode, *threshold, *missing_is_yes, *yes, *no))
        }
        TreeNode::Leaf { .. } => None,
    };
    let of = |what: &dyn Fn(Asked, usize) -> i64| -> Vec<i64> {
        nodes().map(|(_, _, root, at)| branch(at).map_or(0, |asked| what(asked, root))).collect()
    };
    let modes = nodes().map(|(.., at)| branch(at).map_or("LEAF", |asked| word(asked.1)));
    let thresholds = nodes().map(|(.., at)| branch(at).map_or(0.0, |asked| asked.2 as f32));
    let leaves: Vec<(i64, i64, i64, f32)> = nodes()
        .flat_map(|(tree, number, _, at)| {
            match &forest.nodes[at] {
                TreeNode::Leaf { from, to } => &forest.weights[*from..*to],
                TreeNode::Branch { .. } => &[],
            }
            .iter()
            .map(move |(class, weight)| (tree, number, *class as i64, *weight))
        })
        .collect();
    trees
        .message(5, ints("nodes_treeids", nodes().map(|(tree, ..)| tree)))
        .message(5, ints("nodes_nodeids", nodes().map(|(_, number, ..)| number)))
        .message(5, ints("nodes_featureids", of(&|asked, _| asked.0 as i64)))
        .message(5, ints("nodes_truenodeids", of(&|asked, root| (asked.4 - root) as i64)))
        .message(5, ints("nodes_falsenodeids", of(&|asked, root| (asked.5 - root) as i64)))
        .message(5, ints("nodes_missing_value_tracks_true", of(&|asked, _| i64::from(asked.3))))
        .message(
            5,
            modes.fold(Message::new().text(1, "nodes_modes"), |list, mode| list.text(9, mode)).int(20, TEXTS),
        )
        .message(5, floats("nodes_values", thresholds))
        .message(5, ints("class_treeids", leaves.iter().map(|leaf| leaf.0)))
        .message(5, ints("class_nodeids", leaves.iter().map(|leaf| leaf.1)))
        .message(5, ints("class_ids", leaves.iter().map(|leaf| leaf.2)))
        .message(5, floats("class_weights", leaves.iter().map(|leaf| leaf.3)))
}

const fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Leq => "BRANCH_LEQ",
        Mode::Lt => "BRANCH_LT",
        Mode::Gte => "BRANCH_GTE",
        Mode::Gt => "BRANCH_GT",
        Mode::Eq => "BRANCH_EQ",
        Mode::Neq => "BRANCH_NEQ",
    }
}

fn ints(name: &str, values: impl IntoIterator<Item = i64>) -> Message {
    values.into_iter().fold(Message::new().text(1, name), |list, value| list.int(8, value)).int(20, INTS)
}

fn floats(name: &str, values: impl IntoIterator<Item = f32>) -> Message {
    let packed: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Message::new().text(1, name).bytes(7, &packed).int(20, FLOATS)
}

/// An operator named after its one output.
fn node(output: &str, operator: &str, inputs: &[&str]) -> Message {
    let named = inputs.iter().fold(Message::new(), |node, input| node.text(1, input));
    named.text(2, output).text(3, output).text(4, operator)
}

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let shaped = shape.iter().fold(Message::new(), |tensor, side| tensor.int(1, *side as i64));
    shaped.int(2, FLOAT).text(8, name).bytes(9, &raw)
}

/// A matrix of any number of rows.
fn value(name: &str, columns: usize) -> Message {
    let rows = Message::new().text(2, "N");
    let columns = Message::new().int(1, columns as i64);
    let shape = Message::new().message(1, rows).message(1, columns);
    let kind = Message::new().message(1, Message::new().int(1, FLOAT).message(2, shape));
    Message::new().text(1, name).message(2, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Example;
    use crate::learner::tests::{BOUNDS, NETWORK, TREES, example};
    use crate::learner::{Params, drawn, fit};
    use forecast::Plan;
    use forecast::kernel::{Instructions, Kernel, Program};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::sync::Arc;

    #[test]
    fn our_kernels_say_what_the_learner_said() {
        let mut chance = ChaCha8Rng::seed_from_u64(3);
        let rule = |row: &indicators::features::Row| match row[0] + row[7] * row[7] {
            x if x < 0.0 => 0,
            x if x < 1.5 => 1,
            _ => 2,
        };
        let examples: Vec<Example> = (0..2_000).map(|i| example(i, &mut chance, rule)).collect();
        let (train, stop) = examples.split_at(1_500);
        let (train, stop): (Vec<_>, Vec<_>) = (train.iter().collect(), stop.iter().collect());
        for params in [Params::Network(NETWORK), Params::Trees(TREES)] {
            let fitted = fit(&train, &stop, &params, BOUNDS, 1);
            assert!(fitted.rounds > 3, "{params}");
            let file = write(&fitted.body, "test", &[("made", "here")]);
            let graph = forecast::read::read(&file).expect("our own file");
            let program = Program::compile(&graph, Instructions::Widest).expect("compiles");
            let mut kernel = Kernel::new(Arc::new(program));
            for (n, example) in examples.iter().take(500).enumerate() {
                let row = if n % 2 == 0 { drawn(&mut chance) } else { example.row };
                let asked = fitted.scaling().map_or(row, |scaling| scaling.apply(&row));
                let mut said = [0.0; CLASSES];
                kernel.predict(&asked, &mut said).expect("odds");
                let wanted = fitted.odds(&row);
                assert!(said.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 2e-6), "{said:?} {wanted:?}");
            }
        }
    }
}
