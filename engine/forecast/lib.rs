//! What models say: the plan every executor fills, the ensemble that combines ten of them, and their manifests.
//!
//! Start with [`said`] (odds and forecasts) and [`plan`] (the face of every executor), then [`ensemble`];
//! [`read`] makes a [`graph`] of an ONNX file, [`kernel`] compiles it to what runs on every tick, [`naive`] says what
//! it means, and [`probe`] what to ask both. [`label`] says what a price did, [`outcomes`] waits for it, and a
//! [`scored`] prediction is both together; [`calibration`] and [`reference`] are what a manifest may carry besides. [`manifest`] and [`golden`] are the papers a model file comes with, [`notes`] what is told to others.

pub mod calibration;
pub mod council;
pub mod drift;
pub mod ensemble;
pub mod forest;
pub mod golden;
pub mod graph;
pub mod kernel;
#[cfg(test)]
mod kernel_test;
pub mod label;
mod lanes;
pub mod manifest;
pub mod measures;
pub mod naive;
pub mod notes;
pub mod outcomes;
pub mod papers;
pub mod plan;
pub mod probe;
pub mod proto;
pub mod read;
pub mod reference;
#[cfg(test)]
mod reference_test;
pub mod said;
pub mod scaled;
pub mod schema;
pub mod scored;
pub mod shelf;
pub mod skill;
mod trees;
pub mod wire;

pub use council::Council;
pub use ensemble::Ensemble;
pub use indicators::scaling::Scaling;

pub use calibration::Calibration;
pub use golden::{Golden, GoldenRow};
pub use label::LabelRule;
pub use manifest::Manifest;
pub use outcomes::{Outcomes, Prediction};
pub use papers::{Documented, Papers};
pub use plan::{Class, Plan, PlanFault};
pub use reference::Reference;
pub use said::{Forecast, Odds};
pub use schema::Schema;
pub use scored::Scored;
