//! Risk: one ordered table of checks over the book and what is pending. Every check's result is recorded;
//! only what passes all becomes [`Cleared`], and only this room can make one.

pub mod cleared;
pub mod command;

pub use cleared::{CheckResult, Cleared, Decision, Verdict};
