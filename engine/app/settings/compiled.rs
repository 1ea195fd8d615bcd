//! Values to the plain settings every room asks for, and the checks that need more than one of them.

use super::fault::Report;
use super::values::Values;
use forecast::ensemble::Ensemble;
use forecast::shelf::settings::Measure;
use market::fees::Schedule;
use market::time::MS;
use market::{Date, Label, Money, Symbol};
use pricing::chain::terms::Liquidity;
use std::path::PathBuf;
use std::time::Duration;
use strategy::structures::Structure;

/// Everything that can be set, in the words of the rooms that use it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where orders go.
    pub endpoint: Endpoint,
    /// Addresses of the broker; unused with the embedded market.
    pub endpoints: Endpoints,
    /// The embedded market.
    pub venue: Venue,
    /// The underlyings.
    pub symbols: Vec<Symbol>,
    /// What each symbol's core is set to (the same for all).
    pub strategy: strategy::Settings,
    /// Every ensemble there is, the chosen one among them.
    pub ensembles: Vec<Ensemble>,
    /// Every structure there is, the chosen ones among them.
    pub structures: Vec<Structure>,
    /// What the gate is set to; its book holds the fee schedule.
    pub risk: risk::Settings,
    /// How orders walk.
    pub execution: execution::Settings,
    /// How much is listened to.
    pub feed: Feed,
    /// The folder of models.
    pub models: Models,
    /// Training while the engine runs.
    pub training: Training,
    /// Where the journal is.
    pub journal_folder: PathBuf,
    /// Whether market data goes on record too; without it a run cannot be replayed.
    pub keep_inputs: bool,
    /// The journal.
    pub journal: journal::Settings,
    /// Threads, queues and waits.
    pub engine: EngineSettings,
}

/// Where orders go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A market started on this machine.
    Embedded,
    /// The broker's paper account.
    AlpacaPaper,
    /// Whatever the addresses say.
    Custom,
}

/// Addresses of the broker, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// REST for orders and account.
    pub trading: String,
    /// REST for market data.
    pub data: String,
    /// Stock quotes and trades.
    pub stock_stream: String,
    /// Option quotes.
    pub option_stream: String,
    /// Reports of orders.
    pub order_stream: String,
}

/// The embedded market.
#[derive(Clone, Debug, PartialEq)]
pub struct Venue {
    /// Market seconds a second, 1 to 600.
    pub speed: f64,
    /// What the market is made from.
    pub seed: u64,
    /// Port on loopback; 0 takes a free one.
    pub port: u16,
    /// Cash of the account at the start.
    pub cash: Money,
    /// The first simulated day.
    pub first_session: Date,
    /// How long the market stays closed, on the wall clock.
    pub closed_pause: Duration,
    /// How orders fill.
    pub fills: Fills,
    /// Mean quotes per market second and symbol.
    pub stock_quotes_per_second: f64,
    /// Mean trades per market second and symbol.
    pub stock_trades_per_second: f64,
    /// Looks at a watched contract per market second.
    pub option_checks_per_second: f64,
    /// Market seconds after which a watched contract is quoted again.
    pub option_quote_age_max_seconds: f64,
}

/// How orders fill in the embedded market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fills {
    /// At mid plus a part of the half-spread.
    HalfSpread,
    /// Always at the far side.
    Stress,
    /// As the broker's paper mode.
    BrokerPaper,
}

/// How much is listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Stock symbols the plan allows.
    pub stock_symbols_max: usize,
    /// Option contracts the plan allows.
    pub option_quotes_max: usize,
    /// Expiries listened to, a symbol.
    pub expiries_max: usize,
    /// A connection that is silent for longer counts as lost.
    pub mute_after: Duration,
    /// Wait before the first new attempt to connect.
    pub backoff_first: Duration,
    /// Longest wait between attempts.
    pub backoff_max: Duration,
}

/// The folder of models.
#[derive(Clone, Debug, PartialEq)]
pub struct Models {
    /// The folder.
    pub folder: PathBuf,
    /// How often it is looked at.
    pub check_every: Duration,
    /// Largest file taken, in bytes.
    pub bytes_max: usize,
    /// Most operators in a model.
    pub nodes_max: usize,
    /// How long a bundle that is not whole may stay as it is.
    pub settle: Duration,
    /// Longest first look at a bundle.
    pub vet_time: Duration,
    /// Most memory that look may map, in bytes.
    pub vet_memory: u64,
    /// Longest answer of a model, in nanoseconds.
    pub answer_ns_max: u64,
    /// When one is promoted, and when it is rolled back.
    pub shelf: forecast::shelf::settings::Settings,
}

impl Models {
    /// How much of a model is taken.
    pub fn limits(&self) -> onnx::Limits {
        onnx::Limits { bytes_max: self.bytes_max, nodes_max: self.nodes_max, ..onnx::Limits::TABULAR }
    }

    /// What the first look at a bundle may cost.
    pub fn bounds(&self) -> live::vetting::Bounds {
        live::vetting::Bounds {
            limits: self.limits(),
            time: self.vet_time,
            memory_bytes: self.vet_memory,
            answer_ns_max: self.answer_ns_max,
        }
    }
}

/// Training while the engine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Training {
    /// Train after every close.
    pub daily: bool,
    /// Train when drift is told.
    pub on_drift: bool,
    /// How long after the close, by the engine's time.
    pub after_close: Duration,
    /// Drift begins nothing sooner after the last training began, by the engine's time.
    pub rest: Duration,
    /// A training is killed after this much wall time.
    pub time_max: Duration,
    /// Most memory of a training.
    pub memory_max_bytes: usize,
    /// `trees`, `network` or `both`.
    pub learner: String,
    /// Parameters tried by each learner.
    pub trials: usize,
}

/// Threads, queues and waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Threads that symbols are spread over; 0: the trading thread.
    pub shards: usize,
    /// Quotes that may wait for a symbol before they conflate.
    pub quotes_max: usize,
    /// Events that may wait for a symbol before its feed stops.
    pub events_max: usize,
    /// How often the broker is asked for account and positions.
    pub reconcile_every: Duration,
    /// How often a status line is printed.
    pub status_every: Duration,
}

impl Settings {
    /// The ensembles some symbol or structure follows.
    pub fn ensembles_in_use(&self) -> Vec<&Ensemble> {
        std::iter::once(&self.strategy.ensemble).chain(&self.strategy.particular).collect()
    }
}

/// What the lists hold; `None` for one with faults, of which enough has been said.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) structures: Option<Vec<Structure>>,
    pub(super) ensembles: Option<Vec<Ensemble>>,
    pub(super) fees: Option<Schedule>,
}

/// Puts everything together; `None` when a list has faults or lacks what the settings choose from it.
pub(super) fn assemble(values: &Values, lists: Lists, report: &mut Report) -> Option<Settings> {
    cross_checks(values, report);
    let chosen = lists.structures.as_ref().map(|known| choose_structures(values, known, report));
    exit_before_entry(values, chosen.as_deref().unwrap_or_default(), report);
    let ensemble = lists.ensembles.as_ref().and_then(|known| choose_ensemble(values, known, report));
    if let (Some(ensembles), Some(structures)) = (&lists.ensembles, &lists.structures) {
        check_particular(values, ensembles, structures, report);
    }
    let endpoint = match values.text("endpoint") {
        "alpaca_paper" => Endpoint::AlpacaPaper,
        "custom" => Endpoint::Custom,
        _ => Endpoint::Embedded,
    };
    let settings = Settings {
        endpoint,
        endpoints: endpoints(values),
        venue: venue(values),
        symbols: values.symbols("symbols"),
        strategy: strategy_settings(values, chosen?, ensemble?, particular(lists.ensembles.as_deref()?)),
        risk: risk_settings(values, lists.fees?),
        ensembles: lists.ensembles?,
        structures: lists.structures?,
        execution: execution_settings(values),
        feed: feed(values),
        models: models(values),
        training: training(values),
        journal_folder: values.folder("journal.folder"),
        keep_inputs: values.switch("journal.keep_inputs"),
        journal: journal_settings(values),
        engine: engine(values),
    };
    Some(settings)
}

/// What no single setting can get wrong.
fn cross_checks(values: &Values, report: &mut Report) {
    let symbols = values.symbols("symbols").len();
    let allowed = values.count("feed.stock_symbols_max");
    if symbols > allowed {
        let found = format!("`symbols` names {symbols}, but `feed.stock_symbols_max` allows {allowed}");
        values.fault(report, "symbols", found, "name fewer, or raise the limit if your data plan does");
    }
    for (first, last) in [
        ("feed.backoff_first", "feed.backoff_max"),
        ("risk.max_loss_per_trade_pct", "risk.portfolio_heat_pct"),
    ] {
        let value = |key| values.whole_or_none(key).map_or_else(|| values.number(key), |n| n as f64);
        if value(first) > value(last) {
            let found = format!("`{first}` is more than `{last}`");
            values.fault(report, first, found, format!("keep `{first}` at or below `{last}`"));
        }
    }
    let (open, close) = (values.whole("entry.after_open"), values.whole("entry.before_close"));
    if open + close >= 390 * market::time::MINUTE {
        let found = "`entry.after_open` and `entry.before_close` leave nothing of the session".to_string();
        values.fault(report, "entry.after_open", found, "together they must be less than 6h30m");
    }
    live_hosts(values, report);
}

/// Going live is a gate, not an address.
fn live_hosts(values: &Values, report: &mut Report) {
    for key in ["endpoints.trading", "endpoints.order_stream"] {
        let address = values.text(key);
        let host = address.split_once("://").map_or(address, |(_, rest)| rest);
        if host.starts_with("api.alpaca.markets") {
            let found = format!("`{key}` is the broker's live account");
            let remedy = "use https://paper-api.alpaca.markets and wss://paper-api.alpaca.markets/stream; this version \
                          trades on paper only";
            values.fault(report, key, found, remedy);
        }
    }
}

/// A position that may be opened with as few days as it is closed with would be closed at once.
fn exit_before_entry(values: &Values, chosen: &[Structure], report: &mut Report) {
    let left = values.count32("exit.days_min") as i32;
    // Of what cannot be traded at all enough is said elsewhere.
    let traded = || chosen.iter().filter(|s| s.tradeable().is_ok());
    let Some(structure) = traded().min_by_key(|s| s.span().min) else { return };
    let (name, least) = (structure.name, structure.span().min);
    if least < left {
        let found = format!("`exit.days_min` is {left}, but `{name}` is opened with {least} days or more");
        let remedy = format!("lower it to {least} at most, or raise the days of `{name}`");
        values.fault(report, "exit.days_min", found, remedy);
    }
    // Held through its first expiry, a calendar is a long option alone: no longer what was risked and judged.
    let holds_through = values.whole("exit.last_day_from") >= strategy::exit::HOLDS_THROUGH_FROM_S;
    if let Some(s) = traded().find(|s| s.has_many_expiries() && holds_through) {
        let found = format!(
            "`exit.last_day_from` holds positions through their expiry, but `{}` has legs that expire later",
            s.name
        );
        let remedy = format!("set it before 17:00, or leave `{}` out of `structures`", s.name);
        values.fault(report, "exit.last_day_from", found, remedy);
    }
}

fn choose_structures(values: &Values, known: &[Structure], report: &mut Report) -> Vec<Structure> {
    let find = |name: &Label| known.iter().find(|s| s.name == *name).cloned();
    let names = values.names("structures");
    for name in names.iter().filter(|name| find(name).is_none()) {
        let all: Vec<&str> = known.iter().map(|s| s.name.as_str()).collect();
        let found = format!("`structures` names `{name}`, which `{}` lacks", values.text("files.structures"));
        values.fault(report, "structures", found, one_of(name.as_str(), &all));
    }
    let chosen: Vec<Structure> = names.iter().filter_map(find).collect();
    for structure in &chosen {
        if let Err(why) = structure.tradeable() {
            let found = format!("`structures` names `{}`, which cannot be traded: {why}", structure.name);
            let remedy = format!(
                "leave it out; `wingspread structure {} SYMBOL` shows it all the same",
                structure.name
            );
            values.fault(report, "structures", found, remedy);
        }
    }
    chosen
}

fn choose_ensemble(values: &Values, known: &[Ensemble], report: &mut Report) -> Option<Ensemble> {
    let name = values.text("ensemble");
    let found = known.iter().find(|e| e.name.as_str() == name).cloned();
    if found.is_none() {
        let all: Vec<&str> = known.iter().map(|e| e.name.as_str()).collect();
        let text = format!("`ensemble` is `{name}`, which `{}` lacks", values.text("files.ensembles"));
        values.fault(report, "ensemble", text, one_of(name, &all));
    }
    found
}

/// The ensembles for some symbols or structures only.
fn particular(known: &[Ensemble]) -> Vec<Ensemble> {
    known.iter().filter(|e| !(e.symbols.is_empty() && e.structures.is_empty())).cloned().collect()
}

/// A structure named by an ensemble must be there, and no two ensembles may claim the same.
fn check_particular(values: &Values, ensembles: &[Ensemble], structures: &[Structure], report: &mut Report) {
    let file = || values.text("files.ensembles");
    let all: Vec<&str> = structures.iter().map(|s| s.name.as_str()).collect();
    for (i, ensemble) in ensembles.iter().enumerate() {
        for name in ensemble.structures.iter().filter(|name| !all.contains(&name.as_str())) {
            let found = format!("ensemble `{}` of `{}` names the structure `{name}`", ensemble.name, file());
            let found = format!("{found}, which `{}` lacks", values.text("files.structures"));
            values.fault(report, "files.ensembles", found, one_of(name.as_str(), &all));
        }
        if let Some(other) = ensembles[..i].iter().find(|other| claim_the_same(ensemble, other)) {
            let found = format!("ensembles `{}` and `{}` of `{}`", other.name, ensemble.name, file());
            let found = format!("{found} are both for the same symbol or structure");
            values.fault(report, "files.ensembles", found, "leave it to one of them");
        }
    }
}

fn claim_the_same(one: &Ensemble, other: &Ensemble) -> bool {
    let shared = |name| other.structures.contains(name);
    let meet = one.symbols.iter().any(|symbol| other.symbols.contains(symbol));
    if one.structures.is_empty() || other.structures.is_empty() {
        return one.structures == other.structures && meet;
    }
    let anywhere = one.symbols.is_empty() || other.symbols.is_empty();
    one.structures.iter().any(shared) && (anywhere || meet)
}

fn one_of(word: &str, known: &[&str]) -> String {
    match super::spelling::nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has: {}", known.join(", ")),
    }
}

fn endpoints(values: &Values) -> Endpoints {
    let text = |key| values.text(key).to_string();
    Endpoints {
        trading: text("endpoints.trading"),
        data: text("endpoints.data"),
        stock_stream: text("endpoints.stock_stream"),
        option_stream: text("endpoints.option_stream"),
        order_stream: text("endpoints.order_stream"),
    }
}

fn venue(values: &Values) -> Venue {
    Venue {
        speed: values.number("venue.speed"),
        seed: values.whole("venue.seed").unsigned_abs(),
        port: u16::try_from(values.whole("venue.port")).expect("bounds keep it a port"),
        cash: values.dollars("venue.cash_usd"),
        first_session: values.date("venue.first_session"),
        closed_pause: wall(values, "venue.closed_pause"),
        fills: match values.text("venue.fills") {
            "stress" => Fills::Stress,
            "broker_paper" => Fills::BrokerPaper,
            _ => Fills::HalfSpread,
        },
        stock_quotes_per_second: values.number("venue.stock_quotes_per_second"),
        stock_trades_per_second: values.number("venue.stock_trades_per_second"),
        option_checks_per_second: values.number("venue.option_checks_per_second"),
        option_quote_age_max_seconds: values.number("venue.option_quote_age_max_s"),
    }
}

fn strategy_settings(
    values: &Values,
    structures: Vec<Structure>,
    ensemble: Ensemble,
    particular: Vec<Ensemble>,
) -> strategy::Settings {
    strategy::Settings {
        structures,
        ensemble,
        particular,
        entry: strategy::entry::Settings {
            confidence_min: values.number("entry.confidence_min") as f32,
            agreement_min: values.number("entry.agreement_min") as f32,
            lean_min: values.number("entry.lean_min") as f32,
            positions_max: values.count("entry.positions_per_symbol"),
            units: values.count32("entry.units"),
            cooldown_ns: values.whole("entry.cooldown"),
            search_every_ns: values.whole("entry.search_every"),
            after_open_ns: values.whole("entry.after_open"),
            before_close_ns: values.whole("entry.before_close"),
        },
        exit: strategy::exit::Settings {
            profit_target: values.number("exit.profit_target_pct") / 100.0,
            stop_multiple: values.number("exit.stop_multiple"),
            days_min: values.count32("exit.days_min") as i32,
            last_day_from_s: values.whole("exit.last_day_from"),
            age_max_ns: values.whole("exit.quote_age_max"),
            retry_ns: values.whole("exit.retry"),
        },
        search: strategy::search::Settings {
            spread_max_bps: values.bps("liquidity.spread_max_pct"),
            spread_floor: values.price("liquidity.spread_floor_usd"),
            age_max_ns: values.whole("liquidity.quote_age_max"),
            open_interest_min: values.count32("liquidity.open_interest_min"),
            rate: values.number("liquidity.rate_pct") / 100.0,
            dividend_yield: values.number("liquidity.dividend_yield_pct") / 100.0,
        },
        marking: strategy::marking::Settings {
            remark_every_ns: values.whole("chain.remark_every"),
            refit_every_ns: values.whole("chain.refit_every"),
            liquidity: Liquidity {
                relative_spread_max: values.number("chain.spread_max_pct") / 100.0,
                size_min: 1,
                open_interest_min: 0,
                volume_min: 0,
                age_max_ns: values.whole("liquidity.quote_age_max"),
            },
        },
        spot_age_max_ns: values.whole("entry.spot_age_max"),
        mark_every_ns: values.whole("engine.mark_every"),
        missing_max: values.count32("models.missing_max"),
        inference: values.switch("models.inference"),
    }
}

fn risk_settings(values: &Values, fees: Schedule) -> risk::Settings {
    risk::Settings {
        book: portfolio::book::Settings { fees },
        limits: risk::Limits {
            max_loss_per_trade_bps: values.bps("risk.max_loss_per_trade_pct"),
            portfolio_heat_bps: values.bps("risk.portfolio_heat_pct"),
            daily_loss_bps: values.bps("risk.daily_loss_pct"),
            trades_per_underlying: values.count32("risk.trades_per_underlying"),
            open_trades: values.count32("risk.open_trades"),
            proposal_age_ns: values.whole("risk.proposal_age_max"),
            after_open_ns: values.whole("risk.after_open"),
            before_close_ns: values.whole("risk.before_close"),
            expiring_entry_ns: values.whole("risk.expiring_entry"),
            expiring_order_ns: values.whole("risk.expiring_order"),
            leftover_shock_bps: values.bps("risk.leftover_shock_pct"),
        },
        reconcile_grace_ns: values.whole("risk.reconcile_grace"),
        clean_up_delay_ns: values.whole("risk.clean_up_delay"),
        retry_ns: values.whole("risk.retry"),
        closing_slack_bps: values.bps("risk.closing_slack_pct"),
    }
}

fn execution_settings(values: &Values) -> execution::Settings {
    let pace = |steps, step, share| execution::Pace {
        steps: values.count32(steps),
        step_ns: values.whole(step),
        share_bps: values.bps(share),
    };
    execution::Settings {
        patient: pace("execution.steps", "execution.step", "execution.share_pct"),
        urgent: pace("execution.urgent_steps", "execution.urgent_step", "execution.urgent_share_pct"),
        patience: values.number("execution.patience"),
        tick: values.price("execution.tick_usd"),
        option_tick: values.price("execution.option_tick_usd"),
        request_timeout_ns: values.whole("execution.request_timeout"),
        look_up_delay_ns: values.whole("execution.look_up_delay"),
        look_ups_before_alert: values.count32("execution.look_ups_before_alert"),
        submissions_max: values.count32("execution.submissions_max"),
        fills_carry_over: values.switch("execution.fills_carry_over"),
    }
}

fn feed(values: &Values) -> Feed {
    Feed {
        stock_symbols_max: values.count("feed.stock_symbols_max"),
        option_quotes_max: values.count("feed.option_quotes_max"),
        expiries_max: values.count("feed.expiries_max"),
        mute_after: wall(values, "feed.mute_after"),
        backoff_first: wall(values, "feed.backoff_first"),
        backoff_max: wall(values, "feed.backoff_max"),
    }
}

fn models(values: &Values) -> Models {
    Models {
        folder: values.folder("models.folder"),
        check_every: wall(values, "models.check_every"),
        bytes_max: values.count("models.bytes_max"),
        nodes_max: values.count("models.nodes_max"),
        settle: wall(values, "models.settle"),
        vet_time: wall(values, "models.vet_time"),
        vet_memory: values.count("models.vet_memory") as u64,
        answer_ns_max: values.whole("models.answer_max").unsigned_abs(),
        shelf: shelf(values),
    }
}

fn shelf(values: &Values) -> forecast::shelf::settings::Settings {
    let is_brier = values.text("shelf.measure") == "brier";
    forecast::shelf::settings::Settings {
        measure: if is_brier { Measure::Brier } else { Measure::LogLoss },
        scored_min: values.count32("shelf.scored"),
        looks: values.count32("shelf.looks"),
        alpha: values.number("shelf.alpha"),
        margin: values.number("shelf.margin"),
        window: values.count32("shelf.window"),
        fall_alpha: values.number("shelf.fall_alpha"),
        fall_margin: values.number("shelf.fall_margin"),
        shadows_max: values.count("shelf.shadows_max"),
    }
}

fn training(values: &Values) -> Training {
    Training {
        daily: values.text("training.adaptive") == "daily",
        on_drift: values.switch("training.on_drift"),
        after_close: wall(values, "training.after_close"),
        rest: wall(values, "training.rest"),
        time_max: wall(values, "training.time_max"),
        memory_max_bytes: values.count("training.memory_max"),
        learner: values.text("training.learner").to_string(),
        trials: values.count("training.trials"),
    }
}

fn journal_settings(values: &Values) -> journal::Settings {
    let shards = values.count("engine.shards");
    let power = values.text("journal.durability") == "power";
    journal::Settings {
        ring_bytes: values.count("journal.ring_size"),
        ring_dir: values.folder_or_none("journal.ring_folder"),
        // One pen for the trading thread, one for each shard.
        pens: 1 + shards,
        group_records: values.count("journal.group_records"),
        group_ms: (values.whole("journal.group_every") / MS).unsigned_abs(),
        map_size_mb: values.count("journal.map_size") >> 20,
        durability: if power { journal::Durability::Power } else { journal::Durability::Process },
        prune_above_percent: values
            .whole_or_none("journal.prune_above_pct")
            .map(|n| u8::try_from(n).expect("bounds keep it a percentage")),
    }
}

fn engine(values: &Values) -> EngineSettings {
    EngineSettings {
        shards: values.count("engine.shards"),
        quotes_max: values.count("engine.quote_queue"),
        events_max: values.count("engine.event_queue"),
        reconcile_every: wall(values, "engine.reconcile_every"),
        status_every: wall(values, "engine.status_every"),
    }
}

/// A span on the wall clock.
fn wall(values: &Values, key: &'static str) -> Duration {
    Duration::from_nanos(values.whole(key).unsigned_abs())
}
