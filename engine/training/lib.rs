//! From history to ONNX bundles.
//!
//! The way of a row: [`dataset`] replays bars through the same `indicators::Analysis` that runs live and keeps a
//! feature row at each close; [`labels`] names the class the price then went into, and how much that teaches;
//! [`folds`] cuts by time, with nothing of the future left in the past; [`search`] tries parameters of a [`learner`]
//! ([`boosting`] trees or a small [`network`], taught by [`descent`]) on the folds; [`skill`] says whether that is
//! better than the base rates and how sure it is, [`baselines`] what anybody could have said, [`explain`] what a model
//! leans on; [`onnx_file`] and [`bundle`] write `NAME/VERSION/{model.onnx, manifest.yaml, golden.json}`.
//! [`train`](train::train) does all of it and answers with a [`report`].
//!
//! The same histories and settings give the same files, byte for byte, on the same machine.

pub mod baselines;
pub mod boosting;
pub mod bundle;
pub mod dataset;
pub mod descent;
pub mod explain;
pub mod folds;
pub mod labels;
pub mod learner;
pub mod metrics;
pub mod network;
pub mod onnx_file;
#[cfg(test)]
mod planted_test;
pub mod protobuf;
pub mod report;
pub mod search;
pub mod settings;
pub mod skill;
pub mod train;

pub use dataset::History;
pub use learner::Learner;
pub use report::{Report, TimeframeReport};
pub use settings::Settings;
pub use train::{Fault, train};
