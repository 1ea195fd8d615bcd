//! A model's folder: `NAME/VERSION/{model.onnx, manifest.yaml, golden.json}`. It is written beside its place and
//! moved there whole, so that a running engine which watches `models/` never sees half of one.

use crate::learner::Fitted;
use crate::onnx_file;
use crate::train::Fault;
use forecast::manifest::{hex, sha256};
use forecast::{Golden, GoldenRow, Manifest};
use indicators::FEATURES;
use indicators::features::Row;
use std::path::{Path, PathBuf};

/// Writes the folder and answers with its path. `manifest.sha256` is filled in here.
///
/// # Errors
/// When the folder is already there (a version never changes) or cannot be written.
pub fn write(
    out_dir: &Path,
    fitted: &Fitted,
    mut manifest: Manifest,
    rows: &[Row],
) -> Result<PathBuf, Fault> {
    let folder = out_dir.join(manifest.name.as_str()).join(manifest.version.as_str());
    if folder.exists() {
        return Err(Fault::Exists(folder));
    }
    let notes = [("timeframe", manifest.timeframe.name()), ("provenance", &manifest.provenance)];
    let model = onnx_file::write(&fitted.body, manifest.name.as_str(), &notes);
    manifest.sha256 = hex(&sha256(&model));
    let yaml = manifest.to_yaml().map_err(Fault::Manifest)?;
    let golden = golden(fitted, rows).to_json(FEATURES).map_err(Fault::Golden)?;
    let parent = out_dir.join(manifest.name.as_str());
    let half = parent.join(format!(".{}.half", manifest.version));
    let write = || {
        std::fs::create_dir_all(&half)?;
        std::fs::write(half.join("model.onnx"), &model)?;
        std::fs::write(half.join("golden.json"), golden)?;
        std::fs::write(half.join("manifest.yaml"), yaml)?;
        std::fs::rename(&half, &folder)
    };
    write().map_err(|cause| Fault::Write { folder: folder.clone(), cause })?;
    Ok(folder)
}

/// Rows as the engine makes them, with what the model says behind its scaling.
fn golden(fitted: &Fitted, rows: &[Row]) -> Golden {
    let answer = |row: &Row| GoldenRow { features: row.to_vec(), odds: fitted.odds(row) };
    Golden { rows: rows.iter().map(answer).collect() }
}
