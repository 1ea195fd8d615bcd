//! Models dropped into the folder while the run is measured, as an operator would: each new version is looked at, shadows
//! the incumbent, and is promoted by the command line through the control socket.

use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the command line is tried until the new version is on the shelf.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// What became of the models dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dropped {
    /// Bundles put into the folder.
    pub bundles: u32,
    /// Those that took the incumbent's place.
    pub promoted: u32,
}

/// Drops models until it is told to end.
pub struct Dropping {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Dropped>>,
}

/// Where everything is.
pub struct Places {
    /// The folder of models the engine watches: a copy, since it is written to.
    pub models: PathBuf,
    /// The engine's journal, with its control socket.
    pub journal: PathBuf,
    /// The `wingspread` program.
    pub program: PathBuf,
}

impl Dropping {
    /// Drops the next version of one model after another, one each `every`.
    pub fn start(places: Places, every: Duration) -> anyhow::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = ended.clone();
        let names = bundles(&places.models)?;
        let thread = std::thread::Builder::new()
            .name("dropping".into())
            .spawn(move || drop_all(&places, &names, every, &is_ended))?;
        Ok(Self { ended, thread })
    }

    /// Ends it; says what was done.
    pub fn end(self) -> anyhow::Result<Dropped> {
        self.ended.store(true, Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that drops models panicked"))?
    }
}

fn drop_all(
    places: &Places,
    names: &[(String, PathBuf)],
    every: Duration,
    ended: &AtomicBool,
) -> anyhow::Result<Dropped> {
    let mut dropped = Dropped::default();
    // A version that nobody has.
    for version in 1_000.. {
        for (name, bundle) in names {
            std::thread::sleep(every);
            if ended.load(Relaxed) {
                return Ok(dropped);
            }
            drop_one(&places.models, name, bundle, version)?;
            dropped.bundles += 1;
            dropped.promoted += u32::from(promote(places, &format!("{name}/{version}"), ended));
        }
    }
    Ok(dropped)
}

/// The bundle again, as a new version: complete under a hidden name first, then renamed.
fn drop_one(models: &Path, name: &str, bundle: &Path, version: u32) -> anyhow::Result<()> {
    let hidden = models.join(name).join(".coming");
    copy(bundle, &hidden)?;
    let manifest = hidden.join("manifest.yaml");
    let text = std::fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
    let lines = text.lines().map(|line| match line.strip_prefix("version:") {
        Some(_) => format!("version: \"{version}\"\n"),
        None => format!("{line}\n"),
    });
    std::fs::write(&manifest, lines.collect::<String>())?;
    Ok(std::fs::rename(hidden, models.join(name).join(version.to_string()))?)
}

/// Asks until the model has been looked at and stands on the shelf; true when it was promoted.
fn promote(places: &Places, model: &str, ended: &AtomicBool) -> bool {
    while !ended.load(Relaxed) {
        let asked = Command::new(&places.program)
            .args(["models", "promote", model, "--journal"])
            .arg(&places.journal)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if asked.is_ok_and(|status| status.success()) {
            return true;
        }
        std::thread::sleep(ASK_EVERY);
    }
    false
}

/// Name and folder of one bundle of each model.
fn bundles(models: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut all = Vec::new();
    for name in folders(models)? {
        if let Some(bundle) = folders(&name)?.pop() {
            all.push((name.file_name().unwrap_or_default().to_string_lossy().into_owned(), bundle));
        }
    }
    anyhow::ensure!(!all.is_empty(), "{}: holds no models to drop again", models.display());
    Ok(all)
}

/// The folders in a folder that are not hidden, in order.
fn folders(of: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(of).with_context(|| format!("{}: cannot be read", of.display()))?;
    let is_shown = |path: &Path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
    let mut all: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.is_dir() && is_shown(p)).collect();
    all.sort();
    Ok(all)
}

/// Copies a folder with what is in it.
pub fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("{}: cannot make the folder", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("{}: cannot be read", from.display()))? {
        let source = entry?.path();
        let target = to.join(source.file_name().unwrap_or_default());
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).with_context(|| source.display().to_string())?;
        }
    }
    Ok(())
}
