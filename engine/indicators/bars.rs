//! Ten forming bars of one symbol.
//!
//! Ticks go into one forming minute only. When it closes it is merged into the five longer intraday bars and the
//! day, and a day that closes into week, month and year; a longer bar "if it closed now" is its merged part joined
//! by what is still forming. So a tick costs one update, whatever the number of timeframes.
//!
//! The rules:
//! * Bars are aligned to sessions ([`crate::grid`]). Trades and quotes outside the regular session never enter.
//! * A bar is made from trades; from quote mids when no trade set a price in it. A minute with neither is no bar.
//! * Trades belong where their stamp says. Within a minute the earliest stamp opens and the latest closes, in
//!   whatever order they are heard; of equal stamps the one heard later is the later.
//! * A minute closes with the first trade stamped at or after its end, or when a quote's stamp or the clock is
//!   [`CLOSE_GRACE_NS`] past it: quotes may overtake trades where they conflate, so they do not close it at once.
//! * A trade for a closed minute of the running session is late. It enters that minute, which is marked repaired,
//!   and within [`REBUILD_WAIT_NS`] the session's bars are made again ([`corrections`]); with [`Late::LeaveOut`],
//!   or for a minute that came from the venue or from history (which had it, or should have), it is left out.
//! * A trade taken back or corrected changes the minute it is in, forming or closed, in the same way.
//! * A trade seen before (same id and time) is counted and dropped; so is one stamped more than
//!   [`AHEAD_NS_MAX`] after `now`, or without price or size.
//! * Daily history feeds day and longer, minute history everything up to four hours, and the longer bars only for
//!   days of which no daily bar was seeded. So seed days first.

mod corrections;

pub use corrections::TakenBack;

use crate::grid::{Day, Span, session_date};
use crate::ledger::{LEDGER_TRADES, Ledger};
use crate::part::Part;
use crate::recent::RecentTrades;
use market::quote::{Bar, SaleRule, Timeframe, Trade};
use market::session::Session;
use market::time::{MINUTE, SECOND};
use market::{Price, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

/// How long after its end a minute waits for its last trades, in nanoseconds, when only quotes or the clock say
/// that it is over.
pub const CLOSE_GRACE_NS: i64 = SECOND;
/// A stamp further than this ahead of `now` is nonsense.
pub const AHEAD_NS_MAX: i64 = 60 * SECOND;
/// How long bars may lack what came late or was taken back, in nanoseconds: one rebuild then serves all of it.
pub const REBUILD_WAIT_NS: i64 = SECOND;
/// Most minutes of a session.
const MINUTES_MAX: usize = 390;

const MINUTE_SLOT: usize = Timeframe::Min1.index();
const DAY_SLOT: usize = Timeframe::Day1.index();

/// What became of what was heard, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Trades taken into bars.
    pub trades: u64,
    /// Of those, trades that came after their minute had closed.
    pub entered_late: u64,
    /// Trades for a closed minute that must stay as it is, and history older than what is known: left out.
    pub late: u64,
    /// Trades taken back.
    pub taken_back: u64,
    /// Trades whose price, size or conditions were corrected.
    pub corrected: u64,
    /// Trades taken back or corrected that are not in the ledger, or in a minute the venue made: left to the
    /// venue's own corrected bar.
    pub unmatched: u64,
    /// Trades repeated by the feed: dropped.
    pub repeated: u64,
    /// Trades and minutes of history outside the regular session, and of one that was over before anything of it was
    /// heard: left out.
    pub outside: u64,
    /// Trades whose sale conditions let them change nothing.
    pub ignored: u64,
    /// Trades without price or size, or stamped in the future.
    pub nonsense: u64,
    /// Minutes replaced or put in after a gap.
    pub repaired: u64,
}

/// What happens to a trade whose minute has closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Late {
    /// It enters the minute it belongs to, and the session's bars are made again.
    #[default]
    Enter,
    /// It is counted and left out; the venue's corrected bar may bring it in.
    LeaveOut,
}

/// Takes note of bars as they close, shorter ones first.
pub trait Closings {
    /// `bar` of `timeframe` has closed, in the session of `day`.
    fn closed(&mut self, timeframe: Timeframe, bar: &Bar, day: &Day);
}

/// A part in its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Slot {
    span: Span,
    part: Part,
    /// True when it came as a finished bar: what is in it cannot be told apart any more.
    is_given: bool,
    /// True when a trade was taken back that may have set a price, and what is left is not known.
    is_doubtful: bool,
}

const IDLE: Slot = Slot::of(Span::NEVER, Part::EMPTY);

impl Slot {
    const fn of(span: Span, part: Part) -> Self {
        Self { span, part, is_given: false, is_doubtful: false }
    }
}

/// Everything under construction; what a repair takes back to the morning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Site {
    /// The forming minute; closed minutes of 5min to 1day; closed days of the longer ones.
    slots: [Slot; Timeframe::COUNT],
    /// Mids that belong to the minute after the forming one, during its grace.
    ahead: Slot,
    closed: [Option<Bar>; Timeframe::COUNT],
    /// Minutes before this are closed.
    minutes_until: Timestamp,
    /// Days before this are closed, or known from daily history.
    days_until: Timestamp,
    /// The earliest end of anything under construction.
    next_end: Timestamp,
}

/// Ten forming bars of one symbol. What is written of it (in any binary format of serde) and read back goes on
/// exactly where it stood, in the middle of a bar too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bars {
    site: Site,
    morning: Site,
    day: Option<Day>,
    /// Closed minutes of the session, in order.
    #[serde(deserialize_with = "with_room")]
    minutes: Vec<Slot>,
    /// False while the minutes are walked again.
    is_keeping: bool,
    /// Minutes before this were given by history: one that is not there had no trades.
    given_until: Timestamp,
    late: Late,
    /// What ended by then is closed.
    closed_until: Timestamp,
    /// When [`Bars::rebuild`] must have happened.
    rebuild_by: Timestamp,
    ledger: Ledger,
    recent: RecentTrades,
    counts: Counts,
    revision: u64,
}

impl Bars {
    /// Nothing yet. Allocates the session's minutes once.
    pub fn new() -> Self {
        let site = Site {
            slots: [IDLE; Timeframe::COUNT],
            ahead: IDLE,
            closed: [None; Timeframe::COUNT],
            minutes_until: Timestamp::MIN,
            days_until: Timestamp::MIN,
            next_end: Timestamp::MAX,
        };
        Self {
            morning: site.clone(),
            site,
            day: None,
            minutes: Vec::with_capacity(MINUTES_MAX),
            is_keeping: true,
            given_until: Timestamp::MIN,
            late: Late::Enter,
            closed_until: Timestamp::MIN,
            rebuild_by: Timestamp::MAX,
            ledger: Ledger::new(),
            recent: RecentTrades::new(),
            counts: Counts::default(),
            revision: 1,
        }
    }

    /// The same with another rule for late trades.
    pub fn with_late(self, late: Late) -> Self {
        Self { late, ..self }
    }

    /// The bar of a timeframe if it closed now; `None` when nothing happened in its interval yet.
    #[inline]
    pub fn forming(&self, timeframe: Timeframe) -> Option<Bar> {
        let slot = &self.site.slots[timeframe.index()];
        let minute = &self.site.slots[MINUTE_SLOT].part;
        let part = match timeframe.index() {
            MINUTE_SLOT => *minute,
            1..DAY_SLOT => slot.part.then(minute),
            _ if self.is_day_known() => slot.part,
            DAY_SLOT => slot.part.then(minute),
            _ => slot.part.then(&self.site.slots[DAY_SLOT].part).then(minute),
        };
        part.bar(slot.span.start)
    }

    /// The bar of a timeframe that closed last.
    pub fn last_closed(&self, timeframe: Timeframe) -> Option<&Bar> {
        self.site.closed[timeframe.index()].as_ref()
    }

    /// The session under construction.
    pub const fn day(&self) -> Option<&Day> {
        self.day.as_ref()
    }

    /// What became of what was heard.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Changes whenever any forming or closed bar may have.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// When [`Bars::advance`] has something to close, or [`Bars::rebuild`] is due; `None` when there is neither.
    pub fn deadline(&self) -> Option<Timestamp> {
        let close = (self.site.next_end < Timestamp::MAX).then(|| self.site.next_end + CLOSE_GRACE_NS);
        let rebuild = (self.rebuild_by < Timestamp::MAX).then_some(self.rebuild_by);
        close.into_iter().chain(rebuild).min()
    }

    /// True when a tick or minute bar stamped `at` and heard `now` begins a session later than the one under
    /// construction. One that is over is not begun: what time closed meanwhile (its week, say) would open again.
    #[inline]
    pub fn begins_session(&self, now: Timestamp, at: Timestamp) -> bool {
        let current = self.day.is_some_and(|day| at < day.session.close);
        let is_over = |session: &Session| session.close <= now - CLOSE_GRACE_NS;
        !current && market::session::session_at(at).is_some_and(|session| !is_over(&session))
    }

    /// Closes everything stamped before `at` and opens the session that holds it.
    pub fn begin_session(&mut self, at: Timestamp, closings: &mut impl Closings) {
        let day = Day::of(at.new_york().0);
        // What history left open in an earlier week is closed on the first day's account.
        self.day = self.day.or(day);
        self.close_until(at, closings);
        self.day = day;
        self.minutes.clear();
        self.ledger.clear();
        self.rebuild_by = Timestamp::MAX;
        self.morning.clone_from(&self.site);
    }

    /// Takes a trade; true when it entered the bars or, at least, was no repeat and no nonsense.
    #[inline]
    pub fn trade(&mut self, now: Timestamp, trade: &Trade, closings: &mut impl Closings) -> bool {
        if trade.price <= Price::ZERO || trade.size == 0 || trade.at.since(now) > AHEAD_NS_MAX {
            self.counts.nonsense += 1;
            return false;
        }
        if self.recent.is_repeat(trade) {
            self.counts.repeated += 1;
            return false;
        }
        self.close_until(trade.at, closings);
        if trade.rule == SaleRule::Ignored {
            self.counts.ignored += 1;
        } else if !self.session_holds(trade.at) {
            self.counts.outside += 1;
        } else if !self.open_minute(trade.at) {
            self.take_late(now, trade);
        } else {
            self.site.slots[MINUTE_SLOT].part.trade(trade);
            self.ledger.note(trade);
            self.counts.trades += 1;
            self.revision += 1;
        }
        true
    }

    /// Takes the middle of a quote stamped `at`.
    #[inline]
    pub fn mid(&mut self, now: Timestamp, at: Timestamp, mid: Price, closings: &mut impl Closings) {
        if mid <= Price::ZERO || at.since(now) > AHEAD_NS_MAX {
            return;
        }
        self.close_until(at - CLOSE_GRACE_NS, closings);
        if !self.session_holds(at) {
            return;
        }
        let minute = &self.site.slots[MINUTE_SLOT];
        if !minute.part.is_empty() && at >= minute.span.end {
            self.note_ahead(at, mid);
            return;
        }
        if minute.part.is_empty() {
            self.close_until(at, closings);
        }
        if self.open_minute(at) {
            let part = &mut self.site.slots[MINUTE_SLOT].part;
            // Where a trade set the minute's price, mids change no bar.
            self.revision += u64::from(!part.is_traded());
            part.mid(mid);
        }
    }

    /// Lets time pass: closes what ended [`CLOSE_GRACE_NS`] before `now`.
    #[inline]
    pub fn advance(&mut self, now: Timestamp, closings: &mut impl Closings) {
        self.close_until(now - CLOSE_GRACE_NS, closings);
    }

    /// Takes a finished minute of history, in order; false when it is older than what is known.
    pub fn seed_minute(&mut self, bar: &Bar, closings: &mut impl Closings) -> bool {
        self.close_until(bar.start, closings);
        if !self.session_holds(bar.start) {
            self.counts.outside += 1;
            return false;
        }
        let is_free = self.site.slots[MINUTE_SLOT].part.is_empty();
        if bar.low <= Price::ZERO || !is_free || !self.open_minute(bar.start) {
            self.counts.late += 1;
            return false;
        }
        let minute = &mut self.site.slots[MINUTE_SLOT];
        minute.part = Part::from_bar(bar);
        minute.is_given = true;
        let end = minute.span.end;
        self.given_until = end;
        self.revision += 1;
        self.close_until(end, closings);
        true
    }

    /// Takes a finished day of history, in order; false when it is older than what is known.
    pub fn seed_day(&mut self, bar: &Bar, closings: &mut impl Closings) -> bool {
        let Some(day) = Day::of(session_date(bar.start)) else {
            self.counts.late += 1;
            return false;
        };
        let open = day.session.open;
        // Once a session is under construction from minutes, a repair would forget a day put in before it.
        let is_begun = !self.minutes.is_empty() || !self.site.slots[MINUTE_SLOT].part.is_empty();
        if bar.low <= Price::ZERO || open < self.site.days_until || is_begun {
            self.counts.late += 1;
            return false;
        }
        self.close_longer(open, &day, closings);
        self.set_spans(DAY_SLOT, &day, open);
        self.site.slots[DAY_SLOT].part = Part::from_bar(bar);
        self.close_longer(day.session.close, &day, closings);
        self.find_next_end();
        self.revision += 1;
        true
    }

    /// Puts a finished bar of another timeframe on record as the last closed one, without touching other
    /// timeframes; false when it is not later than the last.
    pub fn seed_alone(&mut self, timeframe: Timeframe, bar: &Bar, closings: &mut impl Closings) -> bool {
        let last = self.site.closed[timeframe.index()].map_or(Timestamp::MIN, |last| last.start);
        let Some(day) = Day::of(session_date(bar.start)) else { return false };
        if bar.low <= Price::ZERO || bar.start <= last || !self.site.slots[timeframe.index()].part.is_empty()
        {
            self.counts.late += 1;
            return false;
        }
        self.site.closed[timeframe.index()] = Some(*bar);
        closings.closed(timeframe, bar, &day);
        self.revision += 1;
        true
    }

    #[inline]
    fn session_holds(&self, at: Timestamp) -> bool {
        self.day.is_some_and(|day| day.session.holds(at))
    }

    /// True when the day under construction is known from daily history and its minutes must not count twice.
    fn is_day_known(&self) -> bool {
        self.day.is_some_and(|day| day.session.close <= self.site.days_until)
    }

    /// Makes sure the forming minute is the one of `at`; false when that minute is past.
    #[inline]
    fn open_minute(&mut self, at: Timestamp) -> bool {
        let minute = &self.site.slots[MINUTE_SLOT];
        if !minute.part.is_empty() {
            return minute.span.holds(at);
        }
        let Some(day) = self.day.filter(|_| at >= self.site.minutes_until) else { return false };
        self.set_spans(MINUTE_SLOT, &day, at);
        self.site.next_end = self.site.slots[MINUTE_SLOT].span.end;
        true
    }

    /// Gives every idle slot from `first` on the interval that holds `at`.
    fn set_spans(&mut self, first: usize, day: &Day, at: Timestamp) {
        for timeframe in &Timeframe::ALL[first..] {
            let slot = &mut self.site.slots[timeframe.index()];
            if slot.part.is_empty() {
                slot.span = day.span(*timeframe, at);
            }
        }
    }

    fn note_ahead(&mut self, at: Timestamp, mid: Price) {
        let Some(day) = self.day else { return };
        let span = day.span(Timeframe::Min1, at);
        if self.site.ahead.span != span {
            self.site.ahead = Slot::of(span, Part::EMPTY);
        }
        self.site.ahead.part.mid(mid);
    }

    /// Closes everything that ends at or before `until`.
    #[inline]
    fn close_until(&mut self, until: Timestamp, closings: &mut impl Closings) {
        if until >= self.site.next_end {
            self.close_ended(until, closings);
        }
    }

    fn close_ended(&mut self, until: Timestamp, closings: &mut impl Closings) {
        self.revision += 1;
        self.closed_until = self.closed_until.max(until);
        while self.site.slots[MINUTE_SLOT].span.end <= until && !self.site.slots[MINUTE_SLOT].part.is_empty()
        {
            self.close_minute(closings);
            let ahead = std::mem::replace(&mut self.site.ahead, IDLE);
            if !ahead.part.is_empty() {
                // The waiting mids open the next minute; what ended before it closes first.
                self.close_slots(ahead.span.start, closings);
                self.open_minute(ahead.span.start);
                self.site.slots[MINUTE_SLOT].part = ahead.part;
            }
        }
        self.close_slots(until, closings);
        self.find_next_end();
    }

    fn close_minute(&mut self, closings: &mut impl Closings) {
        let minute = std::mem::replace(&mut self.site.slots[MINUTE_SLOT], IDLE);
        self.site.minutes_until = minute.span.end;
        if self.is_keeping && self.minutes.len() < MINUTES_MAX {
            self.minutes.push(minute);
        }
        let longest = if self.is_day_known() { DAY_SLOT } else { DAY_SLOT + 1 };
        for slot in &mut self.site.slots[MINUTE_SLOT + 1..longest] {
            slot.part = slot.part.then(&minute.part);
        }
        self.announce(MINUTE_SLOT, minute, self.day, closings);
    }

    /// Closes 5min to 1year as far as they end at or before `until`.
    fn close_slots(&mut self, until: Timestamp, closings: &mut impl Closings) {
        for index in MINUTE_SLOT + 1..DAY_SLOT {
            self.close_slot(index, until, self.day, closings);
        }
        if let Some(day) = self.day {
            let today = &self.site.slots[DAY_SLOT];
            if !today.part.is_empty() && today.span.end <= until {
                // Nor may one of a quiet afternoon open the day a second time.
                self.site.minutes_until = self.site.minutes_until.max(today.span.end);
            }
            self.close_longer(until, &day, closings);
        }
    }

    /// Closes the day and longer as far as they end at or before `until`.
    fn close_longer(&mut self, until: Timestamp, day: &Day, closings: &mut impl Closings) {
        let finished = self.site.slots[DAY_SLOT];
        if !finished.part.is_empty() && finished.span.end <= until {
            self.site.days_until = finished.span.end;
            for slot in &mut self.site.slots[DAY_SLOT + 1..] {
                slot.part = slot.part.then(&finished.part);
            }
        }
        for index in DAY_SLOT..Timeframe::COUNT {
            self.close_slot(index, until, Some(*day), closings);
        }
    }

    fn close_slot(&mut self, index: usize, until: Timestamp, day: Option<Day>, closings: &mut impl Closings) {
        let slot = &mut self.site.slots[index];
        if slot.part.is_empty() || slot.span.end > until {
            return;
        }
        let ended = std::mem::replace(slot, IDLE);
        if index < DAY_SLOT {
            // A straggler of a quiet minute must not open an interval a second time.
            self.site.minutes_until = self.site.minutes_until.max(ended.span.end);
        }
        self.announce(index, ended, day, closings);
    }

    fn announce(&mut self, index: usize, ended: Slot, day: Option<Day>, closings: &mut impl Closings) {
        if let (Some(bar), Some(day)) = (ended.part.bar(ended.span.start), day) {
            self.site.closed[index] = Some(bar);
            closings.closed(Timeframe::ALL[index], &bar, &day);
        }
    }

    fn find_next_end(&mut self) {
        let busy = self.site.slots.iter().filter(|slot| !slot.part.is_empty());
        self.site.next_end = busy.map(|slot| slot.span.end).min().unwrap_or(Timestamp::MAX);
    }
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the session's minutes into a list with room for all of them: nothing allocates later.
fn with_room<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Slot>, D::Error> {
    let mut minutes = Vec::<Slot>::deserialize(from)?;
    minutes.reserve_exact(MINUTES_MAX.saturating_sub(minutes.len()));
    Ok(minutes)
}

const _: () = assert!(
    MINUTES_MAX * size_of::<Slot>() + LEDGER_TRADES * size_of::<Trade>() + size_of::<Bars>() < 112 * 1024,
    "bars take less than half of the 256 KB a symbol has"
);
const _: () = assert!(CLOSE_GRACE_NS < MINUTE, "the waiting mids are of one minute only");
