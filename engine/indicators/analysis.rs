//! One symbol's bars, indicators and feature rows: the one door for live, backtest and training.

use crate::bars::{Bars, Closings, Counts, TakenBack};
use crate::candle::Candle;
use crate::features::{self, ChainSigns, FEATURES, Made, Missing, Row};
use crate::grid::Day;
use crate::indicator::Indicator;
use crate::set::IndicatorSet;
use crate::state::{StateFault, open, seal};
use crate::table::periods;
use market::quote::{Bar, Quote, SaleRule, Timeframe, Trade};
use market::{Price, Timestamp};

/// The timeframes whose bar closed: bit `i` stands for `Timeframe::ALL[i]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Closed(pub u16);

impl Closed {
    /// None closed.
    pub const NONE: Self = Self(0);

    /// True when none closed.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when that timeframe's bar closed.
    pub const fn has(self, timeframe: Timeframe) -> bool {
        self.0 & (1 << timeframe.index()) != 0
    }

    /// Those that closed, shortest first.
    pub fn timeframes(self) -> impl Iterator<Item = Timeframe> {
        Timeframe::ALL.into_iter().filter(move |timeframe| self.has(*timeframe))
    }
}

/// Layout of a saved analysis: raised whenever what is in it changes.
const LAYOUT: u32 = 1;

/// What the closing of bars changes.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Board {
    sets: Vec<IndicatorSet>,
    /// The row of the bar that closed last, by timeframe.
    rows: [Made; Timeframe::COUNT],
    closed: Closed,
    /// What the chain said last; a rebuilt session goes on with it.
    chain: ChainSigns,
}

impl Board {
    /// Becomes a copy of another, but for the chain, without allocating.
    fn copy(&mut self, other: &Self) {
        self.sets.clone_from(&other.sets);
        self.rows = other.rows;
        self.closed = other.closed;
    }
}

impl Closings for Board {
    fn closed(&mut self, timeframe: Timeframe, bar: &Bar, day: &Day) {
        let index = timeframe.index();
        let candle = Candle::from_bar(bar, day.session.date.days());
        let set = &mut self.sets[index];
        self.rows[index] = features::fill(timeframe, set, &candle, clock(timeframe, bar, day), &self.chain);
        set.update(&candle);
        self.closed.0 |= 1 << index;
    }
}

/// Bars, indicators and features of one symbol.
///
/// `now` and the stamps inside trades and quotes must come from the same clock (the market's: simulated time in a
/// simulation). Everything after construction is free of allocation; a call costs well under a microsecond except
/// where bars close, and after [`Analysis::repair`], when the session is built again (about a millisecond).
#[derive(Clone, Debug)]
pub struct Analysis {
    bars: Bars,
    board: Board,
    /// The board as it was when the session began: where a repair starts again.
    morning: Board,
    is_torn: bool,
    rows: [Made; Timeframe::COUNT],
    /// The revision of the bars each row was made from.
    made_from: [u64; Timeframe::COUNT],
    spot: Option<Price>,
    spot_at: Timestamp,
}

impl Analysis {
    /// Nothing known yet.
    pub fn new() -> Self {
        let board = Board {
            sets: Timeframe::ALL.iter().map(|timeframe| IndicatorSet::new(periods(*timeframe))).collect(),
            rows: [Made::NOTHING; Timeframe::COUNT],
            closed: Closed::NONE,
            chain: ChainSigns::default(),
        };
        Self {
            bars: Bars::new(),
            morning: board.clone(),
            board,
            is_torn: false,
            rows: [Made::NOTHING; Timeframe::COUNT],
            made_from: [0; Timeframe::COUNT],
            spot: None,
            spot_at: Timestamp::MIN,
        }
    }

    /// Takes a trade in; answers which bars it closed. See [`crate::bars`] for what may enter.
    pub fn on_trade(&mut self, now: Timestamp, trade: &Trade) -> Closed {
        self.settle_in_time(now);
        self.begin(trade.at, now);
        let is_heard = self.bars.trade(now, trade, &mut self.board);
        if is_heard && trade.rule == SaleRule::Regular {
            self.note_spot(trade.price, trade.at);
        }
        self.take_closed()
    }

    /// Takes a quote in; answers which bars it closed. A quote without a mid (one-sided, crossed) says nothing.
    pub fn on_quote(&mut self, now: Timestamp, quote: &Quote) -> Closed {
        self.settle_in_time(now);
        if let Some(mid) = quote.mid().filter(|mid| *mid > Price::ZERO) {
            self.begin(quote.at, now);
            self.bars.mid(now, quote.at, mid, &mut self.board);
            self.note_spot(mid, quote.at);
        }
        self.take_closed()
    }

    /// Lets time pass; answers which bars that closed. Call it at [`Analysis::deadline`].
    pub fn advance(&mut self, now: Timestamp) -> Closed {
        self.settle_in_time(now);
        self.bars.advance(now, &mut self.board);
        self.take_closed()
    }

    /// When [`Analysis::advance`] has something to close.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.bars.deadline()
    }

    /// Takes a finished bar of history; answers which bars that closed. In order of time, days first: daily
    /// bars feed day, week, month and year; minute bars feed everything up to four hours, and the longer ones for
    /// days without a daily bar. A bar of any other timeframe feeds that timeframe alone. Bars older than what is
    /// known are left out and counted as late.
    pub fn seed(&mut self, timeframe: Timeframe, bar: &Bar) -> Closed {
        self.settle();
        let taken = match timeframe {
            Timeframe::Min1 => {
                self.begin(bar.start, bar.start);
                self.bars.seed_minute(bar, &mut self.board)
            }
            Timeframe::Day1 => self.bars.seed_day(bar, &mut self.board),
            other => self.bars.seed_alone(other, bar, &mut self.board),
        };
        if taken && self.spot_at < bar.start {
            self.note_spot(bar.close, bar.start);
        }
        self.take_closed()
    }

    /// Takes back the trade of that id, as if it had never been: at once in the forming minute, within
    /// [`crate::bars::REBUILD_WAIT_NS`] in a closed one of the session.
    pub fn cancel(&mut self, now: Timestamp, id: u64) -> TakenBack {
        self.settle_in_time(now);
        self.bars.cancel(now, id)
    }

    /// Corrects the trade of that id to the price, size and conditions of `right`.
    pub fn correct(&mut self, now: Timestamp, id: u64, right: &Trade) -> TakenBack {
        self.settle_in_time(now);
        self.bars.correct(now, id, right)
    }

    /// Puts a minute bar of the running session right after a gap, or when the venue corrects it. The minute and
    /// every bar it is part of are marked `repaired`, and with the next call that changes anything (or
    /// [`Analysis::settle`]) bars, indicators and rows are as if it had been there from the start. Closings
    /// that were missed in the gap are not announced. Minutes of earlier sessions stay as they are.
    pub fn repair(&mut self, bar: &Bar) {
        self.is_torn |= self.bars.repair(bar);
    }

    /// Builds the session again when minutes were repaired since the last call; otherwise does nothing.
    #[inline]
    pub fn settle(&mut self) {
        if self.is_torn {
            self.is_torn = false;
            self.board.copy(&self.morning);
            self.bars.rebuild(&mut self.board);
            self.board.closed = Closed::NONE;
        }
    }

    /// The same when what came late or was taken back has waited long enough.
    #[inline]
    fn settle_in_time(&mut self, now: Timestamp) {
        self.is_torn |= self.bars.is_rebuild_due(now);
        self.settle();
    }

    /// The bar of a timeframe if it closed now; `None` when nothing happened in its interval yet.
    pub fn bar(&self, timeframe: Timeframe) -> Option<Bar> {
        self.bars.forming(timeframe)
    }

    /// The bar of a timeframe that closed last.
    pub fn last_closed(&self, timeframe: Timeframe) -> Option<&Bar> {
        self.bars.last_closed(timeframe)
    }

    /// The feature row of a timeframe: of the forming bar if it closed now, or of the last closed bar while
    /// nothing happened in the new one.
    pub fn features(&mut self, timeframe: Timeframe) -> &[f32; FEATURES] {
        self.settle();
        let (index, revision) = (timeframe.index(), self.bars.revision());
        if self.made_from[index] != revision {
            self.made_from[index] = revision;
            self.rows[index] = self.make_row(timeframe);
        }
        &self.rows[index].row
    }

    /// The closed minutes of the session that were heard or repaired, not given by history.
    pub fn heard_minutes(&self) -> impl Iterator<Item = Bar> {
        self.bars.heard_minutes()
    }

    /// The row of the bar of a timeframe that closed last, and which of its values could not be known.
    pub fn closed_features(&self, timeframe: Timeframe) -> (&Row, Missing) {
        let made = &self.board.rows[timeframe.index()];
        (&made.row, made.missing)
    }

    /// The row last asked for, as it was then.
    pub fn asked(&self, timeframe: Timeframe) -> &Row {
        &self.rows[timeframe.index()].row
    }

    /// How many of the bars' values in the row last asked for could not be known and stand at their neutral 0; the
    /// chain's are not counted ([`Analysis::missing_values`] knows them too).
    pub fn missing(&self, timeframe: Timeframe) -> u32 {
        self.missing_values(timeframe).of_market()
    }

    /// Which values of the row last asked for could not be known.
    pub fn missing_values(&self, timeframe: Timeframe) -> Missing {
        self.rows[timeframe.index()].missing
    }

    /// Takes what the option chain says now; it stays in all rows until it says something else.
    pub fn on_chain(&mut self, signs: ChainSigns) {
        if self.board.chain != signs {
            self.board.chain = signs;
            self.made_from = [0; Timeframe::COUNT];
        }
    }

    /// The whole state in bytes, at any moment, in the middle of a bar too: what [`Analysis::restore`] makes goes on
    /// exactly as this one would. For snapshots and restarts; takes well under a millisecond.
    pub fn save(&self) -> Vec<u8> {
        let state = (&self.bars, &self.board, &self.morning, self.is_torn, self.spot, self.spot_at);
        seal(LAYOUT, features::schema_digest(), &state)
    }

    /// An analysis out of what [`Analysis::save`] wrote.
    ///
    /// # Errors
    /// Bytes that are foreign, cut or changed, of another layout, or of another feature schema: then seed from
    /// history.
    pub fn restore(bytes: &[u8]) -> Result<Self, StateFault> {
        type State = (Bars, Board, Board, bool, Option<Price>, Timestamp);
        let state: State = open("analysis", LAYOUT, features::schema_digest(), bytes)?;
        let (bars, board, morning, is_torn, spot, spot_at) = state;
        let (rows, made_from) = ([Made::NOTHING; Timeframe::COUNT], [0; Timeframe::COUNT]);
        let mut analysis = Self { bars, board, morning, is_torn, rows, made_from, spot, spot_at };
        if !is_torn {
            Timeframe::ALL.iter().for_each(|timeframe| _ = analysis.features(*timeframe));
        }
        Ok(analysis)
    }

    /// Finished bars the indicators of a timeframe have taken.
    pub fn bars_taken(&self, timeframe: Timeframe) -> u64 {
        self.board.sets[timeframe.index()].bars
    }

    /// Average true range of the finished bars of a timeframe, dollars.
    pub fn atr(&self, timeframe: Timeframe) -> Option<f64> {
        self.board.sets[timeframe.index()].atr.value()
    }

    /// Close-to-close volatility of the last days, today's as if it closed now, for a year of 252; `None` while there are
    /// too few.
    pub fn realised_volatility(&self) -> Option<f64> {
        let today = self.bars.forming(Timeframe::Day1)?;
        let variance = &self.board.sets[Timeframe::Day1.index()].variance_slow;
        let variance = variance.forming(&Candle::from_bar(&today, 0))?;
        Some((variance * market::session::SESSIONS_A_YEAR as f64).sqrt())
    }

    /// The latest price: of a regular trade or the middle of a quote, whichever is stamped later.
    pub const fn spot(&self) -> Option<Price> {
        self.spot
    }

    /// Changes whenever a bar, and so perhaps a row, may have changed.
    pub const fn revision(&self) -> u64 {
        self.bars.revision()
    }

    /// What became of what was heard.
    pub const fn counts(&self) -> &Counts {
        self.bars.counts()
    }

    fn make_row(&self, timeframe: Timeframe) -> Made {
        let index = timeframe.index();
        let Some(bar) = self.bars.forming(timeframe) else { return self.board.rows[index] };
        // Without a session only bars longer than a day can be forming, and they need neither date nor clock.
        let day = self.bars.day();
        let candle = Candle::from_bar(&bar, day.map_or(0, |day| day.session.date.days()));
        let clock = day.map_or(0.0, |day| clock(timeframe, &bar, day));
        features::fill(timeframe, &self.board.sets[index], &candle, clock, &self.board.chain)
    }

    #[inline]
    fn begin(&mut self, at: Timestamp, now: Timestamp) {
        if self.bars.begins_session(now, at) && at.since(now) <= crate::bars::AHEAD_NS_MAX {
            self.is_torn |= self.bars.is_torn();
            self.settle();
            self.bars.begin_session(at, &mut self.board);
            self.morning.copy(&self.board);
        }
    }

    #[inline]
    fn note_spot(&mut self, price: Price, at: Timestamp) {
        if at >= self.spot_at {
            (self.spot, self.spot_at) = (Some(price), at);
        }
    }

    #[inline]
    fn take_closed(&mut self) -> Closed {
        std::mem::take(&mut self.board.closed)
    }
}

impl Default for Analysis {
    fn default() -> Self {
        Self::new()
    }
}

/// Where an intraday bar starts in its session; 0 from a day on.
fn clock(timeframe: Timeframe, bar: &Bar, day: &Day) -> f64 {
    if timeframe.minutes().is_some() { day.clock(bar.start) } else { 0.0 }
}
