//! What a process does to itself before it opens a file it does not trust: limits on memory, processor time and files,
//! a low priority, and, where the kernel has Landlock, no file but those of one folder, no network, and no signals to
//! others. None of it can be taken back.

use anyhow::Context;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
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

/// Confines this process to reading `folder`, and ends it with the process `parent`.
///
/// # Errors
/// When a limit cannot be set, or the parent has ended. Landlock that is missing is no error: the answer says so.
pub fn confine(
    folder: &Path,
    parent: Option<u32>,
    memory_bytes: u64,
    processor_seconds: u64,
) -> anyhow::Result<Closed> {
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
    die_with(parent)?;
    // A higher priority than wished for is no harm.
    let _ = rustix::process::nice(NICE);
    close_files(folder)
}

/// Ends this process with its parent: a child without one serves nobody. The parent may have ended before this could be
/// asked for; whoever names it learns that.
///
/// # Errors
/// When the parent cannot be followed, or has ended already.
pub fn die_with(parent: Option<u32>) -> anyhow::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .context("cannot follow the parent")?;
    let now = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
    anyhow::ensure!(
        parent.is_none_or(|parent| parent == now),
        "the process that started this one has ended (it was {}, now it is {now}); start it again",
        parent.unwrap_or(0)
    );
    Ok(())
}

/// Whether this kernel can close files to a process at all. Takes nothing from this one.
pub fn can_close_files() -> bool {
    let least = AccessFs::from_all(ABI::V1);
    let strict = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    strict.handle_access(least).and_then(|rules| rules.create()).is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The test's own parent is there, and its own number is not its parent's.
    #[test]
    fn a_child_whose_parent_has_ended_ends_too() {
        let parent = rustix::process::getppid().expect("a parent").as_raw_nonzero().get().unsigned_abs();
        // Asked on a thread: the signal follows the thread that started this process, which stays.
        die_with(Some(parent)).expect("it is there");
        let ended = die_with(Some(std::process::id())).expect_err("not the parent").to_string();
        assert!(ended.contains("has ended"), "{ended}");
        rustix::process::set_parent_process_death_signal(None).expect("as before");
    }
}
