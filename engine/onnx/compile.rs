//! ONNX bytes to a plan that runs on the caller's thread: parsed, vetted, optimised and tried once.

use crate::vet::{self, Fault, Limits, Vetted};
use forecast::plan::check_odds;
use forecast::{Plan, PlanFault};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::{DimLike, IntoTValue, TypedSimpleState};

/// Columns of every model's output.
const ODDS: usize = 3;

/// An optimised model: cheap to clone, to be shared between threads. Each user spawns a plan of its own.
#[derive(Clone)]
pub struct Compiled {
    plan: Arc<TypedSimplePlan>,
    width: usize,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compiled({} features)", self.width)
    }
}

/// Compiles a model that reads `inputs` features. Takes milliseconds: never on a thread that trades.
///
/// # Errors
/// Why the file is not taken. A panic inside the compiler is caught and told as [`Fault::Compile`].
pub fn compile(bytes: &[u8], inputs: usize, limits: &Limits) -> Result<Compiled, Fault> {
    if bytes.len() > limits.bytes_max {
        return Err(Fault::TooLarge { found: bytes.len(), most: limits.bytes_max });
    }
    if bytes.is_empty() {
        return Err(Fault::Unreadable("it is empty".into()));
    }
    // The compiler is other people's code fed with other people's files: a panic of its must not take us along.
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let compiled = optimise(bytes, inputs, limits)?;
        compiled.smoke_test()?;
        Ok(compiled)
    }));
    caught.unwrap_or_else(|_| Err(Fault::Compile("the compiler panicked".into())))
}

fn optimise(bytes: &[u8], inputs: usize, limits: &Limits) -> Result<Compiled, Fault> {
    let proto =
        tract_onnx::onnx().proto_model_for_read(&mut &*bytes).map_err(|e| Fault::Unreadable(cause(&e)))?;
    optimise_proto(&proto, inputs, limits)
}

fn optimise_proto(
    proto: &tract_onnx::pb::ModelProto,
    inputs: usize,
    limits: &Limits,
) -> Result<Compiled, Fault> {
    let Vetted { width, output } = vet::vet(proto, inputs, limits)?;
    let failed = |e| Fault::Compile(cause(&e));
    let typed = typed_model(proto, width, output).map_err(failed)?;
    check_size(&typed, limits)?;
    let plan = optimised_plan(typed).map_err(failed)?;
    Ok(Compiled { plan, width })
}

/// The graph for one row, every shape known, nothing computed but constants.
fn typed_model(proto: &tract_onnx::pb::ModelProto, width: usize, output: usize) -> TractResult<TypedModel> {
    let onnx = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    let mut model = onnx.model_for_proto_model(proto)?;
    let odds = model.output_outlets()?[output];
    model.select_output_outlets(&[odds])?;
    model.with_input_fact(0, f32::fact([1, width]).into())?.into_typed()
}

/// A small file can ask for much: two weights broadcast against each other make their product of numbers. So what one
/// row needs is counted before anything runs.
fn check_size(model: &TypedModel, limits: &Limits) -> Result<(), Fault> {
    let unknown =
        || Fault::Contract("the shapes are not all known for one row; fix them when exporting".into());
    let mut operations = 0usize;
    for node in model.nodes() {
        for output in &node.outputs {
            let shape = output.fact.shape.as_concrete().ok_or_else(unknown)?;
            let elements = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).unwrap_or(usize::MAX);
            // Weights are bounded by the file's size.
            if elements > limits.elements_max && output.fact.konst.is_none() {
                return Err(Fault::Contract(format!(
                    "`{}` makes {shape:?} numbers for one row, more than {}; simplify",
                    node.name, limits.elements_max
                )));
            }
        }
        let facts = model.node_input_facts(node.id).map_err(|e| Fault::Compile(cause(&e)))?;
        let costs = node.op.cost(&facts).map_err(|e| Fault::Compile(cause(&e)))?;
        for (_, count) in costs.iter().filter(|(kind, _)| kind.is_compute()) {
            operations = operations.saturating_add(count.to_usize().map_err(|_| unknown())?);
        }
    }
    if operations <= limits.operations_max {
        return Ok(());
    }
    Err(Fault::Contract(format!(
        "{operations} operations for one row, more than {}; use a smaller model",
        limits.operations_max
    )))
}

fn optimised_plan(model: TypedModel) -> TractResult<Arc<TypedSimplePlan>> {
    let model = model.into_optimized()?;
    let fact = model.output_fact(0)?;
    let shape = fact.shape.as_concrete();
    if fact.datum_type != f32::datum_type() || shape != Some([1, ODDS].as_slice()) {
        return Err(TractError::msg(format!("the output is {fact:?}, not 1 x {ODDS} float32")));
    }
    model.into_runnable()
}

/// The innermost reason, on one line and cut.
fn cause(error: &TractError) -> String {
    let text = error.chain().last().map(ToString::to_string).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

impl Compiled {
    /// Features a row must have.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A plan of one's own: its buffers are its alone. `Err` when the executor cannot start.
    ///
    /// # Errors
    /// When the executor's state cannot be made.
    pub fn try_spawn(&self) -> Result<Box<dyn Plan>, Fault> {
        Ok(Box::new(self.tract_plan()?))
    }

    /// A plan of one's own, of a model that ran when it was compiled.
    pub fn spawn(&self) -> Box<dyn Plan> {
        Box::new(self.tract_plan().expect("the state was made once already, when the model was compiled"))
    }

    fn tract_plan(&self) -> Result<TractPlan, Fault> {
        let state = self.plan.spawn().map_err(|e| Fault::Compile(cause(&e)))?;
        Ok(TractPlan { state, row: blank_row(self.width) })
    }

    /// Runs a few rows: the answer is odds and the same twice, and a row does not disturb the next.
    fn smoke_test(&self) -> Result<(), Fault> {
        let mut plan = self.tract_plan()?;
        for scale in [0.0f32, 1.0, -1.0, 100.0] {
            // Any fixed, uneven numbers will do.
            let row: Vec<f32> = (0..self.width).map(|i| scale * (0.1 + (i * 7 % 11) as f32 / 11.0)).collect();
            let first = answer(&mut plan, &row)?;
            let again = answer(&mut plan, &row)?;
            if first.map(f32::to_bits) != again.map(f32::to_bits) {
                return Err(Fault::Answer(format!("{first:?} and then {again:?} to the same row")));
            }
        }
        Ok(())
    }
}

fn answer(plan: &mut TractPlan, row: &[f32]) -> Result<[f32; ODDS], Fault> {
    let mut odds = [0.0; ODDS];
    plan.predict(row, &mut odds).map_err(|e| Fault::Answer(format!("({e})")))?;
    Ok(odds)
}

fn blank_row(width: usize) -> Arc<Tensor> {
    let row = tract_onnx::tract_hir::internal::tensor1(&vec![0.0f32; width]);
    // A flat vector is always a row of itself.
    Arc::new(row.into_shape(&[1, width]).expect("1 x width has as many elements as width"))
}

/// One spawned state and its input, written in place.
struct TractPlan {
    state: TypedSimpleState,
    row: Arc<Tensor>,
}

impl TractPlan {
    fn write_row(&mut self, features: &[f32]) -> TractResult<()> {
        if Arc::get_mut(&mut self.row).is_none() {
            // The executor kept the last row: leave it that one and take another.
            self.row = blank_row(features.len());
        }
        let row = Arc::get_mut(&mut self.row).ok_or_else(|| TractError::msg("the row is shared"))?;
        row.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?.copy_from_slice(features);
        Ok(())
    }

    fn run(&mut self, features: &[f32], out: &mut [f32; ODDS]) -> TractResult<()> {
        self.write_row(features)?;
        let outputs = self.state.run(tvec![Arc::clone(&self.row).into_tvalue()])?;
        let odds = outputs.first().ok_or_else(|| TractError::msg("no output"))?;
        let view = odds.try_as_plain_ram()?;
        let odds = view.as_slice::<f32>()?;
        if odds.len() != ODDS {
            return Err(TractError::msg("not three odds"));
        }
        out.copy_from_slice(odds);
        Ok(())
    }
}

impl Plan for TractPlan {
    fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
        let wanted = self.row.len();
        if features.len() != wanted {
            return Err(PlanFault::Width { found: features.len(), wanted });
        }
        self.run(features, out).map_err(|_| PlanFault::Run)?;
        check_odds(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::tests::{golden_dir, read};

    #[test]
    fn good_models_answer_as_they_did_where_they_were_trained() {
        for (name, width) in [("mlp_32_64_32_3", 32), ("logreg", 16)] {
            let compiled = compile(&read(&format!("good/{name}.onnx")), width, &Limits::TABULAR).expect(name);
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
        assert!(seen >= 31, "{seen}");
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
        let said = optimise_proto(&proto, 32, &Limits::TABULAR).expect_err("too much").to_string();
        assert!(said.contains("320000") || said.contains("[10000, 32]"), "{said}");

        let slow = Limits { operations_max: 4_000, ..Limits::TABULAR };
        let said = compile(&bytes, 32, &slow).expect_err("too slow").to_string();
        assert!(said.contains("4192 operations") || said.contains("operations"), "{said}");
    }
}
