//! The binary `wingspread`.

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match wingspread::dispatch(wingspread::cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("wingspread: {error:#}");
            ExitCode::FAILURE
        }
    }
}
