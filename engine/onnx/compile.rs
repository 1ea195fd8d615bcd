//! ONNX bytes to a plan that runs on the caller's thread: parsed, vetted, optimised and tried once.

use crate::vet::{self, Fault, Limits, Vetted};
use forecast::plan::check_odds;
use forecast::{Plan, PlanFault};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::{IntoTValue, TypedSimpleState};

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
    let onnx = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    let proto = onnx.proto_model_for_read(&mut &*bytes).map_err(|e| Fault::Unreadable(cause(&e)))?;
    let Vetted { width, output } = vet::vet(&proto, inputs, limits)?;
    let plan = optimised_plan(&onnx, &proto, width, output).map_err(|e| Fault::Compile(cause(&e)))?;
    Ok(Compiled { plan, width })
}

fn optimised_plan(
    onnx: &tract_onnx::Onnx,
    proto: &tract_onnx::pb::ModelProto,
    width: usize,
    output: usize,
) -> TractResult<Arc<TypedSimplePlan>> {
    let mut model = onnx.model_for_proto_model(proto)?;
    let odds = model.output_outlets()?[output];
    model.select_output_outlets(&[odds])?;
    let model = model.with_input_fact(0, f32::fact([1, width]).into())?.into_optimized()?;
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
        let limits = Limits { bytes_max: 10, nodes_max: 1 };
        assert!(matches!(compile(&[0; 11], 32, &limits), Err(Fault::TooLarge { found: 11, most: 10 })));
    }
}
