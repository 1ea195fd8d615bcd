//! Every setting, declared once: its key, what it may be, its default, and what it does. Parsing, defaults, the JSON
//! Schema and the documentation are made from this table.

use super::typed::Kind;
use super::typed::Kind::{
    Bytes, Clock, Date, Dollars, Name, Names, Number, Path, Span, Switch, Symbols, Url, Whole, Word,
};
use market::time::{HOUR, MINUTE, MS, SECOND};

/// A setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// Where it stands: `section.key`, or `key` alone at the top.
    pub(super) key: &'static str,
    /// What it may be.
    pub(super) kind: Kind,
    /// What it is when left out; `None`: it must be given.
    pub(super) default: Option<&'static str>,
    /// True when `none` may be written.
    pub(super) or_none: bool,
    /// What it does.
    pub(super) help: &'static str,
}

/// The sections in order, and what each is about.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("", "What is traded, where, and by which rules."),
    ("files", "Lists that have files of their own, found beside the settings file."),
    ("endpoints", "Addresses of the broker, for `endpoint: alpaca_paper` or `custom`."),
    ("venue", "The embedded market, for `endpoint: embedded`."),
    ("feed", "How much is listened to, and what happens when it falls silent."),
    ("entry", "When a position is opened."),
    ("liquidity", "What a contract must be like to be traded."),
    ("chain", "How option chains are marked and their surfaces fitted."),
    ("exit", "When a position is closed."),
    ("risk", "What no trade may exceed. Each check is recorded with its result."),
    ("execution", "How prices walk from mid toward the far side, and how long answers may take."),
    ("models", "The folder of models, watched while running."),
    ("shelf", "When a model is promoted, and when it is rolled back."),
    ("training", "Training while the engine runs, from its own record."),
    ("journal", "The record of everything."),
    ("engine", "Threads, queues and waits."),
];

const fn setting(key: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { key, kind, default: Some(default), or_none: false, help }
}

const fn required(key: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { key, kind, default: None, or_none: false, help }
}

const fn or_none(key: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { key, kind, default: Some(default), or_none: true, help }
}

const fn percent(least: f64, most: f64, unit: &'static str) -> Kind {
    Number { least, most, unit }
}

const SHARE: Kind = Number { least: 0.0, most: 1.0, unit: "share, 0 to 1" };
const HTTP: Kind = Url(&["https://", "http://127.0.0.1", "http://localhost"]);
const SOCKET: Kind = Url(&["wss://", "ws://127.0.0.1", "ws://localhost"]);
const DAY: i64 = 24 * HOUR;

/// The table.
pub(super) const TABLE: &[Setting] = &[
    required(
        "endpoint",
        Word(&["embedded", "alpaca_paper", "custom"]),
        "Where orders go: `embedded` starts a market on this machine; `alpaca_paper` is the broker's paper account; `custom` is what `endpoints` says. The last two need keys in the environment.",
    ),
    required("symbols", Symbols { most: 500 }, "The underlyings."),
    setting("ensemble", Name, "full", "Which ensemble of `files.ensembles` makes the forecast."),
    setting(
        "structures",
        Names,
        "[bull_put_spread, iron_condor]",
        "Which structures of `files.structures` may be opened, in the order they are tried.",
    ),
    setting("files.structures", Path, "structures.yaml", "Leg templates."),
    setting("files.ensembles", Path, "ensembles.yaml", "Ensembles of models."),
    setting("files.fees", Path, "fees.yaml", "The broker's dated fees."),
    setting("endpoints.trading", HTTP, "https://paper-api.alpaca.markets", "REST for orders and account."),
    setting("endpoints.data", HTTP, "https://data.alpaca.markets", "REST for market data."),
    setting(
        "endpoints.stock_stream",
        SOCKET,
        "wss://stream.data.alpaca.markets/v2/iex",
        "Stock quotes and trades; `/v2/sip` with the paid plan.",
    ),
    setting(
        "endpoints.option_stream",
        SOCKET,
        "wss://stream.data.alpaca.markets/v1beta1/indicative",
        "Option quotes; `/v1beta1/opra` with the paid plan.",
    ),
    setting("endpoints.order_stream", SOCKET, "wss://paper-api.alpaca.markets/stream", "Reports of orders."),
    setting(
        "venue.speed",
        Number { least: 1.0, most: 600.0, unit: "market seconds a second" },
        "60",
        "How fast the market's time passes.",
    ),
    setting(
        "venue.seed",
        Whole { least: 0, most: i64::MAX, unit: "any number" },
        "20261122",
        "The seed the whole market is made from.",
    ),
    setting(
        "venue.port",
        Whole { least: 0, most: 65_535, unit: "port; 0 takes a free one" },
        "0",
        "Port on loopback.",
    ),
    setting(
        "venue.cash_usd",
        Dollars { least: 100, most: 1_000_000_000 },
        "100000",
        "Cash of the account at the start.",
    ),
    setting(
        "venue.first_session",
        Date,
        "2026-03-16",
        "The first simulated day (or the first session after it).",
    ),
    setting(
        "venue.closed_pause",
        Span { least: 0, most: 10 * MINUTE },
        "1s",
        "How long the market stays closed, on the wall clock, before it jumps to the next open.",
    ),
    setting(
        "venue.fills",
        Word(&["half_spread", "stress", "broker_paper"]),
        "half_spread",
        "How orders fill: `half_spread` at mid plus a part of the half-spread that grows with size and shrinks with time; `stress` always at the far side; `broker_paper` as the broker's paper mode, at the far side whatever the size.",
    ),
    setting(
        "venue.stock_quotes_per_second",
        Number { least: 0.0001, most: 1_000_000.0, unit: "per market second and symbol" },
        "2",
        "Mean rate of quotes; more at open and close.",
    ),
    setting(
        "venue.stock_trades_per_second",
        Number { least: 0.0001, most: 1_000_000.0, unit: "per market second and symbol" },
        "0.5",
        "Mean rate of trades.",
    ),
    setting(
        "venue.option_checks_per_second",
        Number { least: 0.0001, most: 1_000_000.0, unit: "per market second and contract" },
        "0.05",
        "How often a watched contract is looked at; it is quoted when its price moved.",
    ),
    setting(
        "venue.option_quote_age_max_s",
        Number { least: 1.0, most: 86_400.0, unit: "market seconds" },
        "60",
        "A watched contract is quoted again after this long even when nothing moved.",
    ),
    setting(
        "feed.stock_symbols_max",
        Whole { least: 1, most: 100_000, unit: "symbols" },
        "30",
        "Symbols the data plan allows on one connection (broker's free plan: 30).",
    ),
    setting(
        "feed.option_quotes_max",
        Whole { least: 8, most: 100_000, unit: "contracts" },
        "200",
        "Contracts the data plan allows on one connection (free plan: 200, paid: 1000).",
    ),
    setting(
        "feed.expiries_max",
        Whole { least: 1, most: 40, unit: "expiries a symbol" },
        "2",
        "Expiries listened to, the nearest to the structures' target first.",
    ),
    setting(
        "feed.mute_after",
        Span { least: SECOND, most: HOUR },
        "30s",
        "A connection that says nothing for this long, on the wall clock and in market hours, counts as lost.",
    ),
    setting(
        "feed.backoff_first",
        Span { least: 10 * MS, most: MINUTE },
        "500ms",
        "Wait before the first new attempt to connect; each further one doubles it, with jitter.",
    ),
    setting("feed.backoff_max", Span { least: 10 * MS, most: HOUR }, "30s", "Longest wait between attempts."),
    setting("entry.confidence_min", SHARE, "0.45", "Least probability of the likeliest outcome."),
    setting("entry.agreement_min", SHARE, "0.5", "Least share of the members' weight that agrees with it."),
    setting(
        "entry.lean_min",
        SHARE,
        "0.05",
        "A flat forecast leans to a side when that side is likelier than the other by this.",
    ),
    setting(
        "entry.positions_per_symbol",
        Whole { least: 1, most: 100, unit: "positions" },
        "2",
        "Most open positions of one symbol.",
    ),
    setting(
        "entry.units",
        Whole { least: 1, most: 10_000, unit: "units" },
        "2",
        "Units wished in each proposal; risk may grant fewer.",
    ),
    setting(
        "entry.cooldown",
        Span { least: 0, most: 30 * DAY },
        "20m",
        "No entry in a symbol for this long after the last one ended, filled or not.",
    ),
    setting(
        "entry.search_every",
        Span { least: 0, most: DAY },
        "30s",
        "A search that found nothing is not repeated for this long.",
    ),
    setting(
        "entry.after_open",
        Span { least: 0, most: 6 * HOUR },
        "10m",
        "No entry this soon after the opening bell.",
    ),
    setting(
        "entry.before_close",
        Span { least: 0, most: 6 * HOUR },
        "20m",
        "No entry this shortly before the closing bell.",
    ),
    setting(
        "entry.spot_age_max",
        Span { least: 100 * MS, most: HOUR },
        "15s",
        "Oldest quote of the underlying on which anything is opened.",
    ),
    setting(
        "liquidity.spread_max_pct",
        percent(0.1, 200.0, "% of the mid"),
        "15",
        "Widest spread of a contract.",
    ),
    setting(
        "liquidity.spread_floor_usd",
        Number { least: 0.0, most: 100.0, unit: "dollars a share" },
        "0.10",
        "A spread up to this passes whatever share of a cheap option it is.",
    ),
    setting(
        "liquidity.quote_age_max",
        Span { least: 100 * MS, most: HOUR },
        "90s",
        "Oldest quote of a contract.",
    ),
    setting(
        "liquidity.open_interest_min",
        Whole { least: 0, most: 1_000_000, unit: "contracts" },
        "0",
        "Least open interest; above 0 an unknown figure does not pass.",
    ),
    setting(
        "liquidity.rate_pct",
        percent(-5.0, 50.0, "% a year"),
        "3.8",
        "Risk-free rate where quotes do not say it.",
    ),
    setting(
        "liquidity.dividend_yield_pct",
        percent(0.0, 50.0, "% a year"),
        "1.2",
        "Dividend yield where quotes do not say it.",
    ),
    setting(
        "chain.remark_every",
        Span { least: 0, most: MINUTE },
        "100ms",
        "A chain is re-marked at most this often as its underlying moves; a decision always sees it re-marked.",
    ),
    setting(
        "chain.refit_every",
        Span { least: SECOND, most: HOUR },
        "60s",
        "Forward, exercise boundaries and smile of every expiry are found anew this often, spread evenly.",
    ),
    setting(
        "chain.spread_max_pct",
        percent(0.1, 200.0, "% of the mid"),
        "50",
        "Widest spread of a contract that counts for forwards and smiles.",
    ),
    setting(
        "exit.profit_target_pct",
        percent(1.0, 100.0, "% of the maximum profit"),
        "50",
        "Profit at which a position is closed.",
    ),
    setting(
        "exit.stop_multiple",
        Number { least: 0.1, most: 100.0, unit: "times the premium received" },
        "2",
        "Loss at which a position is closed.",
    ),
    setting(
        "exit.days_min",
        Whole { least: 0, most: 1_000, unit: "days to expiry" },
        "21",
        "Closed once fewer days than this are left; 0 leaves only the last day's rule.",
    ),
    setting(
        "exit.last_day_from",
        Clock,
        "15:00",
        "On its last day a position is closed from this time on, or an hour before an earlier close; 17:00 or later holds it through expiry.",
    ),
    setting(
        "exit.quote_age_max",
        Span { least: 100 * MS, most: HOUR },
        "2m",
        "Oldest quote on which profit and loss are judged.",
    ),
    setting(
        "exit.retry",
        Span { least: SECOND, most: HOUR },
        "60s",
        "Wait before a refused or unfilled exit is proposed again.",
    ),
    setting(
        "risk.max_loss_per_trade_pct",
        percent(0.01, 100.0, "% of equity"),
        "2",
        "Most one trade may lose.",
    ),
    setting(
        "risk.portfolio_heat_pct",
        percent(0.01, 100.0, "% of equity"),
        "12",
        "Most all open and pending trades together may lose.",
    ),
    setting(
        "risk.daily_loss_pct",
        percent(0.01, 100.0, "% of equity"),
        "3",
        "Loss of the day at which no new risk is taken.",
    ),
    setting(
        "risk.trades_per_underlying",
        Whole { least: 1, most: 1_000, unit: "trades" },
        "2",
        "Most open and pending trades of one underlying.",
    ),
    setting(
        "risk.open_trades",
        Whole { least: 1, most: 10_000, unit: "trades" },
        "12",
        "Most open and pending trades.",
    ),
    setting("risk.proposal_age_max", Span { least: MS, most: MINUTE }, "5s", "Oldest proposal taken."),
    setting(
        "risk.after_open",
        Span { least: 0, most: 6 * HOUR },
        "5m",
        "No entries this soon after the open, whatever a strategy says.",
    ),
    setting(
        "risk.before_close",
        Span { least: 0, most: 6 * HOUR },
        "15m",
        "No entries this shortly before the close.",
    ),
    setting(
        "risk.expiring_entry",
        Span { least: 0, most: 30 * DAY },
        "6h",
        "No entries in a contract this shortly before its last close.",
    ),
    setting(
        "risk.expiring_order",
        Span { least: 0, most: 6 * HOUR },
        "45m",
        "No orders at all in a contract this shortly before its last close: the broker refuses them.",
    ),
    setting(
        "risk.leftover_shock_pct",
        percent(0.1, 100.0, "% move of the underlying"),
        "10",
        "Move that leftovers of a broken trade are held against.",
    ),
    setting(
        "risk.reconcile_grace",
        Span { least: 0, most: HOUR },
        "10s",
        "How long book and broker may differ before it is called a difference.",
    ),
    setting(
        "risk.clean_up_delay",
        Span { least: 0, most: DAY },
        "2m",
        "Wait before leftovers of a trade are cleared away.",
    ),
    setting(
        "risk.retry",
        Span { least: SECOND, most: DAY },
        "1m",
        "Wait before a close that did not work is tried again.",
    ),
    setting(
        "risk.closing_slack_pct",
        percent(0.0, 100.0, "% of each leg's mark"),
        "20",
        "How far beyond the mark the gate's own closing orders may go, and at least two cents a leg.",
    ),
    setting(
        "execution.steps",
        Whole { least: 0, most: 50, unit: "steps" },
        "5",
        "Steps from mid toward the far side; 0 stays at mid.",
    ),
    setting(
        "execution.step",
        Span { least: 100 * MS, most: HOUR },
        "10s",
        "How long each price stands; after the last one the order is given up.",
    ),
    setting(
        "execution.share_pct",
        percent(0.0, 100.0, "% of the way from mid to the far side"),
        "60",
        "How far the last step goes.",
    ),
    setting(
        "execution.urgent_steps",
        Whole { least: 0, most: 50, unit: "steps" },
        "3",
        "Steps of a stop loss, an expiry or a clean-up.",
    ),
    setting(
        "execution.urgent_step",
        Span { least: 100 * MS, most: HOUR },
        "4s",
        "How long each of their prices stands.",
    ),
    setting(
        "execution.urgent_share_pct",
        percent(0.0, 100.0, "% of the way from mid to the far side"),
        "100",
        "How far their last step goes.",
    ),
    setting(
        "execution.patience",
        Number { least: 1.0, most: 20.0, unit: "times" },
        "2",
        "How much longer a step lasts when the models are unsure than when they are sure.",
    ),
    setting(
        "execution.tick_usd",
        Number { least: 0.01, most: 1.0, unit: "dollars" },
        "0.01",
        "Price step of a multi-leg order's net, and of shares.",
    ),
    setting(
        "execution.option_tick_usd",
        Number { least: 0.01, most: 1.0, unit: "dollars" },
        "0.05",
        "Price step of a single option leg.",
    ),
    setting(
        "execution.request_timeout",
        Span { least: 10 * MS, most: 10 * MINUTE },
        "5s",
        "How long an answer to a request may take before the venue is asked what became of it.",
    ),
    setting(
        "execution.look_up_delay",
        Span { least: 10 * MS, most: 10 * MINUTE },
        "2s",
        "Wait between two such questions.",
    ),
    setting(
        "execution.look_ups_before_alert",
        Whole { least: 1, most: 1_000, unit: "questions" },
        "5",
        "Questions without an answer before the operator is told.",
    ),
    setting(
        "execution.submissions_max",
        Whole { least: 1, most: 10, unit: "submissions" },
        "3",
        "Most submissions of one order, the first included; it is only repeated when the venue surely has none.",
    ),
    setting(
        "execution.fills_carry_over",
        Switch,
        "false",
        "True when the venue's count of filled units goes on through a replacement.",
    ),
    setting(
        "models.folder",
        Path,
        "models",
        "NAME/VERSION/{model.onnx, manifest.yaml, golden.json}; seen from where the program is started.",
    ),
    setting(
        "models.check_every",
        Span { least: 100 * MS, most: HOUR },
        "2s",
        "How often the folder is looked at for new models, on the wall clock.",
    ),
    setting(
        "models.missing_max",
        Whole { least: 0, most: 1_000, unit: "values" },
        "64",
        "A model is silent while more values than this are missing from its row.",
    ),
    setting("models.bytes_max", Bytes { least: 1 << 10, most: 1 << 30 }, "4MiB", "Largest model file taken."),
    setting(
        "models.nodes_max",
        Whole { least: 1, most: 100_000, unit: "operators" },
        "256",
        "Most operators in a model.",
    ),
    setting(
        "models.settle",
        Span { least: 0, most: HOUR },
        "10s",
        "How long a bundle that is not whole (a file missing, a checksum that does not match) may stay as it is before it is refused.",
    ),
    setting(
        "models.vet_time",
        Span { least: 100 * MS, most: 10 * MINUTE },
        "10s",
        "Longest first look at a bundle, in a process of its own.",
    ),
    setting(
        "models.vet_memory",
        Bytes { least: 1 << 26, most: 1 << 40 },
        "1GiB",
        "Most memory that process may map.",
    ),
    setting(
        "models.answer_max",
        Span { least: MS / 1000, most: SECOND },
        "1ms",
        "Longest answer of a model, the middle of many, measured at the first look.",
    ),
    setting("models.inference", Switch, "true", "False asks no models: for measuring everything else."),
    setting(
        "shelf.measure",
        Word(&["brier", "log_loss"]),
        "brier",
        "What predictions are judged by: squared errors, or minus the logarithm of the odds of what happened.",
    ),
    setting(
        "shelf.scored",
        Whole { least: 50, most: 10_000_000, unit: "predictions" },
        "2000",
        "Predictions of shadow and incumbent on the same moments before a look is taken, and between two looks.",
    ),
    setting(
        "shelf.looks",
        Whole { least: 1, most: 100, unit: "looks" },
        "4",
        "Looks at a shadow before it is given up. They share the chance of being wrong.",
    ),
    setting(
        "shelf.alpha",
        Number { least: 1e-6, most: 0.2, unit: "chance" },
        "0.01",
        "Chance of promoting a model that is no better, over all looks together.",
    ),
    setting(
        "shelf.margin",
        Number { least: 0.0, most: 1.0, unit: "of the measure" },
        "0.002",
        "Least gain of a promotion, in the measure.",
    ),
    setting(
        "shelf.window",
        Whole { least: 50, most: 10_000_000, unit: "predictions" },
        "2000",
        "Predictions of an incumbent in one window of its watch.",
    ),
    setting(
        "shelf.fall_alpha",
        Number { least: 1e-6, most: 0.2, unit: "chance" },
        "0.005",
        "Chance, each window, of calling a model fallen that is as good as ever.",
    ),
    setting(
        "shelf.fall_margin",
        Number { least: 0.0, most: 1.0, unit: "of the measure" },
        "0.01",
        "Least loss of a rollback, in the measure.",
    ),
    setting(
        "shelf.shadows_max",
        Whole { least: 0, most: 4, unit: "models" },
        "2",
        "Most shadows of a timeframe at a time; others wait.",
    ),
    setting(
        "training.adaptive",
        Word(&["off", "daily"]),
        "off",
        "`daily`: after each close a process of the lowest priority learns from the record, and leaves what is better than the base rates beyond doubt in the models folder.",
    ),
    setting(
        "training.after_close",
        Span { least: SECOND, most: 12 * HOUR },
        "10m",
        "How long after the close it begins.",
    ),
    setting(
        "training.on_drift",
        Switch,
        "false",
        "True trains, too, when drift of features or of scores is told.",
    ),
    setting(
        "training.rest",
        Span { least: MINUTE, most: 30 * DAY },
        "6h",
        "Drift begins no training sooner after the last one began.",
    ),
    setting(
        "training.time_max",
        Span { least: SECOND, most: DAY },
        "2h",
        "A training that takes longer, on the wall clock, is killed.",
    ),
    setting(
        "training.memory_max",
        Bytes { least: 256 << 20, most: 1 << 40 },
        "4GiB",
        "Most memory of a training.",
    ),
    setting("training.learner", Word(&["trees", "network", "both"]), "both", "Who learns."),
    setting(
        "training.trials",
        Whole { least: 1, most: 64, unit: "parameter sets" },
        "4",
        "Parameters tried by each learner.",
    ),
    setting(
        "journal.folder",
        Path,
        "journal",
        "Where the record is kept, seen from where the program is started.",
    ),
    setting(
        "journal.map_size",
        Bytes { least: 1 << 20, most: 1 << 44 },
        "2GiB",
        "Room reserved for the tables: the file never grows beyond.",
    ),
    setting(
        "journal.durability",
        Word(&["process", "power"]),
        "process",
        "What must lose nothing: the death of the `process`, or a cut of the `power` (each order then waits for the disk).",
    ),
    setting(
        "journal.keep_inputs",
        Switch,
        "true",
        "False leaves market data out of the record: smaller, but the run cannot be replayed.",
    ),
    or_none(
        "journal.prune_above_pct",
        Whole { least: 20, most: 90, unit: "% of map_size" },
        "80",
        "When the tables fill more, the oldest market data is forgotten; `none`: nothing is ever forgotten.",
    ),
    setting(
        "journal.ring_size",
        Bytes { least: 64 << 10, most: 1 << 32 },
        "16MiB",
        "Each thread's ring on the way to the tables: what is said while the disk stalls.",
    ),
    or_none(
        "journal.ring_folder",
        Path,
        "none",
        "Where the rings are kept; `none`: in the journal's folder. `/dev/shm` is faster and survives the death of the process, but no restart of the machine.",
    ),
    setting(
        "journal.group_records",
        Whole { least: 1, most: 100_000, unit: "records" },
        "4096",
        "Most records in one commit.",
    ),
    setting(
        "journal.group_every",
        Span { least: MS, most: SECOND },
        "10ms",
        "How long the journal rests when it has caught up.",
    ),
    setting(
        "engine.shards",
        Whole { least: 0, most: 63, unit: "threads" },
        "0",
        "Threads that symbols are spread over; 0 keeps them on the trading thread, which is fastest until it is full.",
    ),
    setting(
        "engine.quote_queue",
        Whole { least: 1, most: 1_000_000, unit: "quotes a symbol" },
        "64",
        "Quotes that may wait for a symbol before they conflate: the newest of each instrument stays.",
    ),
    setting(
        "engine.event_queue",
        Whole { least: 16, most: 10_000_000, unit: "events a symbol" },
        "65536",
        "Events that may wait for a symbol before its feed is not read any further; trades are never dropped.",
    ),
    setting(
        "engine.mark_every",
        Span { least: 100 * MS, most: DAY },
        "30s",
        "Marks of positions are told at most this often.",
    ),
    setting(
        "engine.reconcile_every",
        Span { least: SECOND, most: DAY },
        "30s",
        "How often account and positions are asked of the broker, on the wall clock.",
    ),
    setting(
        "engine.status_every",
        Span { least: 100 * MS, most: HOUR },
        "5s",
        "How often a status line is printed, on the wall clock.",
    ),
];

/// The setting of that key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|s| s.key == key)
}

impl Setting {
    /// The section and the key in it.
    pub(super) fn split(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or(("", self.key))
    }
}
