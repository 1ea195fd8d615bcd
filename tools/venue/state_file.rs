//! The file a venue's state is kept in: one snapshot, replaced whole by a rename, and beside it (`.bars`) the
//! finished minutes, appended. Nothing is synced to the disk: the files outlive the process, not a power cut.
//!
//! Layout: magic, schema version, checksum of the snapshot, its length, the time told, the snapshot. The time
//! told is overwritten in place, before anything of that time is said to a client; it is how far a restored
//! market must go on before it may speak again.

use market::Timestamp;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"WSVENUE\0";
/// Schema of what is stored; one more with every change of it.
const VERSION: u32 = 1;
const TOLD_AT: usize = 24;
const HEAD: usize = 32;

/// Why a stored venue cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refuses the file.
    #[error("venue: cannot use the market's state in {path}: {error}; check the folder and its rights")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not what was written.
    #[error(
        "venue: the market's state in {path} is damaged ({what}); move it aside to start with a fresh market. \
         The engine will then find that its book and the broker's differ, and say so"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another program wrote it.
    #[error(
        "venue: the market's state in {path} has schema {found}, this program reads {VERSION}; run the version \
         that wrote it, or start with `--journal OTHER`"
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// The schema found.
        found: u32,
    },
    /// It is the state of another market.
    #[error(
        "venue: {path} keeps another market: {difference}; start with `--journal OTHER` to have both, set it \
         back, or delete the file (and its journal) to begin anew"
    )]
    Other {
        /// Which file.
        path: PathBuf,
        /// Stored and given.
        difference: String,
    },
    /// A flood runs on the wall clock: there is nothing to go on with.
    #[error("venue: a flood cannot be kept; leave `state_file` out")]
    Flood,
}

impl StateError {
    /// A file that contradicts itself.
    pub fn damaged(path: &Path, what: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.to_string() }
    }

    /// A market that is another one.
    pub fn other(path: &Path, difference: impl ToString) -> Self {
        Self::Other { path: path.to_owned(), difference: difference.to_string() }
    }
}

/// What was read.
pub struct Stored {
    /// The snapshot, checked.
    pub snapshot: Vec<u8>,
    /// Up to when clients may have heard of the market.
    pub told: Timestamp,
}

/// How much of the appended minutes belongs to a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extent {
    bytes: u64,
    crc: u32,
}

/// The open files.
pub struct StateFile {
    path: PathBuf,
    current: Option<File>,
    bars: File,
    extent: Extent,
    waiting: Vec<u8>,
    buffer: Vec<u8>,
    told: Timestamp,
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl StateFile {
    /// Reads what is stored; `None` when nothing is.
    pub fn read(path: &Path) -> Result<Option<Stored>, StateError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StateError::Io { path: path.to_owned(), error }),
        };
        let damaged = |what: &str| StateError::damaged(path, what);
        if bytes.len() < HEAD || bytes[..8] != *MAGIC {
            return Err(damaged("it does not begin like one"));
        }
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let (version, crc, length) = (word(8), word(12), long(16));
        if version != VERSION {
            return Err(StateError::Version { path: path.to_owned(), found: version });
        }
        if length != (bytes.len() - HEAD) as u64 {
            return Err(damaged("its length is wrong"));
        }
        if crc != crc32fast::hash(&bytes[HEAD..]) {
            return Err(damaged("its checksum is wrong"));
        }
        let told = Timestamp::from_ns(long(TOLD_AT) as i64);
        Ok(Some(Stored { snapshot: bytes[HEAD..].to_vec(), told }))
    }

    /// Opens the files to write, keeping that much of the minutes; also gives those back.
    pub fn open(path: &Path, extent: Extent) -> Result<(Self, Vec<u8>), StateError> {
        let bars_path = beside(path, ".bars");
        let failed = |error| StateError::Io { path: bars_path.clone(), error };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = File::options();
        let mut bars =
            options.read(true).write(true).create(true).truncate(false).open(&bars_path).map_err(failed)?;
        let mut kept = Vec::new();
        Read::by_ref(&mut bars).take(extent.bytes).read_to_end(&mut kept).map_err(failed)?;
        if kept.len() as u64 != extent.bytes || crc32fast::hash(&kept) != extent.crc {
            return Err(StateError::damaged(&bars_path, "it does not fit the state beside it"));
        }
        bars.set_len(extent.bytes).map_err(failed)?;
        bars.seek(SeekFrom::End(0)).map_err(failed)?;
        let told = Timestamp::MIN;
        let (waiting, buffer) = (Vec::new(), Vec::new());
        Ok((Self { path: path.to_owned(), current: None, bars, extent, waiting, buffer, told }, kept))
    }

    /// Takes a row to be appended with the next snapshot.
    pub fn append(&mut self, row: &impl serde::Serialize) {
        // Rows are plain numbers and names: they cannot fail to be written into memory.
        if let Ok(bytes) = postcard::to_stdvec(row) {
            self.waiting.extend_from_slice(&bytes);
        }
    }

    /// Writes the waiting rows; what it returns belongs into the snapshot that follows.
    pub fn append_waiting(&mut self) -> io::Result<Extent> {
        if !self.waiting.is_empty() {
            self.bars.seek(SeekFrom::Start(self.extent.bytes))?;
            self.bars.write_all(&self.waiting)?;
            let mut crc = crc32fast::Hasher::new_with_initial(self.extent.crc);
            crc.update(&self.waiting);
            self.extent.bytes += self.waiting.len() as u64;
            self.extent.crc = crc.finalize();
            self.waiting.clear();
        }
        Ok(self.extent)
    }

    /// Replaces the snapshot: written beside, then renamed, so that there is always a whole one.
    pub fn save(&mut self, snapshot: &impl serde::Serialize, told: Timestamp) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.resize(HEAD, 0);
        buffer = postcard::to_extend(snapshot, buffer).map_err(io::Error::other)?;
        self.told = self.told.max(told);
        let crc = crc32fast::hash(&buffer[HEAD..]);
        let length = (buffer.len() - HEAD) as u64;
        buffer[..8].copy_from_slice(MAGIC);
        buffer[8..12].copy_from_slice(&VERSION.to_le_bytes());
        buffer[12..16].copy_from_slice(&crc.to_le_bytes());
        buffer[16..24].copy_from_slice(&length.to_le_bytes());
        buffer[TOLD_AT..HEAD].copy_from_slice(&self.told.ns().to_le_bytes());
        let next = beside(&self.path, ".new");
        let mut file = File::create(&next)?;
        file.write_all(&buffer)?;
        std::fs::rename(&next, &self.path)?;
        self.current = Some(file);
        self.buffer = buffer;
        Ok(())
    }

    /// Notes that clients may hear of the market up to `told`; before they do.
    pub fn tell(&mut self, told: Timestamp) -> io::Result<()> {
        if told <= self.told {
            return Ok(());
        }
        self.told = told;
        let Some(file) = &mut self.current else { return Ok(()) };
        file.seek(SeekFrom::Start(TOLD_AT as u64))?;
        file.write_all(&told.ns().to_le_bytes())
    }
}
