//! Bytes of an ONNX file to a plan, through our own kernels or tract.
//!
//! [`vet`] looks at the file without computing anything and refuses what could hang, blow up or differ from
//! run to run; [`compile`] makes a plan of what is left; [`bundle`] reads a model's folder, with its papers,
//! and checks that the plan computes here what it computed where it was trained; [`inspect`] is the first look at one,
//! made in a process of its own. The only room that knows tract.

pub mod bundle;
pub mod compile;
pub mod inspect;
mod referee;
pub mod vet;

pub use bundle::{LoadFault, Loaded, load_dir, load_dir_for, load_dir_within};
pub use compile::{Compiled, Executor, compile};
pub use inspect::{Because, Finding, Refused, Sound};
pub use vet::{Fault, Limits};
