//! The models folder while the engine runs. A thread of its own looks at new bundles (through a confined child), puts
//! away what is refused, and hands what is sound on as compiled plans. A bad file can neither stop nor slow a tick,
//! and no look at one makes the office wait.

use crate::clock::monotonic_ns;
use crate::quarantine;
use crate::vetting::Vetting;
use forecast::notes::ModelNote;
use forecast::papers::Reads;
use forecast::shelf::notes::BundleNote;
use forecast::{Ensemble, Manifest, Papers, shelf};
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

/// Sound bundles a watch takes: every symbol's seat holds a plan of each, and a place that nobody looks after grows.
pub const BUNDLES_MAX: usize = 128;
/// How long what failed by a circumstance waits for its second next try; then twice as long, and so on.
const AGAIN_FIRST: Duration = Duration::from_secs(5);
/// Longest wait for another try.
const AGAIN_MAX: Duration = Duration::from_secs(600);

/// What is known of a place.
enum Known {
    /// It is on the shelf as this model.
    Sound(ModelNote),
    /// By its own fault: it is looked at again when it changes.
    Refused,
    /// By a circumstance: it is looked at again at the next look, and then ever more seldom.
    Postponed { again_ns: u64, wait: Duration },
    /// Not whole when last looked at, and since when it has not changed.
    Unfinished { since_ns: u64 },
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
    /// Names and versions that have a place: they are looked at before all others.
    first: BTreeSet<(String, String)>,
    bundles_max: usize,
}

impl Watch {
    /// A watch that has seen nothing.
    pub fn new(folder: PathBuf, vetting: Vetting, settle: Duration) -> Self {
        let (seen, first) = (BTreeMap::new(), BTreeSet::new());
        let budgets_ns = [None; Timeframe::COUNT];
        Self { folder, vetting, settle, seen, budgets_ns, first, bundles_max: BUNDLES_MAX }
    }

    /// Takes no model whose answers take longer than any of these ensembles allows its timeframe.
    #[must_use]
    pub fn within_budgets_of(mut self, ensembles: &[&Ensemble]) -> Self {
        for (at, budget_ns) in self.budgets_ns.iter_mut().enumerate() {
            *budget_ns = ensembles.iter().filter_map(|ensemble| ensemble.members[at].budget_ns).min();
        }
        self
    }

    /// These models have a place: they are looked at first, and taken however many others there are.
    #[must_use]
    pub fn those_first(mut self, models: impl Iterator<Item = ModelNote>) -> Self {
        self.first = models.map(|model| (model.name.to_string(), model.version.to_string())).collect();
        self
    }

    /// Whoever opens the files.
    pub const fn vetting(&self) -> &Vetting {
        &self.vetting
    }

    /// Looks for new or changed bundles. One whose files are still being written is left for a later look; when it stays
    /// as it is for the time given, it is refused.
    pub fn look(&mut self) -> Looked {
        let mut looked = Looked::default();
        let there = bundles(&self.folder);
        self.seen.retain(|place, (_, known)| {
            let is_there = there.contains(place);
            if !is_there && matches!(known, Known::Sound(_)) {
                looked.gone.push(place.clone());
            }
            is_there
        });
        for place in self.in_order(there) {
            if self.vetting.is_ended() {
                break;
            }
            self.look_at(place, &mut looked);
        }
        looked
    }

    /// Those with a place, then the newest versions.
    fn in_order(&self, places: BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let ranked = |place: PathBuf| {
            let (_, version) = named(&place);
            (!self.has_place(&place), shelf::version_parts(&version), place)
        };
        let mut places: Vec<_> = places.into_iter().map(ranked).collect();
        places.sort_by(|a, b| (a.0, &b.1, &a.2).cmp(&(b.0, &a.1, &b.2)));
        places.into_iter().map(|(_, _, place)| place).collect()
    }

    fn has_place(&self, place: &Path) -> bool {
        self.first.contains(&named(place))
    }

    fn look_at(&mut self, place: PathBuf, looked: &mut Looked) {
        let (print, now_ns) = (fingerprint(&place), monotonic_ns());
        let unchanged = self.seen.get(&place).filter(|(known, _)| *known == print).map(|(_, known)| known);
        let (mut since_ns, mut wait) = (now_ns, None);
        match unchanged {
            Some(Known::Sound(_) | Known::Refused) => return,
            Some(Known::Postponed { again_ns, .. }) if now_ns < *again_ns => return,
            Some(Known::Postponed { wait: waited, .. }) => wait = Some(*waited),
            Some(Known::Unfinished { since_ns: since }) => since_ns = *since,
            None => {}
        }
        let is_new = unchanged.is_none();
        let was = self.seen.get(&place).and_then(|(_, known)| known.sound());
        let found = self.vet_where_room_is(&place);
        if self.vetting.is_ended() {
            // Nobody waits for the answer any more, and it may be none.
            return;
        }
        if was.is_some() && found.as_ref().ok().map(|bundle| bundle.note) != was {
            // What was looked at then is not there any more: one truth a place.
            looked.gone.push(place.clone());
        }
        let known = match found {
            Ok(bundle) => {
                let note = bundle.note;
                looked.sound.extend((was != Some(note)).then_some(bundle));
                Known::Sound(note)
            }
            Err(refused) if refused.because == Because::Unfinished && !self.is_settled(since_ns, now_ns) => {
                looked.unfinished.extend(is_new.then_some(refused));
                Known::Unfinished { since_ns }
            }
            Err(_) if fingerprint(&place) != print => {
                // Somebody is at it: what was looked at is not what is there now.
                Known::Unfinished { since_ns: now_ns }
            }
            Err(refused) if refused.because == Because::Circumstance => {
                let refusal = Refusal { place: place.clone(), refused, put_away: None };
                looked.refused.extend(wait.is_none().then_some(refusal));
                postponed(monotonic_ns(), wait)
            }
            Err(refused) => {
                let put_away = quarantine::put_away(&self.folder, &place, &refused).ok();
                looked.refused.push(Refusal { place: place.clone(), refused, put_away });
                Known::Refused
            }
        };
        self.seen.insert(place, (print, known));
    }

    /// Looks at a bundle, unless the shelf is full.
    fn vet_where_room_is(&self, place: &Path) -> Result<Bundle, Refused> {
        let is_other = |known: &(&PathBuf, &(Fingerprint, Known))| {
            known.0.as_path() != place && known.1.1.sound().is_some()
        };
        if self.has_place(place) || self.seen.iter().filter(is_other).count() < self.bundles_max {
            return self.vet(place);
        }
        Err(Refused {
            reason: format!(
                "{}: {} bundles are on the shelf, which is all it holds; take some that are idle out of {}                  (`wingspread models list` says which)",
                place.display(),
                self.bundles_max,
                self.folder.display()
            ),
            because: Because::Circumstance,
        })
    }

    fn is_settled(&self, since_ns: u64, now_ns: u64) -> bool {
        u128::from(now_ns - since_ns) >= self.settle.as_nanos()
    }

    /// One bundle, by every rule of the watch: the look of the child first; then this process loads the very bytes the
    /// child looked at.
    ///
    /// # Errors
    /// Why it is refused, and whose fault that is.
    pub fn vet(&self, place: &Path) -> Result<Bundle, Refused> {
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

/// Name and version, as the folders say them.
fn named(place: &Path) -> (String, String) {
    let part = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    };
    (part(place.parent()), part(Some(place)))
}

impl Known {
    const fn sound(&self) -> Option<ModelNote> {
        match self {
            Self::Sound(note) => Some(*note),
            _ => None,
        }
    }
}

/// At the next look, if it was not tried before; then after [`AGAIN_FIRST`], and ever twice as long.
fn postponed(now_ns: u64, waited: Option<Duration>) -> Known {
    let wait = match waited {
        None => Duration::ZERO,
        Some(waited) => (2 * waited).clamp(AGAIN_FIRST, AGAIN_MAX),
    };
    Known::Postponed { again_ns: now_ns + wait.as_nanos() as u64, wait }
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
        Watch::new(folder.to_path_buf(), Vetting::new(None, bounds), settle)
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
    fn what_failed_by_a_circumstance_is_tried_again_ever_more_seldom() {
        let models = tempfile::tempdir().expect("a folder");
        let mut watch = watch(models.path(), Duration::ZERO);
        watch.vetting.bounds.answer_ns_max = 0;
        copy(models.path(), &["manifest.yaml", "golden.json", "model.onnx"]);
        assert_eq!(watch.look().refused.len(), 1);
        watch.vetting.bounds.answer_ns_max = u64::MAX;
        assert_eq!(watch.look().sound.len(), 1, "the machine was slow, and is not any more");
        let mut waited = None;
        let mut waits = Vec::new();
        for _ in 0..10 {
            let Known::Postponed { again_ns, wait } = postponed(7, waited) else { panic!("postponed") };
            assert_eq!(u128::from(again_ns - 7), wait.as_nanos());
            waits.push(wait.as_secs());
            waited = Some(wait);
        }
        assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 320, 600, 600]);
    }

    /// A copy of the shipped bundle under another version.
    fn version(models: &Path, version: &str) -> PathBuf {
        let place = copy(models, &["manifest.yaml", "golden.json", "model.onnx"]);
        let there = models.join("sim-1h").join(version);
        std::fs::rename(place, &there).expect("renamed");
        say(&there, "version: \"2\"", &format!("version: \"{version}\""));
        there
    }

    /// Puts other words into a manifest.
    fn say(place: &Path, before: &str, now: &str) {
        let manifest = place.join("manifest.yaml");
        let text = std::fs::read_to_string(&manifest).expect("a manifest");
        assert!(text.contains(before), "{text}");
        std::fs::write(manifest, text.replace(before, now)).expect("written");
    }

    fn versions(looked: &Looked) -> Vec<&str> {
        looked.sound.iter().map(|bundle| bundle.note.version.as_str()).collect()
    }

    #[test]
    fn more_than_the_shelf_holds_are_refused_by_name_and_never_who_has_a_place() {
        let models = tempfile::tempdir().expect("a folder");
        for n in ["3", "4", "10", "11"] {
            version(models.path(), n);
        }
        let first = ModelNote {
            timeframe: Timeframe::Hour1,
            name: Label::literal("sim-1h"),
            version: Label::literal("4"),
            digest: 0,
        };
        let mut watch = watch(models.path(), Duration::ZERO).those_first([first].into_iter());
        watch.bundles_max = 2;
        let looked = watch.look();
        assert_eq!(versions(&looked), ["4", "11"], "who has a place, then the newest");
        let said: Vec<String> = looked.refused.iter().map(ToString::to_string).collect();
        assert!(said[0].contains("sim-1h/10: 2 bundles are on the shelf"), "{said:?}");
        assert!(
            said[1].contains("sim-1h/3: 2") && said[1].contains("take some that are idle out"),
            "{said:?}"
        );
        std::fs::remove_dir_all(models.path().join("sim-1h/11")).expect("removed");
        let looked = watch.look();
        assert_eq!((versions(&looked), looked.gone.len()), (vec!["10"], 1), "there is room");
        // Taken away and brought back while another took the room.
        let (place, away) = (models.path().join("sim-1h/4"), models.path().join(".away"));
        std::fs::rename(&place, &away).expect("renamed");
        version(models.path(), "12");
        assert_eq!(versions(&watch.look()), ["12"]);
        std::fs::rename(&away, &place).expect("renamed");
        assert_eq!(versions(&watch.look()), ["4"], "who has a place is always taken");
    }

    #[test]
    fn a_bundle_changed_in_place_is_gone_before_it_is_there() {
        let models = tempfile::tempdir().expect("a folder");
        let mut watch = watch(models.path(), Duration::from_secs(3600));
        let place = version(models.path(), "5");
        let before = watch.look().sound.remove(0).note;
        // Other papers are another model, by whatever name.
        say(&place, "horizon_bars: ", "horizon_bars: 1");
        let looked = watch.look();
        assert_eq!(looked.gone, std::slice::from_ref(&place));
        let after = looked.sound[0].note;
        assert_eq!((after.name, after.version), (before.name, before.version));
        assert_ne!(after.digest, before.digest);
        // The same again, only written anew: nothing happened.
        let manifest = place.join("manifest.yaml");
        let same = std::fs::read(&manifest).expect("read");
        std::fs::remove_file(&manifest).expect("removed");
        std::fs::write(&manifest, same).expect("written");
        let looked = watch.look();
        assert!(looked.gone.is_empty() && looked.sound.is_empty());
        // Half of it: what was there is gone at once, and what comes is looked at when it is whole.
        std::fs::remove_file(place.join("golden.json")).expect("removed");
        let looked = watch.look();
        assert_eq!((looked.gone.len(), looked.unfinished.len()), (1, 1));
        assert!(watch.look().gone.is_empty(), "told once");
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
