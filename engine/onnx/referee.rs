//! The tract executor: what our kernels do not know runs on it, and what they do is held against it.

use crate::vet::{Fault, Limits, Vetted};
use forecast::plan::check_odds;
use forecast::{Plan, PlanFault};
use std::sync::Arc;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::{DimLike, IntoTValue, TypedSimpleState};

/// Columns of every model's output.
const ODDS: usize = 3;

/// An optimised model, to be shared between threads.
#[derive(Clone)]
pub(crate) struct Optimised {
    plan: Arc<TypedSimplePlan>,
    width: usize,
}

/// Optimises a vetted model.
pub(crate) fn optimise(proto: &ModelProto, vetted: &Vetted, limits: &Limits) -> Result<Optimised, Fault> {
    let failed = |e| Fault::Compile(cause(&e));
    let typed = typed_model(proto, vetted.width, vetted.output).map_err(failed)?;
    check_size(&typed, limits)?;
    let plan = optimised_plan(typed).map_err(failed)?;
    Ok(Optimised { plan, width: vetted.width })
}

impl Optimised {
    /// A plan of one's own: its buffers are its alone.
    pub(crate) fn spawn(&self) -> Result<TractPlan, Fault> {
        let state = self.plan.spawn().map_err(|e| Fault::Compile(cause(&e)))?;
        Ok(TractPlan { state, row: blank_row(self.width) })
    }
}

/// The graph for one row, every shape known, nothing computed but constants.
fn typed_model(proto: &ModelProto, width: usize, output: usize) -> TractResult<TypedModel> {
    let onnx = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
    let mut model = onnx.model_for_proto_model(proto)?;
    let odds = model.output_outlets()?[output];
    model.select_output_outlets(&[odds])?;
    model.with_input_fact(0, f32::fact([1, width]).into())?.into_typed()
}

/// What tract does with a file that nobody looked at before: everything in it, constants folded.
pub(crate) fn optimise_blindly(onnx: &tract_onnx::Onnx, proto: &ModelProto) -> TractResult<()> {
    onnx.model_for_proto_model(proto)?.into_optimized()?.into_runnable().map(|_| ())
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
pub(crate) fn cause(error: &TractError) -> String {
    let text = error.chain().last().map(ToString::to_string).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

fn blank_row(width: usize) -> Arc<Tensor> {
    let row = tract_onnx::tract_hir::internal::tensor1(&vec![0.0f32; width]);
    // A flat vector is always a row of itself.
    Arc::new(row.into_shape(&[1, width]).expect("1 x width has as many elements as width"))
}

/// One spawned state and its input, written in place.
pub(crate) struct TractPlan {
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
