//! From history to ten ONNX bundles.
//!
//! The way of a row: [`dataset`] replays bars through the same `indicators::Analysis` that runs live and keeps a
//! feature row at each close; [`labels`] names the class the price then went into; [`folds`] cuts by time, with
//! nothing of the future left in the past; [`learner`] fits the small [`network`] from a seed; [`metrics`] scores
//! it on sessions it never saw, beside what the base rates alone would have scored; [`onnx_file`] and [`bundle`]
//! write `NAME/VERSION/{model.onnx, manifest.yaml, golden.json}`. [`train`](train::train) does all of it.
//!
//! The same histories and settings give the same files, byte for byte, on the same machine.

pub mod bundle;
pub mod dataset;
pub mod folds;
pub mod labels;
pub mod learner;
pub mod metrics;
pub mod network;
pub mod onnx_file;
pub mod protobuf;
pub mod settings;
pub mod train;

pub use dataset::History;
pub use settings::Settings;
pub use train::{Fault, Report, TimeframeReport, train};
