//! What can go wrong with a journal, each with the place and the remedy.

use std::path::PathBuf;

/// What can go wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The operating system said no.
    #[error("cannot {what} `{}`: {source}; check that the disk has room and the folder is writable", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Its words.
        source: std::io::Error,
    },
    /// A second engine on the same journal.
    #[error(
        "journal `{}` is in use by process {pid}: stop that one first, or set journal.folder to another folder",
        dir.display()
    )]
    InUse {
        /// The journal.
        dir: PathBuf,
        /// The other process, as it wrote it down.
        pid: String,
    },
    /// Nothing is there.
    #[error("there is no journal in `{}`: check journal.folder, or run the engine once", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// Written by another version.
    #[error(
        "journal `{}` has layout version {found}, this program writes version {expected}: export it with the \
         program that wrote it, then set journal.folder to a new folder",
        dir.display()
    )]
    Schema {
        /// The journal.
        dir: PathBuf,
        /// The version found.
        found: u64,
        /// The version known here.
        expected: u64,
    },
    /// A ring file that cannot be a ring's.
    #[error(
        "ring `{0}` is damaged ({why}): move it aside (mv {0} {0}.damaged) and start again; what it held and \
         the tables do not, the last moments of a killed run, must be settled with the broker",
        path.display()
    )]
    RingDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// A database file that cannot be trusted.
    #[error(
        "journal file `{0}` is damaged ({why}): move it aside (mv {0} {0}.damaged), restore a copy or start \
         with an empty journal and settle the book with the broker",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// One record that does not read, where none may be missing.
    #[error(
        "record {seq} of the journal is damaged ({why}): recovery cannot skip it; restore a copy of the journal, or \
         move it aside and settle the book with the broker (`wingspread journal` still exports the rest)"
    )]
    Record {
        /// Its sequence number.
        seq: u64,
        /// What is wrong.
        why: String,
    },
    /// The map is full.
    #[error(
        "the journal's map is full: raise journal.map_size (now {map_size_mb} MiB), or let it forget old market \
         inputs with journal.prune_above_percent"
    )]
    MapFull {
        /// MiB set.
        map_size_mb: usize,
    },
    /// LMDB said no.
    #[error(
        "cannot {what}: {why}; check that the disk has room (LMDB tells a full one as an input/output error): what waits \
             is kept, and it is tried again"
    )]
    Table {
        /// What was tried.
        what: &'static str,
        /// Its words.
        why: String,
    },
    /// A setting out of bounds.
    #[error("journal.{field} is {value}: give {least} to {most}")]
    Setting {
        /// The field.
        field: &'static str,
        /// The value given.
        value: usize,
        /// The least allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// The journal thread died: a fault of our own.
    #[error("the journal thread ended by itself; what is in the rings is drained at the next start")]
    ThreadGone,
    /// Closing gave up while the tables could not be written.
    #[error(
        "closed with records left in the rings, since they could not be stored ({why}); the next start drains them"
    )]
    Undrained {
        /// The last reason.
        why: String,
    },
}

impl Fault {
    pub(crate) fn table(what: &'static str) -> impl FnOnce(heed::Error) -> Self {
        move |e| Self::Table { what, why: e.to_string() }
    }
}
