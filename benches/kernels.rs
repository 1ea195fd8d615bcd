//! What our own kernels take for a row, on one thread: a dense network, ten of them, and a forest as LightGBM makes
//! them (3 x 100 trees of 31 leaves) on rows that change. The portable kernels of the same run are the baseline, and
//! so is onnxruntime when `WINGSPREAD_PYTHON` names a Python that has it (see `tools/python/reference_models.py`).

use criterion::{Criterion, criterion_group, criterion_main};
use forecast::Plan;
use forecast::forest::{Aggregate, Forest, Mode, TreeNode};
use forecast::graph::{Graph, Node, Op};
use forecast::kernel::{Instructions, Kernel, Program};
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;

const EVERY: [Instructions; 3] = [Instructions::Widest, Instructions::Avx2, Instructions::Portable];
/// Rows that are asked in turn: too many for the branch predictor to learn.
const ROWS: usize = 4096;

/// Numbers that are the same for the same seed (splitmix64), between -1 and 1.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

fn rows(width: usize) -> Vec<Vec<f32>> {
    let mut dice = Dice(1);
    (0..ROWS).map(|_| (0..width).map(|_| dice.real()).collect()).collect()
}

fn kernel(graph: &Graph, instructions: Instructions) -> Kernel {
    Kernel::new(Arc::new(Program::compile(graph, instructions).expect("a graph that fits")))
}

fn dense(c: &mut Criterion) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/onnx/good/mlp_32_64_32_3.onnx");
    let graph =
        forecast::read::read(&std::fs::read(path).expect("golden file in the repository")).expect("good");
    let rows = rows(32);
    let mut group = c.benchmark_group("mlp 32-64-32-3");
    for instructions in EVERY {
        let mut ten: Vec<Kernel> = (0..10).map(|_| kernel(&graph, instructions)).collect();
        let mut out = [0.0; 3];
        let mut at = 0;
        group.bench_function(format!("one, {instructions:?}"), |b| {
            b.iter(|| {
                at = (at + 1) % ROWS;
                ten[0].predict(black_box(&rows[at]), &mut out)
            });
        });
        group.bench_function(format!("ten, {instructions:?}"), |b| {
            b.iter(|| {
                at = (at + 1) % ROWS;
                for plan in &mut ten {
                    // A fault would show in the tests; here only the time matters.
                    let _ = plan.predict(black_box(&rows[at]), &mut out);
                }
            });
        });
    }
    group.finish();
}

/// A tree grown leaf by leaf, as LightGBM does: any leaf splits next.
fn grow(dice: &mut Dice, forest: &mut Forest, leaves: usize, target: usize) {
    let at = forest.nodes.len();
    if leaves == 1 {
        forest.weights.push((target, 0.02 * dice.real()));
        forest.nodes.push(TreeNode::Leaf { from: forest.weights.len() - 1, to: forest.weights.len() });
        return;
    }
    let feature = (dice.next() % 24) as usize;
    let mut branch = (0, 0);
    let threshold = f64::from(dice.real());
    let node =
        |(yes, no)| TreeNode::Branch { feature, mode: Mode::Leq, threshold, missing_is_yes: true, yes, no };
    forest.nodes.push(node(branch));
    let left = 1 + (dice.next() % (leaves as u64 - 1)) as usize;
    branch.0 = forest.nodes.len();
    grow(dice, forest, left, target);
    branch.1 = forest.nodes.len();
    grow(dice, forest, leaves - left, target);
    forest.nodes[at] = node(branch);
}

fn boosted() -> Graph {
    let (roots, nodes, weights) = (vec![], vec![], vec![]);
    let mut forest =
        Forest { targets: 3, base: vec![0.0; 3], aggregate: Aggregate::Sum, roots, nodes, weights };
    let mut dice = Dice(2);
    for tree in 0..300 {
        forest.roots.push(forest.nodes.len());
        grow(&mut dice, &mut forest, 31, tree % 3);
    }
    Graph {
        inputs: vec![("x".into(), 24)],
        nodes: vec![
            Node { op: Op::Trees(forest), reads: vec![0], width: 3 },
            Node { op: Op::Softmax, reads: vec![1], width: 3 },
        ],
        outputs: vec![("odds".into(), 2)],
    }
}

fn trees(c: &mut Criterion) {
    let graph = boosted();
    let rows = rows(24);
    let mut group = c.benchmark_group("3 x 100 trees of 31 leaves");
    for instructions in EVERY {
        let mut kernel = kernel(&graph, instructions);
        let mut out = [0.0; 3];
        let mut at = 0;
        group.bench_function(format!("rotating rows, {instructions:?}"), |b| {
            b.iter(|| {
                at = (at + 1) % ROWS;
                kernel.predict(black_box(&rows[at]), &mut out)
            });
        });
    }
    group.finish();
}

/// onnxruntime's own times, from Python: its call overhead there is told by a graph of one Relu of one number.
fn onnxruntime(c: &mut Criterion) {
    let Some(python) = std::env::var_os("WINGSPREAD_PYTHON") else {
        println!("onnxruntime: set WINGSPREAD_PYTHON to have it in the same run");
        return;
    };
    let folder = std::env::temp_dir().join(format!("wingspread-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/python/reference_models.py");
    let done =
        Command::new(python).args([script, "--bench"]).arg(&folder).output().expect("the interpreter starts");
    println!("onnxruntime, ns a row from Python:\n{}", String::from_utf8_lossy(&done.stdout));
    if let Ok(bytes) = std::fs::read(folder.join("lightgbm.onnx")) {
        let mut kernel =
            kernel(&forecast::read::read(&bytes).expect("a LightGBM model"), Instructions::Widest);
        let (rows, mut out, mut at) = (rows(24), [0.0; 3], 0);
        c.bench_function("LightGBM's own 3 x 100 trees, rotating rows", |b| {
            b.iter(|| {
                at = (at + 1) % ROWS;
                kernel.predict(black_box(&rows[at]), &mut out)
            });
        });
    }
    // What is left there is small and in the system's temporary folder.
    let _ = std::fs::remove_dir_all(&folder);
}

criterion_group!(benches, dense, trees, onnxruntime);
criterion_main!(benches);
