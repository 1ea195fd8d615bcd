//! The models folder while the engine runs. A thread of its own looks at new bundles (through a confined child), puts
//! away what is refused, and hands what is sound on as compiled plans. A bad file can neither stop nor slow a tick,
//! and no look at one makes the office wait.

use crate::clock::monotonic_ns;
use crate::quarantine;
use crate::vetting::Vetting;
use forecast::notes::ModelNote;
use forecast::papers::Reads;
use forecast::shelf::notes::BundleNote;
use forecast::{Ensemble, Manifest, Papers};
use market::quote::Timeframe;
use market::{Label, Timestamp};
use onnx::{Because, Finding, Refused, Sound};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A bundle that passed every check.
pub struct Bundle {
    /// Where it is.
    pub place: PathBuf,
    /// What it is called.
    pub note: ModelNote,
    /// Its papers.
    pub manifest: Manifest,
    /// What the first look found.
    pub sound: Sound,
    /// The compiled model; every seat gets a plan of its own.
    pub compiled: onnx::Compiled,
}

impl Bundle {
    /// True for a model that is an ensemble's rule: it reads what the members say, and speaks for no timeframe.
    pub fn reads_members(&self) -> bool {
        Papers::of(&self.manifest).reads == Reads::Members
    }

    /// What the shelf is told of it.
    pub fn told(&self, at: Timestamp) -> BundleNote {
        BundleNote {
            model: self.note,
            horizon_bars: self.manifest.horizon_bars,
            rule: self.manifest.label_rule(),
            executor: Label::fold(format_args!("{}", self.sound.executor)),
            answer_ns: self.sound.answer_ns,
            at,
        }
    }
}

/// A bundle that did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where it was.
    pub place: PathBuf,
    /// Why.
    pub refused: Refused,
    /// Where it lies now; `None` when it could not be moved, and is remembered instead.
    pub put_away: Option<PathBuf>,
}

impl Refusal {
    /// What is wrong, without the way to the file: records have room for little.
    pub fn brief(&self) -> &str {
        let text = self.refused.reason.as_str();
        let folder = format!("{}/", self.place.display());
        text.find(&folder).map_or(text, |at| &text[at + folder.len()..])
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.put_away {
            Some(place) => write!(f, "{} (now in {})", self.refused.reason, place.display()),
            None => write!(f, "{} (left where it is)", self.refused.reason),
        }
    }
}

/// What one look at the folder found.
#[derive(Default)]
pub struct Looked {
    /// New sound bundles, in the order of names and versions.
    pub sound: Vec<Bundle>,
    /// Refused ones.
    pub refused: Vec<Refusal>,
    /// Bundles that are not whole yet.
    pub unfinished: Vec<Refused>,
    /// Places of sound bundles that are gone.
    pub gone: Vec<PathBuf>,
}

/// Size and time of change of each file: when they stay the same, nothing happened.
type Fingerprint = [Option<(u64, SystemTime)>; 3];

/// What is known of a place.
enum Known {
    Sound,
    Refused,
    /// Not whole when last looked at, and since when it has not changed.
    Unfinished {
        since_ns: u64,
    },
}

/// Watches `folder/NAME/VERSION/`.
pub struct Watch {
    folder: PathBuf,
    vetting: Vetting,
    /// How long a bundle that is not whole may stay as it is.
    settle: Duration,
    seen: BTreeMap<PathBuf, (Fingerprint, Known)>,
    /// Longest time an answer may take, by timeframe, nanoseconds.
    budgets_ns: [Option<i64>; Timeframe::COUNT],
}

impl Watch {
    /// A watch that has seen nothing.
    pub fn new(folder: PathBuf, vetting: Vetting, settle: Duration) -> Self {
        Self { folder, vetting, settle, seen: BTreeMap::new(), budgets_ns: [None; Timeframe::COUNT] }
    }

    /// Takes no model whose answers take longer than any of these ensembles allows its timeframe.
    #[must_use]
    pub fn within_budgets_of(mut self, ensembles: &[&Ensemble]) -> Self {
        for (at, budget_ns) in self.budgets_ns.iter_mut().enumerate() {
            *budget_ns = ensembles.iter().filter_map(|ensemble| ensemble.members[at].budget_ns).min();
        }
        self
    }

    /// Looks for new or changed bundles. One whose files are still being written is left for a later look; when it stays
    /// as it is for the time given, it is refused.
    pub fn look(&mut self) -> Looked {
        let mut looked = Looked::default();
        let there = bundles(&self.folder);
        self.seen.retain(|place, (_, known)| {
            let is_there = there.contains(place);
            if !is_there && matches!(known, Known::Sound) {
                looked.gone.push(place.clone());
            }
            is_there
        });
        for place in there {
            self.look_at(place, &mut looked);
        }
        looked
    }

    fn look_at(&mut self, place: PathBuf, looked: &mut Looked) {
        let (print, now_ns) = (fingerprint(&place), monotonic_ns());
        let before = self.seen.get(&place).filter(|(known, _)| *known == print);
        let since_ns = match before {
            Some((_, Known::Sound | Known::Refused)) => return,
            Some((_, Known::Unfinished { since_ns })) => *since_ns,
            None => now_ns,
        };
        let known = match self.vet(&place) {
            Ok(bundle) => {
                looked.sound.push(bundle);
                Known::Sound
            }
            Err(refused) if refused.because == Because::Unfinished && !self.is_settled(since_ns, now_ns) => {
                if before.is_none() {
                    looked.unfinished.push(refused);
                }
                Known::Unfinished { since_ns }
            }
            Err(_) if fingerprint(&place) != print => {
                // Somebody is at it: what was looked at is not what is there now.
                Known::Unfinished { since_ns: now_ns }
            }
            Err(refused) => {
                let move_it = || quarantine::put_away(&self.folder, &place, &refused).ok();
                let put_away = if refused.because == Because::Circumstance { None } else { move_it() };
                looked.refused.push(Refusal { place: place.clone(), refused, put_away });
                Known::Refused
            }
        };
        self.seen.insert(place, (print, known));
    }

    fn is_settled(&self, since_ns: u64, now_ns: u64) -> bool {
        u128::from(now_ns - since_ns) >= self.settle.as_nanos()
    }

    /// The look of the child first; then this process loads the very bytes the child looked at.
    fn vet(&self, place: &Path) -> Result<Bundle, Refused> {
        let sound = match self.vetting.look(place) {
            Finding::Sound(sound) => sound,
            Finding::Refused(refused) => return Err(refused),
        };
        let loaded = onnx::bundle::load_known(place, &self.vetting.bounds.limits, &sound.sha256)?;
        let onnx::Loaded { manifest, compiled, digest } = loaded;
        let (timeframe, name, version) = (manifest.timeframe, manifest.name, manifest.version);
        let note = ModelNote { timeframe, name, version, digest };
        let bundle = Bundle { place: place.to_path_buf(), note, manifest, sound, compiled };
        match self.too_slow(&bundle) {
            Some(refused) => Err(refused),
            None => Ok(bundle),
        }
    }

    /// A member too slow for its ensemble. It may be right for another, so it is left where it is.
    fn too_slow(&self, bundle: &Bundle) -> Option<Refused> {
        let budget_ns = self.budgets_ns[bundle.note.timeframe.index()].filter(|_| !bundle.reads_members())?;
        let took_ns = bundle.sound.answer_ns;
        (i128::from(took_ns) > i128::from(budget_ns)).then(|| Refused {
            reason: format!(
                "{}: an answer takes {took_ns} ns, its ensemble allows {budget_ns}; bring a smaller model, or raise \
                 `budget` and set `every` for its timeframe",
                bundle.place.display()
            ),
            because: Because::Circumstance,
        })
    }
}

/// A folder whose name begins with a dot is still being written, or put away.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Every `NAME/VERSION` folder with a manifest or a model in it.
pub fn bundles(folder: &Path) -> BTreeSet<PathBuf> {
    let folders = |at: &Path| -> BTreeSet<PathBuf> {
        std::fs::read_dir(at)
            .map(|entries| {
                entries.flatten().map(|e| e.path()).filter(|p| p.is_dir() && !is_hidden(p)).collect()
            })
            .unwrap_or_default()
    };
    let all = folders(folder).into_iter().flat_map(|name| folders(&name));
    all.filter(|place| fingerprint(place).iter().any(Option::is_some)).collect()
}

fn fingerprint(place: &Path) -> Fingerprint {
    ["model.onnx", "manifest.yaml", "golden.json"].map(|file| {
        let data = std::fs::symlink_metadata(place.join(file)).ok()?;
        Some((data.len(), data.modified().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vetting::Bounds;

    fn watch(folder: &Path, settle: Duration) -> Watch {
        let bounds = Bounds {
            limits: onnx::Limits::TABULAR,
            time: Duration::from_secs(60),
            memory_bytes: 1 << 30,
            answer_ns_max: u64::MAX,
        };
        Watch::new(folder.to_path_buf(), Vetting { program: None, bounds }, settle)
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_models() {
        let looked = watch(Path::new("/nowhere/at/all"), Duration::ZERO).look();
        assert!(looked.sound.is_empty() && looked.refused.is_empty());
    }

    const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sim-1h/2");

    fn copy(models: &Path, files: &[&str]) -> PathBuf {
        let place = models.join("sim-1h/2");
        std::fs::create_dir_all(&place).expect("a folder");
        for file in files {
            std::fs::copy(Path::new(SHIPPED).join(file), place.join(file)).expect("a copy");
        }
        place
    }

    #[test]
    fn a_bundle_is_taken_once_it_is_whole_and_missed_when_it_is_gone() {
        let models = tempfile::tempdir().expect("a folder");
        let mut watch = watch(models.path(), Duration::from_secs(3600));
        copy(models.path(), &["manifest.yaml", "golden.json"]);
        let looked = watch.look();
        assert_eq!((looked.sound.len(), looked.refused.len(), looked.unfinished.len()), (0, 0, 1));
        let looked = watch.look();
        assert!(looked.unfinished.is_empty(), "told once");
        let place = copy(models.path(), &["model.onnx"]);
        let looked = watch.look();
        assert_eq!(looked.sound.len(), 1);
        assert_eq!(looked.sound[0].note.name.as_str(), "sim-1h");
        assert!(watch.look().sound.is_empty(), "once");
        std::fs::remove_dir_all(&place).expect("removed");
        assert_eq!(watch.look().gone, [place]);
    }

    #[test]
    fn what_is_only_too_slow_here_stays_where_it_is() {
        let models = tempfile::tempdir().expect("a folder");
        let mut watch = watch(models.path(), Duration::ZERO);
        watch.vetting.bounds.answer_ns_max = 0;
        let place = copy(models.path(), &["manifest.yaml", "golden.json", "model.onnx"]);
        let looked = watch.look();
        let said = looked.refused[0].to_string();
        assert!(said.contains("an answer takes") && said.contains("left where it is"), "{said}");
        assert!(place.join("model.onnx").exists());
        assert!(watch.look().refused.is_empty(), "told once");
    }

    #[test]
    fn what_stays_half_is_refused_and_put_away() {
        let models = tempfile::tempdir().expect("a folder");
        let mut watch = watch(models.path(), Duration::ZERO);
        let place = copy(models.path(), &["manifest.yaml", "model.onnx"]);
        let looked = watch.look();
        let away = models.path().join(".quarantine/sim-1h/2-1");
        assert_eq!(looked.refused[0].put_away.as_deref(), Some(away.as_path()));
        assert!(looked.refused[0].to_string().contains("golden.json"), "{}", looked.refused[0]);
        assert!(away.join(quarantine::NOTE).exists() && !place.exists());
        let looked = watch.look();
        assert!(looked.sound.is_empty() && looked.refused.is_empty() && looked.gone.is_empty());
    }
}
