//! The core of one symbol: hears its market, keeps its bars, asks its models on every tick, and says what should be
//! opened and closed. It decides and does nothing; time comes in with each call.

use crate::chain::Chain;
use crate::entry::{self, Blocked};
use crate::exit;
use crate::forecasts::Forecasts;
use crate::held::{Closing, Positions};
use crate::hours::Hours;
use crate::marking::{self, Marking};
use crate::panel::Panel;
use crate::said::Said;
use crate::search::{self, Candidate, Finder, Shortfall};
use crate::signs::signs;
use crate::stages::{NoStages, Stage, StageClock};
use crate::structures::Structure;
use forecast::notes::ModelNote;
use forecast::{Ensemble, Forecast, Plan, Prediction, Scored};
use indicators::{Analysis, Closed};
use market::alert::{AlertNote, Severity};
use market::command::Command;
use market::feed::{FeedName, FeedNote, FeedState};
use market::order::ReasonText;
use market::quote::{Bar, MarketEvent, OpenInterest, Quote, SaleRule, Timeframe};
use market::{Contract, Instrument, Label, Money, Price, RunId, Symbol, Timestamp};
use portfolio::notes::{DoneNote, MarkNote, PositionNote};
use portfolio::proposal::ProposalId;
use portfolio::{ExitReason, Proposal, Purpose};
use pricing::chain::Curve;
use pricing::surface::Surface;

/// What one symbol's core is set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What may be opened, in the order it is tried.
    pub structures: Vec<Structure>,
    /// How the models' odds become a forecast.
    pub ensemble: Ensemble,
    /// Ensembles for some symbols or structures only. One without structures makes the forecast of its symbols; one with
    /// structures makes that of these, on its symbols or on all when it names none.
    pub particular: Vec<Ensemble>,
    /// When to open.
    pub entry: entry::Settings,
    /// When to close.
    pub exit: exit::Settings,
    /// What a contract must be like to be traded.
    pub search: search::Settings,
    /// How the chain is marked.
    pub marking: marking::Settings,
    /// Oldest quote of the underlying on which anything is opened, in nanoseconds since it was heard.
    pub spot_age_max_ns: i64,
    /// Marks are told at most this often, in nanoseconds.
    pub mark_every_ns: i64,
    /// A model is silent while more values than this are missing from its row.
    pub missing_max: u32,
    /// False asks no models: for measuring the rest.
    pub inference: bool,
}

impl Settings {
    /// With what concerns that symbol only: its own ensemble, and those of structures on it.
    #[must_use]
    fn of(mut self, symbol: &Symbol) -> Self {
        let is_own = |e: &Ensemble| e.structures.is_empty() && e.symbols.contains(symbol);
        if let Some(own) = self.particular.iter().find(|e| is_own(e)) {
            self.ensemble = own.clone();
        }
        let is_near = |e: &Ensemble| e.symbols.is_empty() || e.symbols.contains(symbol);
        self.particular.retain(|e| !e.structures.is_empty() && is_near(e));
        self
    }
}

/// What an ensemble would have opened.
struct Opinion<'a> {
    /// The ensemble whose structures are meant; `None` for those that follow no particular one.
    follows: Option<&'a Ensemble>,
    views: entry::Views,
    confidence: f32,
}

impl Opinion<'_> {
    /// True when a structure of that name follows this opinion's ensemble.
    fn is_about(&self, structure: &Label, settings: &Settings) -> bool {
        match self.follows {
            Some(ensemble) => ensemble.structures.contains(structure),
            None => !settings.particular.iter().any(|e| e.structures.contains(structure)),
        }
    }
}

/// What the ensembles would have opened, the symbol's own first.
fn opinions<'a>(settings: &'a Settings, forecasts: &'a Forecasts) -> impl Iterator<Item = Opinion<'a>> {
    let own = (None, forecasts.main());
    let others = settings.particular.iter().map(Some).zip(forecasts.others());
    std::iter::once(own).chain(others).filter_map(|(follows, forecast)| {
        let views = entry::views(forecast?, &settings.entry)?;
        Some(Opinion { follows, views, confidence: forecast?.confidence })
    })
}

/// What the operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Trading,
    /// No entries; exits go on. Risk itself closes what is to be flattened.
    Paused,
    /// Nothing at all.
    Killed,
}

/// The core of one symbol.
pub struct Underlying {
    symbol: Symbol,
    run: RunId,
    settings: Settings,
    analysis: Analysis,
    forecasts: Forecasts,
    chain: Chain,
    marking: Marking,
    /// The newest stock quote and when it was heard; `None` since the feed was lost.
    spot: Option<(Quote, Timestamp)>,
    hours: Hours,
    feed_lost: bool,
    /// When trading was halted; a regular trade after it proves that it goes on.
    halted: Option<Timestamp>,
    operator: Operator,
    stopping: bool,
    positions: Positions,
    /// The entry that waits for its end.
    opening: Option<ProposalId>,
    /// Proposals made in this run.
    count: u32,
    no_entry_until: Timestamp,
    no_search_until: Timestamp,
    shortfall: Option<Shortfall>,
    finder: Finder,
    next_mark: Timestamp,
}

impl Underlying {
    /// A core that has heard nothing. `run` is the number of this start of the program: proposal ids carry it, so
    /// that they are unique for ever.
    pub fn new(symbol: Symbol, run: impl Into<RunId>, settings: Settings) -> Self {
        let settings = settings.of(&symbol);
        let search::Settings { rate, dividend_yield, .. } = settings.search;
        Self {
            symbol,
            run: run.into(),
            forecasts: Forecasts::new(symbol, &settings.ensemble, &settings.particular),
            chain: Chain::with_curve(symbol, Curve { rate, dividend_yield }),
            marking: Marking::new(settings.marking),
            settings,
            analysis: Analysis::new(),
            spot: None,
            hours: Hours::UNKNOWN,
            feed_lost: false,
            halted: None,
            operator: Operator::Trading,
            stopping: false,
            positions: Positions::new(),
            opening: None,
            count: 0,
            no_entry_until: Timestamp::MIN,
            no_search_until: Timestamp::MIN,
            shortfall: None,
            finder: Finder::new(),
            next_mark: Timestamp::MIN,
        }
    }

    // ---- what can be read ----

    /// Bars, indicators and rows.
    pub const fn analysis(&self) -> &Analysis {
        &self.analysis
    }
    /// The option chain.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }
    /// The volatility surface of the chain.
    pub const fn surface(&self) -> &Surface {
        self.marking.surface()
    }
    /// The models and what each said last.
    pub const fn panel(&self) -> &Panel {
        self.forecasts.panel()
    }
    /// What the symbol's ensemble said last.
    pub fn forecast(&self) -> Option<&Forecast> {
        self.forecasts.main()
    }
    /// Models, ensembles and the predictions that wait for their outcome.
    pub const fn forecasts(&self) -> &Forecasts {
        &self.forecasts
    }
    /// What is held.
    pub const fn positions(&self) -> &Positions {
        &self.positions
    }
    /// Price of the underlying: the middle of its quote, else its last price.
    pub fn spot(&self) -> Option<Price> {
        self.spot_mid()
    }
    /// What the last search lacked; `None` after one that found something.
    pub const fn shortfall(&self) -> Option<Shortfall> {
        self.shortfall
    }

    // ---- what is heard ----

    /// A model is put in its place, or the place emptied.
    pub fn install(
        &mut self,
        _now: Timestamp,
        timeframe: Timeframe,
        plan: Option<Box<dyn Plan>>,
        note: ModelNote,
    ) {
        self.forecasts.install(timeframe, plan, note);
    }

    /// Takes the model of a timeframe out of its place.
    pub fn take_out(&mut self, timeframe: Timeframe) -> Option<(ModelNote, Box<dyn Plan>)> {
        self.forecasts.take_out(timeframe)
    }

    /// A model is asked beside the incumbent from now on, at each close of its timeframe; answers its plan when there is
    /// no room.
    pub fn shadow(&mut self, note: ModelNote, plan: Box<dyn Plan>) -> Option<Box<dyn Plan>> {
        self.forecasts.shadows_mut().add(note, plan)
    }

    /// A model is not asked beside the incumbent any more; answers its plan.
    pub fn dismiss(&mut self, note: &ModelNote) -> Option<Box<dyn Plan>> {
        self.forecasts.shadows_mut().remove(note)
    }

    /// A prediction of an earlier run whose outcome is still to come.
    pub fn on_predicted(&mut self, prediction: &Prediction) {
        self.forecasts.wait_again(prediction);
    }

    /// A scored prediction of an earlier run.
    pub fn on_scored(&mut self, scored: &Scored) {
        self.forecasts.learn_again(scored);
    }

    /// A word from a feed.
    pub fn on_market(&mut self, now: Timestamp, event: &MarketEvent, out: &mut Vec<Said>) {
        self.on_market_staged(now, event, out, &mut NoStages);
    }

    /// A word from a feed, with a stamp as each stage is done. The stamps change nothing.
    pub fn on_market_staged(
        &mut self,
        now: Timestamp,
        event: &MarketEvent,
        out: &mut Vec<Said>,
        stages: &mut dyn StageClock,
    ) {
        match event {
            MarketEvent::Quote(Instrument::Stock(symbol), quote) if *symbol == self.symbol => {
                self.hear_stock(now, Some(quote));
                let closed = self.analysis.on_quote(now, quote);
                self.tick(now, closed, out, stages);
            }
            MarketEvent::Trade(Instrument::Stock(symbol), trade) if *symbol == self.symbol => {
                self.hear_stock(now, None);
                if trade.rule == SaleRule::Regular && self.halted.is_some_and(|since| trade.at > since) {
                    self.halted = None;
                }
                let closed = self.analysis.on_trade(now, trade);
                self.tick(now, closed, out, stages);
            }
            MarketEvent::Quote(Instrument::Option(contract), quote) => {
                self.hours_advance(now);
                let taken = self.chain.quote(now, contract, quote);
                stages.stamp(Stage::Chain);
                if taken && self.positions.has(contract) {
                    self.look_after_positions(now, out);
                }
                stages.stamp(Stage::Decision);
            }
            MarketEvent::Bar { symbol, timeframe, bar, updated } if *symbol == self.symbol => {
                self.hear_bar(now, *timeframe, bar, *updated, out);
            }
            MarketEvent::Cancel(symbol, id, _) if *symbol == self.symbol => {
                self.analysis.cancel(now, *id);
            }
            MarketEvent::OpenInterest(OpenInterest { contract, contracts, .. }) => {
                self.chain.open_interest(contract, *contracts);
            }
            MarketEvent::Status(Instrument::Stock(symbol), status) if *symbol == self.symbol => {
                self.halted = status.halted.then_some(status.at);
            }
            MarketEvent::Trade(Instrument::Option(contract), trade) => {
                self.chain.traded(contract, trade.size);
            }
            // Option halts and other symbols say nothing here.
            MarketEvent::Quote(..)
            | MarketEvent::Trade(..)
            | MarketEvent::Cancel(..)
            | MarketEvent::Bar { .. }
            | MarketEvent::Status(..) => {}
        }
    }

    /// Risk tells what is held.
    pub fn on_position(&mut self, _now: Timestamp, note: &PositionNote, _out: &mut Vec<Said>) {
        if note.underlying == self.symbol {
            self.positions.take(note, &self.settings.exit);
        }
    }

    /// Risk's answer to a proposal: how many units are cleared, 0 when it is refused.
    pub fn on_decided(&mut self, now: Timestamp, proposal: ProposalId, units: u32, _out: &mut Vec<Said>) {
        if units == 0 {
            self.ended(now, &proposal);
        }
    }

    /// An order's life ended.
    pub fn on_done(&mut self, now: Timestamp, note: &DoneNote, _out: &mut Vec<Said>) {
        self.ended(now, &note.proposal);
    }

    /// A feed's state changed.
    pub fn on_feed(&mut self, now: Timestamp, note: &FeedNote, _out: &mut Vec<Said>) {
        let lost = matches!(note.state, FeedState::Down | FeedState::Mute);
        match note.feed {
            // A repaired past is no sign of life.
            _ if note.state == FeedState::Repaired => {}
            FeedName::Stocks => {
                self.feed_lost = lost;
                self.spot = None;
            }
            FeedName::Options if lost || note.state == FeedState::Up => self.chain.lose_quotes(now),
            FeedName::Options | FeedName::Orders | FeedName::Journal => {}
        }
    }

    /// The operator asks. What is to be flattened is closed by risk, the owner of the book; marks help it.
    pub fn on_command(&mut self, now: Timestamp, command: Command, out: &mut Vec<Said>) {
        self.operator = match command {
            Command::Resume => Operator::Trading,
            Command::Kill => Operator::Killed,
            Command::Pause | Command::Flatten if self.operator == Operator::Killed => Operator::Killed,
            Command::Pause | Command::Flatten => Operator::Paused,
        };
        if command == Command::Flatten {
            self.tell_marks(now, out);
        }
    }

    /// The program is about to end: nothing more is proposed.
    pub fn stopping(&mut self) {
        self.stopping = true;
    }

    /// This core takes the place of one that failed: ids go on from there, and what was said to it still holds. An entry
    /// under way is not taken over, since it may have been proposed in the very step that failed and never left; risk
    /// counts it all the same.
    #[must_use]
    pub fn going_on_from(self, failed: &Self) -> Self {
        let Self { count, operator, stopping, halted, .. } = *failed;
        Self { count, operator, stopping, halted, ..self }
    }

    /// When to be woken if nothing else happens.
    pub fn deadline(&self) -> Option<Timestamp> {
        let marks = (!self.positions.is_empty()).then_some(self.next_mark);
        // While nothing trades the marks rest.
        let marking = self.hours.session().and_then(|_| self.marking.deadline(&self.chain));
        [self.analysis.deadline(), self.positions.deadline(), marks, marking].into_iter().flatten().min()
    }

    /// A deadline came.
    pub fn wake(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.hours_advance(now);
        let closed = self.analysis.advance(now);
        self.forecasts.bars_closed(now, &self.analysis, closed, out);
        if self.hours.session().is_some() && self.marking.step_in_time(&mut self.chain, now) {
            let realised = self.analysis.realised_volatility();
            self.analysis.on_chain(signs(&self.chain, self.marking.surface(), realised));
        }
        self.look_after_positions(now, out);
        self.mark_in_time(now, out);
        self.ask_shadows(out);
    }

    /// Shadows answer when there is nothing to hold up: a proposal leaves first, and they wait for the next word.
    fn ask_shadows(&mut self, out: &mut Vec<Said>) {
        if !out.iter().any(|said| matches!(said, Said::Propose(_))) {
            self.forecasts.ask_shadows(out);
        }
    }

    // ---- one tick ----

    fn hear_stock(&mut self, now: Timestamp, quote: Option<&Quote>) {
        self.hours_advance(now);
        // Whoever speaks is not mute.
        self.feed_lost = false;
        if let Some(quote) = quote
            && self.spot.is_none_or(|(held, _)| held.at <= quote.at)
        {
            self.spot = Some((*quote, now));
        }
    }

    fn hear_bar(
        &mut self,
        now: Timestamp,
        timeframe: Timeframe,
        bar: &Bar,
        updated: bool,
        out: &mut Vec<Said>,
    ) {
        if timeframe == Timeframe::Min1 && (updated || bar.repaired) {
            self.analysis.repair(bar);
        } else {
            let closed = self.analysis.seed(timeframe, bar);
            self.forecasts.past_closed(now, &self.analysis, closed, out);
        }
    }

    fn tick(&mut self, now: Timestamp, closed: Closed, out: &mut Vec<Said>, stages: &mut dyn StageClock) {
        stages.stamp(Stage::Indicators);
        self.forecasts.bars_closed(now, &self.analysis, closed, out);
        self.infer(now, out);
        stages.stamp(Stage::Inference);
        if let Some(spot) = self.spot_mid()
            && self.marking.hear_spot(&mut self.chain, now, spot.dollars())
        {
            stages.stamp(Stage::Chain);
        }
        self.look_after_positions(now, out);
        self.consider_entry(now, out);
        self.mark_in_time(now, out);
        stages.stamp(Stage::Decision);
        self.ask_shadows(out);
    }

    fn infer(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        if !self.settings.inference {
            return;
        }
        let told = self.forecasts.ask(now, &mut self.analysis, self.settings.missing_max);
        if let Some(failure) = told.failure {
            let (what, severity) = if failure.given_up {
                (Label::literal("model_given_up"), Severity::Critical)
            } else {
                (Label::literal("model_failed"), Severity::Warning)
            };
            let note = failure.note;
            let text = format_args!("{} {} {}: {}", note.timeframe, note.name, note.version, failure.fault);
            out.push(alert(now, severity, what, text));
        }
        if let Some(note) = told.stranger {
            let text = format_args!(
                "{} {} {}: the row is unlike any it was taught",
                note.timeframe, note.name, note.version
            );
            out.push(alert(now, Severity::Warning, Label::literal("model_out_of_range"), text));
        }
    }

    fn hours_advance(&mut self, now: Timestamp) {
        if self.hours.advance(now) {
            self.chain.drop_expired(now.new_york().0);
        }
    }

    // ---- closing ----

    fn look_after_positions(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        for place in 0..self.positions.len() {
            self.look_after(place, now, out);
        }
    }

    fn look_after(&mut self, place: usize, now: Timestamp, out: &mut Vec<Said>) {
        let spot = self.spot_mid();
        let settings = &self.settings.exit;
        let Some(held) = self.positions.get_mut(place) else { return };
        // `may_close` first: it takes alarms and waits that are over, so that none wakes us again.
        let may_close = held.may_close(now) && self.operator != Operator::Killed && !self.stopping;
        let still_filling = self.opening == Some(held.note.id);
        let (true, false, Some(session)) = (may_close, still_filling, self.hours.session()) else { return };
        let price = exit::closing_price(&held.closing_legs, &self.chain, spot, now, settings.age_max_ns);
        let Some(reason) =
            exit::reason(&held.note, held.last_day, price.as_ref(), now, session.date, settings)
        else {
            return;
        };
        let Some(price) = price else {
            // The next quote of that leg is acted on at once; only the telling is spaced out.
            if now < held.unpriced_told_until {
                return;
            }
            held.unpriced_told_until = now + settings.retry_ns;
            let text = format_args!("{} must be closed but a leg has no price", held.note.id);
            out.push(alert(now, Severity::Warning, Label::literal("exit_unpriced"), text));
            return;
        };
        self.propose_exit(place, reason, price, now, out);
    }

    fn propose_exit(
        &mut self,
        place: usize,
        reason: ExitReason,
        price: exit::ClosingPrice,
        now: Timestamp,
        out: &mut Vec<Said>,
    ) {
        let id = self.next_id();
        let (spot, confidence) = (self.best_spot(), self.confidence());
        let Some(held) = self.positions.get_mut(place) else { return };
        held.closing = Closing::Proposed(id);
        out.push(Said::Propose(Proposal {
            id,
            underlying: self.symbol,
            purpose: Purpose::Close { position: held.note.id, reason },
            legs: held.closing_legs.clone(),
            units: held.note.units,
            mid: price.mid,
            natural: price.natural,
            max_loss: Money::ZERO,
            max_profit: Money::ZERO,
            margin: Money::ZERO,
            confidence,
            spot,
            at: now,
        }));
        self.tell_marks(now, out);
    }

    // ---- opening ----

    /// Why nothing may be opened now; `None` when a search may be made.
    pub fn blocked(&self, now: Timestamp) -> Option<Blocked> {
        let entry = &self.settings.entry;
        if self.operator != Operator::Trading || self.stopping {
            return Some(Blocked::Operator);
        }
        let Some(session) = self.hours.session() else { return Some(Blocked::Hours) };
        let settled = now.since(session.open) >= entry.after_open_ns;
        if !settled || session.close.since(now) < entry.before_close_ns {
            return Some(Blocked::Hours);
        }
        if self.feed_lost {
            return Some(Blocked::Feed);
        }
        if self.halted.is_some() {
            return Some(Blocked::Halted);
        }
        if self.opening.is_some() || self.positions.is_closing() {
            return Some(Blocked::Pending);
        }
        if self.positions.len() >= entry.positions_max {
            return Some(Blocked::Positions);
        }
        if now < self.no_entry_until || now < self.no_search_until {
            return Some(Blocked::Cooldown);
        }
        if self.fresh_spot(now).is_none() {
            return Some(Blocked::Spot);
        }
        opinions(&self.settings, &self.forecasts).next().is_none().then_some(Blocked::Forecast)
    }

    fn consider_entry(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        if self.blocked(now).is_some() {
            return;
        }
        let Some(spot) = self.fresh_spot(now) else { return };
        self.marking.make_ready(&mut self.chain, now);
        let found = self.find(spot, now);
        self.shortfall = found.as_ref().err().copied();
        match found {
            Ok((structure, candidate, confidence)) => {
                self.propose_entry(structure, candidate, confidence, spot, now, out);
            }
            Err(_) => self.no_search_until = now + self.settings.entry.search_every_ns,
        }
    }

    /// The first structure with a candidate, and the confidence it follows: ensemble after ensemble, of each the first
    /// view and then the second.
    fn find(&mut self, spot: Price, now: Timestamp) -> Result<(Label, Candidate, f32), Shortfall> {
        let (settings, floor) = (&self.settings, self.settings.exit.days_min);
        let mut round = self.finder.begin(&self.chain, self.symbol, spot, now, floor, &settings.search);
        let mut shortfall = Shortfall::NoExpiry;
        for opinion in opinions(settings, &self.forecasts) {
            for view in [Some(opinion.views.first), opinion.views.second].into_iter().flatten() {
                let follows = |s: &&Structure| s.view == view && opinion.is_about(&s.name, settings);
                for structure in settings.structures.iter().filter(follows) {
                    match round.candidate(structure) {
                        Ok(candidate) => return Ok((structure.name, candidate, opinion.confidence)),
                        Err(missing) => shortfall = shortfall.max(missing),
                    }
                }
            }
        }
        Err(shortfall)
    }

    fn propose_entry(
        &mut self,
        structure: Label,
        candidate: Candidate,
        confidence: f32,
        spot: Price,
        now: Timestamp,
        out: &mut Vec<Said>,
    ) {
        let Candidate { legs, mid, natural, max_loss, max_profit, margin } = candidate;
        let id = self.next_id();
        self.opening = Some(id);
        // Which models stood behind it, to the version.
        self.forecasts.tell_together(now, out);
        out.push(Said::Propose(Proposal {
            id,
            underlying: self.symbol,
            purpose: Purpose::Open { structure },
            legs,
            units: self.settings.entry.units,
            mid,
            natural,
            max_loss,
            max_profit,
            margin,
            confidence,
            spot,
            at: now,
        }));
    }

    /// A proposal was refused or its order's life ended.
    fn ended(&mut self, now: Timestamp, proposal: &ProposalId) {
        if self.opening == Some(*proposal) {
            self.opening = None;
            self.no_entry_until = now + self.settings.entry.cooldown_ns;
        }
        let retry_ns = self.settings.exit.retry_ns;
        if let Some(held) = self.positions.closed_by(proposal) {
            // Even when it filled: the note that the position is gone may still be under way.
            held.closing = Closing::Waiting(now + retry_ns);
        }
    }

    fn next_id(&mut self) -> ProposalId {
        self.count += 1;
        ProposalId::fold(format_args!("{}.{}.{}", self.run, self.symbol, self.count))
    }

    // ---- prices ----

    /// The middle of a fresh, two-sided stock quote.
    fn fresh_spot(&self, now: Timestamp) -> Option<Price> {
        let (quote, heard) = self.spot?;
        let fresh = now.since(heard) <= self.settings.spot_age_max_ns;
        quote.mid().filter(|mid| fresh && *mid > Price::ZERO)
    }

    fn spot_mid(&self) -> Option<Price> {
        self.spot.and_then(|(quote, _)| quote.mid()).or_else(|| self.analysis.spot())
    }

    fn best_spot(&self) -> Price {
        self.spot_mid().unwrap_or(Price::ZERO)
    }

    fn confidence(&self) -> f32 {
        self.forecasts.main().map_or(0.0, |forecast| forecast.confidence)
    }

    fn mark_in_time(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        if now >= self.next_mark {
            self.tell_marks(now, out);
        }
    }

    fn tell_marks(&mut self, now: Timestamp, out: &mut Vec<Said>) {
        self.next_mark = now + self.settings.mark_every_ns;
        if let Some(mid) = self.spot.and_then(|(quote, _)| quote.mid()) {
            out.push(Said::Mark(MarkNote { instrument: Instrument::Stock(self.symbol), mid, at: now }));
        }
        for leg in self.positions.iter().flat_map(|held| &held.note.legs) {
            if let Some(mid) = leg.instrument.contract().and_then(|c| self.worth(&c, now)) {
                out.push(Said::Mark(MarkNote { instrument: leg.instrument, mid, at: now }));
            }
        }
    }

    /// The middle of a contract's quote; an option nobody bids for is worth half of what is asked.
    fn worth(&self, contract: &Contract, now: Timestamp) -> Option<Price> {
        let quote = self.chain.fresh(contract, now, i64::MAX)?;
        let half_ask = quote.ask.filter(|_| quote.bid.is_none()).map(|ask| ask.price.units() / 2);
        quote.mid().or(half_ask.map(Price::from_units))
    }
}

#[cfg(test)]
impl Underlying {
    /// Keeps it from entering until then, as a cooldown does.
    pub(crate) fn no_entry_for_test(&mut self, until: Timestamp) {
        self.no_entry_until = until;
    }
}

fn alert(now: Timestamp, severity: Severity, what: Label, text: std::fmt::Arguments<'_>) -> Said {
    Said::Alert(AlertNote { severity, what, detail: ReasonText::format(text), at: now })
}
