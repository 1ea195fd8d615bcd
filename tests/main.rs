//! The one integration binary.

mod features;
mod ibm;
mod sdk;
mod spine;
mod tick_path;
mod tidy;
mod vendors;
