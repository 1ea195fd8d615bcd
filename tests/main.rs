//! The one integration binary.

mod sdk;
mod tidy;
