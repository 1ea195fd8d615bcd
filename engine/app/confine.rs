//! What a process does to itself before it opens a file it does not trust: limits on memory, processor time and files,
//! a low priority, and, where the kernel has Landlock, no file but those of one folder, no network, and no signals to
//! others. None of it can be taken back.

use anyhow::Context;
use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use std::path::Path;

/// Descriptors the process may have open: the standard three, the folder, one file at a time, and some for the runtime.
const FILES: u64 = 32;
/// Steps down in priority.
const NICE: i32 = 10;

/// How far the file system is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Only the one folder can be read.
    Fully,
    /// An older kernel closes a part of it.
    Partly,
    /// This kernel has no Landlock: only what the loader itself refuses (links, weights in other files) protects.
    Not,
}

/// Confines this process to reading `folder`.
///
/// # Errors
/// When a limit cannot be set. Landlock that is missing is no error: the answer says so.
pub fn confine(folder: &Path, memory_bytes: u64, processor_seconds: u64) -> anyhow::Result<Closed> {
    let limits = [
        (Resource::As, memory_bytes),
        (Resource::Cpu, processor_seconds),
        (Resource::Nofile, FILES),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
    ];
    for (resource, most) in limits {
        // At the soft bound on processor time comes a signal that names it, at the hard one a kill that does not.
        let beyond = if resource == Resource::Cpu { most + 1 } else { most };
        let limit = Rlimit { current: Some(most), maximum: Some(beyond) };
        setrlimit(resource, limit).with_context(|| format!("cannot limit {resource:?} to {most}"))?;
    }
    // A child without a parent serves nobody.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .context("cannot follow the parent")?;
    // A higher priority than wished for is no harm.
    let _ = rustix::process::nice(NICE);
    close_files(folder)
}

fn close_files(folder: &Path) -> anyhow::Result<Closed> {
    let newest = ABI::V6;
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(newest))?
        .handle_access(AccessNet::from_all(newest))?
        .scope(Scope::from_all(newest))?
        .create()?
        .add_rule(PathBeneath::new(PathFd::new(folder)?, AccessFs::from_read(newest)))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Closed::Fully,
        RulesetStatus::PartiallyEnforced => Closed::Partly,
        RulesetStatus::NotEnforced => Closed::Not,
    })
}
