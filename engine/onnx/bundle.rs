//! A model's folder, `NAME/VERSION/` with `model.onnx`, `manifest.yaml` and `golden.json`: read, checked against
//! each other and against our feature schema, compiled, and made to repeat its golden answers.

use crate::compile::{Compiled, compile_asking};
use crate::inspect::Because;
use crate::vet::{Fault, Limits};
use forecast::golden::{GoldenFault, TOLERANCE};
use forecast::manifest::{ManifestFault, hex, sha256};
use forecast::{Golden, Manifest, Papers, Plan, Schema};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest `golden.json` that is read, in bytes.
const GOLDEN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A model that passed every check.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its plans' maker.
    pub compiled: Compiled,
    /// What notes tell it by: the first eight bytes of a SHA-256 over the model and its manifest. The same file with
    /// other papers is another model.
    pub digest: u64,
}

/// Why a folder was not taken. Each names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LoadFault {
    /// A file that cannot be read.
    #[error("{file}: {cause}; a model's folder holds model.onnx, manifest.yaml and golden.json")]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A link, a pipe or a device in a file's place: what is read must lie in the folder.
    #[error("{0} is not an ordinary file; copy the file itself into the folder")]
    NotOrdinary(PathBuf),
    /// A file larger than it may be.
    #[error("{file} is larger than {most} bytes; is it the right file?")]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The limit in bytes.
        most: usize,
    },
    /// The manifest is not right.
    #[error("{file} {fault}")]
    Manifest {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        fault: ManifestFault,
    },
    /// The manifest does not fit the folder, the file or our schema.
    #[error("{file}: {found}; {remedy}")]
    Mismatch {
        /// The file that says otherwise.
        file: PathBuf,
        /// What it says.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The golden rows are not right.
    #[error("{file} {fault}")]
    Golden {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        fault: GoldenFault,
    },
    /// The model is not taken.
    #[error("{file} {fault}")]
    Model {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
}

impl LoadFault {
    /// Whose fault it is. Something missing, or ending too early, is what a bundle looks like while it is still being
    /// copied; a file that cannot be read here, or one of another version of this program, may be right elsewhere.
    pub fn because(&self) -> Because {
        let unfinished = match self {
            Self::File { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => true,
            Self::File { .. } | Self::TooLarge { .. } => return Because::Circumstance,
            Self::Manifest { fault, .. } => matches!(fault, ManifestFault::Unreadable(_)),
            Self::Golden { fault, .. } => matches!(fault, GoldenFault::Unreadable(_)),
            Self::Mismatch { remedy: OTHER_SCHEMA, .. } => return Because::Circumstance,
            Self::Mismatch { remedy, .. } => *remedy == COPY_AGAIN,
            Self::NotOrdinary(_) | Self::Model { .. } => false,
        };
        if unfinished { Because::Unfinished } else { Because::Files }
    }
}

/// What to do about a file that is not the one its manifest describes.
const COPY_AGAIN: &str = "the file is damaged or belongs to another manifest: copy both again";

/// What to do about a model of another feature schema, such as an older version's.
const OTHER_SCHEMA: &str = "train it again on this version's features";

/// Loads a model for the feature schema this program computes.
///
/// # Errors
/// The first file that is not right, and what to do about it.
pub fn load_dir(folder: &Path) -> Result<Loaded, LoadFault> {
    load_dir_within(folder, &Limits::TABULAR)
}

/// As [`load_dir`], taking no more than `limits`.
///
/// # Errors
/// The first file that is not right, and what to do about it.
pub fn load_dir_within(folder: &Path, limits: &Limits) -> Result<Loaded, LoadFault> {
    load_dir_for(folder, &schema_for(folder), limits)
}

/// The schema a bundle has to be made for: that of the feature rows, or, for a model that reads what the members of an
/// ensemble say, that of their answers.
pub(crate) fn schema_for(folder: &Path) -> Schema {
    let members = Schema::of_members();
    let reads_members = read_manifest(folder).is_ok_and(|manifest| manifest.schema == members.digest);
    if reads_members { members } else { Schema::ours() }
}

/// As [`load_dir_within`], and only the very model whose SHA-256 is given: the one that was looked at before.
///
/// # Errors
/// The first file that is not right, and what to do about it.
pub fn load_known(folder: &Path, limits: &Limits, sha256: &str) -> Result<Loaded, LoadFault> {
    load(folder, &schema_for(folder), limits, Some(sha256))
}

/// Loads a model for a given feature schema.
///
/// # Errors
/// The first file that is not right, and what to do about it.
pub fn load_dir_for(folder: &Path, schema: &Schema, limits: &Limits) -> Result<Loaded, LoadFault> {
    load(folder, schema, limits, None)
}

fn load(folder: &Path, schema: &Schema, limits: &Limits, known: Option<&str>) -> Result<Loaded, LoadFault> {
    let (manifest, papers) = read_papers(folder)?;
    check_names(folder, &manifest)?;
    check_schema(folder, &manifest, schema)?;
    let file = folder.join("model.onnx");
    let bytes = read_bounded(&file, limits.bytes_max)?;
    let digest = sha256(&bytes);
    if let Some(said) =
        [Some(manifest.sha256.as_str()), known].into_iter().flatten().find(|s| *s != hex(&digest))
    {
        return Err(LoadFault::Mismatch {
            file,
            found: format!("its SHA-256 is {}, the manifest says {said}", hex(&digest)),
            remedy: COPY_AGAIN,
        });
    }
    let width = manifest.features.len();
    let golden = read_golden(folder, width)?;
    let rows: Vec<Vec<f32>> = golden.rows.iter().map(|row| row.features.clone()).collect();
    let compiled = compile_asking(&bytes, width, limits, &rows)
        .map_err(|fault| LoadFault::Model { file: file.clone(), fault })?
        .behind(manifest.scaling.clone());
    check_input_name(folder, &manifest, &compiled)?;
    repeat_golden(folder, &golden, &compiled)?;
    if !manifest.says_base_rates_only() {
        compiled.check_varies(&rows).map_err(|fault| LoadFault::Model { file, fault })?;
    }
    // From here on its odds are calibrated; the golden ones are what the file itself answers.
    let compiled = compiled.documented(Papers::of(&manifest));
    let digest = sha256(&[digest, sha256(&papers)].concat());
    let digest = digest[..8].iter().fold(0, |n, b| n << 8 | u64::from(*b));
    Ok(Loaded { manifest, compiled, digest })
}

pub(crate) fn read_manifest(folder: &Path) -> Result<Manifest, LoadFault> {
    read_papers(folder).map(|(manifest, _)| manifest)
}

/// The manifest, and the bytes it was read from.
fn read_papers(folder: &Path) -> Result<(Manifest, Vec<u8>), LoadFault> {
    let file = folder.join("manifest.yaml");
    let bytes = read_bounded(&file, forecast::manifest::MANIFEST_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let manifest = Manifest::parse(&text).map_err(|fault| LoadFault::Manifest { file, fault })?;
    Ok((manifest, bytes))
}

/// The folder's own name and its parent's say what is in it, so that a listing does not lie.
fn check_names(folder: &Path, manifest: &Manifest) -> Result<(), LoadFault> {
    let last = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    let (version, name) = (last(folder), folder.parent().and_then(last));
    let fits = version.as_deref() == Some(manifest.version.as_str())
        && name.as_deref() == Some(manifest.name.as_str());
    if fits {
        return Ok(());
    }
    Err(LoadFault::Mismatch {
        file: folder.join("manifest.yaml"),
        found: format!("it says {}/{}, the folder is {}", manifest.name, manifest.version, folder.display()),
        remedy: "put it into models/NAME/VERSION/ as the manifest names it",
    })
}

fn check_schema(folder: &Path, manifest: &Manifest, schema: &Schema) -> Result<(), LoadFault> {
    let mismatch = |found| {
        let file = folder.join("manifest.yaml");
        Err(LoadFault::Mismatch { file, found, remedy: OTHER_SCHEMA })
    };
    let (theirs, ours) = (&manifest.features, &schema.features);
    if theirs.len() != ours.len() {
        return mismatch(format!("it names {} features, a row here has {}", theirs.len(), ours.len()));
    }
    if let Some(i) = (0..ours.len()).find(|i| theirs[*i] != ours[*i]) {
        return mismatch(format!("feature {i} is `{}`, here it is `{}`", theirs[i], ours[i]));
    }
    if manifest.schema != schema.digest {
        return mismatch(format!("the schema is {}, here it is {}", manifest.schema, schema.digest));
    }
    Ok(())
}

pub(crate) fn read_golden(folder: &Path, width: usize) -> Result<Golden, LoadFault> {
    let file = folder.join("golden.json");
    let bytes = read_bounded(&file, GOLDEN_BYTES_MAX)?;
    Golden::parse(&bytes, width).map_err(|fault| LoadFault::Golden { file, fault })
}

fn repeat_golden(folder: &Path, golden: &Golden, compiled: &Compiled) -> Result<(), LoadFault> {
    let file = folder.join("golden.json");
    let mut plan: Box<dyn Plan> =
        compiled.try_spawn().map_err(|fault| LoadFault::Model { file: folder.join("model.onnx"), fault })?;
    for (i, row) in golden.rows.iter().enumerate() {
        let mut odds = [0.0; 3];
        let said = plan.predict(&row.features, &mut odds);
        let near = odds.iter().zip(row.odds).all(|(p, wanted)| (p - wanted).abs() <= TOLERANCE);
        if let (Ok(()), true) = (said, near) {
            continue;
        }
        let found = match said {
            Ok(()) => format!("row {i} wants {:?}, the model answers {odds:?} here", row.odds),
            Err(fault) => format!("row {i}: {fault}"),
        };
        return Err(LoadFault::Mismatch { file, found, remedy: "write golden.json with the exported model" });
    }
    Ok(())
}

/// A manifest may say what its graph calls the input: a file that calls it otherwise is not the one it was written for.
fn check_input_name(folder: &Path, manifest: &Manifest, compiled: &Compiled) -> Result<(), LoadFault> {
    match &manifest.input {
        Some(named) if named != compiled.input() => Err(LoadFault::Mismatch {
            file: folder.join("model.onnx"),
            found: format!("its input is called `{}`, the manifest says `{named}`", compiled.input()),
            remedy: "export the model again, or write `input` as the file has it",
        }),
        _ => Ok(()),
    }
}

fn read_bounded(file: &Path, most: usize) -> Result<Vec<u8>, LoadFault> {
    let fault = |cause| LoadFault::File { file: file.to_path_buf(), cause };
    // A link could lead out of the folder, and a pipe would be waited on for ever.
    if !std::fs::symlink_metadata(file).map_err(fault)?.is_file() {
        return Err(LoadFault::NotOrdinary(file.to_path_buf()));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows that it is too large without reading the rest.
    let opened = File::open(file).map_err(fault)?;
    opened.take(most as u64 + 1).read_to_end(&mut bytes).map_err(fault)?;
    if bytes.len() > most {
        return Err(LoadFault::TooLarge { file: file.to_path_buf(), most });
    }
    Ok(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use forecast::manifest::{CLASSES, FORMAT, Window};
    use market::quote::Timeframe;
    use market::{Date, Label};
    use std::fs::write;

    pub fn golden_dir() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/onnx")
    }

    pub fn read(name: &str) -> Vec<u8> {
        std::fs::read(golden_dir().join(name)).expect("golden file in the repository")
    }

    fn schema() -> Schema {
        Schema { features: (0..32).map(|i| format!("f{i}")).collect(), digest: hex(&sha256(b"test")) }
    }

    fn manifest(model: &[u8]) -> Manifest {
        Manifest {
            format: FORMAT,
            name: Label::literal("mlp"),
            version: Label::literal("1.0.0"),
            timeframe: Timeframe::Min1,
            features: schema().features,
            schema: schema().digest,
            classes: CLASSES.map(String::from).to_vec(),
            horizon_bars: 5,
            trained: Window { from: Date::literal(2026, 1, 5), to: Date::literal(2026, 2, 5) },
            metrics: Default::default(),
            provenance: "reference set".into(),
            scaling: None,
            label: None,
            calibration: None,
            reference: None,
            input: Some("features".into()),
            sha256: hex(&sha256(model)),
        }
    }

    /// A right folder, then spoiled.
    fn folder(spoil: impl Fn(&Path)) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("temporary folder");
        let folder = root.path().join("mlp/1.0.0");
        std::fs::create_dir_all(&folder).expect("folder");
        let model = read("good/mlp_32_64_32_3.onnx");
        write(folder.join("model.onnx"), &model).expect("write");
        write(folder.join("manifest.yaml"), manifest(&model).to_yaml().expect("right")).expect("write");
        write(folder.join("golden.json"), read("good/mlp_32_64_32_3.golden.json")).expect("write");
        spoil(&folder);
        (root, folder)
    }

    fn load(folder: &Path) -> Result<Loaded, LoadFault> {
        super::load_dir_for(folder, &schema(), &Limits::TABULAR)
    }

    #[test]
    fn a_right_folder_loads() {
        let (_root, folder) = folder(|_| ());
        load(&folder).expect("right");
    }

    /// The horizon says how a forecast is judged: with another one it is another model, whose scores are its own.
    #[test]
    fn the_same_file_with_other_papers_is_another_model() {
        let other = |f: &Path| edit(f, "manifest.yaml", |t| t.replace("horizon_bars: 5", "horizon_bars: 6"));
        let [one, same, other] = [folder(|_| ()), folder(|_| ()), folder(other)]
            .map(|(_root, folder)| load(&folder).expect("right"));
        assert_eq!(one.digest, same.digest);
        assert_eq!(one.manifest.sha256, other.manifest.sha256);
        assert_ne!((one.digest, one.manifest.horizon_bars), (other.digest, other.manifest.horizon_bars));
        assert_ne!(one.digest, other.digest);
    }

    #[test]
    fn its_odds_are_calibrated_and_the_golden_ones_are_not() {
        let calibration = forecast::Calibration::Platt { slope: [1.0; 3], offset: [0.0, 0.0, 1.0] };
        let (_root, folder) = folder(|folder| {
            let model = read("good/mlp_32_64_32_3.onnx");
            let label = Some(forecast::LabelRule::Horizon { threshold_atr: 0.25 });
            let manifest = Manifest { calibration: Some(calibration.clone()), label, ..manifest(&model) };
            write(folder.join("manifest.yaml"), manifest.to_yaml().expect("right")).expect("write");
        });
        let loaded = load(&folder).expect("the golden rows are not calibrated");
        let golden = read_golden(&folder, 32).expect("golden");
        let mut plan = loaded.compiled.spawn();
        let papers = plan.papers().expect("from its manifest");
        assert_eq!((papers.horizon_bars, papers.label), (5, loaded.manifest.label));
        for row in &golden.rows {
            let mut odds = [0.0; 3];
            plan.predict(&row.features, &mut odds).expect("odds");
            let wanted = calibration.apply(forecast::Odds::from_row(row.odds)).row();
            assert!(odds.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-4), "{odds:?} {wanted:?}");
        }
    }

    #[test]
    fn our_own_schema_is_asked_for() {
        let (_root, folder) = folder(|_| ());
        let said = load_dir(&folder).expect_err("other features").to_string();
        assert!(said.contains("train it again"), "{said}");
    }

    /// Puts another model into the folder with a manifest that fits it.
    fn replace_model(folder: &Path, model: &[u8]) {
        write(folder.join("model.onnx"), model).expect("write");
        write(folder.join("manifest.yaml"), manifest(model).to_yaml().expect("right")).expect("write");
    }

    fn edit(folder: &Path, file: &str, change: impl Fn(String) -> String) {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).expect("text");
        write(path, change(text)).expect("write");
    }

    type Spoil = Box<dyn Fn(&Path)>;

    /// What is done to a bundle, which file must be named, and a word of the remedy.
    fn missing_and_damaged_files() -> Vec<(&'static str, &'static str, Spoil)> {
        vec![
            (
                "model.onnx",
                "folder holds",
                Box::new(|f| std::fs::remove_file(f.join("model.onnx")).expect("rm")),
            ),
            (
                "golden.json",
                "folder holds",
                Box::new(|f| std::fs::remove_file(f.join("golden.json")).expect("rm")),
            ),
            (
                "manifest.yaml",
                "folder holds",
                Box::new(|f| std::fs::remove_file(f.join("manifest.yaml")).expect("rm")),
            ),
            (
                "model.onnx",
                "copy both again",
                Box::new(|f| write(f.join("model.onnx"), read("bad/bit_flips.onnx")).expect("write")),
            ),
            ("model.onnx", "copy it again", Box::new(|f| replace_model(f, &read("bad/truncated.onnx")))),
            (
                "model.onnx",
                "weights inside",
                Box::new(|f| replace_model(f, &read("bad/external_data_path_traversal.onnx"))),
            ),
            ("model.onnx", "softmax", Box::new(|f| replace_model(f, &read("bad/percent_output.onnx")))),
            (
                "golden.json",
                "with the exported model",
                Box::new(|f| replace_model(f, &read("bad/bit_flips.onnx"))),
            ),
            (
                "golden.json",
                "rows",
                Box::new(|f| write(f.join("golden.json"), "{\"rows\":[]}").expect("write")),
            ),
            ("golden.json", "it reads", Box::new(|f| write(f.join("golden.json"), "[1").expect("write"))),
        ]
    }

    fn wrong_manifests() -> Vec<(&'static str, &'static str, Spoil)> {
        let digest = schema().digest;
        vec![
            (
                "manifest.yaml",
                "as the manifest names it",
                Box::new(|f| edit(f, "manifest.yaml", |t| t.replace("1.0.0", "2.0.0"))),
            ),
            (
                "manifest.yaml",
                "train it again",
                Box::new(|f| edit(f, "manifest.yaml", |t| t.replace("f31", "g31"))),
            ),
            (
                "manifest.yaml",
                "train it again",
                Box::new(move |f| edit(f, "manifest.yaml", |t| t.replace(&digest, &"0".repeat(64)))),
            ),
            (
                "manifest.yaml",
                "wingspread train",
                Box::new(|f| write(f.join("manifest.yaml"), [0xff; 40]).expect("write")),
            ),
            (
                "manifest.yaml",
                "right file",
                Box::new(|f| write(f.join("manifest.yaml"), vec![b'a'; 300_000]).expect("write")),
            ),
        ]
    }

    /// Every bad file of the reference set, and a word of what it is refused for in a bundle that is otherwise right.
    const BAD: &str = include_str!("../../tests/golden/onnx/refused.tsv");

    /// Puts a bad file in, and mends the papers so that nothing else is wrong: flipped bytes have the papers of the file
    /// they were, and the constant model repeats its golden rows.
    fn spoil_with(folder: &Path, name: &str) {
        let bad = read(&format!("bad/{name}.onnx"));
        match name {
            "bit_flips" => write(folder.join("model.onnx"), bad).expect("write"),
            "constant_output" => {
                replace_model(folder, &bad);
                let compiled = crate::compile(&bad, 32, &Limits::TABULAR).expect("it computes");
                let mut golden = read_golden(folder, 32).expect("rows");
                let mut plan = compiled.spawn();
                for row in &mut golden.rows {
                    plan.predict(&row.features, &mut row.odds).expect("odds");
                }
                write(folder.join("golden.json"), golden.to_json(32).expect("right")).expect("write");
            }
            _ => replace_model(folder, &bad),
        }
    }

    #[test]
    fn every_bad_file_is_refused_for_its_own_reason() {
        let mut wrong = Vec::new();
        for (name, word) in BAD.lines().filter_map(|line| line.split_once('\t')) {
            let (_root, folder) = folder(|f| spoil_with(f, name));
            let said = load(&folder).expect_err(name).to_string();
            println!("{name}: {said}");
            if !said.contains(word) {
                wrong.push((name, word, said));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(std::fs::read_dir(golden_dir().join("bad")).expect("golden").count(), BAD.lines().count());
    }

    #[test]
    fn a_model_that_says_it_knows_only_the_base_rates_may_be_constant() {
        let (_root, folder) = folder(|f| {
            spoil_with(f, "constant_output");
            let model = read("bad/constant_output.onnx");
            let mut manifest = manifest(&model);
            manifest.metrics.insert(Manifest::BASE_RATES_ONLY.into(), 1.0);
            write(f.join("manifest.yaml"), manifest.to_yaml().expect("right")).expect("write");
        });
        load(&folder).expect("it says so");
    }

    #[test]
    fn links_and_pipes_are_not_opened() {
        let (_root, folder) = folder(|f| {
            std::fs::rename(f.join("model.onnx"), f.join("../elsewhere.onnx")).expect("moved");
            std::os::unix::fs::symlink("../elsewhere.onnx", f.join("model.onnx")).expect("link");
        });
        let fault = load(&folder).expect_err("a link");
        assert!(fault.to_string().contains("not an ordinary file") && fault.because() == Because::Files);
    }

    #[test]
    fn what_may_be_half_copied_is_told_from_what_is_wrong() {
        for (file, _, spoil) in missing_and_damaged_files().into_iter().take(4) {
            let (_root, folder) = folder(spoil);
            assert_eq!(load(&folder).expect_err(file).because(), Because::Unfinished, "{file}");
        }
        let (_root, folder) = folder(|f| spoil_with(f, "truncated"));
        assert_eq!(load(&folder).expect_err("whole by its checksum").because(), Because::Files);
    }

    #[test]
    fn every_failure_names_its_file_and_a_remedy() {
        for (file, remedy, spoil) in missing_and_damaged_files().into_iter().chain(wrong_manifests()) {
            let (_root, folder) = folder(spoil);
            let said = load(&folder).expect_err(file).to_string();
            assert!(said.contains(file) && said.contains(remedy), "{file} / {remedy}: {said}");
        }
    }
}
