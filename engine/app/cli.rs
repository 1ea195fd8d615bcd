//! What can be typed. Every command teaches: what it does, what it needs, an example.

use clap::{Args, Parser, Subcommand};
use market::Symbol;
use market::quote::Timeframe;
use market::split::Split;
use std::path::PathBuf;

/// The command line.
#[derive(Parser, Debug)]
#[command(
    name = "wingspread",
    version,
    about = "A real-time options-trading engine: streaming quotes in, multi-leg orders out, every step on record.",
    long_about = "A real-time options-trading engine: streaming quotes in, multi-leg orders out, every step on record.\n\n\
        Without a command it starts everything on this machine with nothing else installed: an embedded market that \
        speaks the broker's protocol over real websockets on loopback, and the engine trading nine symbols against \
        it on paper. Ctrl-C stops it in order and prints what it did; starting again goes on where it stopped.",
    after_help = "Examples:\n  \
        wingspread                                  trade on paper against the embedded market, 60 times as fast as life\n  \
        wingspread --for 60s --speed 600            ... for a minute, ten times faster\n  \
        wingspread latency                          the latency histograms of the engine that is running\n  \
        wingspread journal list --kind refusals     what was not traded, and which check refused it\n  \
        wingspread features --data F --out F.parquet what the engine would have seen of recorded data\n  \
        wingspread check                            is this machine ready? every finding with a remedy\n\n\
        Settings: config/wingspread.yaml (docs/configuration.md). Keys come from the environment only:\n  \
        APCA_API_KEY_ID, APCA_API_SECRET_KEY."
)]
pub struct Cli {
    /// What to do; without it: embedded market and engine, on paper.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of the plain run.
    #[command(flatten)]
    pub run: Run,
}

/// Options of a run.
#[derive(Args, Debug, Clone, Default)]
pub struct Run {
    /// Settings file.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Stop after this much wall time, such as 90s, 10m or 2h.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub run_for: Option<std::time::Duration>,
    /// Speed of the embedded market: 1 is life, 600 the fastest that still paces itself.
    #[arg(long, value_name = "FACTOR")]
    pub speed: Option<f64>,
    /// Seed of the embedded market; printed at the start of every run.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Folder for journal, control socket and the embedded market's state [default: from the settings].
    #[arg(long, value_name = "FOLDER", global = true)]
    pub journal: Option<PathBuf>,
    /// Seconds of wall time between status lines (default: `engine.status_every` of the settings).
    #[arg(long, value_name = "SECONDS")]
    pub status_every: Option<u64>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Trade on paper against any endpoint that speaks the broker's protocol.
    #[command(
        long_about = "Trade on paper against any endpoint that speaks the broker's protocol: the broker's own paper \
        account, or a venue of yours. Endpoints and limits come from the settings file; the keys from \
        APCA_API_KEY_ID and APCA_API_SECRET_KEY.\n\nThis command sends orders to that account."
    )]
    Paper(Run),
    /// Run a recorded day through sockets and engine: underlying, options, early close, expiry.
    Replay(Replay),
    /// Train models and write them into the models folder, with an honest account of what they are worth.
    #[command(
        long_about = "Train models and write them into the models folder, with an honest account of what they are worth.\n\n\
        Bars become feature rows by the function that runs live; what then happened, within a horizon, is what is \
        learnt. Parameters are searched on walk-forward folds, purged and embargoed; odds are calibrated on what was said \
        out of fold; the newest fifth of the time is the last test, which nothing was chosen by. What is not better \
        than the base rates out of fold, beyond doubt, says the base rates (docs/training.md).\n\n\
        Without options it simulates markets nobody trades in and trains ten small networks: a few minutes.",
        after_help = "Examples:\n  \
        wingspread train --version 3                                 ten models from simulated markets\n  \
        wingspread train --data spy.csv.gz --symbol SPY --timeframe 5min --learner both --trials 8 --report spy.html\n  \
        wingspread train --data …/daily/aapl.zip --data …/daily/spy.zip --timeframe 1day --label barriers\n  \
        wingspread train --from journal --only-skilled --version 20261122 what the engine itself recorded"
    )]
    Train(Train),
    /// Write what the engine would have seen of recorded data, row by row, as Parquet.
    #[command(
        long_about = "Write what the engine would have seen of recorded data, row by row, as Parquet, for notebooks \
        and training: one row a closed bar (with --every-tick one a tick too), with the bar, every feature by name, and \
        how many values could not be known.\n\n\
        The data goes through the very bars, indicators and features that run live, in the order it became known; \
        `time` is when a row was known, so no row holds anything later. Splits (LEAN factor files) put the past on the \
        new scale on their morning.\n\n\
        It reads LEAN zips of a stock in their folders (ticks, minutes, days), and bars of a minute or a day as .csv or \
        .csv.gz with the columns time, open, high, low, close, volume; a time without an offset is New York's. Give \
        --data more than once, or a folder, for several days.",
        after_help = "Examples:\n  \
        wingspread features --data spy.csv.gz --symbol SPY --out spy.parquet\n  \
        wingspread features --data data/lean/equity/usa/tick/ibm --every-tick --timeframe 1min --out ibm.parquet\n  \
        wingspread features --data …/daily/aapl.zip --data …/minute/aapl --timeframe 5min --timeframe 1day --out a.parquet\n\n\
        python -c 'import pandas; print(pandas.read_parquet(\"spy.parquet\"))'"
    )]
    Features(Features),
    /// Measure after how many bars each indicator no longer depends on where history began.
    #[command(
        long_about = "Measure, on recorded data of yours, after how many bars each indicator (at its default parameters) \
        no longer depends on where history began: every indicator is started at several later bars and compared with one \
        that saw all of them. Beside it stands what its declaration says (docs/indicators.md).",
        after_help = "Examples:\n  \
        wingspread warmup --data spy.csv.gz --symbol SPY\n  \
        wingspread warmup --data data/lean/equity/usa/daily/spy.zip --timeframe 1day"
    )]
    Warmup(Warmup),
    /// List or export what is on record.
    Journal(Journal),
    /// Score the forecasts on record: accuracy, Brier, log loss, AUC, calibration, and what drifted.
    #[command(
        long_about = "Score the forecasts on record, models and ensembles: each prediction was matched with its outcome when \
        its horizon ended. `of base` is the log loss of the outcomes' own base rates: a model above it knows nothing. It reads \
        beside a running engine. See docs/monitoring.md.",
        after_help = "Examples:\n  \
        wingspread scores                              by model\n  \
        wingspread scores --by timeframe --by hour     by timeframe and hour of the day (New York)\n  \
        wingspread scores --model full --format json   one ensemble, with its calibration plot, for other programs"
    )]
    Scores(Scores),
    /// Show the latency histograms of the running engine, or write them as .hgrm files.
    Latency(Latency),
    /// Check settings, keys, clock, disk, models and endpoints: each with a verdict and a remedy.
    Check(Check),
    /// Feed the journal's recorded input to fresh seats and compare what they say, byte for byte.
    Rerun(Rerun),
    /// Tell the running engine something: status, pause, resume, flatten, kill, stop.
    Tell(Tell),
    /// Run only the embedded market, for an engine (or an SDK) of yours to connect to.
    Venue(Venue),
    /// Show what a structure would pick: legs, prices, what it gains and loses, odds, Greeks, margin; or list all structures.
    #[command(
        long_about = "Show what a structure of config/structures.yaml would pick for a symbol, from the running engine's chain \
        or from recorded data: legs, net price at mid and at the far side (natural), the most it gains and loses, breakevens, \
        probability of profit and of touching a short strike, expected profit, Greeks, and margin under Regulation T and under \
        the broker's rule. One candidate an expiry, the nearest to the structure's target first. Without a name it lists all.\n\n\
        Odds are those of the volatility surface fitted to the chain, and, where a forecast is known (the engine's, or --odds), \
        of the surface's law with its thirds weighted by the forecast (docs/options.md). Structures that the broker cannot trade \
        as one order are shown all the same, with the reason.\n\n\
        --data takes end-of-day chains (.csv, .csv.gz) and LEAN's option minute zips in their folders.",
        after_help = "Examples:\n  \
        wingspread structure\n  \
        wingspread structure iron_condor SPY\n  \
        wingspread structure call_calendar SPY --svg calendar.svg\n  \
        wingspread structure jade_lizard SPY --data data/chains_eod/spy_2026/SPY_2026-07-22.csv.gz --odds 0.2,0.5,0.3\n  \
        wingspread structure bull_put_spread GOOG --data …/lean/option/usa/minute/goog/20151224_quote_american.zip --at 11:30"
    )]
    Structure(Structure),
    /// Show an option chain: quotes, volatilities, Greeks, forwards and smiles.
    #[command(
        long_about = "Show an option chain: a block an expiry, with forward, rate and yield by put-call parity, volatility at \
        the money, 25-delta skew and expected move, and every contract's quote, volatility and Greeks (early exercise \
        included), open interest and what is wrong with it.\n\n\
        The chain is the running engine's, or recorded: a LEAN zip of option minutes, or a file of end-of-day chains.",
        after_help = "Examples:\n  \
        wingspread chain SPY                                         what the running engine holds\n  \
        wingspread chain SPY --expiry 2026-09-18 --width 0 --svg smile.svg\n  \
        wingspread chain SPXW --data data/chains_eod/spx_2019/SPX_20190513.csv.gz\n  \
        wingspread chain GOOG --data …/option/usa/minute/goog/20151224_quote_american.zip --at 12:30"
    )]
    Chain(Chain),
    /// List, show and judge the models of the folder; promote, roll back or pin them in the running engine.
    #[command(
        long_about = "The models: what lies in the folder, which speaks for each timeframe, which are tried beside it, and \
        what became of every one.\n\nA model dropped into the folder is looked at in a confined process; a bad one goes to \
        models/.quarantine with the reason beside it. A sound one shadows the incumbent: both answer at each close, and when it \
        is better with evidence it takes the place (docs/models.md). list, show and history read folder and journal and need \
        no engine; promote, rollback, pin and unpin are told to the running one over its control socket.",
        after_help = "Examples:\n  \
        wingspread models list                      who speaks, who shadows, and how well\n  \
        wingspread models show sim-5min/3           papers, executor and why, checks\n  \
        wingspread models history                   every promotion, refusal and rollback on record\n  \
        wingspread models promote sim-5min/3        it speaks from the next tick on\n  \
        wingspread models rollback 5min             whoever spoke before speaks again\n  \
        wingspread models pin 5min                  nobody is moved until `unpin`"
    )]
    Models(Models),
    /// Look at one bundle in this process, confined. The engine starts this by itself.
    #[command(hide = true)]
    VetModel(VetModel),
    /// Print the JSON Schema of the settings file, or of the structures, for editors.
    Schema(Schema),
}

/// Options of `structure`.
#[derive(Args, Debug, Default)]
pub struct Structure {
    /// Its name; without one all are listed.
    pub name: Option<String>,
    /// The underlying (or the options' root, such as SPXW).
    pub symbol: Option<String>,
    /// Recorded data in place of the running engine.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The day, of a file that holds several; the last by default.
    #[arg(long, value_name = "DATE")]
    pub day: Option<String>,
    /// New York time up to which minutes are played [default: 15:30].
    #[arg(long, value_name = "HH:MM")]
    pub at: Option<String>,
    /// A forecast's odds of down, flat and up, such as 0.2,0.3,0.5.
    #[arg(long, value_name = "D,F,U", value_parser = odds)]
    pub odds: Option<[f64; 3]>,
    /// The net price looked at, between mid (0) and natural (1).
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub price: f64,
    /// Take quotes however wide, and whatever their open interest.
    #[arg(long)]
    pub any_spread: bool,
    /// Draw profit and loss, now and at expiry, of the first candidate.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Options of `chain`.
#[derive(Args, Debug, Default)]
pub struct Chain {
    /// The underlying (or the options' root, such as SPXW).
    pub symbol: String,
    /// Recorded data in place of the running engine.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The day, of a file that holds several; the last by default.
    #[arg(long, value_name = "DATE")]
    pub day: Option<String>,
    /// New York time up to which minutes are played [default: 15:30].
    #[arg(long, value_name = "HH:MM")]
    pub at: Option<String>,
    /// Only this expiry, YYYY-MM-DD; may be given more than once.
    #[arg(long, value_name = "DATE")]
    pub expiry: Vec<String>,
    /// Strikes shown on either side of the forward; 0 shows all.
    #[arg(long, value_name = "STRIKES", default_value_t = 8)]
    pub width: usize,
    /// Draw the smile of each expiry, with bid and ask.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Reads three odds that add up to about one.
fn odds(text: &str) -> Result<[f64; 3], String> {
    let read: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let odds = read.and_then(|list| <[f64; 3]>::try_from(list).ok());
    odds.filter(|o| o.iter().all(|p| (0.0..=1.0).contains(p)) && (o.iter().sum::<f64>() - 1.0).abs() < 0.02)
        .ok_or_else(|| "write down, flat and up, which add up to 1: 0.2,0.3,0.5".into())
}

/// Reads a share from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let read = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    read.ok_or_else(|| "write a number from 0 (mid) to 1 (natural)".into())
}

/// Options of `schema`.
#[derive(Args, Debug)]
pub struct Schema {
    /// Of which file.
    #[arg(default_value = "settings")]
    pub of: SchemaOf,
}

/// Files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SchemaOf {
    /// `config/wingspread.yaml`.
    Settings,
    /// `config/structures.yaml`.
    Structures,
}

/// Options of `models`.
#[derive(Args, Debug)]
pub struct Models {
    /// What to do.
    #[command(subcommand)]
    pub action: ModelsAction,
}

/// What can be done with models.
#[derive(Subcommand, Debug)]
pub enum ModelsAction {
    /// Every model of the folder and of the record: role, executor, predictions scored, losses.
    List,
    /// What a model is: its manifest, what runs it and why, and what the first look says now.
    Show {
        /// NAME for all its versions, or NAME/VERSION.
        model: String,
    },
    /// Put a model in its timeframe's place, whatever its record.
    Promote {
        /// NAME/VERSION.
        model: String,
    },
    /// Let whoever spoke before the incumbent speak again.
    Rollback {
        /// The timeframe: 1min, 5min, 15min, 30min, 1h, 4h, 1day, 1week, 1month or 1year.
        timeframe: String,
    },
    /// Keep the incumbent of a timeframe where it is.
    Pin {
        /// The timeframe.
        timeframe: String,
    },
    /// Let it be moved again.
    Unpin {
        /// The timeframe.
        timeframe: String,
    },
    /// Every step of every model on record, oldest first.
    History,
}

/// Options of `vet-model`: everything it may cost is told by whoever starts it, since it reads no settings.
#[derive(Args, Debug)]
pub struct VetModel {
    /// The bundle: NAME/VERSION with model.onnx, manifest.yaml and golden.json.
    pub folder: PathBuf,
    /// Most memory, bytes.
    #[arg(long)]
    pub memory_bytes: u64,
    /// Most seconds of processor time.
    #[arg(long)]
    pub processor_seconds: u64,
    /// Longest answer, nanoseconds.
    #[arg(long)]
    pub answer_ns_max: u64,
    /// Largest model file, bytes.
    #[arg(long)]
    pub bytes_max: usize,
    /// Most operators.
    #[arg(long)]
    pub nodes_max: usize,
    /// Number of the process that waits for the answer; without it nobody looks on.
    #[arg(long)]
    pub parent: Option<u32>,
    /// Misbehave instead, to see that the bounds hold.
    #[arg(long)]
    pub drill: Option<Drill>,
}

/// Ways to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Drill {
    /// Do nothing for ever.
    Hang,
    /// Compute for ever.
    Spin,
    /// Take memory without end.
    Memory,
    /// Open a file outside the bundle.
    Files,
    /// Hand the model to tract without looking at it.
    Loader,
    /// Look at a bundle made for another feature schema.
    AnySchema,
}

/// Options of `scores`.
#[derive(Args, Debug)]
pub struct Scores {
    /// By what; give it more than once for a finer table.
    #[arg(long, default_value = "model")]
    pub by: Vec<By>,
    /// Only this symbol.
    #[arg(long)]
    pub symbol: Option<String>,
    /// Only this model or ensemble, by name.
    #[arg(long)]
    pub model: Option<String>,
    /// Only what was decided on this New York date, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    pub day: Option<String>,
    /// How it is written.
    #[arg(long, default_value = "text")]
    pub format: ScoresFormat,
}

/// A column scores are grouped by.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Name and version.
    Model,
    /// The underlying.
    Symbol,
    /// The timeframe.
    Timeframe,
    /// The hour of the day in New York in which it was said.
    Hour,
}

impl By {
    /// As it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Symbol => "symbol",
            Self::Timeframe => "timeframe",
            Self::Hour => "hour",
        }
    }
}

/// How scores are written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoresFormat {
    /// A table.
    Text,
    /// One object, with calibration plots and drifts.
    Json,
    /// A header line, then a row a group.
    Csv,
}

/// Options of `replay`.
#[derive(Args, Debug)]
pub struct Replay {
    /// The data folder with `lean/` in it.
    #[arg(long, value_name = "FOLDER", env = "WINGSPREAD_DATA", default_value = "../shared/data")]
    pub data: PathBuf,
    /// The underlying.
    #[arg(long, default_value = "GOOG")]
    pub symbol: String,
    /// First day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", default_value = "2015-12-23")]
    pub from: String,
    /// Last day, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", default_value = "2015-12-24")]
    pub to: String,
    /// `minute` replays quotes, trades and option chains; `tick` every trade as fast as it can be read.
    #[arg(long, default_value = "minute")]
    pub resolution: Resolution,
    /// Speed of the replayed market.
    #[arg(long, default_value_t = 600.0)]
    pub speed: f64,
    /// Settings file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for the journal of the replay; a fresh temporary one by default.
    #[arg(long, value_name = "FOLDER")]
    pub journal: Option<PathBuf>,
    /// Write the one-minute bars made from our trades as CSV.
    #[arg(long, value_name = "FILE")]
    pub bars: Option<PathBuf>,
}

/// How finely a day is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Resolution {
    /// Minute quotes and trades, option chains included.
    Minute,
    /// Every trade.
    Tick,
}

/// Options of `train`.
#[derive(Args, Debug)]
pub struct Train {
    /// Where the bars come from [default: simulated, or files when --data is given].
    #[arg(long, value_name = "SOURCE")]
    pub from: Option<From>,
    /// Recorded data, as `features` takes it: a file, or a folder of them. May be given more than once, for several
    /// symbols too.
    #[arg(long, value_name = "FILE")]
    pub data: Vec<PathBuf>,
    /// The symbol, where the data's path does not name it.
    #[arg(long)]
    pub symbol: Option<String>,
    /// A split that the journal does not know of, such as AAPL=2020-08-31:4/1 (four shares for one); may be given more than
    /// once.
    #[arg(long, value_name = "SYMBOL=DATE:NEW/OLD", value_parser = split)]
    pub split: Vec<(Symbol, Split)>,
    /// Where the bundles go: NAME/VERSION/{model.onnx, manifest.yaml, golden.json}.
    #[arg(long, value_name = "FOLDER", default_value = "models")]
    pub out: PathBuf,
    /// Models are called PREFIX-TIMEFRAME [default: sim for simulated history, own otherwise].
    #[arg(long, value_name = "TEXT")]
    pub prefix: Option<String>,
    /// Version written into the manifests; an existing version is never overwritten.
    #[arg(long, default_value = "1")]
    pub version: String,
    /// Only this timeframe (1min to 1year); may be given more than once. All ten by default.
    #[arg(long, value_name = "NAME", value_parser = timeframe)]
    pub timeframe: Vec<Timeframe>,
    /// Who learns. Of both, the one that does better on the folds is written [default: network for simulated history, both
    /// otherwise].
    #[arg(long, value_enum)]
    pub learner: Option<LearnerKind>,
    /// How classes are decided: by the close at the end of the horizon, or by the barrier touched first.
    #[arg(long, value_enum, default_value = "horizon")]
    pub label: LabelKind,
    /// Parameters tried by each learner; half of them are dropped after each fold.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub trials: usize,
    /// Walk-forward folds.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub folds: usize,
    /// Most rows a learner is shown at once; beyond it as many are drawn by lot.
    #[arg(long, value_name = "NUMBER", default_value_t = 200_000)]
    pub rows_max: usize,
    /// Write only models that are better than the base rates out of fold, beyond doubt; the last test decides nothing.
    #[arg(long)]
    pub only_skilled: bool,
    /// Work at the lowest priority and end with whoever started this.
    #[arg(long)]
    pub background: bool,
    /// Number of the process that started this one; learnt from nothing when it has ended already.
    #[arg(long, hide = true, requires = "background")]
    pub parent: Option<u32>,
    /// Most memory to take, in bytes [default: no limit].
    #[arg(long, value_name = "BYTES")]
    pub memory_max: Option<u64>,
    /// Write an account of folds, calibration, features and baselines as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Seed of the simulated history and of the training.
    #[arg(long, default_value_t = 20_261_122)]
    pub seed: u64,
    /// Simulated sessions of minute history a symbol.
    #[arg(long, default_value_t = 60)]
    pub sessions: u32,
}

/// Where `train` takes its bars from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// Markets of the simulated exchange.
    Simulated,
    /// Recorded data (--data).
    Files,
    /// The engine's own record (--journal).
    Journal,
}

/// Who learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LearnerKind {
    /// Gradient-boosted trees.
    Trees,
    /// A small dense network.
    Network,
    /// Both.
    Both,
}

/// How classes are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LabelKind {
    /// By the close at the end of the horizon.
    Horizon,
    /// By the first of two barriers touched, or the end of the horizon.
    Barriers,
}

/// Options of `features`.
#[derive(Args, Debug)]
pub struct Features {
    /// Recorded data: a file, or a folder of them. May be given more than once.
    #[arg(long, value_name = "FILE", required = true)]
    pub data: Vec<PathBuf>,
    /// The Parquet file to write. It appears when it is whole; a file of that name is replaced then.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The symbol, where the data's path does not name it.
    #[arg(long)]
    pub symbol: Option<String>,
    /// Only this timeframe (1min, 5min, 15min, 30min, 1h, 4h, 1day, 1week, 1month, 1year); may be given more than
    /// once. All ten by default.
    #[arg(long, value_name = "NAME", value_parser = timeframe)]
    pub timeframe: Vec<Timeframe>,
    /// A row after every trade and quote that changed a bar, too.
    #[arg(long)]
    pub every_tick: bool,
}

/// Options of `warmup`.
#[derive(Args, Debug)]
pub struct Warmup {
    /// Recorded data, as `features` takes it.
    #[arg(long, value_name = "FILE", required = true)]
    pub data: Vec<PathBuf>,
    /// The symbol, where the data's path does not name it.
    #[arg(long)]
    pub symbol: Option<String>,
    /// Bars of this timeframe.
    #[arg(long, value_name = "NAME", value_parser = timeframe, default_value = "1min")]
    pub timeframe: Timeframe,
}

/// Options of `journal`.
#[derive(Args, Debug)]
pub struct Journal {
    /// What to do.
    #[command(subcommand)]
    pub action: JournalAction,
}

/// What can be done with a journal.
#[derive(Subcommand, Debug)]
pub enum JournalAction {
    /// Print records, newest last.
    List(Select),
    /// Write records as CSV or JSON lines.
    Export {
        /// Which records.
        #[command(flatten)]
        select: Select,
        /// The format.
        #[arg(long, default_value = "csv")]
        format: Format,
        /// The file; standard output without it.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print what the record adds up to: proposals, refusals by check, orders, fills, positions, cash.
    Summary,
}

/// Which records.
#[derive(Args, Debug, Clone)]
pub struct Select {
    /// Kind: predictions, scores, ensembles, drift, proposals, decisions, refusals, orders, reports, fills, positions, activities, marks,
    /// models, shelf, feeds, alerts, commands, market, all.
    #[arg(long, default_value = "all")]
    pub kind: String,
    /// Only this symbol.
    #[arg(long)]
    pub symbol: Option<String>,
    /// Only this New York date, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    pub day: Option<String>,
    /// At most this many, the newest.
    #[arg(long, default_value_t = 100)]
    pub last: usize,
}

/// Export formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Options of `latency`.
#[derive(Args, Debug)]
pub struct Latency {
    /// Write one .hgrm file a stage into this folder too.
    #[arg(long, value_name = "FOLDER")]
    pub export: Option<PathBuf>,
}

/// Options of `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Ask the endpoints too (account, clock); needs keys for a real broker.
    #[arg(long)]
    pub online: bool,
}

/// Options of `rerun`.
#[derive(Args, Debug)]
pub struct Rerun {
    /// How often; every run must say the same.
    #[arg(long, default_value_t = 2)]
    pub times: u32,
}

/// Options of `tell`.
#[derive(Args, Debug)]
pub struct Tell {
    /// What to tell it.
    #[arg(value_parser = ["status", "pause", "resume", "flatten", "kill", "stop"])]
    pub what: String,
}

/// Options of `venue`.
#[derive(Args, Debug)]
pub struct Venue {
    /// Port on loopback; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Speed of the market.
    #[arg(long, default_value_t = 60.0)]
    pub speed: f64,
    /// Seed of the market.
    #[arg(long)]
    pub seed: Option<u64>,
    /// File that keeps the market's state between runs.
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Stop after this much wall time.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub run_for: Option<std::time::Duration>,
}

/// Reads a split.
fn split(text: &str) -> Result<(Symbol, Split), String> {
    let read = || {
        let (symbol, split) = text.split_once('=')?;
        let (date, ratio) = split.split_once(':')?;
        let (new, old) = ratio.split_once('/')?;
        let split = Split::new(date.parse().ok()?, new.parse().ok()?, old.parse().ok()?)?;
        Some((symbol.to_uppercase().parse().ok()?, split))
    };
    read().ok_or_else(|| {
        format!("`{text}` is no split: write SYMBOL=DATE:NEW/OLD, such as AAPL=2020-08-31:4/1")
    })
}

/// Reads a timeframe's name.
fn timeframe(text: &str) -> Result<Timeframe, String> {
    let names = || Timeframe::ALL.map(Timeframe::name).join(", ");
    Timeframe::from_name(text).ok_or_else(|| format!("`{text}` is no timeframe: write one of {}", names()))
}

/// Reads `90s`, `10m`, `2h`, `1500ms`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let wrong = || format!("`{text}` is not a time: write 1500ms, 90s, 10m or 2h");
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match &text[digits.len()..] {
        "ms" => number / 1e3,
        "s" | "" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn timeframes_are_read_by_name() {
        assert_eq!(timeframe("4h"), Ok(Timeframe::Hour4));
        assert!(timeframe("2h").expect_err("none").contains("1min, 5min"));
    }

    #[test]
    fn times_are_read_with_their_units() {
        assert_eq!(duration("90s"), Ok(std::time::Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(std::time::Duration::from_secs(7200)));
        assert!(duration("soon").is_err());
        assert!(duration("-1s").is_err());
    }
}
