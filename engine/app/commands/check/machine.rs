//! The machine: clock, file descriptors, memory, processors.

use super::finding::{Finding, bytes};
use crate::settings::Settings;
use market::time::{MS, SECOND};
use market::{Timestamp, session};
use std::time::Duration;

/// How long the two clocks are held against each other.
const WATCHED: Duration = Duration::from_millis(50);
/// How far they may part in that time, nanoseconds: a tenth.
const PARTED_NS: i64 = 5 * MS;
/// Descriptors the engine wants: sockets, rings, tables, models, and room for attempts to connect again.
const FILES_WANTED: u64 = 256;
/// Descriptors without which it does not start.
const FILES_NEEDED: u64 = 64;
/// Memory of the engine besides its rings, bytes: models, books, histograms and the embedded market's history.
const MEMORY: u64 = 512 << 20;

/// More days without a session than ever followed each other (September 2001): the calendar does not reach there.
const CLOSED_DAYS_MAX: i32 = 10;

/// The wall clock against the monotonic one, and against the calendar.
pub(super) fn clock() -> Vec<Finding> {
    let (wall, mono) = (live::clock::wall(), live::clock::monotonic_ns());
    std::thread::sleep(WATCHED);
    let parted = live::clock::wall().since(wall) - (live::clock::monotonic_ns() - mono) as i64;
    vec![steadiness(parted), calendar(wall)]
}

fn steadiness(parted_ns: i64) -> Finding {
    let us = parted_ns / 1_000;
    if parted_ns.abs() > PARTED_NS {
        return Finding::warning(
            "clock",
            format!(
                "the time of day moved {us} us against the steady clock within {} ms",
                WATCHED.as_millis()
            ),
            "let the time service slew rather than step the clock, or wait until it has settled",
        );
    }
    Finding::ok("clock", format!("steady within {} us", us.abs()))
}

fn calendar(now: Timestamp) -> Finding {
    let (today, _) = now.new_york();
    match session::next_session(today).filter(|next| next.date.days() - today.days() <= CLOSED_DAYS_MAX) {
        Some(next) => Finding::ok(
            "calendar",
            format!("today is {today} in New York, the next session after it {}", next.date),
        ),
        None => Finding::fault(
            "calendar",
            format!("today is {today} in New York, which the built-in calendar does not cover"),
            "set the computer's date right, or use a newer version",
        ),
    }
}

/// How many files may be open.
pub(super) fn open_files() -> Vec<Finding> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    vec![files(limit.unwrap_or(u64::MAX))]
}

fn files(limit: u64) -> Finding {
    let found = if limit == u64::MAX {
        "no limit on open files".to_string()
    } else {
        format!("{limit} files may be open")
    };
    let remedy = "raise it in the shell that starts wingspread: ulimit -n 4096";
    match limit {
        FILES_WANTED.. => Finding::ok("open files", found),
        FILES_NEEDED.. => Finding::warning("open files", found, remedy),
        _ => Finding::fault("open files", found, remedy),
    }
}

/// Memory that is free against what the engine takes.
pub(super) fn memory(settings: &Settings) -> Vec<Finding> {
    let wanted = MEMORY + (settings.journal.ring_bytes * settings.journal.pens) as u64;
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    vec![match available(&text) {
        Some(free) => enough_memory(free, wanted),
        None => Finding::warning(
            "memory",
            "cannot be told on this system",
            format!("see that {} are free", bytes(wanted)),
        ),
    }]
}

/// `MemAvailable:   23456 kB` in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

fn enough_memory(free: u64, wanted: u64) -> Finding {
    let found = format!("{} free, the engine takes about {}", bytes(free), bytes(wanted));
    if free >= wanted {
        return Finding::ok("memory", found);
    }
    Finding::warning(
        "memory",
        found,
        "end other programs, or set journal.ring_size lower: swapping ruins latency",
    )
}

/// Processors against threads that must not wait for each other.
pub(super) fn processors(settings: &Settings) -> Vec<Finding> {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    vec![enough_processors(count, settings.engine.shards)]
}

fn enough_processors(count: usize, shards: usize) -> Finding {
    // The trading thread, and one for journal, office and views together, which mostly wait.
    let wanted = 2 + shards;
    let found = format!("{count} processors for 1 trading thread and {shards} shards");
    if count >= wanted {
        return Finding::ok("processors", found);
    }
    let remedy = if shards > 0 {
        "set engine.shards lower: threads that share a processor wait for each other"
    } else {
        "give the machine a second one: journal and views share the trading thread's"
    };
    Finding::warning("processors", found, remedy)
}

/// The venue's time against ours, read between `before` and `after`.
pub(super) fn against_venue(before: Timestamp, venue: Timestamp, after: Timestamp) -> Finding {
    let round_trip = after.since(before);
    let off = venue.since(before + round_trip / 2);
    let found = format!("ours is {} ms from the venue's (answered in {} ms)", -off / MS, round_trip / MS);
    let remedy =
        "start a time service (chrony, systemd-timesyncd): quotes and sessions are judged by this clock";
    match off.abs() - round_trip / 2 {
        n if n > 5 * SECOND => Finding::fault("clock", found, remedy),
        n if n > SECOND / 2 => Finding::warning("clock", found, remedy),
        _ => Finding::ok("clock", found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict::{Fault, Ok, Warning};
    use super::*;

    #[test]
    fn verdicts_follow_the_limits() {
        assert_eq!(files(u64::MAX).verdict, Ok);
        assert_eq!(files(1024).verdict, Ok);
        assert_eq!(files(128).verdict, Warning);
        assert_eq!(files(20).verdict, Fault);
        assert_eq!(enough_memory(1 << 30, 1 << 29).verdict, Ok);
        assert_eq!(enough_memory(1 << 28, 1 << 29).verdict, Warning);
        assert_eq!(enough_processors(2, 0).verdict, Ok);
        assert_eq!(enough_processors(1, 0).verdict, Warning);
        assert_eq!(enough_processors(4, 4).verdict, Warning);
        assert_eq!(steadiness(-100_000).verdict, Ok);
        assert_eq!(steadiness(-20 * MS).verdict, Warning);
        for finding in [files(20), enough_memory(0, 1), enough_processors(1, 0), steadiness(SECOND)] {
            assert!(finding.remedy.is_some(), "{finding}");
        }
    }

    #[test]
    fn the_calendar_must_cover_today() {
        assert_eq!(calendar(market::Date::literal(2026, 11, 20).at_new_york(0)).verdict, Ok);
        assert_eq!(calendar(market::Date::literal(1975, 1, 2).at_new_york(0)).verdict, Fault);
    }

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        let at = |ms: i64| Timestamp::from_ns(1_000_000_000_000_000_000 + ms * MS);
        assert_eq!(against_venue(at(0), at(20), at(40)).verdict, Ok);
        assert_eq!(against_venue(at(0), at(3_900), at(4_000)).verdict, Ok, "somewhere within the round trip");
        assert_eq!(against_venue(at(0), at(1_500), at(40)).verdict, Warning);
        assert_eq!(against_venue(at(0), at(-60_000), at(40)).verdict, Fault);
    }

    #[test]
    fn free_memory_is_read_from_the_system() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
    }
}
