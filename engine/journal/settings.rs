//! What can be set about the journal.

use crate::Fault;
use std::path::PathBuf;

/// What must survive what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The death of the process loses nothing. A power cut may lose the last groups and what is in the rings, and
    /// leaves a sound file.
    Process,
    /// As `process`, and each group is synced to the disk; the shell holds a request until
    /// [`crate::Pen::synced_seq`] has reached it.
    Power,
}

/// What can be set about the journal. Every field is named `journal.FIELD` in configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of each ring, rounded up to a power of two; at least 64 KiB. It must hold what is said while the
    /// disk stalls: 16 MiB are some 80,000 records.
    pub ring_bytes: usize,
    /// Where the rings are kept; `None` for the journal's own folder. `/dev/shm` keeps write-back away from the
    /// trading thread's pages and still survives the death of the process, but not a restart of the machine.
    pub ring_dir: Option<PathBuf>,
    /// Pens, and so rings: one a trading thread, 1 to 64.
    pub pens: usize,
    /// Most records in one commit, 1 to 100,000.
    pub group_records: usize,
    /// Milliseconds the journal thread rests when it has caught up, 1 to 1,000: the age of the oldest record not
    /// yet in the tables stays near it.
    pub group_ms: u64,
    /// Room reserved for the tables, in MiB: the file never grows beyond.
    pub map_size_mb: usize,
    /// What must survive what.
    pub durability: Durability,
    /// When the tables fill more than this share of the map, in percent, the oldest market inputs are
    /// forgotten until a tenth less is used; everything else is kept. `None`: nothing is ever forgotten.
    pub prune_above_percent: Option<u8>,
}

impl Settings {
    /// Refuses values outside the bounds named with each field.
    pub fn check(&self) -> Result<(), Fault> {
        let bounds = [
            ("ring_bytes", self.ring_bytes, 64 * 1024, 1 << 32),
            ("pens", self.pens, 1, 64),
            ("group_records", self.group_records, 1, 100_000),
            ("group_ms", self.group_ms as usize, 1, 1000),
            ("map_size_mb", self.map_size_mb, 1, 1 << 24),
            ("prune_above_percent", self.prune_above_percent.unwrap_or(50).into(), 20, 90),
        ];
        for (field, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                return Err(Fault::Setting { field, value, least, most });
            }
        }
        Ok(())
    }

    /// Bytes of the map.
    pub fn map_bytes(&self) -> usize {
        self.map_size_mb << 20
    }
}
