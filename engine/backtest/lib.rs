//! The same seats in one loop: a journal's recorded input run again and compared.

pub mod rerun;

pub use rerun::{Fault, Rerun, Seats, rerun};
