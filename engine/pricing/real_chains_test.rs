//! Real chains, end of day: SPX 2019 (both roots), SPXW 2018, SPY 2026. Volatilities and deltas against the vendors', and
//! fitted surfaces against bid and ask, through the chain that serves the live engine. Skips, and says so, where the data
//! is not there.

use crate::american::Exercise;
use crate::boundary::Method;
use crate::chain::terms::{Liquidity, ParityRoom};
use crate::chain::{Chain, Curve, Expiry};
use crate::european::{Terms, greeks};
use crate::implied::implied;
use crate::ripple::Smile;
use crate::surface::{Slice, Surface};
use market::quote::{Level, Quote};
use market::{Contract, Date, Price, Right, Symbol, Timestamp};
use std::collections::BTreeMap;

/// One line of a file.
struct Line {
    contract: Contract,
    bid: f64,
    ask: f64,
    sizes: (u32, u32),
    vol: f64,
    delta: f64,
}

/// A day of a chain as the vendor left it.
struct Day {
    now: Timestamp,
    spot: f64,
    lines: Vec<Line>,
}

/// The live filter: a spread within a third of the mid.
const FILTER: Liquidity = Liquidity {
    relative_spread_max: 0.33,
    size_min: 1,
    open_interest_min: 0,
    volume_min: 0,
    age_max_ns: i64::MAX,
};

fn folder() -> String {
    let given = std::env::var("WINGSPREAD_DATA");
    given.unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into())
}

/// The files of a set, by name; none when the data is not there.
fn files(set: &str) -> Vec<String> {
    let path = format!("{}/chains_eod/{set}", folder());
    let Ok(found) = std::fs::read_dir(&path) else {
        println!("skipped: {path} is not there (set WINGSPREAD_DATA)");
        return Vec::new();
    };
    let names = found.filter_map(|e| e.ok()?.path().to_str().map(str::to_owned));
    let mut names: Vec<String> = names.filter(|n| n.ends_with(".csv.gz")).collect();
    names.sort();
    names
}

fn american_date(text: &str) -> Date {
    let parts: Vec<i32> = text.split('/').map(|p| p.parse().expect("a date")).collect();
    Date::from_ymd(parts[2], parts[0] as u32, parts[1] as u32).expect("a date")
}

fn iso_date(text: &str) -> Date {
    let parts: Vec<i32> = text.split('-').map(|p| p.parse().expect("a date")).collect();
    Date::from_ymd(parts[0], parts[1] as u32, parts[2] as u32).expect("a date")
}

/// The days of a file: quotes of a quarter past four, in the file of 2018 of four.
fn days(path: &str) -> Vec<Day> {
    let bytes = crate::golden_test::bytes(path).expect("a file of the set");
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let names: Vec<String> = reader
        .headers()
        .expect("a header")
        .iter()
        .map(|n| n.trim_matches(['\u{feff}', ' ']).to_owned())
        .collect();
    let column = |name: &str| names.iter().position(|n| n == name);
    let of = |a: &str, b: &str| column(a).or_else(|| column(b)).expect("a column");
    let columns = [
        of("optionroot", "option"),
        of("bid", "bid"),
        of("ask", "ask"),
        of("impliedvol", "iv"),
        of("delta", "delta"),
        of("quotedate", "session_date"),
    ];
    let spot_column = column("underlying_last");
    let sizes = column("bid_size").zip(column("ask_size"));
    let mut found: BTreeMap<Date, Day> = BTreeMap::new();
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).expect("a CSV row") {
        let number = |i: usize| row[i].parse::<f64>().unwrap_or(0.0);
        let text = &row[columns[5]];
        let date = if text.contains('/') { american_date(text) } else { iso_date(text) };
        let day = found.entry(date).or_insert_with(|| Day {
            now: date.at_new_york(16 * 3600 + if path.contains("SPXW_2018") { 0 } else { 900 }),
            spot: spot_column.map_or(0.0, number),
            lines: Vec::new(),
        });
        day.lines.push(Line {
            contract: row[columns[0]].parse().expect("an OCC symbol"),
            bid: number(columns[1]),
            ask: number(columns[2]),
            sizes: sizes.map_or((10, 10), |(b, a)| (number(b) as u32, number(a) as u32)),
            vol: number(columns[3]),
            delta: number(columns[4]),
        });
    }
    found.into_values().collect()
}

/// The chain of one root of a day, its terms found as the live engine finds them.
fn chain_of(day: &Day, root: &str, curve: Curve) -> Chain {
    let mut chain = Chain::with_curve(Symbol::literal(root), curve);
    chain.hear_spot(day.spot);
    for line in day.lines.iter().filter(|l| l.contract.root.as_str() == root) {
        let level = |dollars: f64, size: u32| Some(Level { price: Price::nearest(dollars)?, size });
        let (bid, ask) = (level(line.bid, line.sizes.0), level(line.ask, line.sizes.1));
        chain.quote(day.now, &line.contract, &Quote { bid, ask, at: day.now });
    }
    chain.remark(day.now);
    let mut room = ParityRoom::default();
    for expiry in 0..chain.expiry_terms().len() {
        for _ in 0..12 {
            chain.imply_terms(expiry, day.now, &FILTER, &mut room);
            let solved = [Right::Call, Right::Put].map(|right| chain.solve_boundaries(expiry, right));
            chain.settle(expiry);
            if solved == [false, false] {
                break;
            }
        }
    }
    chain
}

/// What a surface's volatility is worth, early exercise included.
struct Valued {
    terms: Terms,
    exercise: Option<[Exercise; 2]>,
}

impl Valued {
    fn new(chain: &Chain, terms: Terms) -> Self {
        let solve = |right| Exercise::solve(&Method::fast(), right, &terms, (0.05, 1.5), 12);
        Self { terms, exercise: chain.is_american().then(|| [Right::Call, Right::Put].map(solve)) }
    }

    fn price(&self, right: Right, strike: f64, vol: f64) -> f64 {
        match &self.exercise {
            Some(e) if !e[right as usize].is_never() => e[right as usize].price(&self.terms, strike, vol),
            _ => greeks(right, &self.terms, strike, vol).price,
        }
    }
}

/// A liquid quote out of the money: its place, and whether the surface's value lies between its bid and ask.
struct Met {
    days: f64,
    deviations: f64,
    is_inside: bool,
}

/// A volatility and delta of ours less the vendor's.
struct Off {
    days: f64,
    delta: f64,
    vol_off: f64,
    delta_off: f64,
    /// Of the quote, in volatility.
    half_spread: f64,
}

#[derive(Default)]
struct Tally {
    met: Vec<Met>,
    off: Vec<Off>,
    smiles: usize,
}

/// Half a day: with less to live the quotes of a quarter past four are over or about to be.
const YEARS_MIN: f64 = 0.5 / 365.0;

impl Tally {
    /// Fits the surface of a chain, `rounds` times over, and looks at every expiry.
    fn add(&mut self, day: &Day, chain: &Chain, rounds: usize, reach: f64) {
        let mut surface = Surface::new();
        let mut points = Vec::new();
        for _ in 0..rounds {
            for (i, e) in chain.expiry_terms().iter().enumerate().filter(|(_, e)| e.terms.years > YEARS_MIN) {
                chain.smile_points(i, day.now, &FILTER, &mut points);
                surface.refit(&e.terms, &points);
            }
        }
        let mut before: Option<Smile> = None;
        for slice in surface.slices() {
            assert!(slice.smile.is_free(before.as_ref()), "{:?}: {slice:?}", day.now);
            before = Some(slice.smile);
        }
        let nearest = surface.slices().first().map_or(0.0, |s| s.smile.svi.variance(0.0).sqrt());
        assert!(surface.is_calendar_free((4.9 * nearest).max(reach)), "{:?}", day.now);
        self.smiles += surface.slices().len();
        for e in chain.expiry_terms() {
            let near = |s: &&Slice| (s.terms.years - e.terms.years).abs() < 1e-9;
            if let Some(slice) = surface.slices().iter().find(near) {
                self.meet(day, chain, e, slice);
            }
        }
    }

    fn meet(&mut self, day: &Day, chain: &Chain, e: &Expiry, slice: &Slice) {
        let valued = Valued::new(chain, e.terms);
        let (forward, deviation) = (e.terms.forward(), slice.smile.variance(0.0).sqrt());
        for row in e.rows().filter(|row| chain.is_liquid(*row, day.now, &FILTER)) {
            let listed = &chain.listed()[row];
            let (right, strike) = (listed.contract.right, listed.contract.strike().dollars());
            let is_out = (right == Right::Call) == (strike >= forward);
            let Some((Quote { bid: Some(bid), ask: Some(ask), .. }, _)) = listed.quote else { continue };
            if !is_out || chain.vol_of(row).is_err() {
                continue;
            }
            let value = valued.price(right, strike, slice.vol(strike));
            self.met.push(Met {
                days: e.terms.years * 365.0,
                deviations: (strike / forward).ln() / deviation,
                is_inside: value >= bid.price.dollars() - 1e-9 && value <= ask.price.dollars() + 1e-9,
            });
        }
    }

    /// Ours beside the vendor's, for liquid rows either side of the money.
    fn compare(&mut self, day: &Day, chain: &Chain) {
        for line in day.lines.iter().filter(|l| l.vol > 0.0) {
            let Some(row) = chain.row_of(&line.contract) else { continue };
            let e = chain.expiry_terms().iter().find(|e| e.date == line.contract.expiry);
            let Some(e) = e.filter(|e| e.terms.years > YEARS_MIN) else { continue };
            let (Ok(vol), Ok(g)) = (chain.vol_of(row), chain.greeks_of(row)) else { continue };
            // Parity may say that holding costs a little: a delta of the discount of a negative yield.
            let most = 1.0f64.max((-e.curve.dividend_yield * e.terms.years).exp()) + 1e-9;
            assert!(g.delta.abs() <= most && g.gamma >= 0.0 && g.vega >= 0.0, "{:?} {g:?}", line.contract);
            if (0.05..0.95).contains(&g.delta.abs()) && chain.is_liquid(row, day.now, &FILTER) {
                let days = e.terms.years * 365.0;
                let (vol_off, delta_off) = (vol - line.vol, g.delta - line.delta);
                let half_spread = 0.5 * (line.ask - line.bid) / g.vega;
                self.off.push(Off { days, delta: g.delta, vol_off, delta_off, half_spread });
            }
        }
    }

    /// The volatilities of the mids under the vendor's own terms beside his.
    fn compare_under(&mut self, day: &Day, terms: impl Fn(Date) -> Option<Terms>) {
        let asked = |l: &&Line| l.vol > 0.01 && l.bid > 1.0 && (0.1..0.9).contains(&l.delta.abs());
        for line in day.lines.iter().filter(asked) {
            let Some(terms) = terms(line.contract.expiry) else { continue };
            let (right, strike) = (line.contract.right, line.contract.strike().dollars());
            let Ok(vol) = implied(right, &terms, strike, 0.5 * (line.bid + line.ask), None) else { continue };
            let delta = greeks(right, &terms, strike, vol).delta;
            let (vol_off, delta_off) = (vol - line.vol, delta - line.delta);
            self.off.push(Off {
                days: terms.years * 365.0,
                delta,
                vol_off,
                delta_off,
                half_spread: f64::NAN,
            });
        }
    }

    fn inside(&self) -> f64 {
        self.met.iter().filter(|m| m.is_inside).count() as f64 / self.met.len().max(1) as f64
    }

    fn print(&self, name: &str) {
        let inside = 100.0 * self.inside();
        println!("{name}: {} smiles, {} liquid quotes, {inside:.2} % inside", self.smiles, self.met.len());
        let places = [-99.0, -6.0, -4.0, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 99.0];
        for a in AGES.windows(2) {
            let cell = |p: &[f64]| {
                let here = self.met.iter().filter(|m| (a[0]..a[1]).contains(&m.days));
                let here: Vec<_> = here.filter(|m| (p[0]..p[1]).contains(&m.deviations)).collect();
                format!("{:>5}/{:<5}", here.iter().filter(|m| m.is_inside).count(), here.len())
            };
            println!("{:>4}..{:<4} | {}", a[0], a[1], places.windows(2).map(cell).collect::<String>());
        }
        self.print_off(-2.0..2.0, &[0.0, 9999.0]);
        for delta in [-1.0..-0.55, -0.55..-0.45, -0.45..0.0, 0.0..0.45, 0.45..0.55, 0.55..1.0] {
            self.print_off(delta, &AGES);
        }
    }

    /// How far ours lie from the vendor's, over deltas and ages: medians signed, then sizes.
    fn print_off(&self, deltas: std::ops::Range<f64>, ages: &[f64]) {
        for a in ages.windows(2) {
            let is_here = |o: &&Off| (a[0]..a[1]).contains(&o.days) && deltas.contains(&o.delta);
            let here: Vec<&Off> = self.off.iter().filter(is_here).collect();
            if here.is_empty() {
                continue;
            }
            let sorted = |of: &dyn Fn(&Off) -> f64| {
                let mut values: Vec<f64> = here.iter().map(|o| of(o)).collect();
                values.sort_by(f64::total_cmp);
                move |share: f64| values[((values.len() - 1) as f64 * share) as usize]
            };
            let (vol, delta) = (sorted(&|o| o.vol_off), sorted(&|o| o.delta_off));
            let (vols, gaps) = (sorted(&|o| o.vol_off.abs()), sorted(&|o| o.delta_off.abs()));
            let within = here.iter().filter(|o| o.vol_off.abs() <= o.half_spread).count() as f64;
            println!(
                "delta {deltas:?}, {:>4}..{:<4} days, {:>6}: vol {:+.4} | {:.4} {:.4} {:.4}, {:.0} % within the spread, \
                 delta {:+.4} | {:.4} {:.4} {:.4}",
                a[0],
                a[1],
                here.len(),
                vol(0.5),
                vols(0.5),
                vols(0.9),
                vols(0.99),
                100.0 * within / here.len() as f64,
                delta(0.5),
                gaps(0.5),
                gaps(0.9),
                gaps(0.99),
            );
        }
    }

    fn median(&self, of: impl Fn(&Off) -> f64) -> f64 {
        let mut values: Vec<f64> = self.off.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}

const AGES: [f64; 7] = [0.0, 3.0, 8.0, 31.0, 91.0, 366.0, 9999.0];
/// What is configured behind parity in those years: the rate of a month, and what the index or fund pays.
const CURVE_2018: Curve = Curve { rate: 0.015, dividend_yield: 0.019 };
const CURVE_2019: Curve = Curve { rate: 0.024, dividend_yield: 0.019 };
const CURVE_2026: Curve = Curve { rate: 0.04, dividend_yield: 0.011 };

/// Memorial Day: the file repeats the quotes of the session before at other prices.
const HOLIDAY: &str = "SPX_20190527";

/// Every second day of the set.
fn spx_2019(first: usize) {
    let mut of = [("SPX", Tally::default()), ("SPXW", Tally::default())];
    let found: Vec<_> = files("spx_2019").into_iter().filter(|p| !p.contains(HOLIDAY)).collect();
    for (i, path) in found.iter().skip(first).step_by(2).enumerate() {
        let [day] = &days(path)[..] else { panic!("one day a file") };
        for (root, tally) in &mut of {
            let chain = chain_of(day, root, CURVE_2019);
            // A second round follows the first one's smiles, as it does between quotes.
            tally.add(day, &chain, 1 + usize::from(i % 4 == 0), 0.05);
            tally.compare(day, &chain);
        }
    }
    for (root, tally) in of.iter().filter(|_| !found.is_empty()) {
        tally.print(root);
        assert!(tally.smiles > 200 && tally.inside() > 0.97, "{root}: {}", tally.inside());
        assert!(tally.median(|o| o.vol_off.abs()) < 0.001 && tally.median(|o| o.delta_off.abs()) < 0.002);
    }
}

#[test]
fn spx_2019_even_days() {
    spx_2019(0);
}

#[test]
fn spx_2019_odd_days() {
    spx_2019(1);
}

#[test]
fn spxw_2018() {
    let (mut tally, mut theirs) = (Tally::default(), Tally::default());
    for path in files("spxw_2018_jan_feb") {
        for day in days(&path) {
            let chain = chain_of(&day, "SPXW", CURVE_2018);
            tally.add(&day, &chain, 2, 0.05);
            tally.compare(&day, &chain);
            theirs.compare_under(&day, |expiry| {
                let days = f64::from(expiry.days_since(day.now.new_york().0));
                (days > 5.0).then(|| Terms::new(day.spot, (days - 0.5) / 365.0, CURVE_2018.rate, 0.0))
            });
        }
    }
    if tally.smiles == 0 {
        return;
    }
    tally.print("SPXW 2018");
    assert!(tally.smiles >= 38 && tally.inside() > 0.98, "{}", tally.inside());
    // That vendor leaves dividends out and counts half a day less: under his terms his volatilities are ours.
    let mut alike = theirs.off;
    alike.sort_by(|a, b| a.vol_off.abs().total_cmp(&b.vol_off.abs()));
    let [half, most] = [0.5, 0.9].map(|q| alike[(alike.len() as f64 * q) as usize].vol_off.abs());
    println!("SPXW 2018 under the vendor's terms: {} rows, {half:.4}, 90 % {most:.4}", alike.len());
    assert!(half < 0.0025 && most < 0.008, "{half} {most}");
}

#[test]
fn spy_2026() {
    let Ok(closes) = std::fs::read_to_string(format!("{}/chains_eod/spy_2026/underlying.csv", folder()))
    else {
        println!("skipped: chains_eod/spy_2026 is not there (set WINGSPREAD_DATA)");
        return;
    };
    let mut tally = Tally::default();
    for (i, path) in files("spy_2026").iter().enumerate() {
        let [day] = &mut days(path)[..] else { panic!("one day a file") };
        let name = format!("{},SPY,", day.now.new_york().0);
        let line = closes.lines().find(|l| l.starts_with(&name)).expect("a close");
        day.spot = line.split(',').nth(5).and_then(|t| t.parse().ok()).expect("a price");
        let chain = chain_of(day, "SPY", CURVE_2026);
        tally.add(day, &chain, 1 + usize::from(i % 4 == 0), 0.0);
        tally.compare(day, &chain);
    }
    tally.print("SPY");
    assert!(tally.smiles > 300 && tally.inside() > 0.94, "{}", tally.inside());
    assert!(tally.median(|o| o.vol_off.abs()) < 0.003 && tally.median(|o| o.delta_off.abs()) < 0.005);
}
