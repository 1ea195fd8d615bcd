//! `wingspread vet-model`: the first look at a bundle, in a process of its own that confines itself before it opens
//! anything. The engine starts it; it answers with one line of JSON.

use crate::cli::{Drill, VetModel};
use crate::confine::{self, Closed};
use std::path::Path;
use std::process::ExitCode;

/// Looks and prints what was found.
///
/// # Errors
/// When the process cannot be confined: then nothing is opened.
pub fn run(args: &VetModel) -> anyhow::Result<ExitCode> {
    let closed = confine::confine(&args.folder, args.memory_bytes, args.processor_seconds)?;
    let limits = onnx::Limits {
        bytes_max: args.bytes_max,
        nodes_max: args.nodes_max,
        ..onnx::Limits::TABULAR
    };
    let finding = match args.drill {
        None => onnx::inspect::inspect(
            &args.folder,
            &limits,
            args.answer_ns_max,
            &live::clock::monotonic_ns,
        ),
        Some(drill) => misbehave(drill, &args.folder, closed),
    };
    super::print(&format!("{}\n", serde_json::to_string(&finding)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Does what a bad model might make a loader do. Comes back only when a bound did not hold, or when there is nothing
/// to hold.
fn misbehave(drill: Drill, folder: &Path, closed: Closed) -> onnx::Finding {
    let found = match drill {
        Drill::Hang => loop {
            std::thread::park();
        },
        Drill::Spin => loop {
            std::hint::spin_loop();
        },
        Drill::Memory => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            for _ in 0..1 << 20 {
                hoard.push(vec![1; 1 << 20]);
            }
            format!("{} MiB were taken", hoard.len())
        }
        Drill::Files => match std::fs::File::open("/etc/hostname").or_else(|_| std::fs::File::open("/etc/passwd")) {
            Ok(_) => format!("a file outside was opened (Landlock: {closed:?})"),
            Err(e) => format!("no file outside could be opened ({:?})", e.kind()),
        },
        Drill::Loader => match std::fs::read(folder.join("model.onnx")) {
            Ok(bytes) => match onnx::compile::load_blindly(&bytes) {
                Ok(()) => "it was loaded without a door".into(),
                Err(why) => format!("the loader gave up by itself: {why}"),
            },
            Err(e) => format!("model.onnx: {e}"),
        },
    };
    let reason = format!("{}: {found}; this was a drill", folder.display());
    onnx::Finding::Refused(onnx::Refused { reason, unfinished: false })
}
