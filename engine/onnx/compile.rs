//! ONNX bytes to a plan that runs on the caller's thread: parsed, vetted, compiled and tried once. Our own kernels
//! take what they know, tract the rest; which and why is kept to be shown. Before a kernel is taken, it is asked the
//! same rows as tract or, for what tract does not know, as the definition.

use crate::referee::{self, Optimised, cause};
use crate::vet::{self, Fault, Limits, Vetted};
use forecast::kernel::{Instructions, Kernel, Program};
use forecast::naive::TOLERANCE;
use forecast::scaled::Scaled;
use forecast::{Documented, Papers, Plan, Scaling, naive, probe, read};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::Framework;

/// Columns of every model's output.
const ODDS: usize = 3;
/// Rows a kernel and its referee are both asked.
const PROBES: usize = 48;
/// Rows besides the golden ones on which an answer may vary.
const VARIED: usize = 32;
/// Answers nearer to each other than this are the same.
const SAME: f32 = 1e-6;
/// Answers that are not timed, and those that are.
const WARM: usize = 16;
const TIMED: usize = 101;

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Executor {
    /// Our own kernel for dense graphs.
    Dense,
    /// Our own kernel for trees.
    Trees,
    /// The tract library.
    Tract,
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dense => "dense kernel",
            Self::Trees => "tree kernel",
            Self::Tract => "tract",
        })
    }
}

#[derive(Clone)]
enum Code {
    Kernel(Arc<Program>),
    Tract(Optimised),
}

/// A compiled model: cheap to clone, to be shared between threads. Each user spawns a plan of its own.
#[derive(Clone)]
pub struct Compiled {
    code: Code,
    width: usize,
    executor: Executor,
    reason: String,
    input: String,
    scaling: Option<Scaling>,
    papers: Option<Arc<Papers>>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compiled({} features, {}: {})", self.width, self.executor, self.reason)
    }
}

/// Compiles a model that reads `inputs` features. Takes milliseconds: never on a thread that trades.
///
/// # Errors
/// Why the file is not taken. A panic inside the compiler is caught and told as [`Fault::Compile`].
pub fn compile(bytes: &[u8], inputs: usize, limits: &Limits) -> Result<Compiled, Fault> {
    compile_asking(bytes, inputs, limits, &[])
}

/// As [`compile`], with rows of the model's own that its executors are asked besides the usual ones.
///
/// # Errors
/// As there.
pub fn compile_asking(
    bytes: &[u8],
    inputs: usize,
    limits: &Limits,
    rows: &[Vec<f32>],
) -> Result<Compiled, Fault> {
    if bytes.len() > limits.bytes_max {
        return Err(Fault::TooLarge { found: bytes.len(), most: limits.bytes_max });
    }
    if bytes.is_empty() {
        return Err(Fault::Unreadable("it is empty".into()));
    }
    // The compiler is other people's code fed with other people's files: a panic of its must not take us along.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let proto = tract_onnx::onnx()
            .proto_model_for_read(&mut &*bytes)
            .map_err(|e| Fault::Unreadable(cause(&e)))?;
        let compiled = choose(&proto, bytes, inputs, limits, rows)?;
        compiled.smoke_test()?;
        Ok(compiled)
    }));
    caught.unwrap_or_else(|_| Err(Fault::Compile("the compiler panicked".into())))
}

/// Hands a file to tract as it is, without the door: only for the drill that shows what the confined process is for.
///
/// # Errors
/// What tract said, when it came to say it.
pub fn load_blindly(bytes: &[u8]) -> Result<(), String> {
    let onnx = tract_onnx::onnx();
    let proto = onnx.proto_model_for_read(&mut &*bytes).map_err(|e| cause(&e))?;
    referee::optimise_blindly(&onnx, &proto).map_err(|e| cause(&e))
}

fn choose(
    proto: &ModelProto,
    bytes: &[u8],
    inputs: usize,
    limits: &Limits,
    rows: &[Vec<f32>],
) -> Result<Compiled, Fault> {
    let vetted = vet::vet(proto, inputs, limits)?;
    let why = match kernel(bytes, limits) {
        Ok(kernel) => match examine(&kernel, proto, &vetted, limits, rows)? {
            None => return Ok(kernel.compiled(vetted)),
            Some(difference) => difference,
        },
        Err(why) => why,
    };
    match vetted.kernels_only {
        Some(operator) => Err(Fault::KernelsOnly { operator, why }),
        None => {
            let code = Code::Tract(referee::optimise(proto, &vetted, limits)?);
            let (width, input) = (vetted.width, vetted.input);
            let executor = Executor::Tract;
            Ok(Compiled { code, width, executor, reason: why, input, scaling: None, papers: None })
        }
    }
}

/// A graph our kernels take, and what they make of it.
struct Candidate {
    graph: forecast::graph::Graph,
    program: Arc<Program>,
}

fn kernel(bytes: &[u8], limits: &Limits) -> Result<Candidate, String> {
    let graph = read::read(bytes).map_err(|e| e.to_string())?;
    if graph.odds().is_none() {
        return Err("its graph has not one input and one output of three numbers".into());
    }
    if graph.operations() > limits.operations_max {
        return Err(format!("{} operations for one row", graph.operations()));
    }
    let program = Program::compile(&graph, Instructions::Widest).map_err(|e| e.to_string())?;
    Ok(Candidate { graph, program: Arc::new(program) })
}

impl Candidate {
    fn compiled(self, vetted: Vetted) -> Compiled {
        let (executor, judge) = match self.graph.has_trees() {
            true => (Executor::Trees, "the definition of ONNX"),
            false => (Executor::Dense, "tract"),
        };
        let (nodes, operations) = (self.graph.nodes.len(), self.graph.operations());
        let reason = format!(
            "{nodes} operators and {operations} operations, all known to the kernels, which agree with {judge}"
        );
        let (code, Vetted { width, input, .. }) = (Code::Kernel(self.program), vetted);
        Compiled { code, width, executor, reason, input, scaling: None, papers: None }
    }
}

/// How a kernel differs from its referee, if it does: from tract where tract knows the graph, else from the definition.
fn examine(
    candidate: &Candidate,
    proto: &ModelProto,
    vetted: &Vetted,
    limits: &Limits,
    rows: &[Vec<f32>],
) -> Result<Option<String>, Fault> {
    let mut asked = probe::rows(&candidate.graph, PROBES);
    asked.extend(rows.iter().filter(|row| row.len() == vetted.width).cloned());
    let mut kernel = Kernel::new(Arc::clone(&candidate.program));
    if vetted.kernels_only.is_some() {
        return Ok(naive::differs(&candidate.graph, &mut kernel, &asked));
    }
    let mut tract = referee::optimise(proto, vetted, limits)?.spawn()?;
    Ok(asked.iter().find_map(|row| {
        let (mut ours, mut theirs) = ([0.0; ODDS], [0.0; ODDS]);
        let said = (kernel.predict(row, &mut ours), tract.predict(row, &mut theirs));
        let far = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) > TOLERANCE;
        match said {
            (Ok(()), Ok(())) if ours.iter().zip(&theirs).any(far) => {
                Some(format!("the kernel answers {ours:?} where tract answers {theirs:?}"))
            }
            (Ok(()), Ok(())) | (Err(_), Err(_)) => None,
            (Ok(()), Err(e)) => Some(format!("tract does not answer where the kernel does: {e}")),
            (Err(e), Ok(())) => Some(format!("the kernel does not answer where tract does: {e}")),
        }
    }))
}

impl Compiled {
    /// Features a row must have.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What the graph calls its input.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// What runs it.
    pub fn executor(&self) -> Executor {
        self.executor
    }

    /// Why that, in words for whoever brought the model.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The same model behind a scaling of its rows: what its manifest says.
    #[must_use]
    pub fn behind(self, scaling: Option<Scaling>) -> Self {
        Self { scaling, ..self }
    }

    /// The same model with its papers: its plans carry them, and their odds are calibrated.
    #[must_use]
    pub fn documented(self, papers: Papers) -> Self {
        Self { papers: Some(Arc::new(papers)), ..self }
    }

    /// A plan of one's own: its buffers are its alone.
    ///
    /// # Errors
    /// When the executor's state cannot be made.
    pub fn try_spawn(&self) -> Result<Box<dyn Plan>, Fault> {
        let plan: Box<dyn Plan> = match &self.code {
            Code::Kernel(program) => Box::new(Kernel::new(Arc::clone(program))),
            Code::Tract(optimised) => Box::new(optimised.spawn()?),
        };
        let scaled: Box<dyn Plan> = match &self.scaling {
            Some(scaling) => Box::new(Scaled::new(plan, scaling.clone())),
            None => plan,
        };
        Ok(match &self.papers {
            Some(papers) => Box::new(Documented::new(scaled, Arc::clone(papers))),
            None => scaled,
        })
    }

    /// A plan of one's own, of a model that ran when it was compiled.
    pub fn spawn(&self) -> Box<dyn Plan> {
        self.try_spawn().expect("the state was made once already, when the model was compiled")
    }

    /// Asks rows of its own and the given ones: a model that answers all of them alike knows nothing.
    ///
    /// # Errors
    /// The one answer it gives, or why it gives none.
    pub fn check_varies(&self, rows: &[Vec<f32>]) -> Result<(), Fault> {
        let mut plan = self.try_spawn()?;
        let own = (0..VARIED).map(|n| probe::ordinary_row(self.width, n));
        let mut first = None;
        for row in own.chain(rows.iter().cloned()) {
            let said = answer(plan.as_mut(), &row)?;
            let first = *first.get_or_insert(said);
            if first.iter().zip(said).any(|(a, b)| (a - b).abs() > SAME) {
                return Ok(());
            }
        }
        Err(Fault::Constant(format!("{:?}", first.unwrap_or_default())))
    }

    /// The middle of the times one answer takes, in nanoseconds by the clock handed in.
    ///
    /// # Errors
    /// Why it gives no answer.
    pub fn median_answer_ns(&self, rows: &[Vec<f32>], clock_ns: &dyn Fn() -> u64) -> Result<u64, Fault> {
        let mut plan = self.try_spawn()?;
        let mut times = Vec::with_capacity(TIMED);
        for row in rows.iter().cycle().take(WARM + TIMED) {
            let begun = clock_ns();
            answer(plan.as_mut(), row)?;
            times.push(clock_ns().saturating_sub(begun));
        }
        let times = times.get_mut(WARM..).unwrap_or_default();
        times.sort_unstable();
        Ok(times.get(times.len() / 2).copied().unwrap_or(0))
    }

    /// Runs a few rows: the answer is odds and the same twice, and a row does not disturb the next.
    fn smoke_test(&self) -> Result<(), Fault> {
        let mut plan = self.try_spawn()?;
        for scale in [0.0f32, 1.0, -1.0, 100.0] {
            // Any fixed, uneven numbers will do.
            let row: Vec<f32> = (0..self.width).map(|i| scale * (0.1 + (i * 7 % 11) as f32 / 11.0)).collect();
            let first = answer(plan.as_mut(), &row)?;
            let again = answer(plan.as_mut(), &row)?;
            if first.map(f32::to_bits) != again.map(f32::to_bits) {
                return Err(Fault::Answer(format!("{first:?} and then {again:?} to the same row")));
            }
        }
        Ok(())
    }
}

fn answer(plan: &mut dyn Plan, row: &[f32]) -> Result<[f32; ODDS], Fault> {
    let mut odds = [0.0; ODDS];
    plan.predict(row, &mut odds).map_err(|e| Fault::Answer(format!("({e})")))?;
    Ok(odds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::{golden_dir, read};
    use forecast::PlanFault;

    #[test]
    fn good_models_answer_as_they_did_where_they_were_trained() {
        for (name, width) in [("mlp_32_64_32_3", 32), ("logreg", 16)] {
            let compiled = compile(&read(&format!("good/{name}.onnx")), width, &Limits::TABULAR).expect(name);
            assert_eq!(compiled.executor(), Executor::Dense, "{}", compiled.reason());
            let json = read(&format!("good/{name}.golden.json"));
            let golden = forecast::Golden::parse(&json, width).expect("golden rows");
            let (mut one, mut other) = (compiled.spawn(), compiled.clone().spawn());
            let mut odds = [0.0; 3];
            for row in &golden.rows {
                for plan in [&mut one, &mut other] {
                    plan.predict(&row.features, &mut odds).expect("right width");
                    for (p, wanted) in odds.iter().zip(row.odds) {
                        assert!((p - wanted).abs() <= 1e-5, "{name}: {odds:?} {:?}", row.odds);
                    }
                }
            }
            let short = one.predict(&golden.rows[0].features[1..], &mut odds);
            assert_eq!(short, Err(PlanFault::Width { found: width - 1, wanted: width }));
        }
    }

    fn in_tract(proto: &ModelProto) -> Result<Optimised, Fault> {
        referee::optimise(proto, &vet::vet(proto, 32, &Limits::TABULAR)?, &Limits::TABULAR)
    }

    #[test]
    fn tract_answers_the_reference_rows_as_well() {
        let proto =
            tract_onnx::onnx().proto_model_for_read(&mut &*read("good/mlp_32_64_32_3.onnx")).expect("good");
        let mut plan = in_tract(&proto).expect("good").spawn().expect("a state");
        let golden =
            forecast::Golden::parse(&read("good/mlp_32_64_32_3.golden.json"), 32).expect("golden rows");
        let mut odds = [0.0; 3];
        for row in &golden.rows {
            plan.predict(&row.features, &mut odds).expect("right width");
            assert!(odds.iter().zip(row.odds).all(|(p, wanted)| (p - wanted).abs() <= 1e-5));
        }
    }

    #[test]
    fn trees_run_on_the_tree_kernel() {
        for (name, width) in [("lightgbm_3class", 24), ("random_forest", 10)] {
            let compiled = compile(&read(&format!("good/{name}.onnx")), width, &Limits::TABULAR).expect(name);
            assert_eq!(compiled.executor(), Executor::Trees, "{}", compiled.reason());
            assert!(compiled.reason().contains("the definition"), "{}", compiled.reason());
            let mut odds = [0.0; 3];
            compiled.spawn().predict(&vec![0.25; width], &mut odds).expect("odds");
        }
    }

    /// The committed models, through the kernel, against tract and their golden rows.
    #[test]
    fn shipped_models_run_on_the_dense_kernel() {
        let root = golden_dir().join("../../../models");
        let mut seen = 0;
        for entry in std::fs::read_dir(root).expect("models").flatten().filter(|e| e.path().is_dir()) {
            let version = std::fs::read_dir(entry.path()).expect("versions").flatten().next().expect("one");
            // Every check of a load, the schema and the comparison with tract among them.
            let loaded = crate::load_dir(&version.path()).expect("sound");
            let compiled = &loaded.compiled;
            assert_eq!(compiled.executor(), Executor::Dense, "{}", compiled.reason());
            assert!(loaded.manifest.scaling.is_some(), "training fits a scaling");
            let json = std::fs::read(version.path().join("golden.json")).expect("golden.json");
            let golden = forecast::Golden::parse(&json, loaded.manifest.features.len()).expect("golden rows");
            let mut plan = compiled.spawn();
            let mut odds = [0.0; 3];
            for row in &golden.rows {
                plan.predict(&row.features, &mut odds).expect("right width");
                assert!(odds.iter().zip(row.odds).all(|(p, wanted)| (p - wanted).abs() <= 1e-5));
            }
            seen += 1;
        }
        assert!(seen >= 10, "{seen}");
    }

    #[test]
    fn what_the_kernels_do_not_take_goes_to_tract() {
        // Between what tract counts of this model, products alone, and what the kernels count.
        let limits = Limits { operations_max: 4_500, ..Limits::TABULAR };
        let compiled = compile(&read("good/mlp_32_64_32_3.onnx"), 32, &limits).expect("tract takes it");
        assert_eq!((compiled.executor(), compiled.width()), (Executor::Tract, 32));
        assert!(compiled.reason().contains("operations for one row"), "{}", compiled.reason());
        let golden =
            forecast::Golden::parse(&read("good/mlp_32_64_32_3.golden.json"), 32).expect("golden rows");
        let (mut plan, mut odds) = (compiled.spawn(), [0.0; 3]);
        plan.predict(&golden.rows[0].features, &mut odds).expect("right width");
        assert!(odds.iter().zip(golden.rows[0].odds).all(|(p, wanted)| (p - wanted).abs() <= 1e-5));
    }

    #[test]
    fn trees_in_a_graph_the_kernels_do_not_take_are_refused() {
        let mut bytes = read("good/lightgbm_3class.onnx");
        let name = b"\x22\x03Mul";
        let at = bytes.windows(name.len()).position(|w| w == name).expect("a product");
        bytes[at..at + name.len()].copy_from_slice(b"\x22\x03Max");
        let said = compile(&bytes, 24, &Limits::TABULAR).expect_err("no executor").to_string();
        assert!(said.contains("TreeEnsembleClassifier") && said.contains("Max"), "{said}");
    }

    #[test]
    fn plans_travel_between_threads() {
        fn assert_shared<T: Clone + Send + Sync>() {}
        assert_shared::<Compiled>();
    }

    /// What each bad file of the reference set is refused for. The four that are refused only by their
    /// checksum or not at all are named here with the reason.
    #[test]
    fn bad_models_are_refused_with_a_reason() {
        let passes = [
            // Flipped bytes in the weights still compute: only the manifest's checksum tells.
            "bit_flips",
            // Inputs are bound by position: the name is free.
            "wrong_input_name",
            // A constant answer is a poor model, not a broken one: scoring shows it.
            "constant_output",
        ];
        let mut seen = 0;
        for entry in std::fs::read_dir(golden_dir().join("bad")).expect("golden files") {
            let path = entry.expect("entry").path();
            let name = path.file_stem().and_then(|s| s.to_str()).expect("name").to_string();
            let said = compile(&std::fs::read(&path).expect("file"), 32, &Limits::TABULAR);
            println!("{name}: {}", said.as_ref().map_or_else(ToString::to_string, |_| "taken".into()));
            assert_eq!(said.is_ok(), passes.contains(&name.as_str()), "{name}: {said:?}");
            assert!(!matches!(&said, Err(Fault::Compile(why)) if why.contains("panicked")), "{name}");
            seen += 1;
        }
        assert!(seen >= 34, "{seen}");
    }

    #[test]
    fn a_file_too_large_is_not_read() {
        let limits = Limits { bytes_max: 10, ..Limits::TABULAR };
        assert!(matches!(compile(&[0; 11], 32, &limits), Err(Fault::TooLarge { found: 11, most: 10 })));
    }

    /// The good model with two operators put before it, which multiply the row by a tall column and then by
    /// itself turned around: a small file that asks for much.
    #[test]
    fn a_small_file_that_asks_for_much_is_refused_before_it_runs() {
        use tract_onnx::pb::{NodeProto, TensorProto, tensor_proto::DataType};
        let bytes = read("good/mlp_32_64_32_3.onnx");
        let mut proto = tract_onnx::onnx().proto_model_for_read(&mut &*bytes).expect("good");
        let graph = proto.graph.as_mut().expect("a graph");
        let column = TensorProto {
            name: "column".into(),
            dims: vec![10_000, 1],
            data_type: DataType::Float as i32,
            float_data: vec![1.0; 10_000],
            ..TensorProto::default()
        };
        graph.initializer.push(column);
        let node = NodeProto {
            op_type: "Mul".into(),
            input: vec!["features".into(), "column".into()],
            output: vec!["tall".into()],
            ..NodeProto::default()
        };
        graph.node.insert(0, node);
        graph.node[1].input[0] = "tall".into();
        let said = in_tract(&proto).map(|_| ()).expect_err("too much").to_string();
        assert!(said.contains("320000") || said.contains("[10000, 32]"), "{said}");

        let slow = Limits { operations_max: 4_000, ..Limits::TABULAR };
        let said = compile(&bytes, 32, &slow).expect_err("too slow").to_string();
        assert!(said.contains("4192 operations") || said.contains("operations"), "{said}");
    }
}
