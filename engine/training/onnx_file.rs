//! The network as an ONNX file: input `features` [N, F] float32, output `probs` [N, 3]; Gemm, Relu, Gemm, Softmax.
//! Field numbers are those of onnx.proto (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>).

use crate::network::{CLASSES, Network};
use crate::protobuf::Message;

/// Layout of the file (2023), and the operator set; old enough for every runtime in use.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;
/// Float32 in `TensorProto.DataType`.
const FLOAT: i64 = 1;
/// An integer in `AttributeProto.AttributeType`.
const INT: i64 = 2;

/// The file's bytes. `name` and `notes` (key and text) are carried as metadata.
pub fn write(network: &Network, name: &str, notes: &[(&str, &str)]) -> Vec<u8> {
    let opset = Message::new().text(1, "").int(2, OPSET);
    let note = |(key, value): &(&str, &str)| Message::new().text(1, key).text(2, value);
    Message::new()
        .int(1, IR_VERSION)
        .text(2, "wingspread")
        .text(3, env!("CARGO_PKG_VERSION"))
        .message(7, graph(network, name))
        .message(8, opset)
        .messages(14, notes.iter().map(note))
        .finish()
}

fn graph(network: &Network, name: &str) -> Message {
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
