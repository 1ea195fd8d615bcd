//! What models say: the plan every executor fills, the ensemble that combines ten of them, their manifests
//! and the shelf they stand on.

pub mod notes;
pub mod said;

pub use said::{Forecast, Odds};
