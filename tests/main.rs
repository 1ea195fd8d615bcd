//! The one integration binary.

mod features;
mod ibm;
mod sdk;
mod spine;
mod tidy;
mod vendors;
