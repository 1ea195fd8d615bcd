//! The one integration binary.

mod features;
mod ibm;
mod python_trainer;
mod sdk;
mod spine;
mod tick_path;
mod tidy;
mod vendors;
