//! The binary `wingspread`.

fn main() {}
