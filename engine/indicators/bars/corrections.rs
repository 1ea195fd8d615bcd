//! What changes a bar after the fact: late trades, trades taken back or corrected, and minutes the venue sends again.
//!
//! All of them change the session's list of minutes; [`Bars::rebuild`] then walks that list from the morning on, so
//! that bars, and whoever hears them close, are as if every minute had been right from the start. Only the running
//! session can be changed: earlier ones are what history says.

use super::{Bars, Closings, IDLE, Late, MINUTE_SLOT, MINUTES_MAX, REBUILD_WAIT_NS, Slot};
use crate::part::Part;
use market::quote::{Bar, SaleRule, Timeframe, Trade};
use market::{Price, Timestamp};

/// What became of a trade that was taken back or corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// Its bars are, or within [`REBUILD_WAIT_NS`] will be, as if it had never been (or had been right).
    Exactly,
    /// Volume and turnover are right; it may have set a price of its minute, whose other trades are no longer known.
    /// The minute is listed by [`Bars::doubtful`] until the venue's bar replaces it.
    InDoubt,
    /// Nothing is known of it (too old, without an id, or of a minute the venue made). The venue's corrected bar
    /// puts it right.
    Unknown,
}

impl Bars {
    /// Takes back the trade of that id.
    pub fn cancel(&mut self, now: Timestamp, id: u64) -> TakenBack {
        let Some(trade) = self.ledger.get(id).copied().filter(|trade| self.can_change(trade.at)) else {
            self.counts.unmatched += 1;
            return TakenBack::Unknown;
        };
        self.ledger.remove(id);
        self.counts.taken_back += 1;
        self.change(now, &trade, None)
    }

    /// Corrects the trade of that id: price, size, conditions and id become those of `right`. It stays at the moment
    /// it happened; a correction's own stamp is that of the announcement.
    pub fn correct(&mut self, now: Timestamp, id: u64, right: &Trade) -> TakenBack {
        let is_trade = right.price > Price::ZERO && right.size > 0 && right.rule != SaleRule::Ignored;
        if !is_trade {
            return self.cancel(now, id);
        }
        let Some(wrong) = self.ledger.get(id).copied().filter(|trade| self.can_change(trade.at)) else {
            self.counts.unmatched += 1;
            return TakenBack::Unknown;
        };
        let right = Trade { at: wrong.at, ..*right };
        self.ledger.replace(id, &right);
        self.counts.corrected += 1;
        self.change(now, &wrong, Some(&right))
    }

    /// The earliest minute of the session whose prices are in doubt; fetch it and [`Bars::repair`] it.
    pub fn doubtful(&self) -> Option<Timestamp> {
        let closed = self.minutes.iter().find(|slot| slot.is_doubtful);
        let forming = Some(&self.site.slots[MINUTE_SLOT]).filter(|slot| slot.is_doubtful);
        closed.or(forming).map(|slot| slot.span.start)
    }

    /// The closed minutes of the session that were heard or repaired, not given by history.
    pub fn heard_minutes(&self) -> impl Iterator<Item = Bar> {
        let bars = self.minutes.iter().map(|slot| (slot.is_given, slot.part.bar(slot.span.start)));
        bars.filter_map(|(is_given, bar)| bar.filter(|bar| !is_given || bar.repaired))
    }

    /// True when something changed that only [`Bars::rebuild`] brings into the bars.
    pub fn is_torn(&self) -> bool {
        self.rebuild_by < Timestamp::MAX
    }

    /// True when [`Bars::rebuild`] is due.
    #[inline]
    pub fn is_rebuild_due(&self, now: Timestamp) -> bool {
        now >= self.rebuild_by
    }

    /// Puts a minute of the running session right: replaces it, or puts it where a gap left none. True when
    /// [`Bars::rebuild`] must follow; false when the bar is of another session, or of the forming minute (which
    /// is replaced at once).
    pub fn repair(&mut self, bar: &Bar) -> bool {
        let Some(day) = self.day.filter(|day| day.session.holds(bar.start) && bar.low > Price::ZERO) else {
            self.counts.late += 1;
            return false;
        };
        self.counts.repaired += 1;
        self.revision += 1;
        let part = Part::from_bar(bar).marked_repaired();
        let repaired = Slot { is_given: true, ..Slot::of(day.span(Timeframe::Min1, bar.start), part) };
        let minute = &mut self.site.slots[MINUTE_SLOT];
        if !minute.part.is_empty() && minute.span == repaired.span {
            *minute = repaired;
            return false;
        }
        match self.place(repaired.span.start) {
            Ok(place) => self.minutes[place] = repaired,
            Err(place) => self.insert(place, repaired),
        }
        true
    }

    /// Builds the session's bars again from its minutes, as if they had been so from the start.
    /// `closings` hears every bar of the session again and must have gone back to the morning too.
    pub fn rebuild(&mut self, closings: &mut impl Closings) {
        let (forming, ahead) = (self.site.slots[MINUTE_SLOT], self.site.ahead);
        let minutes_until = self.site.minutes_until;
        self.site.clone_from(&self.morning);
        self.rebuild_by = Timestamp::MAX;
        self.revision += 1;
        self.is_keeping = false;
        for index in 0..self.minutes.len() {
            let minute = self.minutes[index];
            self.close_until(minute.span.start, closings);
            self.open_minute(minute.span.start);
            self.site.slots[MINUTE_SLOT] = minute;
            self.close_until(minute.span.end, closings);
        }
        self.is_keeping = true;
        if !forming.part.is_empty() {
            self.close_until(forming.span.start, closings);
            if self.open_minute(forming.span.start) {
                self.site.slots[MINUTE_SLOT] = forming;
                self.site.ahead = ahead;
            }
        }
        // What a quiet minute had closed is closed again here, not with the next tick.
        self.close_until(self.closed_until, closings);
        self.site.minutes_until = self.site.minutes_until.max(minutes_until);
        self.find_next_end();
    }

    /// Takes in a trade whose minute has closed, or leaves it out.
    #[cold]
    pub(super) fn take_late(&mut self, now: Timestamp, trade: &Trade) {
        let place = self.place_of(trade.at);
        let is_given = match place {
            Ok(place) => self.minutes[place].is_given,
            Err(_) => trade.at < self.given_until,
        };
        let Some(day) = self.day.filter(|_| self.late == Late::Enter && !is_given) else {
            self.counts.late += 1;
            return;
        };
        let place = place.unwrap_or_else(|place| {
            self.insert(place, Slot::of(day.span(Timeframe::Min1, trade.at), Part::EMPTY));
            place
        });
        let part = &mut self.minutes[place].part;
        part.trade(trade);
        *part = part.marked_repaired();
        self.ledger.note(trade);
        self.counts.trades += 1;
        self.counts.entered_late += 1;
        self.tear(now);
    }

    /// Takes `wrong` out of its minute (it is out of the ledger already) and puts `right` in its place.
    fn change(&mut self, now: Timestamp, wrong: &Trade, right: Option<&Trade>) -> TakenBack {
        self.revision += 1;
        let place = self.place_of(wrong.at).ok();
        let slot = match place {
            Some(place) => &mut self.minutes[place],
            None => &mut self.site.slots[MINUTE_SLOT],
        };
        let is_sure = if self.ledger.covers(&slot.span) {
            slot.part = self.ledger.fold(&slot.span, slot.part.without_trades());
            true
        } else {
            let is_sure = slot.part.take_back(wrong);
            right.iter().for_each(|right| slot.part.trade(right));
            is_sure
        };
        slot.is_doubtful |= !is_sure;
        match place {
            Some(place) => {
                slot.part = slot.part.marked_repaired();
                if slot.part.is_empty() {
                    self.minutes.remove(place);
                }
                self.tear(now);
            }
            None if slot.part.is_empty() => self.reopen(),
            None => {}
        }
        if is_sure { TakenBack::Exactly } else { TakenBack::InDoubt }
    }

    /// The forming minute has lost all that was in it: the mids that waited for its end go on instead.
    fn reopen(&mut self) {
        self.site.slots[MINUTE_SLOT] = IDLE;
        let ahead = std::mem::replace(&mut self.site.ahead, IDLE);
        if !ahead.part.is_empty() && self.open_minute(ahead.span.start) {
            self.site.slots[MINUTE_SLOT] = ahead;
        }
        self.find_next_end();
    }

    /// True when the minute of that instant is there and made of trades we heard.
    fn can_change(&self, at: Timestamp) -> bool {
        let forming = &self.site.slots[MINUTE_SLOT];
        let slot = self.place_of(at).map_or(forming, |place| &self.minutes[place]);
        slot.span.holds(at) && !slot.part.is_empty() && !slot.is_given
    }

    /// Where the closed minute that holds `at` lies, or would lie.
    fn place_of(&self, at: Timestamp) -> Result<usize, usize> {
        let place = self.minutes.partition_point(|slot| slot.span.end <= at);
        if self.minutes.get(place).is_some_and(|slot| slot.span.holds(at)) { Ok(place) } else { Err(place) }
    }

    /// Where the closed minute that starts at `start` lies, or would lie.
    fn place(&self, start: Timestamp) -> Result<usize, usize> {
        self.minutes.binary_search_by_key(&start, |slot| slot.span.start)
    }

    fn insert(&mut self, place: usize, minute: Slot) {
        // A session has no more minutes than the list has room for.
        debug_assert!(self.minutes.len() < MINUTES_MAX);
        self.minutes.insert(place, minute);
    }

    fn tear(&mut self, now: Timestamp) {
        self.revision += 1;
        self.rebuild_by = self.rebuild_by.min(now + REBUILD_WAIT_NS);
    }
}
