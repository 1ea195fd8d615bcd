//! The models folder while the engine runs: new bundles are looked at away from the trading thread, and what is
//! sound is handed to every seat as a compiled plan; what is not is told once and left alone. A bad file can
//! neither stop nor slow a tick.

use crate::seat_actor::Install;
use forecast::notes::ModelNote;
use forecast::papers::Reads;
use forecast::{Ensemble, Papers};
use market::Label;
use market::quote::Timeframe;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A sound bundle: what it is called and its compiled form.
pub struct Bundle {
    /// Its place and name.
    pub note: ModelNote,
    /// What it reads.
    pub reads: Reads,
    /// The compiled model; every seat gets a plan of its own.
    pub compiled: onnx::Compiled,
}

/// Where a model sits: in its timeframe's place, or as the rule of the ensemble that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    timeframe: Timeframe,
    stack: Option<Label>,
}

impl Bundle {
    /// Where it sits.
    pub fn slot(&self) -> Slot {
        let stack = (self.reads == Reads::Members).then_some(self.note.name);
        Slot { timeframe: self.note.timeframe, stack }
    }
}

/// Answers a model is timed by; the median counts.
const TIMED: usize = 101;

/// Watches `folder/NAME/VERSION/`.
pub struct Watch {
    folder: PathBuf,
    limits: onnx::Limits,
    /// Bundles looked at, by folder, with the newest change seen in them.
    seen: BTreeMap<PathBuf, SystemTime>,
    /// The model of each place: a dropped file replaces it only when its version is higher.
    incumbents: BTreeMap<Slot, Bundle>,
    /// Longest time an answer may take, by timeframe, nanoseconds.
    budgets_ns: [Option<i64>; Timeframe::COUNT],
}

impl Watch {
    /// A watch that has seen nothing, and takes no model beyond the limits.
    pub fn new(folder: PathBuf, limits: onnx::Limits) -> Self {
        let budgets_ns = [None; Timeframe::COUNT];
        Self { folder, limits, seen: BTreeMap::new(), incumbents: BTreeMap::new(), budgets_ns }
    }

    /// Takes no model whose answers take longer than any of these ensembles allows its timeframe.
    #[must_use]
    pub fn within_budgets_of(mut self, ensembles: &[&Ensemble]) -> Self {
        for (at, budget_ns) in self.budgets_ns.iter_mut().enumerate() {
            *budget_ns = ensembles.iter().filter_map(|ensemble| ensemble.members[at].budget_ns).min();
        }
        self
    }

    /// Looks for new or changed bundles; answers the places that have a new model (the best version of each) and
    /// the refusals. A bundle whose files are still being written is left for the next look: its checksum does not
    /// match yet, and it is looked at again when it changes.
    pub fn look(&mut self) -> (Vec<Slot>, Vec<String>) {
        let mut sound: BTreeMap<Slot, Bundle> = BTreeMap::new();
        let mut refused = Vec::new();
        for (path, changed) in bundles(&self.folder) {
            if self.seen.get(&path).is_some_and(|known| *known >= changed) {
                continue;
            }
            self.seen.insert(path.clone(), changed);
            match onnx::load_dir_within(&path, &self.limits) {
                Ok(loaded) => refused.extend(self.consider(&path, loaded, &mut sound)),
                Err(fault) => refused.push(fault.to_string()),
            }
        }
        let fresh = sound.keys().copied().collect();
        self.incumbents.extend(sound);
        (fresh, refused)
    }

    /// The models in use, one a place.
    pub fn incumbents(&self) -> impl Iterator<Item = &Bundle> {
        self.incumbents.values()
    }

    /// Gives the models of these places to every seat, a plan of its own to each.
    pub fn install(&self, slots: &[Slot], seats: &[actix::Recipient<Install>]) {
        for bundle in slots.iter().filter_map(|slot| self.incumbents.get(slot)) {
            for seat in seats {
                seat.do_send(Install { note: bundle.note, plan: bundle.compiled.spawn() });
            }
        }
    }

    /// Takes the bundle when it is newer than what sits in its place; why not, when it is too slow.
    fn consider(
        &self,
        path: &Path,
        loaded: onnx::Loaded,
        sound: &mut BTreeMap<Slot, Bundle>,
    ) -> Option<String> {
        let manifest = &loaded.manifest;
        let note = ModelNote {
            timeframe: manifest.timeframe,
            name: manifest.name,
            version: manifest.version,
            digest: loaded.digest,
        };
        let reads = Papers::of(manifest).reads;
        let bundle = Bundle { note, reads, compiled: loaded.compiled };
        if let Some(refusal) = self.too_slow(path, &bundle) {
            return Some(refusal);
        }
        let slot = bundle.slot();
        let incumbent = sound.get(&slot).or(self.incumbents.get(&slot)).map(|b| b.note.version);
        if incumbent.is_none_or(|old| newer(note.version.as_str(), old.as_str())) {
            sound.insert(slot, bundle);
        }
        None
    }

    fn too_slow(&self, path: &Path, bundle: &Bundle) -> Option<String> {
        let budget_ns =
            self.budgets_ns[bundle.note.timeframe.index()].filter(|_| bundle.slot().stack.is_none())?;
        let took_ns = median_answer_ns(&bundle.compiled);
        let refusal = || {
            format!(
                "{}: an answer takes {took_ns} ns, its ensemble allows {budget_ns}; bring a smaller model, or raise \
                 `budget` and set `every` for its timeframe",
                path.display()
            )
        };
        (took_ns > budget_ns).then(refusal)
    }
}

/// The middle of the times one answer takes.
fn median_answer_ns(compiled: &onnx::Compiled) -> i64 {
    let mut plan = compiled.spawn();
    let (row, mut answer) = (vec![0.1; compiled.width()], [0.0; 3]);
    let mut times: Vec<u64> = Vec::with_capacity(TIMED);
    for _ in 0..TIMED {
        let begun = crate::clock::monotonic_ns();
        // What it answers was checked when it was loaded.
        let _ = plan.predict(&row, &mut answer);
        times.push(crate::clock::monotonic_ns() - begun);
    }
    times.sort_unstable();
    i64::try_from(times[TIMED / 2]).unwrap_or(i64::MAX)
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
