//! Graphs compiled to kernels: dead parts left out, scalings folded into the layers before them, activations into
//! the layers that make their input, weights packed in the order they are read, and all rows in one buffer that is
//! made once. Running allocates nothing.

use crate::graph::{Binary, Graph, GraphFault, Norm, Op, Reduction, Unary};
use crate::lanes::{self, PAD};
use crate::plan::{Plan, PlanFault, check_odds};
use crate::trees::{Packed, Scratch};
use pulp::{Arch, Simd, WithSimd};
use std::sync::Arc;

/// Alignment of the buffer in bytes: a cache line, and the widest register.
const ALIGNMENT: usize = 64;

/// Most outputs of a layer that are computed one by one: a register of outputs would be mostly empty.
const DOTS_MAX: usize = 4;

/// Which instructions a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// The widest this machine has: AVX-512, AVX2 with FMA, NEON, or none.
    Widest,
    /// AVX2 with FMA at most.
    Avx2,
    /// Those every machine has.
    Portable,
}

impl Instructions {
    /// What of it this machine has.
    fn arch(self) -> Arch {
        match self {
            Self::Portable => Arch::Scalar,
            Self::Widest => Arch::new(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().map_or(Arch::Scalar, Arch::V3),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => Arch::Scalar,
        }
    }
}

/// Numbers that begin at a cache line: otherwise every second load, or every one of 64 bytes, takes two lines.
#[derive(Debug)]
struct Aligned {
    numbers: Vec<f32>,
    start: usize,
}

impl Aligned {
    fn of(numbers: &[f32]) -> Self {
        let mut held = vec![0.0f32; numbers.len() + ALIGNMENT / 4];
        // Without an aligned place they stand where they are: slower, not wrong.
        let start = held.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT / 4);
        held[start..start + numbers.len()].copy_from_slice(numbers);
        held.truncate(start + numbers.len());
        Self { numbers: held, start }
    }

    fn get(&self) -> &[f32] {
        &self.numbers[self.start..]
    }

    fn get_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[self.start..]
    }
}

/// Where a row is in the buffer.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    width: usize,
}

impl Place {
    const fn end(self) -> usize {
        self.start + self.width.next_multiple_of(PAD)
    }
}

/// A dense layer's weights, tile after tile; without tiles, output by output.
#[derive(Debug)]
struct Layer {
    tiles: Vec<Tile>,
    /// Weights of all tiles; within one, input by input.
    weights: Aligned,
    bias: Vec<f32>,
    then: Option<Unary>,
}

/// Some registers of outputs that are computed together.
#[derive(Clone, Copy, Debug)]
struct Tile {
    registers: usize,
    weights: usize,
    output: usize,
}

#[derive(Debug)]
enum Step {
    Dense(Layer),
    Scale([Vec<f32>; 3]),
    Apply(Unary),
    Combine(Binary),
    LayerNorm(f32, [Vec<f32>; 2]),
    Softmax { is_log: bool },
    SoftmaxZero,
    Normalize(Norm),
    Reduce(Reduction),
    Concat,
    Trees(Packed),
}

#[derive(Debug)]
struct Stage {
    step: Step,
    reads: Vec<Place>,
    makes: Place,
}

/// A compiled graph without its buffers, to be shared.
#[derive(Debug)]
pub struct Program {
    arch: Arch,
    stages: Vec<Stage>,
    inputs: Vec<Place>,
    outputs: Vec<Place>,
    /// Numbers in the buffer.
    size: usize,
    /// What the largest forest needs.
    scratch: Scratch,
    /// Trees take NaN for missing; layers must not, as some functions would swallow it.
    takes_missing: bool,
}

impl Program {
    /// Compiles a graph.
    ///
    /// # Errors
    /// When the graph does not fit together.
    pub fn compile(graph: &Graph, instructions: Instructions) -> Result<Self, GraphFault> {
        graph.check()?;
        let graph = fold(graph.clone());
        let arch = instructions.arch();
        let lanes = arch.dispatch(Lanes);
        let (live, readers) = (live(&graph), readers(&graph));
        let mut places: Vec<Place> = Vec::new();
        let mut end = 0;
        let widths = graph.inputs.iter().map(|(_, w)| *w).chain(graph.nodes.iter().map(|n| n.width));
        for (value, width) in widths.enumerate() {
            let place = Place { start: end, width };
            // What nobody reads gets a place of no size that is never used.
            end = if value < graph.inputs.len() || live[value] { place.end() } else { end };
            places.push(place);
        }
        let mut program = Self {
            arch,
            stages: Vec::new(),
            inputs: places[..graph.inputs.len()].to_vec(),
            outputs: graph.outputs.iter().map(|(_, value)| places[*value]).collect(),
            size: end,
            scratch: Scratch::default(),
            takes_missing: graph.has_trees(),
        };
        for (i, node) in graph.nodes.into_iter().enumerate() {
            let value = program.inputs.len() + i;
            if !live[value] {
                continue;
            }
            let reads: Vec<Place> = node.reads.iter().map(|r| places[*r]).collect();
            let fault = |what| GraphFault { node: i, what };
            let step = program.step(node.op, node.width, lanes).map_err(fault)?;
            let is_only = node.reads.len() == 1 && readers[node.reads[0]] == 1;
            program.add(Stage { step, reads, makes: places[value] }, is_only);
        }
        Ok(program)
    }

    fn step(&mut self, op: Op, width: usize, lanes: usize) -> Result<Step, String> {
        let padded = |mut row: Vec<f32>| {
            row.resize(width.next_multiple_of(PAD), 0.0);
            row
        };
        Ok(match op {
            Op::Affine { weights, bias } => Step::Dense(pack(&weights, &bias, lanes)),
            Op::Scale { sub, mul, add } => Step::Scale([padded(sub), padded(mul), padded(add)]),
            Op::Apply(f) => Step::Apply(f),
            Op::Combine(f) => Step::Combine(f),
            Op::LayerNorm { epsilon, scale, shift } => {
                Step::LayerNorm(epsilon, [padded(scale), padded(shift)])
            }
            Op::Softmax => Step::Softmax { is_log: false },
            Op::LogSoftmax => Step::Softmax { is_log: true },
            Op::SoftmaxZero => Step::SoftmaxZero,
            Op::Normalize(norm) => Step::Normalize(norm),
            Op::Reduce(f) => Step::Reduce(f),
            Op::Concat => Step::Concat,
            Op::Trees(forest) => {
                let packed = Packed::of(&forest, self.arch)?;
                self.scratch.grow(&packed);
                Step::Trees(packed)
            }
        })
    }

    /// Adds a stage; a function of what the layer before it makes goes into that layer, when nobody else reads it.
    fn add(&mut self, stage: Stage, is_only_reader: bool) {
        if let (Step::Apply(f), [from]) = (&stage.step, stage.reads.as_slice())
            && is_only_reader
            && let Some(Stage { step: Step::Dense(layer), makes, .. }) = self.stages.last_mut()
            && makes.start == from.start
            && layer.then.is_none()
        {
            layer.then = Some(*f);
            *makes = stage.makes;
            return;
        }
        self.stages.push(stage);
    }
}

/// How many numbers a register holds.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> usize {
        lanes::lanes::<S>()
    }
}

/// Which values something in the end comes from.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.inputs.len() + graph.nodes.len()];
    for (_, value) in &graph.outputs {
        live[*value] = true;
    }
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        if live[graph.inputs.len() + i] {
            node.reads.iter().for_each(|r| live[*r] = true);
        }
    }
    live
}

/// How often each value is read, outputs included.
fn readers(graph: &Graph) -> Vec<usize> {
    let mut readers = vec![0; graph.inputs.len() + graph.nodes.len()];
    let values =
        graph.nodes.iter().flat_map(|n| &n.reads).chain(graph.outputs.iter().map(|(_, value)| value));
    values.for_each(|value| readers[*value] += 1);
    readers
}

/// Scalings into the layers before them, in double precision. Not into layers after them: a mean taken away first
/// is exact, taken away from a sum of products it is not.
fn fold(mut graph: Graph) -> Graph {
    let first = graph.inputs.len();
    for i in 0..graph.nodes.len() {
        let readers = readers(&graph);
        let (before, after) = graph.nodes.split_at_mut(i);
        let node = &mut after[0];
        let (Op::Scale { sub, mul, add }, [from]) = (&node.op, node.reads.as_slice()) else { continue };
        let from = *from;
        let Some(source) = from.checked_sub(first) else { continue };
        let Op::Affine { weights, bias } = &before[source].op else { continue };
        if readers[from] != 1 {
            continue;
        }
        let wide = |x: f32| f64::from(x);
        let width = bias.len();
        let weights =
            weights.iter().enumerate().map(|(at, w)| (wide(*w) * wide(mul[at % width])) as f32).collect();
        let bias = (0..width)
            .map(|o| ((wide(bias[o]) - wide(sub[o])) * wide(mul[o]) + wide(add[o])) as f32)
            .collect();
        node.op = Op::Affine { weights, bias };
        node.reads = before[source].reads.clone();
    }
    graph
}

/// Packs a layer for registers of `lanes` numbers.
fn pack(weights: &[f32], bias: &[f32], lanes: usize) -> Layer {
    let outputs = bias.len();
    let inputs = weights.len() / outputs;
    let (rows, padded) = (inputs.next_multiple_of(PAD), outputs.next_multiple_of(PAD));
    let mut padded_bias = bias.to_vec();
    padded_bias.resize(padded, 0.0);
    let mut tiles = Vec::new();
    let mut packed = Vec::new();
    if outputs <= DOTS_MAX {
        packed = vec![0.0; outputs * rows];
        for (at, w) in weights.iter().enumerate() {
            packed[at % outputs * rows + at / outputs] = *w;
        }
    }
    let mut output = 0;
    while outputs > DOTS_MAX && output < padded {
        let left = (padded - output) / lanes;
        // Narrow registers need more sums at once to keep the multipliers busy.
        let most = if lanes >= 16 { 4 } else { 8 };
        let registers = [8, 4, 2, 1].into_iter().find(|r| *r <= left.min(most)).unwrap_or(1);
        tiles.push(Tile { registers, weights: packed.len(), output });
        for i in 0..rows {
            packed.extend((output..output + registers * lanes).map(|o| {
                let is_there = i < inputs && o < outputs;
                if is_there { weights[i * outputs + o] } else { 0.0 }
            }));
        }
        output += registers * lanes;
    }
    Layer { tiles, weights: Aligned::of(&packed), bias: padded_bias, then: None }
}

/// A program with buffers of its own.
#[derive(Debug)]
pub struct Kernel {
    program: Arc<Program>,
    rows: Aligned,
    scratch: Scratch,
}

impl Kernel {
    /// Buffers for a program.
    pub fn new(program: Arc<Program>) -> Self {
        let (rows, scratch) = (Aligned::of(&vec![0.0; program.size]), program.scratch.clone());
        Self { program, rows, scratch }
    }

    /// Runs one row per input.
    ///
    /// # Errors
    /// When the rows do not fit, or a number is not finite where no tree takes it for missing.
    pub fn run(&mut self, inputs: &[&[f32]]) -> Result<(), PlanFault> {
        let Self { program, rows, scratch } = self;
        let (given, wanted) = (inputs.len(), program.inputs.len());
        if given != wanted {
            return Err(PlanFault::Width { found: given, wanted });
        }
        let rows = rows.get_mut();
        for (place, row) in program.inputs.iter().zip(inputs) {
            if row.len() != place.width {
                return Err(PlanFault::Width { found: row.len(), wanted: place.width });
            }
            rows[place.start..place.start + place.width].copy_from_slice(row);
        }
        match program.arch.dispatch(Run { program, rows, scratch }) {
            true => Ok(()),
            false => Err(PlanFault::NotOdds([f32::NAN; 3])),
        }
    }

    /// What the last run gave for an output; empty when there is no such output.
    pub fn output(&self, index: usize) -> &[f32] {
        let place = self.program.outputs.get(index);
        place.map_or(&[], |p| &self.rows.get()[p.start..p.start + p.width])
    }
}

impl Plan for Kernel {
    fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
        self.run(&[features])?;
        let odds = self.output(0);
        *out = odds.try_into().map_err(|_| PlanFault::Run)?;
        check_odds(out)
    }
}

struct Run<'a> {
    program: &'a Program,
    rows: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl WithSimd for Run<'_> {
    /// False when a number that must be finite is not.
    type Output = bool;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        let inputs = self.program.inputs.last().map_or(0, |p| p.end());
        if !self.program.takes_missing && !lanes::is_finite(simd, &self.rows[..inputs]) {
            return false;
        }
        for stage in &self.program.stages {
            // A stage's row lies behind all it reads.
            let (before, rest) = self.rows.split_at_mut(stage.makes.start);
            let out = &mut rest[..stage.makes.end() - stage.makes.start];
            run_stage(simd, stage, before, out, self.scratch);
        }
        true
    }
}

#[inline(always)]
fn run_stage<S: Simd>(simd: S, stage: &Stage, before: &[f32], out: &mut [f32], scratch: &mut Scratch) {
    let width = stage.makes.width;
    let row = |at: usize| stage.reads.get(at).map_or(&[][..], |p| &before[p.start..p.end()]);
    match &stage.step {
        Step::Dense(layer) => run_layer(simd, layer, row(0), out, width),
        Step::Scale([sub, mul, add]) => lanes::scale(simd, [sub, mul, add], row(0), out),
        Step::Apply(f) => lanes::apply(simd, *f, row(0), out, width),
        Step::Combine(f) => {
            let side = |at: usize| (row(at), stage.reads[at].width == 1);
            lanes::combine(simd, *f, [side(0), side(1)], out, width);
        }
        Step::LayerNorm(epsilon, [scale, shift]) => {
            lanes::layer_norm(simd, *epsilon, [scale, shift], row(0), out, width);
        }
        Step::Softmax { is_log } => lanes::softmax(simd, *is_log, row(0), out, width),
        Step::SoftmaxZero => lanes::softmax_zero(row(0), out, width),
        Step::Normalize(norm) => lanes::normalize(simd, *norm, row(0), out, width),
        Step::Reduce(f) => out[0] = lanes::reduce(simd, *f, row(0), stage.reads[0].width),
        Step::Concat => {
            let mut at = 0;
            for (i, place) in stage.reads.iter().enumerate() {
                out[at..at + place.width].copy_from_slice(&row(i)[..place.width]);
                at += place.width;
            }
        }
        Step::Trees(packed) => packed.score(row(0), scratch, &mut out[..width]),
    }
}

#[inline(always)]
fn run_layer<S: Simd>(simd: S, layer: &Layer, x: &[f32], out: &mut [f32], width: usize) {
    if layer.tiles.is_empty() {
        lanes::dots(simd, layer.weights.get(), &layer.bias, x, out, width);
    }
    for tile in &layer.tiles {
        let count = tile.registers * lanes::lanes::<S>();
        let outputs = tile.output..tile.output + count;
        let weights = &layer.weights.get()[tile.weights..tile.weights + x.len() * count];
        let (bias, out) = (&layer.bias[outputs.clone()], &mut out[outputs]);
        match tile.registers {
            8 => lanes::tile::<S, 8, 1>(simd, weights, bias, x, out),
            4 => lanes::tile::<S, 4, 2>(simd, weights, bias, x, out),
            2 => lanes::tile::<S, 2, 4>(simd, weights, bias, x, out),
            _ => lanes::tile::<S, 1, 8>(simd, weights, bias, x, out),
        }
    }
    if let Some(f) = layer.then {
        lanes::apply_here(simd, f, out, width);
    }
}
