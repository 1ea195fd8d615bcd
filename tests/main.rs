//! The one integration binary.

mod sdk;
mod spine;
mod tidy;
