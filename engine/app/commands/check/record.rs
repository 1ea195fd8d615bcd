//! The journal's folder: disk, rights, lock, what is on record, and the control socket beside it.

use super::finding::{Finding, bytes};
use crate::settings::Settings;
use journal::{Body, Kind, Reader, RunEvent, RunNote};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Longest path of a Unix socket on Linux, its closing zero left out.
const SOCKET_PATH_MAX: usize = 107;
/// Above this share of the map, in percent, a journal that never forgets will soon be full.
const MAP_FULL_PERCENT: u64 = 85;

/// All of it.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let folder = &settings.journal_folder;
    let mut found = vec![writable(folder), disk(settings), socket(folder)];
    let holder = holder(folder);
    found.push(lock(&holder));
    found.extend(on_record(folder, matches!(holder, Holder::Process(_))));
    found.extend(map(settings));
    found
}

/// The folder, or the nearest one above it that exists.
fn nearest(folder: &Path) -> PathBuf {
    let mut at = folder;
    loop {
        if at.as_os_str().is_empty() {
            return PathBuf::from(".");
        }
        if at.exists() {
            return at.into();
        }
        at = at.parent().unwrap_or(Path::new(""));
    }
}

fn writable(folder: &Path) -> Finding {
    let at = nearest(folder);
    let probe = at.join(format!(".wingspread-check-{}", std::process::id()));
    let made = File::create_new(&probe);
    // What was made is taken away again; there is nothing to do when that fails.
    let _ = std::fs::remove_file(&probe);
    match made {
        Ok(_) if at == folder => Finding::ok("folder", format!("{} can be written", folder.display())),
        Ok(_) => Finding::ok("folder", format!("{} will be made in {}", folder.display(), at.display())),
        Err(e) => Finding::fault(
            "folder",
            format!("{} cannot be written: {e}", at.display()),
            "change its rights, or name another with --journal or journal.folder",
        ),
    }
}

fn disk(settings: &Settings) -> Finding {
    let folder = &settings.journal_folder;
    let on_disk = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.blocks() * 512);
    let map = settings.journal.map_bytes() as u64;
    let rings = (settings.journal.ring_bytes * settings.journal.pens) as u64;
    // Both files are sparse: what they have not yet taken may still be asked for.
    let wanted = (map + rings).saturating_sub(on_disk(&folder.join("data.mdb")));
    match rustix::fs::statvfs(nearest(folder)) {
        Ok(stat) => enough_disk(stat.f_bavail * stat.f_frsize, wanted),
        Err(e) => Finding::warning(
            "disk",
            format!("the free room of {} cannot be told: {e}", folder.display()),
            format!("see that {} are free", bytes(wanted)),
        ),
    }
}

fn enough_disk(free: u64, wanted: u64) -> Finding {
    let found = format!("{} free, the journal may still take {}", bytes(free), bytes(wanted));
    if free < wanted / 8 {
        return Finding::fault(
            "disk",
            found,
            "free some room: a journal that cannot write takes no new risk",
        );
    }
    if free < wanted {
        return Finding::warning("disk", found, "free some room, or set journal.map_size lower");
    }
    Finding::ok("disk", found)
}

fn socket(folder: &Path) -> Finding {
    let path = folder.join(live::control::SOCKET);
    let length = path.as_os_str().len();
    let found = format!("{} ({length} of at most {SOCKET_PATH_MAX} bytes)", path.display());
    if length > SOCKET_PATH_MAX {
        return Finding::warning(
            "socket",
            found,
            "name a shorter folder with --journal: without the socket `tell` and `latency` do not work",
        );
    }
    Finding::ok("socket", found)
}

/// Who has the journal.
enum Holder {
    Nobody,
    Process(String),
    Unknown(String),
}

fn holder(folder: &Path) -> Holder {
    let path = folder.join("engine.lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Holder::Nobody,
        Err(e) => return Holder::Unknown(format!("{}: {e}", path.display())),
    };
    match file.try_lock_shared() {
        // Let go when the file is dropped, at once.
        Ok(()) => Holder::Nobody,
        Err(TryLockError::WouldBlock) => {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            Holder::Process(text.lines().next().unwrap_or("unknown").trim().to_string())
        }
        Err(TryLockError::Error(e)) => Holder::Unknown(format!("{}: {e}", path.display())),
    }
}

fn lock(holder: &Holder) -> Finding {
    match holder {
        Holder::Nobody => Finding::ok("lock", "no engine holds the journal"),
        Holder::Process(pid) => Finding::warning(
            "lock",
            format!("process {pid} holds the journal: an engine is running"),
            "end it with `wingspread tell stop` before starting another, or name another folder with --journal",
        ),
        Holder::Unknown(why) => Finding::fault(
            "lock",
            format!("cannot be told: {why}"),
            "the folder must be on a local disk that knows file locks, and yours to read",
        ),
    }
}

fn on_record(folder: &Path, is_running: bool) -> Vec<Finding> {
    let reader = match Reader::open(folder) {
        Ok(reader) => reader,
        Err(journal::Fault::Missing { .. }) => {
            return vec![Finding::ok("journal", "none yet; the first start makes it")];
        }
        Err(fault) => {
            return vec![Finding::fault(
                "journal",
                fault.to_string(),
                "until then, trade with another --journal folder",
            )];
        }
    };
    let last_run = match last_run(&reader) {
        Ok(note) => note,
        Err(fault) => {
            return vec![Finding::fault("journal", fault.to_string(), "restore a copy of the journal")];
        }
    };
    let records = reader.last_seq().unwrap_or(0);
    vec![
        Finding::ok("journal", format!("{} records can be read", crate::report::thousands(records))),
        ending(last_run, is_running),
    ]
}

/// The newest note on a run.
fn last_run(reader: &Reader) -> Result<Option<RunNote>, journal::Fault> {
    let mut last = None;
    for entry in reader.scan(0..=u64::MAX, Box::new(|head| head.kind == Kind::Run)) {
        if let Ok(record) = entry?.record
            && let Body::Run(note) = record.body
        {
            last = Some(note);
        }
    }
    Ok(last)
}

fn ending(last: Option<RunNote>, is_running: bool) -> Finding {
    let Some(RunNote { run, event, .. }) = last else { return Finding::ok("last run", "none yet") };
    match event {
        RunEvent::Started if is_running => Finding::ok("last run", format!("run {run} is running")),
        RunEvent::Started => Finding::warning(
            "last run",
            format!("run {run} did not end in order: it was killed"),
            "nothing to do: the next start drains its rings, recovers the book and settles with the venue",
        ),
        RunEvent::Ended { dropped: 0, refused: 0 } => {
            Finding::ok("last run", format!("run {run} ended in order"))
        }
        RunEvent::Ended { dropped, refused } | RunEvent::FoundDead { dropped, refused, .. }
            if dropped + refused > 0 =>
        {
            Finding::warning(
                "last run",
                format!("run {run} found no room for {dropped} telemetry records and {refused} letters"),
                "raise journal.ring_size, or use a faster disk",
            )
        }
        _ => Finding::ok("last run", format!("run {run} is accounted for")),
    }
}

/// A journal that never forgets fills its map.
fn map(settings: &Settings) -> Option<Finding> {
    let length = std::fs::metadata(settings.journal_folder.join("data.mdb")).ok()?.len();
    let most = settings.journal.map_bytes() as u64;
    let percent = length * 100 / most.max(1);
    let found = format!("{} of {} taken", bytes(length), bytes(most));
    if percent > MAP_FULL_PERCENT && settings.journal.prune_above_percent.is_none() {
        return Some(Finding::warning(
            "map",
            found,
            "raise journal.map_size, set journal.prune_above_pct, or begin a new folder: a full map takes no new risk",
        ));
    }
    Some(Finding::ok("map", found))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Fault, Ok, Warning};
    use super::*;
    use market::{Label, Timestamp};

    #[test]
    fn disk_and_socket_verdicts() {
        assert_eq!(enough_disk(10 << 30, 2 << 30).verdict, Ok);
        assert_eq!(enough_disk(1 << 30, 2 << 30).verdict, Warning);
        assert_eq!(enough_disk(1 << 20, 2 << 30).verdict, Fault);
        assert_eq!(socket(Path::new("journal")).verdict, Ok);
        assert_eq!(socket(Path::new(&"x".repeat(120))).verdict, Warning);
    }

    #[test]
    fn a_run_without_an_end_was_killed_unless_it_runs() {
        let note = |event| {
            Some(RunNote {
                run: 3,
                event,
                version: Label::literal("1"),
                seeds: Vec::new(),
                at: Timestamp::MIN,
            })
        };
        assert_eq!(ending(None, false).verdict, Ok);
        assert_eq!(ending(note(RunEvent::Started), true).verdict, Ok);
        assert_eq!(ending(note(RunEvent::Started), false).verdict, Warning);
        assert_eq!(ending(note(RunEvent::Ended { dropped: 0, refused: 0 }), false).verdict, Ok);
        assert_eq!(ending(note(RunEvent::Ended { dropped: 1, refused: 0 }), false).verdict, Warning);
        assert_eq!(
            ending(note(RunEvent::FoundDead { drained: 9, dropped: 0, refused: 0 }), false).verdict,
            Ok
        );
    }

    #[test]
    fn who_holds_the_lock_is_named_and_looking_does_not_take_it() {
        let folder = tempfile::tempdir().expect("folder");
        assert!(matches!(holder(folder.path()), Holder::Nobody));
        let path = folder.path().join("engine.lock");
        std::fs::write(&path, "4711\n").expect("writes");
        assert!(matches!(holder(folder.path()), Holder::Nobody));
        let file = File::options().read(true).write(true).open(&path).expect("opens");
        file.try_lock().expect("free");
        let holder = holder(folder.path());
        assert!(matches!(&holder, Holder::Process(pid) if pid == "4711"));
        assert_eq!(lock(&holder).verdict, Warning);
    }

    #[test]
    fn a_folder_not_yet_there_is_looked_for_above_and_not_made() {
        let root = tempfile::tempdir().expect("folder");
        let folder = root.path().join("a/b");
        assert_eq!(nearest(&folder), root.path());
        assert_eq!(writable(&folder).verdict, Ok);
        assert_eq!(std::fs::read_dir(root.path()).expect("reads").count(), 0);
        assert_eq!(nearest(Path::new("not_there_at_all")), Path::new("."));
        assert_eq!(on_record(&folder, false)[0].verdict, Ok);
    }
}
