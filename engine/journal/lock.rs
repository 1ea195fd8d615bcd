//! One engine a journal: a lock on a file that dies with the process, with the holder's number inside. After an
//! orderly close the file also tells length and time of the tables' file, so that the next start
//! knows that nobody touched it since and need not read it all.

use crate::Fault;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// The held lock; let go when dropped or when the process dies.
pub struct Lock {
    file: File,
    /// What the last holder left behind.
    left: String,
}

impl Lock {
    /// Takes the lock of the journal in `dir`, or tells who has it.
    pub fn take(dir: &Path) -> Result<Self, Fault> {
        let path = dir.join("engine.lock");
        let io = |what| {
            let path = path.clone();
            move |source| Fault::Io { what, path, source }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io("open the lock file"))?;
        let taken = file.try_lock();
        let mut left = String::new();
        file.read_to_string(&mut left).map_err(io("read the lock file"))?;
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = left.lines().next().unwrap_or("unknown").trim().to_string();
                return Err(Fault::InUse { dir: dir.into(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        let mut lock = Self { file, left };
        lock.write(&format!("{}\n", std::process::id())).map_err(io("write the lock file"))?;
        Ok(lock)
    }

    /// True when the last holder closed in good order and `data` is as it left it.
    pub fn left_untouched(&self, data: &Path) -> bool {
        stamp(data).is_some_and(|stamp| self.left.lines().nth(1) == Some(stamp.as_str()))
    }

    /// Notes an orderly close.
    pub fn note_closed(&mut self, data: &Path) {
        if let Some(stamp) = stamp(data) {
            // Without the note the next start reads the file through: slower, not wrong.
            let _ = self.write(&format!("{}\n{stamp}\n", std::process::id()));
        }
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())
    }
}

fn stamp(data: &Path) -> Option<String> {
    let meta = std::fs::metadata(data).ok()?;
    let changed = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("closed {} {}", meta.len(), changed.as_nanos()))
}

/// True when no engine holds the journal and its tables' file is not as an orderly close left it.
pub fn is_free_and_touched(dir: &Path, data: &Path) -> bool {
    let Ok(mut file) = File::open(dir.join("engine.lock")) else { return true };
    if file.try_lock_shared().is_err() {
        return false;
    }
    let mut left = String::new();
    let read = file.read_to_string(&mut left).is_ok();
    !(read && stamp(data).is_some_and(|stamp| left.lines().nth(1) == Some(stamp.as_str())))
}
