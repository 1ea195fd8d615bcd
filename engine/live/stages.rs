//! Latency histograms of the life of a tick, one set a thread, without locks. Whoever wants to read them hands
//! in an empty set and gets the full one back: the trading thread pays for swapping two pointers.

use crate::clock::monotonic_ns;
use hdrhistogram::Histogram;
use strategy::{Stage as CoreStage, StageClock};

/// A part of a tick's life. Durations in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bytes read to words decoded, for one batch of frames.
    Decode,
    /// Decoded to heard by the symbol's seat.
    Queue,
    /// Heard to bars, indicators and feature rows done.
    Indicators,
    /// Ten models and the ensemble.
    Inference,
    /// An option quote marked, or the whole chain after a move of the underlying.
    Chain,
    /// Entry and exit asked.
    Decide,
    /// Bytes read to proposal or none: the whole decision.
    Tick,
    /// The venue's stamp to proposal or none, by the wall clock. Under the latency tool the stamp is the time
    /// the quote was *meant* to be sent, so that a stall counts against every quote it held up.
    SinceStamp,
    /// A proposal judged, all checks.
    Risk,
    /// Bytes read to order bytes written, for ticks that trade.
    OrderWritten,
}

impl Stage {
    /// How many there are.
    pub const COUNT: usize = 10;
    /// All, in the order of a tick's life.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Decode,
        Self::Queue,
        Self::Indicators,
        Self::Inference,
        Self::Chain,
        Self::Decide,
        Self::Tick,
        Self::SinceStamp,
        Self::Risk,
        Self::OrderWritten,
    ];

    /// The name used in reports and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Queue => "queue",
            Self::Indicators => "indicators",
            Self::Inference => "inference",
            Self::Chain => "chain",
            Self::Decide => "decide",
            Self::Tick => "tick",
            Self::SinceStamp => "since_stamp",
            Self::Risk => "risk",
            Self::OrderWritten => "order_written",
        }
    }

    /// What it measures, for reports.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Decode => "bytes read to words decoded",
            Self::Queue => "decoded to heard by the symbol's seat",
            Self::Indicators => "bars, indicators, feature rows",
            Self::Inference => "ten models and the ensemble",
            Self::Chain => "an option quote marked, or the chain re-marked",
            Self::Decide => "entry and exit",
            Self::Tick => "bytes read to proposal or none",
            Self::SinceStamp => "the venue's stamp to proposal or none (wall clock only)",
            Self::Risk => "a proposal judged by every check",
            Self::OrderWritten => "bytes read to order bytes written",
        }
    }
}

/// Longest latency told apart, in nanoseconds: longer ones count as this.
const LONGEST_NS: u64 = 60_000_000_000;

/// Counters that travel with the histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Quotes decoded.
    pub quotes_in: u64,
    /// Trades decoded.
    pub trades_in: u64,
    /// Other market words decoded.
    pub others_in: u64,
    /// Quotes that a newer one replaced before their seat heard them.
    pub quotes_conflated: u64,
    /// Frames, or parts of frames, that could not be decoded.
    pub wire_faults: u64,
    /// Words stamped so far ahead that they were left out.
    pub future_stamps: u64,
    /// Words about symbols nobody here follows.
    pub unknown_symbols: u64,
    /// Times a feed stopped reading since a post was full of trades.
    pub back_pressure: u64,
    /// Letters the views did not get since their queue was full.
    pub view_dropped: u64,
    /// Greatest age in nanoseconds of a quote when its seat heard it.
    pub oldest_quote_ns: u64,
}

impl Counters {
    /// Adds another thread's, or another interval's.
    pub fn add(&mut self, other: &Self) {
        self.quotes_in += other.quotes_in;
        self.trades_in += other.trades_in;
        self.others_in += other.others_in;
        self.quotes_conflated += other.quotes_conflated;
        self.wire_faults += other.wire_faults;
        self.future_stamps += other.future_stamps;
        self.unknown_symbols += other.unknown_symbols;
        self.back_pressure += other.back_pressure;
        self.view_dropped += other.view_dropped;
        self.oldest_quote_ns = self.oldest_quote_ns.max(other.oldest_quote_ns);
    }
}

/// One thread's histograms and counters.
pub struct Stages {
    histograms: [Histogram<u64>; Stage::COUNT],
    /// What passed by.
    pub counters: Counters,
}

impl Stages {
    /// An empty set.
    pub fn empty() -> Box<Self> {
        let one = || {
            // Bounds are constants of ours: 1 ns to a minute at three digits is always a valid range.
            Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("constant bounds are valid")
        };
        Box::new(Self { histograms: std::array::from_fn(|_| one()), counters: Counters::default() })
    }

    /// Records one latency. Never allocates: longer ones count as the longest.
    #[inline]
    pub fn record(&mut self, stage: Stage, ns: u64) {
        self.histograms[stage as usize].saturating_record(ns.max(1));
    }

    /// One stage's histogram.
    pub fn histogram(&self, stage: Stage) -> &Histogram<u64> {
        &self.histograms[stage as usize]
    }

    /// Adds another set.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.histograms.iter_mut().zip(&other.histograms) {
            // Both have the same constant bounds.
            let _ = mine.add(theirs);
        }
        self.counters.add(&other.counters);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.histograms.iter_mut().for_each(Histogram::reset);
        self.counters = Counters::default();
    }
}

/// Stamps the parts of one tick.
pub struct TickClock<'a> {
    stages: &'a mut Stages,
    last_ns: u64,
}

impl<'a> TickClock<'a> {
    /// Starts when the seat begins to hear.
    pub fn start(stages: &'a mut Stages, heard_ns: u64) -> Self {
        Self { stages, last_ns: heard_ns }
    }
}

impl StageClock for TickClock<'_> {
    #[inline]
    fn stamp(&mut self, stage: CoreStage) {
        let now = monotonic_ns();
        let stage = match stage {
            CoreStage::Indicators => Stage::Indicators,
            CoreStage::Inference => Stage::Inference,
            CoreStage::Chain => Stage::Chain,
            CoreStage::Decision => Stage::Decide,
        };
        self.stages.record(stage, now.saturating_sub(self.last_ns));
        self.last_ns = now;
    }
}

/// Prints a table: one row a stage, microseconds.
pub fn table(stages: &Stages) -> String {
    use std::fmt::Write;
    let mut text = String::from(
        "stage             count        p50        p90        p99      p99.9        max   (microseconds)\n",
    );
    for stage in Stage::ALL {
        let h = stages.histogram(stage);
        if h.is_empty() {
            continue;
        }
        let us = |q: f64| h.value_at_quantile(q) as f64 / 1e3;
        let _ = writeln!(
            text,
            "{:<14} {:>8} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>10.1}   {}",
            stage.name(),
            h.len(),
            us(0.5),
            us(0.9),
            us(0.99),
            us(0.999),
            h.max() as f64 / 1e3,
            stage.meaning()
        );
    }
    text
}

/// Writes one `.hgrm` file a stage into `folder`: the percentile distribution format that HdrHistogram's own
/// plotters read, values in microseconds.
pub fn export(stages: &Stages, folder: &std::path::Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    use std::io::Write;
    std::fs::create_dir_all(folder)?;
    let mut written = Vec::new();
    for stage in Stage::ALL {
        let h = stages.histogram(stage);
        if h.is_empty() {
            continue;
        }
        let path = folder.join(format!("{}.hgrm", stage.name()));
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
        writeln!(
            file,
            "{:>12} {:>14} {:>10} {:>14}\n",
            "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
        )?;
        let mut total = 0u64;
        for step in h.iter_quantiles(5) {
            total += step.count_since_last_iteration();
            let q = step.quantile_iterated_to();
            let value = step.value_iterated_to() as f64 / 1e3;
            if q < 1.0 {
                writeln!(file, "{value:>12.3} {q:>14.12} {total:>10} {:>14.2}", 1.0 / (1.0 - q))?;
            } else {
                writeln!(file, "{value:>12.3} {q:>14.12} {total:>10}")?;
            }
        }
        writeln!(file, "#[Mean    = {:>12.3}, StdDeviation   = {:>12.3}]", h.mean() / 1e3, h.stdev() / 1e3)?;
        writeln!(file, "#[Max     = {:>12.3}, Total count    = {:>12}]", h.max() as f64 / 1e3, h.len())?;
        writeln!(file, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", h.buckets(), h.distinct_values())?;
        file.flush()?;
        written.push(path);
    }
    Ok(written)
}
