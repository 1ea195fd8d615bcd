//! The one integration binary.

mod ibm;
mod sdk;
mod spine;
mod tidy;
mod vendors;
