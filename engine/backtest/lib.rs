//! The same seats in one loop: a journal's recorded input run again and compared.

pub mod rerun;

pub use rerun::{Difference, Fault, Rerun, Seats, rerun, rerun_from};
