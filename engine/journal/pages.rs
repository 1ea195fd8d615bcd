//! Checks an LMDB file before LMDB maps it. LMDB trusts its pages: a torn or overwritten one makes it read where
//! nothing is mapped, which kills the process. So every page that can be reached from the newest header is read
//! here first, in safe code, and must be what its parent says it is.
//!
//! Layout by `mdb.c` of LMDB 0.9 (data version 1): a page is 4096 bytes or as the header says; its own header
//! is number (8), pad (2), flags (2), lower (2), upper (2), then places of its nodes (2 each). A node is size
//! low (2) and high (2), flags (2), key size (2), key, data. In a branch, low, high and flags make the child's number.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PAGE_HEADER: usize = 16;
const NODE_HEADER: usize = 8;
const MAGIC: u32 = 0xBEEF_C0DE;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
const META: u16 = 0x08;
/// Pages of tables with several values a key: never made here.
const DUPLICATES: u16 = 0x20 | 0x40;
/// A leaf node whose data lies on overflow pages.
const NODE_BIG: u16 = 0x01;
/// A leaf node whose data is the record of another tree.
const NODE_TREE: u16 = 0x02;
/// The only flag the tree of free pages has: its keys are integers.
const INTEGER_KEY: u16 = 0x08;
/// Root of an empty tree.
const NONE: u64 = u64::MAX;
/// Deeper trees than this cannot be: LMDB's own cursor ends there.
const DEPTH_MAX: u32 = 32;

struct Walk<'f> {
    file: &'f File,
    size: usize,
    pages: u64,
    seen: BTreeSet<u64>,
    last_page: u64,
    /// The tree being walked is that of the free pages.
    free_pages: bool,
}

/// Reads the whole tree of the file at `path`. A file that is missing or empty is fine: LMDB makes it. The error is what is wrong.
pub fn check(path: &Path) -> Result<(), String> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    if length == 0 {
        return Ok(());
    }
    let first = meta(&file, 0)?;
    let second = meta(&file, first.page_size as u64)?;
    if second.page_size != first.page_size {
        return Err("its two headers name different page sizes".into());
    }
    let newest = if second.transaction > first.transaction { second } else { first };
    let size = newest.page_size;
    let (pages, last_page) = (length / size as u64, newest.last_page);
    let mut walk = Walk { file: &file, size, pages, seen: BTreeSet::new(), last_page, free_pages: false };
    let [free, main] = newest.roots;
    walk.free_pages = true;
    walk.tree(free, DEPTH_MAX)?;
    walk.free_pages = false;
    walk.tree(main, DEPTH_MAX)?;
    match walk.seen.last() {
        Some(page) if *page > newest.last_page => Err(format!("page {page} lies after its last one")),
        _ => Ok(()),
    }
}

struct Meta {
    page_size: usize,
    roots: [u64; 2],
    last_page: u64,
    transaction: u64,
}

fn meta(file: &File, at: u64) -> Result<Meta, String> {
    let mut bytes = [0; 152];
    file.read_exact_at(&mut bytes, at).map_err(|_| "it is shorter than its two headers".to_string())?;
    let (flags, magic, version) = (u16_at(&bytes, 10), u32_at(&bytes, 16), u32_at(&bytes, 20));
    if flags & META == 0 || magic != MAGIC {
        return Err("it does not begin like an LMDB file".into());
    }
    if version & 0xff != 1 {
        return Err(format!("its LMDB data version is {version}, not 1"));
    }
    let page_size = u32_at(&bytes, 40) as usize;
    if !(512..=65_536).contains(&page_size) || !page_size.is_power_of_two() {
        return Err(format!("its page size is {page_size}"));
    }
    if u16_at(&bytes, 44) & !INTEGER_KEY != 0 || u16_at(&bytes, 92) != 0 {
        return Err("its header names kinds of tables that are never made here".into());
    }
    let roots = [u64_at(&bytes, 80), u64_at(&bytes, 128)];
    Ok(Meta { page_size, roots, last_page: u64_at(&bytes, 136), transaction: u64_at(&bytes, 144) })
}

impl Walk<'_> {
    fn tree(&mut self, root: u64, depth: u32) -> Result<(), String> {
        if root == NONE {
            return Ok(());
        }
        if depth == 0 {
            return Err(format!("page {root} lies deeper than a tree can be"));
        }
        let page = self.page(root)?;
        let flags = u16_at(&page, 10);
        let kind = flags & (BRANCH | LEAF | OVERFLOW | META | DUPLICATES);
        if kind != BRANCH && kind != LEAF {
            return Err(format!("page {root} has flags {flags:#x}, neither branch nor leaf"));
        }
        let count = self.count(root, &page)?;
        // LMDB asserts this, and an assertion there ends the process.
        let least = if kind == BRANCH && !self.free_pages { 2 } else { 1 };
        if count < least {
            return Err(format!("page {root} has {count} nodes"));
        }
        for i in 0..count {
            let node = usize::from(u16_at(&page, PAGE_HEADER + 2 * i));
            if node < PAGE_HEADER + 2 * count || node + NODE_HEADER > self.size {
                return Err(format!("page {root} points to a node outside itself"));
            }
            if kind == BRANCH {
                self.key(root, &page, node)?;
                let child = u64::from(u32_at(&page, node)) | u64::from(u16_at(&page, node + 4)) << 32;
                self.tree(child, depth - 1)?;
            } else {
                self.leaf(root, &page, node, depth)?;
            }
        }
        Ok(())
    }

    fn leaf(&mut self, number: u64, page: &[u8], node: usize, depth: u32) -> Result<(), String> {
        let data = self.key(number, page, node)?;
        let size = u32_at(page, node) as usize;
        let flags = u16_at(page, node + 4);
        // A node that says it holds several values sends a cursor to a second one that is not there.
        if flags & !(NODE_BIG | NODE_TREE) != 0 {
            return Err(format!("page {number} has a node of a kind that is never made here"));
        }
        if flags & NODE_BIG != 0 {
            if data + 8 > self.size {
                return Err(format!("page {number} has a node cut off"));
            }
            let from = u64_at(page, data);
            self.overflow(from, size)?;
            if !self.free_pages {
                return Ok(());
            }
            let mut list = vec![0; size];
            let at = from * self.size as u64 + PAGE_HEADER as u64;
            self.file.read_exact_at(&mut list, at).map_err(|e| e.to_string())?;
            return self.free_list(number, &list);
        }
        if data + size > self.size {
            return Err(format!("page {number} has a node longer than the page"));
        }
        if self.free_pages {
            return self.free_list(number, &page[data..data + size]);
        }
        if flags & NODE_TREE != 0 {
            if size != 48 || u16_at(page, data + 4) != 0 {
                return Err(format!("page {number} has a table of a kind that is never made here"));
            }
            return self.tree(u64_at(page, data + 40), depth - 1);
        }
        Ok(())
    }

    /// Where the node's key ends.
    fn key(&self, number: u64, page: &[u8], node: usize) -> Result<usize, String> {
        let end = node + NODE_HEADER + usize::from(u16_at(page, node + 6));
        if end > self.size { Err(format!("page {number} has a key longer than the page")) } else { Ok(end) }
    }

    /// A list of free pages: how many, then their numbers.
    fn free_list(&self, number: u64, list: &[u8]) -> Result<(), String> {
        let wrong = || Err(format!("page {number} has an impossible list of free pages"));
        if list.len() < 8 || u64_at(list, 0) > (list.len() as u64 - 8) / 8 {
            return wrong();
        }
        let count = u64_at(list, 0) as usize;
        let free = (1..=count).map(|i| u64_at(list, 8 * i));
        let mut last = u64::MAX;
        for page in free {
            if page < 2 || page > self.last_page || page >= last {
                return wrong();
            }
            last = page;
        }
        Ok(())
    }

    /// Checks the pages of a long value.
    fn overflow(&mut self, number: u64, size: usize) -> Result<(), String> {
        let page = self.page(number)?;
        let held = u64::from(u32_at(&page, 12));
        let enough = (held as usize).saturating_mul(self.size) >= PAGE_HEADER + size;
        let inside = number.checked_add(held).is_some_and(|end| end <= self.pages);
        if u16_at(&page, 10) & OVERFLOW == 0 || !enough || !inside {
            return Err(format!("page {number} does not hold the long value it should"));
        }
        Ok(())
    }

    fn count(&self, number: u64, page: &[u8]) -> Result<usize, String> {
        let (lower, upper) = (usize::from(u16_at(page, 12)), usize::from(u16_at(page, 14)));
        if lower < PAGE_HEADER || lower > upper || upper > self.size {
            return Err(format!("page {number} has impossible bounds {lower} and {upper}"));
        }
        Ok((lower - PAGE_HEADER) / 2)
    }

    fn page(&mut self, number: u64) -> Result<Vec<u8>, String> {
        if number < 2 || number >= self.pages {
            return Err(format!("page {number} is named but the file ends at page {}", self.pages));
        }
        if !self.seen.insert(number) {
            return Err(format!("page {number} is reached twice"));
        }
        let mut page = vec![0; self.size];
        self.file.read_exact_at(&mut page, number * self.size as u64).map_err(|e| e.to_string())?;
        if u64_at(&page, 0) != number {
            return Err(format!("page {number} calls itself {}", u64_at(&page, 0)));
        }
        Ok(page)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One bit of one node in each leaf that is in use: LMDB's cursor would look for further values and end the process.
    #[test]
    fn a_node_that_claims_several_values_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        crate::tests::sample_journal(dir.path());
        let path = crate::environment::data_file(dir.path());
        assert_eq!(check(&path), Ok(()));
        let good = std::fs::read(&path).expect("read");
        let size = meta(&File::open(&path).expect("there"), 0).expect("a header").page_size;
        let mut refused = 0;
        for page in (2 * size..good.len()).step_by(size) {
            let node = page + usize::from(u16_at(&good, page + PAGE_HEADER));
            if u16_at(&good, page + 10) != LEAF || node + NODE_HEADER > page + size {
                continue;
            }
            let mut bytes = good.clone();
            bytes[node + 4] |= 0x04;
            std::fs::write(&path, bytes).expect("written");
            // Pages nobody reaches may hold anything.
            refused +=
                u32::from(check(&path).is_err_and(|why| why.contains("a kind that is never made here")));
        }
        assert!(refused > 3, "{refused}");
    }
}
