//! Kernels against the reference set, against the naive evaluator on random graphs, and against spoiled files.

use crate::forest::{Aggregate, Forest, Mode, TreeNode};
use crate::graph::{Binary, Graph, Node, Norm, Op, Reduction, Unary};
use crate::kernel::{Instructions, Kernel, Program};
use crate::naive;
use crate::read::{ReadFault, read};
use proptest::prelude::*;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

const EVERY: [Instructions; 3] = [Instructions::Widest, Instructions::Avx2, Instructions::Portable];

fn golden_dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/onnx"))
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(golden_dir().join(name)).expect("golden file in the repository")
}

fn kernel(graph: &Graph, instructions: Instructions) -> Kernel {
    Kernel::new(Arc::new(Program::compile(graph, instructions).expect("a graph that fits")))
}

/// A table of the reference set by its name: rows of so many numbers.
struct Table {
    name: String,
    width: usize,
    numbers: Vec<f32>,
}

fn tables(json: &serde_json::Value, side: &str) -> Vec<Table> {
    let side = json[side].as_object().expect("an object of tables");
    let of = |(name, table): (&String, &serde_json::Value)| Table {
        name: name.clone(),
        width: table["shape"][1].as_u64().unwrap_or(1) as usize,
        numbers: table["data"]
            .as_array()
            .expect("numbers")
            .iter()
            .map(|x| x.as_f64().expect("a number") as f32)
            .collect(),
    };
    side.iter().map(of).collect()
}

/// Inputs in the graph's order, and outputs.
fn reference(name: &str, graph: &Graph) -> (Vec<Table>, Vec<Table>) {
    let mut text = String::new();
    let packed = file(&format!("good/{name}.json.gz"));
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut text).expect("gzip");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut inputs = tables(&json, "inputs");
    inputs.sort_by_key(|t| graph.inputs.iter().position(|(input, _)| *input == t.name));
    (inputs, tables(&json, "outputs"))
}

#[test]
fn reference_models_answer_as_they_did_elsewhere() {
    let models = [
        ("mlp_32_64_32_3", 1),
        ("logreg", 1),
        ("lightgbm_3class", 1),
        ("random_forest", 1),
        ("two_input", 2),
    ];
    for (name, outputs) in models {
        let graph = read(&file(&format!("good/{name}.onnx"))).expect(name);
        assert_eq!(graph.outputs.len(), outputs, "{name}");
        let (inputs, wanted) = reference(name, &graph);
        for instructions in EVERY {
            let mut kernel = kernel(&graph, instructions);
            let mut worst = 0.0f32;
            for row in 0..200 {
                let rows: Vec<&[f32]> =
                    inputs.iter().map(|t| &t.numbers[row * t.width..(row + 1) * t.width]).collect();
                kernel.run(&rows).expect("rows that fit");
                for (i, (output, _)) in graph.outputs.iter().enumerate() {
                    let table = wanted.iter().find(|t| t.name == *output).expect("the output's table");
                    let wanted = &table.numbers[row * table.width..(row + 1) * table.width];
                    assert_eq!(kernel.output(i).len(), wanted.len(), "{name}");
                    let off = kernel.output(i).iter().zip(wanted).map(|(a, b)| (a - b).abs());
                    worst = off.fold(worst, f32::max);
                }
            }
            assert!(worst <= 1e-5, "{name} {instructions:?}: {worst}");
        }
    }
}

#[test]
fn what_the_kernels_do_not_know_is_said() {
    let said = read(&file("good/gru_seq32x16_h32.onnx")).expect_err("a recurrent network");
    assert!(
        matches!(&said, ReadFault::Beyond(why) if why.contains("Transpose") || why.contains("GRU")),
        "{said}"
    );
}

#[test]
fn bad_files_are_read_without_harm() {
    // These are sound graphs; what is wrong with them is told by their answers, checksums or papers.
    let readable = [
        "bit_flips",
        "constant_output",
        "not_normalised",
        "percent_output",
        "sigmoid_not_softmax",
        "wrong_input_name",
        "wrong_input_width",
        "wrong_output_count",
        "wrong_output_width",
        "future_ir_version",
        "extra_input",
    ];
    let mut seen = 0;
    for entry in std::fs::read_dir(golden_dir().join("bad")).expect("golden files") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|s| s.to_str()).expect("a name").to_string();
        let said = read(&std::fs::read(&path).expect("a file"));
        println!("{name}: {}", said.as_ref().map_or_else(ToString::to_string, |_| "read".into()));
        assert_eq!(said.is_ok(), readable.contains(&name.as_str()), "{name}: {said:?}");
        seen += 1;
    }
    assert_eq!(seen, 34);
}

#[test]
fn a_number_that_is_none_makes_no_odds() {
    let graph = read(&file("good/mlp_32_64_32_3.onnx")).expect("good");
    for instructions in EVERY {
        let mut kernel = kernel(&graph, instructions);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut row = [0.5f32; 32];
            row[31] = bad;
            assert!(kernel.run(&[&row]).is_err(), "{bad}");
        }
        assert!(kernel.run(&[&[0.5; 31]]).is_err());
        assert!(kernel.run(&[&[0.5; 32]]).is_ok());
    }
}

/// Numbers that are the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// Between -1 and 1.
    fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
    fn row(&mut self, n: usize, scale: f32) -> Vec<f32> {
        (0..n).map(|_| self.real() * scale).collect()
    }
}

fn any_function(dice: &mut Dice) -> Unary {
    let list = [
        Unary::Relu,
        Unary::LeakyRelu(0.1),
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Elu(0.7),
        Unary::Selu(1.673, 1.05),
        Unary::Gelu,
        Unary::GeluTanh,
        Unary::Softplus,
        Unary::Erf,
        Unary::Square,
        Unary::Abs,
        Unary::Clip(-0.3, 0.8),
        Unary::HardSigmoid(0.2, 0.5),
    ];
    list[dice.below(list.len())]
}

/// A graph of a few layers. Numbers stay near one, so that differences are those of the arithmetic.
fn any_dense(dice: &mut Dice) -> Graph {
    let width = 1 + dice.below(70);
    let mut graph = Graph { inputs: vec![("x".into(), width)], nodes: vec![], outputs: vec![] };
    for _ in 0..1 + dice.below(9) {
        let values = 1 + graph.nodes.len();
        let from = values - 1 - dice.below(values.min(2));
        let width = graph.width(from).expect("made");
        let (op, reads, width) = any_op(dice, &graph, from, width);
        graph.nodes.push(Node { op, reads, width });
    }
    graph.outputs = vec![("y".into(), graph.nodes.len())];
    graph
}

fn any_op(dice: &mut Dice, graph: &Graph, from: usize, width: usize) -> (Op, Vec<usize>, usize) {
    let other = dice.below(1 + graph.nodes.len());
    let beside = graph.width(other).expect("made");
    match dice.below(13) {
        0..=3 => {
            let outputs = 1 + dice.below(80);
            let weights = dice.row(width * outputs, 1.5 / (width as f32).sqrt());
            (Op::Affine { weights, bias: dice.row(outputs, 0.5) }, vec![from], outputs)
        }
        4 => {
            let op =
                Op::Scale { sub: dice.row(width, 1.0), mul: dice.row(width, 1.0), add: dice.row(width, 1.0) };
            (op, vec![from], width)
        }
        5 | 6 => (Op::Apply(any_function(dice)), vec![from], width),
        7 => {
            let op =
                Op::LayerNorm { epsilon: 1e-2, scale: dice.row(width, 1.0), shift: dice.row(width, 1.0) };
            (op, vec![from], width)
        }
        8 => (Op::Softmax, vec![from], width),
        9 => (Op::LogSoftmax, vec![from], width),
        10 => (Op::Reduce(Reduction::Mean), vec![from], 1),
        11 if beside == width || beside == 1 || width == 1 => {
            let f = [Binary::Add, Binary::Sub, Binary::Mul][dice.below(3)];
            (Op::Combine(f), vec![from, other], width.max(beside))
        }
        _ => (Op::Concat, vec![from, other], width + beside),
    }
}

/// Both answers of a graph to a row must be near, relative to the largest number in between.
fn assert_near(graph: &Graph, row: &[f32], tolerance: f64) {
    let values = naive::evaluate(graph, &[row]).expect("a graph that fits");
    let size = values.iter().flatten().fold(1.0f64, |m, x| m.max(x.abs()));
    for instructions in EVERY {
        let mut kernel = kernel(graph, instructions);
        // Twice: nothing may be left of the run before.
        for _ in 0..2 {
            kernel.run(&[row]).expect("a row that fits");
            for (i, (_, value)) in graph.outputs.iter().enumerate() {
                for (a, b) in kernel.output(i).iter().zip(&values[*value]) {
                    let near = (f64::from(*a) - b).abs() <= tolerance * size;
                    assert!(near, "{instructions:?}: {a} for {b} (size {size}): {graph:?}");
                }
            }
        }
    }
}

/// A tree with its nodes before their children; thresholds from a small set, so that numbers often equal them.
fn grow(dice: &mut Dice, forest: &mut Forest, width: usize, depth: usize) -> usize {
    let at = forest.nodes.len();
    if depth == 0 || dice.below(8) == 0 {
        let from = forest.weights.len();
        for _ in 0..dice.below(3).max(usize::from(dice.below(4) > 0)) {
            let target = dice.below(forest.targets);
            forest.weights.push((target, dice.real()));
        }
        forest.nodes.push(TreeNode::Leaf { from, to: forest.weights.len() });
        return at;
    }
    let modes = [Mode::Leq, Mode::Lt, Mode::Gte, Mode::Gt, Mode::Eq, Mode::Neq];
    let feature = dice.below(width);
    let mode = modes[dice.below(6)];
    let threshold = f64::from(dice.below(5) as f32 * 0.5 - 1.0) + [0.0, 0.0, 1e-9][dice.below(3)];
    let missing_is_yes = dice.below(3) == 0;
    forest.nodes.push(TreeNode::Branch { feature, mode, threshold, missing_is_yes, yes: 0, no: 0 });
    let yes = grow(dice, forest, width, depth - 1);
    let no = grow(dice, forest, width, depth - 1);
    forest.nodes[at] = TreeNode::Branch { feature, mode, threshold, missing_is_yes, yes, no };
    at
}

fn any_forest(dice: &mut Dice, width: usize) -> Forest {
    let targets = 1 + dice.below(4);
    let aggregates = [Aggregate::Sum, Aggregate::Average, Aggregate::Min, Aggregate::Max];
    let aggregate = aggregates[dice.below(8).min(3)];
    let (roots, nodes, weights) = (vec![], vec![], vec![]);
    let mut forest = Forest { targets, base: dice.row(targets, 0.5), aggregate, roots, nodes, weights };
    let depth = dice.below(8);
    for _ in 0..1 + dice.below(40) {
        let root = grow(dice, &mut forest, width, depth);
        forest.roots.push(root);
    }
    if dice.below(2) == 0 && aggregate == Aggregate::Sum {
        one_target_a_tree(dice, &mut forest);
    }
    forest
}

/// As gradient boosting writes them: every leaf one weight, of the tree's one target.
fn one_target_a_tree(dice: &mut Dice, forest: &mut Forest) {
    forest.weights.clear();
    let mut target = 0;
    for i in 0..forest.nodes.len() {
        if forest.roots.contains(&i) {
            target = dice.below(forest.targets);
        }
        if let TreeNode::Leaf { from, to } = &mut forest.nodes[i] {
            (*from, *to) = (forest.weights.len(), forest.weights.len() + 1);
            forest.weights.push((target, dice.real()));
        }
    }
}

fn row_with_holes(dice: &mut Dice, width: usize) -> Vec<f32> {
    let specials = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE];
    let of = |dice: &mut Dice| match dice.below(4) {
        0 => specials[dice.below(specials.len())],
        1 | 2 => dice.below(5) as f32 * 0.5 - 1.0,
        _ => dice.real() * 2.0,
    };
    (0..width).map(|_| of(dice)).collect()
}

fn of_trees(forest: Forest, width: usize) -> Graph {
    let node = Node { width: forest.targets, op: Op::Trees(forest), reads: vec![0] };
    Graph { inputs: vec![("x".into(), width)], nodes: vec![node], outputs: vec![("y".into(), 1)] }
}

#[test]
fn rare_operators_equal_their_definition() {
    let rows: [&[f32]; 3] = [&[0.25, 0.5, 0.125, 0.9, 0.3], &[-0.5, 1.5, 0.0, 2.0, -3.0], &[0.0; 5]];
    let ops = [
        (Op::SoftmaxZero, &rows[..2]),
        (Op::Normalize(Norm::Max), &rows[..]),
        (Op::Normalize(Norm::L1), &rows[..]),
        (Op::Normalize(Norm::L2), &rows[..]),
        (Op::Apply(Unary::Probit), &rows[..1]),
        (Op::Apply(Unary::Log), &rows[..1]),
        (Op::Apply(Unary::Sqrt), &rows[..1]),
        (Op::Apply(Unary::Reciprocal), &rows[..1]),
        (Op::Apply(Unary::Exp), &rows[..]),
        (Op::Reduce(Reduction::Sum), &rows[..]),
    ];
    for (op, rows) in ops {
        let width = if matches!(op, Op::Reduce(_)) { 1 } else { 5 };
        let node = Node { op, reads: vec![0], width };
        let graph =
            Graph { inputs: vec![("x".into(), 5)], nodes: vec![node], outputs: vec![("y".into(), 1)] };
        rows.iter().for_each(|row| assert_near(&graph, row, 1e-6));
    }
}

#[test]
fn functions_are_within_a_millionth() {
    let graph = |f| {
        let node = Node { op: Op::Apply(f), reads: vec![0], width: 1000 };
        Graph { inputs: vec![("x".into(), 1000)], nodes: vec![node], outputs: vec![("y".into(), 1)] }
    };
    let row: Vec<f32> = (0..1000).map(|i| (i as f32 - 500.0) / 50.0).collect();
    for f in [
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Erf,
        Unary::Elu(1.0),
        Unary::Softplus,
        Unary::HardSigmoid(0.2, 0.5),
    ] {
        let wanted = naive::evaluate(&graph(f), &[&row]).expect("fits").swap_remove(1);
        for instructions in EVERY {
            let mut kernel = kernel(&graph(f), instructions);
            kernel.run(&[&row]).expect("fits");
            for (a, b) in kernel.output(0).iter().zip(&wanted) {
                assert!((f64::from(*a) - b).abs() <= 1e-6, "{f:?} {instructions:?}: {a} for {b}");
            }
        }
    }
}

#[test]
fn deep_and_wide_forests_are_walked() {
    let mut dice = Dice(7);
    let (roots, nodes, weights) = (vec![], vec![], vec![]);
    let mut forest =
        Forest { targets: 3, base: vec![0.0; 3], aggregate: Aggregate::Sum, roots, nodes, weights };
    for _ in 0..20 {
        let root = grow(&mut dice, &mut forest, 200, 11);
        forest.roots.push(root);
    }
    let graph = of_trees(forest, 200);
    (0..5).for_each(|_| assert_near(&graph, &row_with_holes(&mut dice, 200), 1e-6));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dense_kernels_equal_the_definition(seed: u64) {
        let mut dice = Dice(seed);
        let graph = any_dense(&mut dice);
        let row = dice.row(graph.inputs[0].1, 2.0);
        // Differences grow with the square of the numbers and with every layer.
        assert_near(&graph, &row, 2e-5);
    }

    #[test]
    fn tree_kernels_equal_the_definition(seed: u64) {
        let mut dice = Dice(seed);
        let width = 1 + dice.below(140);
        let graph = of_trees(any_forest(&mut dice, width), width);
        for _ in 0..3 {
            let row = row_with_holes(&mut dice, width);
            assert_near(&graph, &row, 1e-6);
        }
    }

    #[test]
    fn spoiled_files_do_no_harm(
        which in 0usize..5,
        spoils in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let name = ["mlp_32_64_32_3", "logreg", "random_forest", "two_input", "gru_seq32x16_h32"][which];
        let mut bytes = file(&format!("good/{name}.onnx"));
        for (at, byte) in spoils {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(graph) = read(&bytes)
            && let Ok(program) = Program::compile(&graph, Instructions::Widest)
        {
            let rows: Vec<Vec<f32>> = graph.inputs.iter().map(|(_, w)| vec![0.5; *w]).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            let _ = Kernel::new(Arc::new(program)).run(&rows);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }
}
