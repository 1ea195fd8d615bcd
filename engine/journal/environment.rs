//! Opening LMDB, with `unsafe` since heed marks opening so.
#![allow(unsafe_code)]

use crate::{Durability, Fault};
use heed::{Env, EnvFlags, EnvOpenOptions, WithoutTls};
use std::path::{Path, PathBuf};

/// Tables at most.
const TABLES_MAX: u32 = 16;
/// Readers at once, over all processes.
const READERS_MAX: u32 = 64;

/// The tables' file.
pub fn data_file(dir: &Path) -> PathBuf {
    dir.join("data.mdb")
}

/// Opens for the engine, which holds the journal's lock.
pub fn open(dir: &Path, map_bytes: usize, durability: Durability) -> Result<Env<WithoutTls>, Fault> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes.next_multiple_of(1 << 20)).max_dbs(TABLES_MAX).max_readers(READERS_MAX);
    if durability == Durability::Process {
        // SAFETY: this flag leaves out the second sync of a commit. The file stays sound after a power cut,
        // the last commit may be undone: what the setting says.
        unsafe { options.flags(EnvFlags::NO_META_SYNC) };
    }
    // SAFETY: the file is LMDB's alone: the engine's lock is held, the pages were checked, and nothing here
    // writes to it in another way; LMDB's own lock file orders readers of other processes.
    unsafe { options.open(dir) }.map_err(|e| fault(dir, e))
}

/// Opens for reading beside a running engine, or without one.
pub fn open_to_read(dir: &Path) -> Result<Env<WithoutTls>, Fault> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.max_dbs(TABLES_MAX).max_readers(READERS_MAX);
    // SAFETY: reading only; the rest as in `open`.
    unsafe {
        options.flags(EnvFlags::READ_ONLY);
        options.open(dir)
    }
    .map_err(|e| fault(dir, e))
}

fn fault(dir: &Path, error: heed::Error) -> Fault {
    match error {
        heed::Error::Io(source) => {
            Fault::Io { what: "open the journal's tables in", path: dir.into(), source }
        }
        heed::Error::EnvAlreadyOpened => Fault::InUse {
            dir: dir.into(),
            pid: format!("{} (this one: a reader is still open)", std::process::id()),
        },
        other => Fault::Damaged { path: data_file(dir), why: other.to_string() },
    }
}
