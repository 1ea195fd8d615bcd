//! The live chain of a symbol's seat is the one of the pricing room.

pub use pricing::chain::{Chain, Listed};
