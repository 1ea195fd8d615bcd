//! The paper that comes with a model file: what it is called, what it reads, what it answers, how it was
//! trained, and the checksum of the file it describes. `manifest.yaml` beside `model.onnx`.

use crate::{Calibration, LabelRule, Reference};
use indicators::scaling::Scaling;
use market::quote::Timeframe;
use market::{Date, Label};
use std::collections::BTreeMap;

/// The layout of `manifest.yaml` written and read by this version.
pub const FORMAT: u32 = 1;
/// The classes every model answers with, in the order of its output columns.
pub const CLASSES: [&str; 3] = ["down", "flat", "up"];
/// Most features a model may read; a guard against nonsense, far above any schema of ours.
pub const FEATURES_MAX: usize = 4096;
/// Most bars a model may look ahead: beyond it nothing is learnt of it in time, and its waiting predictions would push out
/// those of others.
pub const HORIZON_MAX: u32 = 512;
/// Largest `manifest.yaml` that is read, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 256 * 1024;

/// The dates of the sessions a model was trained on, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First session.
    pub from: Date,
    /// Last session.
    pub to: Date,
}

/// What `manifest.yaml` says.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Layout of this file: [`FORMAT`].
    pub format: u32,
    /// The model's name, also the name of its folder.
    pub name: Label,
    /// Its version, also the name of the folder in that folder.
    pub version: Label,
    /// The timeframe whose feature row it reads.
    pub timeframe: Timeframe,
    /// Names of its features, in the order of the input's columns.
    pub features: Vec<String>,
    /// SHA-256 of the feature schema it was trained on, 64 hexadecimal digits.
    pub schema: String,
    /// [`CLASSES`], in the order of the output's columns.
    pub classes: Vec<String>,
    /// How many bars of its timeframe ahead it looks.
    pub horizon_bars: u32,
    /// The sessions it was trained on.
    pub trained: Window,
    /// Scores by name, such as `log_loss`, as measured out of sample by whoever trained it.
    pub metrics: BTreeMap<String, f64>,
    /// Where it comes from, in words: data, learner, who, when. Says so when it was trained on simulation.
    pub provenance: String,
    /// What brings a row to the size the model was trained on, before it is asked; absent for a model that reads rows
    /// as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// How the classes it was taught were decided: live forecasts are scored by the same rule. Without it they are by
    /// the horizon, when `metrics` holds `threshold_atr`, and not at all otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelRule>,
    /// What its odds are bent by before anybody sees them; `golden.json` holds the odds before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// What training saw of the features as the engine makes them (not scaled). With it the model is silent about rows
    /// unlike any it was taught, and drift is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What the graph calls its input, when that shall be held against the file; absent: it is bound by position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// SHA-256 of `model.onnx`, 64 hexadecimal digits.
    pub sha256: String,
}

/// Why a manifest was not taken. The reader adds the file's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// Not YAML, a field missing, unknown or of the wrong type; the text gives line and column.
    #[error("is not a manifest: {0}; write it with `wingspread train` or after docs/models.md")]
    Unreadable(String),
    /// Longer than [`MANIFEST_BYTES_MAX`].
    #[error("has {0} bytes, more than the {MANIFEST_BYTES_MAX} a manifest may have; is it the right file?")]
    TooLong(usize),
    /// A field that cannot be right.
    #[error("`{field}`: {found}; {remedy}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl Manifest {
    /// The metric by which a trainer says that its model only knows the base rates, and so answers every row alike.
    pub const BASE_RATES_ONLY: &'static str = "says_base_rates_only";

    /// True for a model that says itself that it answers every row alike.
    pub fn says_base_rates_only(&self) -> bool {
        self.metrics.get(Self::BASE_RATES_ONLY).is_some_and(|value| *value == 1.0)
    }

    /// Reads and checks `manifest.yaml`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(yaml: &str) -> Result<Self, ManifestFault> {
        if yaml.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestFault::TooLong(yaml.len()));
        }
        let manifest: Self =
            serde_saphyr::from_str(yaml).map_err(|e| ManifestFault::Unreadable(first_lines(&e)))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The text of `manifest.yaml`.
    ///
    /// # Errors
    /// What [`Manifest::check`] says: nothing is written that would not be read back.
    pub fn to_yaml(&self) -> Result<String, ManifestFault> {
        self.check()?;
        serde_saphyr::to_string(self).map_err(|e| ManifestFault::Unreadable(e.to_string()))
    }

    /// Checks what a manifest can be checked for without its model.
    ///
    /// # Errors
    /// The first field that cannot be right.
    pub fn check(&self) -> Result<(), ManifestFault> {
        let fault = |field, found, remedy| Err(ManifestFault::Field { field, found, remedy });
        if self.format != FORMAT {
            return fault(
                "format",
                format!("layout {} is not known, only {FORMAT}", self.format),
                "train the model again with this version",
            );
        }
        if self.features.is_empty() || self.features.len() > FEATURES_MAX {
            return fault(
                "features",
                format!("{} names", self.features.len()),
                "list the input's columns in order, at least one",
            );
        }
        if let Some(twice) = repeated(&self.features) {
            return fault("features", format!("`{twice}` is there twice"), "name every column once");
        }
        if self.classes != CLASSES {
            return fault(
                "classes",
                format!("{:?}", self.classes),
                "every model answers [down, flat, up] in this order",
            );
        }
        if self.horizon_bars == 0 {
            return fault("horizon_bars", "0".into(), "a forecast looks at least one bar ahead");
        }
        if self.horizon_bars > HORIZON_MAX {
            return fault(
                "horizon_bars",
                format!("{} is more than {HORIZON_MAX}", self.horizon_bars),
                "look less far ahead, or train for a longer timeframe",
            );
        }
        if self.trained.from > self.trained.to {
            return fault(
                "trained",
                format!("{} is after {}", self.trained.from, self.trained.to),
                "`from` is the first session, `to` the last",
            );
        }
        if let Some((name, value)) = self.metrics.iter().find(|(_, v)| !v.is_finite()) {
            return fault("metrics", format!("`{name}` is {value}"), "leave out what could not be measured");
        }
        if self.provenance.trim().is_empty() {
            return fault("provenance", "empty".into(), "say what data and learner it comes from");
        }
        self.check_sections()?;
        check_digest("schema", &self.schema)?;
        check_digest("sha256", &self.sha256)
    }

    fn check_sections(&self) -> Result<(), ManifestFault> {
        let width = self.features.len();
        let faults = [
            ("label", self.label.and_then(|label| label.fault()), "give distances above 0"),
            (
                "calibration",
                self.calibration.as_ref().and_then(Calibration::fault).map(String::from),
                "fit it again, or leave it out",
            ),
            (
                "reference",
                self.reference.as_ref().and_then(|reference| reference.fault(width)),
                "fit it to the training rows again, or leave it out",
            ),
        ];
        let found = faults.into_iter().find_map(|(field, found, remedy)| Some((field, found?, remedy)));
        found.map_or(Ok(()), |(field, found, remedy)| Err(ManifestFault::Field { field, found, remedy }))
    }

    /// The rule its forecasts are scored by. Manifests from before `label` gave the threshold for the whole horizon
    /// among their metrics.
    pub fn label_rule(&self) -> Option<LabelRule> {
        self.label.or_else(|| {
            let whole = self.metrics.get("threshold_atr")?;
            let rule = LabelRule::Horizon { threshold_atr: whole / f64::from(self.horizon_bars).sqrt() };
            rule.fault().is_none().then_some(rule)
        })
    }
}

/// Lower-case hexadecimal digits of some bytes, as digests are written in manifests.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

fn check_digest(field: &'static str, text: &str) -> Result<(), ManifestFault> {
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(ManifestFault::Field {
        field,
        found: format!("`{}` is no SHA-256", text.chars().take(80).collect::<String>()),
        remedy: "write 64 lower-case hexadecimal digits, in quotes",
    })
}

fn repeated(names: &[String]) -> Option<&str> {
    let mut seen = std::collections::BTreeSet::new();
    names.iter().map(String::as_str).find(|name| !seen.insert(*name))
}

/// The parser quotes the source below its message; the message alone is enough for a log line.
fn first_lines(error: &dyn std::fmt::Display) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        Manifest {
            format: FORMAT,
            name: Label::literal("sim-5min"),
            version: Label::literal("1.0.0"),
            timeframe: Timeframe::Min5,
            features: vec!["ret_1".into(), "rsi_14".into()],
            schema: hex(&sha256(b"schema")),
            classes: CLASSES.map(String::from).to_vec(),
            horizon_bars: 6,
            trained: Window { from: Date::literal(2026, 1, 5), to: Date::literal(2026, 3, 31) },
            metrics: BTreeMap::from([("log_loss".into(), 1.02), ("accuracy".into(), 0.41)]),
            provenance: "simulated history, seed 7: not the market\ntwo lines # and a hash".into(),
            scaling: None,
            label: None,
            calibration: None,
            reference: None,
            input: None,
            sha256: hex(&sha256(b"")),
        }
    }

    #[test]
    fn text_round_trips() {
        let manifest = sample();
        let yaml = manifest.to_yaml().expect("right");
        assert_eq!(Manifest::parse(&yaml).expect("own text"), manifest, "{yaml}");
        // The empty message's SHA-256 is known.
        assert!(manifest.sha256.starts_with("e3b0c44298fc1c14"));
    }

    #[test]
    fn a_scaling_comes_back_bit_by_bit_and_a_wrong_one_is_named() {
        let rows: Vec<_> = (0..40u8).map(|i| [f32::from(i) / 3.0; indicators::FEATURES]).collect();
        let fitted = Scaling::fit(rows.iter().map(|row| (row, indicators::features::Missing::NONE)));
        let manifest = Manifest { scaling: Some(fitted), ..sample() };
        let yaml = manifest.to_yaml().expect("right");
        assert_eq!(Manifest::parse(&yaml).expect("own text"), manifest, "{yaml}");
        let short = yaml.replacen("  centre:\n  - ", "  centre:\n  # ", 1);
        let said = Manifest::parse(&short).expect_err("a number short").to_string();
        assert!(said.contains("centre"), "{said}\n{yaml}");
    }

    #[test]
    fn label_calibration_and_reference_come_back_and_wrong_ones_are_named() {
        let rows: Vec<[f32; 2]> = (0..90u8).map(|i| [f32::from(i) / 7.0, f32::from(i % 5) - 0.3]).collect();
        let reference =
            Reference::fit(rows.iter().map(|row| (row.as_slice(), indicators::features::Missing::NONE)));
        let knots = [vec![[0.1, 0.2], [0.7, 0.9]], vec![[0.3, 0.25]], vec![[0.0, 0.0], [1.0, 1.0]]];
        let labels = [
            LabelRule::Horizon { threshold_atr: 0.27 },
            LabelRule::TripleBarrier { up_atr: 0.5, down_atr: 0.4 },
        ];
        let curves = [
            Calibration::Platt { slope: [0.3, 1.0 / 3.0, 0.5], offset: [0.0, -1e-7, 12.5] },
            Calibration::Isotonic { knots },
        ];
        for (label, curve) in labels.into_iter().zip(curves) {
            let (label, calibration, reference) = (Some(label), Some(curve), reference.clone());
            let mut manifest = Manifest { label, calibration, reference, ..sample() };
            let yaml = manifest.to_yaml().expect("right");
            assert_eq!(Manifest::parse(&yaml).expect("own text"), manifest, "{yaml}");
            assert_eq!(manifest.label_rule(), label);
            manifest.features.push("third".into());
            assert!(manifest.to_yaml().expect_err("narrow").to_string().contains("`reference`"));
            manifest.reference = None;
            manifest.calibration = Some(Calibration::Platt { slope: [f64::NAN; 3], offset: [0.0; 3] });
            assert!(manifest.to_yaml().expect_err("not a number").to_string().contains("`calibration`"));
            manifest.label = Some(LabelRule::Horizon { threshold_atr: 0.0 });
            assert!(manifest.to_yaml().expect_err("no threshold").to_string().contains("`label`"));
        }
    }

    #[test]
    fn the_threshold_of_an_old_manifest_is_found_among_its_metrics() {
        let mut old = sample();
        assert_eq!(old.label_rule(), None);
        old.horizon_bars = 4;
        old.metrics.insert("threshold_atr".into(), 0.54);
        assert_eq!(old.label_rule(), Some(LabelRule::Horizon { threshold_atr: 0.27 }));
    }

    #[test]
    fn digests_that_look_like_numbers_stay_texts() {
        let mut manifest = sample();
        manifest.schema = "1".repeat(64);
        manifest.sha256 = format!("{}e{}", "1".repeat(31), "2".repeat(32));
        manifest.version = Label::literal("1.0");
        let yaml = manifest.to_yaml().expect("right");
        assert_eq!(Manifest::parse(&yaml).expect("own text"), manifest, "{yaml}");
    }

    #[test]
    fn says_what_is_wrong() {
        type Spoil = fn(&mut Manifest);
        let spoils: [(&str, Spoil); 9] = [
            ("format", |m| m.format = 9),
            ("features", |m| m.features.clear()),
            ("features", |m| m.features[1] = "ret_1".into()),
            ("classes", |m| m.classes.swap(0, 2)),
            ("horizon_bars", |m| m.horizon_bars = 0),
            ("trained", |m| m.trained.to = Date::literal(2020, 1, 1)),
            ("metrics", |m| m.metrics.values_mut().for_each(|v| *v = f64::NAN)),
            ("provenance", |m| m.provenance = " ".into()),
            ("sha256", |m| m.sha256 = "abc".into()),
        ];
        for (field, spoil) in spoils {
            let mut manifest = sample();
            spoil(&mut manifest);
            let said = manifest.to_yaml().expect_err(field).to_string();
            assert!(said.contains(field), "{field}: {said}");
        }
    }

    #[test]
    fn unreadable_text_is_refused_with_a_place() {
        let yaml = sample().to_yaml().expect("right");
        for bad in [
            String::new(),
            "- a\n- b\n".into(),
            yaml.replace("horizon_bars: 6", "horizon_bars: six"),
            yaml.replace("timeframe: 5min", "timeframe: 7min"),
            yaml.replace("provenance:", "provenence:"),
            "a: ".repeat(200_000),
        ] {
            assert!(Manifest::parse(&bad).is_err(), "{bad:.80}");
        }
    }
}
