//! Where refused bundles go: `models/.quarantine/NAME/VERSION-N/`, with `refused.txt` saying why and what to do. The
//! name begins with a dot, so that nobody takes what lies there for a model.

use onnx::Refused;
use std::io;
use std::path::{Path, PathBuf};

/// The folder within the models folder.
pub const FOLDER: &str = ".quarantine";
/// The note beside a refused bundle.
pub const NOTE: &str = "refused.txt";
/// Refusals of one version that are kept apart.
const KEPT_MAX: u32 = 10_000;

/// Moves `models/NAME/VERSION` away and leaves the note; answers where it is now.
///
/// # Errors
/// When it cannot be moved, as in a folder that may only be read: it then stays where it is.
pub fn put_away(models: &Path, bundle: &Path, refused: &Refused) -> io::Result<PathBuf> {
    let part = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let (Some(version), Some(name)) = (part(bundle), bundle.parent().and_then(part)) else {
        return Err(io::Error::other("it is not models/NAME/VERSION"));
    };
    let beside = models.join(FOLDER).join(name);
    std::fs::create_dir_all(&beside)?;
    let free = (1..=KEPT_MAX).map(|n| beside.join(format!("{version}-{n}"))).find(|place| !place.exists());
    let place = free.ok_or_else(|| io::Error::other("the quarantine is full: empty it"))?;
    std::fs::rename(bundle, &place)?;
    let (reason, remedy) = refused.parts();
    // The bundle is out of the way already, and the reason is told as an alert too.
    let _ = std::fs::write(
        place.join(NOTE),
        format!(
            "reason: {reason}\nremedy: {remedy}\n\nTo bring it again, put the mended folder at {}.\n",
            bundle.display()
        ),
    );
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx::Because;

    #[test]
    fn what_is_refused_twice_lies_there_twice() {
        let models = tempfile::tempdir().expect("folder");
        let bundle = models.path().join("mlp/1.0.0");
        let refused =
            Refused { reason: "model.onnx is damaged; copy it again".into(), because: Because::Files };
        for n in 1..=2 {
            std::fs::create_dir_all(&bundle).expect("folder");
            let place = put_away(models.path(), &bundle, &refused).expect("moved");
            assert_eq!(place, models.path().join(format!(".quarantine/mlp/1.0.0-{n}")));
            let note = std::fs::read_to_string(place.join(NOTE)).expect("a note");
            assert!(note.contains("reason: model.onnx is damaged\nremedy: copy it again\n"), "{note}");
            assert!(!bundle.exists());
        }
    }

    #[test]
    fn what_is_no_bundle_stays() {
        let refused = Refused { reason: String::new(), because: Because::Files };
        assert!(put_away(Path::new("/nowhere"), Path::new("/"), &refused).is_err());
    }
}
