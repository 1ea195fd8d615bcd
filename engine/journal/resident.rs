//! Keeps the journal's pages out of the process's resident memory.
//!
//! LMDB reads its file through a mapping, and each page it touches brings its neighbours along, so an engine that
//! writes all day comes to have most of the file mapped in: harmless (the kernel takes such pages back when it needs
//! them), but whoever watches the process sees memory grow without end. Now and then the journal thread hands
//! the pages back; the next look at one finds it in the page cache.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

/// Records between two hand-backs: some 10 MB of the file.
const EVERY: usize = 40_000;

/// Hands back the pages of one mapped file.
pub struct Resident {
    file: PathBuf,
    stored: usize,
}

impl Resident {
    /// For the tables' file.
    pub fn of(file: &Path) -> Self {
        // The kernel lists mappings by their real path.
        let file = file.canonicalize().unwrap_or_else(|_| file.into());
        Self { file, stored: 0 }
    }

    /// Counts stored records and hands the pages back when there were many. Does nothing where the kernel does not
    /// tell its mappings.
    pub fn note_stored(&mut self, records: usize) {
        self.stored += records;
        if self.stored >= EVERY {
            self.stored = 0;
            self.let_go();
        }
    }

    fn let_go(&self) {
        let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
        for (start, end) in maps.lines().filter_map(|line| span_of(line, &self.file)) {
            let address = std::ptr::with_exposed_provenance_mut::<libc::c_void>(start);
            // SAFETY: the range is a shared mapping of the tables' file, listed just now. LMDB unmaps it only when
            // its environment is dropped, which this thread's store outlives. Nothing is ever written through it
            // (the environment is opened without WRITEMAP), so dropping its pages loses nothing: the next access
            // finds the same bytes in the file.
            let outcome = unsafe { libc::madvise(address, end - start, libc::MADV_DONTNEED) };
            // A refusal leaves the pages where they are, which is no fault.
            let _ = outcome;
        }
    }
}

/// Where a line of `/proc/self/maps` says that `file` is mapped shared.
fn span_of(line: &str, file: &Path) -> Option<(usize, usize)> {
    // start-end perms offset device inode path; only the path may hold blanks.
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let is_shared = words.next()?.ends_with('s');
    let path = words.nth(3)?.trim_start();
    if !is_shared || Path::new(path) != file {
        return None;
    }
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shared_mapping_of_the_file_is_found() {
        let line = "7f00a0000000-7f00a0010000 r--s 00000000 fe:00 1234                       /a b/data.mdb";
        let found = Some((0x7f00_a000_0000, 0x7f00_a001_0000));
        assert_eq!(span_of(line, Path::new("/a b/data.mdb")), found);
        assert_eq!(span_of(line, Path::new("/a b/other.mdb")), None);
        assert_eq!(span_of(&line.replace("r--s", "r--p"), Path::new("/a b/data.mdb")), None);
        assert_eq!(span_of("7f00-7f01 r--p 00000000 00:00 0", Path::new("/a b/data.mdb")), None);
        assert_eq!(span_of("nonsense", Path::new("/a b/data.mdb")), None);
    }
}
