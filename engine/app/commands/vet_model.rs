//! `wingspread vet-model`: the first look at a bundle, in a process of its own that confines itself before it opens
//! anything. The engine starts it; it answers with one line of JSON.

use crate::cli::{Drill, VetModel};
use crate::confine::{self, Closed};
use live::clock::monotonic_ns;
use onnx::inspect::{inspect, inspect_foreign};
use std::path::Path;
use std::process::ExitCode;

/// Looks and prints what was found.
///
/// # Errors
/// When the process cannot be confined: then nothing is opened.
pub fn run(args: &VetModel) -> anyhow::Result<ExitCode> {
    let closed = confine::confine(&args.folder, args.parent, args.memory_bytes, args.processor_seconds)?;
    let limits =
        onnx::Limits { bytes_max: args.bytes_max, nodes_max: args.nodes_max, ..onnx::Limits::TABULAR };
    let finding = match args.drill {
        None => inspect(&args.folder, &limits, args.answer_ns_max, &monotonic_ns),
        Some(Drill::AnySchema) => inspect_foreign(&args.folder, &limits, args.answer_ns_max, &monotonic_ns),
        Some(drill) => {
            let reason = format!(
                "{}: {}; this was a drill",
                args.folder.display(),
                misbehave(drill, &args.folder, closed)
            );
            onnx::Finding::Refused(onnx::Refused { reason, because: onnx::Because::Files })
        }
    };
    super::print(&format!("{}\n", serde_json::to_string(&finding)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Does what a bad model might make a loader do. Comes back only when a bound did not hold, or when there is nothing
/// to hold.
fn misbehave(drill: Drill, folder: &Path, closed: Closed) -> String {
    match drill {
        Drill::Hang => loop {
            std::thread::park();
        },
        Drill::Spin => loop {
            std::hint::spin_loop();
        },
        Drill::Memory => {
            // Pages that are written, so that none is only promised.
            let hoard: Vec<Vec<u8>> = (0..1 << 20).map(|_| vec![1; 1 << 20]).collect();
            format!("{} MiB were taken", hoard.len())
        }
        Drill::Files => match std::fs::File::open("/etc/passwd") {
            Ok(_) => format!("a file outside was opened (Landlock: {closed:?})"),
            Err(e) => format!("no file outside could be opened ({:?})", e.kind()),
        },
        Drill::Loader => {
            let read = std::fs::read(folder.join("model.onnx")).map_err(|e| e.to_string());
            match read.and_then(|bytes| onnx::compile::load_blindly(&bytes)) {
                Ok(()) => "it was loaded without a door".into(),
                Err(why) => format!("the loader gave up by itself ({why})"),
            }
        }
        Drill::AnySchema => "nothing was tried".into(),
    }
}
