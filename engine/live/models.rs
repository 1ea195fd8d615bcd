//! The models folder while the engine runs: new bundles are looked at away from the trading thread, and what is
//! sound is handed to every seat as a compiled plan; what is not is told once and left alone. A bad file can
//! neither stop nor slow a tick.

use crate::seat_actor::Install;
use forecast::notes::ModelNote;
use market::quote::Timeframe;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A sound bundle: what it is called and its compiled form.
pub struct Bundle {
    /// Its place and name.
    pub note: ModelNote,
    /// The compiled model; every seat gets a plan of its own.
    pub compiled: onnx::Compiled,
}

/// Watches `folder/NAME/VERSION/`.
pub struct Watch {
    folder: PathBuf,
    limits: onnx::Limits,
    /// Bundles looked at, by folder, with the newest change seen in them.
    seen: BTreeMap<PathBuf, SystemTime>,
    /// The model each timeframe has: a dropped file replaces it only when its version is higher.
    incumbents: BTreeMap<Timeframe, Bundle>,
}

impl Watch {
    /// A watch that has seen nothing, and takes no model beyond the limits.
    pub fn new(folder: PathBuf, limits: onnx::Limits) -> Self {
        Self { folder, limits, seen: BTreeMap::new(), incumbents: BTreeMap::new() }
    }

    /// Looks for new or changed bundles; answers the timeframes that have a new model (the best version of each) and
    /// the refusals. A bundle whose files are still being written is left for the next look: its checksum does not
    /// match yet, and it is looked at again when it changes.
    pub fn look(&mut self) -> (Vec<Timeframe>, Vec<String>) {
        let mut sound: BTreeMap<Timeframe, Bundle> = BTreeMap::new();
        let mut refused = Vec::new();
        for (path, changed) in bundles(&self.folder) {
            if self.seen.get(&path).is_some_and(|known| *known >= changed) {
                continue;
            }
            self.seen.insert(path.clone(), changed);
            match onnx::load_dir_within(&path, &self.limits) {
                Ok(loaded) => self.consider(loaded, &mut sound),
                Err(fault) => refused.push(fault.to_string()),
            }
        }
        let fresh = sound.keys().copied().collect();
        self.incumbents.extend(sound);
        (fresh, refused)
    }

    /// The models in use, one a timeframe.
    pub fn incumbents(&self) -> impl Iterator<Item = &Bundle> {
        self.incumbents.values()
    }

    /// Gives the models of these timeframes to every seat, a plan of its own to each.
    pub fn install(&self, timeframes: &[Timeframe], seats: &[actix::Recipient<Install>]) {
        for bundle in timeframes.iter().filter_map(|timeframe| self.incumbents.get(timeframe)) {
            for seat in seats {
                seat.do_send(Install { note: bundle.note, plan: bundle.compiled.spawn() });
            }
        }
    }

    fn consider(&self, loaded: onnx::Loaded, sound: &mut BTreeMap<Timeframe, Bundle>) {
        let manifest = &loaded.manifest;
        let note = ModelNote {
            timeframe: manifest.timeframe,
            name: manifest.name,
            version: manifest.version,
            digest: loaded.digest,
        };
        let incumbent =
            sound.get(&note.timeframe).or(self.incumbents.get(&note.timeframe)).map(|b| b.note.version);
        if incumbent.is_none_or(|old| newer(note.version.as_str(), old.as_str())) {
            sound.insert(note.timeframe, Bundle { note, compiled: loaded.compiled });
        }
    }
}

/// Compares versions part by part, numbers as numbers: `1.10` is newer than `1.9`.
fn newer(version: &str, than: &str) -> bool {
    let parts = |text: &str| -> Vec<(u64, String)> {
        text.split(['.', '-']).map(|p| (p.parse().unwrap_or(0), p.to_string())).collect()
    };
    parts(version) > parts(than)
}

/// A folder whose name begins with a dot is still being written.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Every `NAME/VERSION` folder with a manifest or a model in it, and its newest change.
fn bundles(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let folders = |at: &Path| -> BTreeSet<PathBuf> {
        std::fs::read_dir(at)
            .map(|entries| {
                entries.flatten().map(|e| e.path()).filter(|p| p.is_dir() && !is_hidden(p)).collect()
            })
            .unwrap_or_default()
    };
    let mut found = Vec::new();
    for name in folders(folder) {
        for version in folders(&name) {
            let newest = ["model.onnx", "manifest.yaml", "golden.json"]
                .iter()
                .filter_map(|f| std::fs::metadata(version.join(f)).and_then(|m| m.modified()).ok())
                .max();
            if let Some(newest) = newest {
                found.push((version, newest));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_people_read_them() {
        assert!(newer("1.10", "1.9"));
        assert!(newer("2", "1"));
        assert!(!newer("1", "1"));
        assert!(!newer("1.9", "1.10"));
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_models() {
        let mut watch = Watch::new(PathBuf::from("/nowhere/at/all"), onnx::Limits::TABULAR);
        let (fresh, refused) = watch.look();
        assert!(fresh.is_empty() && refused.is_empty());
    }
}
