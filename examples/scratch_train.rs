//! Scratch: deleted afterwards.
#![allow(dead_code)]
use wingspread::{cli, run};
#[path = "../engine/app/commands/train.rs"]
mod train;
fn main() {
    let out = std::env::args().nth(1).expect("folder");
    let args = cli::Train { out: out.into(), seed: 20_261_122, version: "1".into(), sessions: 60 };
    let begun = std::time::Instant::now();
    println!("{:?}", train::run(&args, &cli::Run::default()));
    println!("{:?}", begun.elapsed());
}
