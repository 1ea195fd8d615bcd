//! A chain in words: what it says as a whole, then a block an expiry.

use super::super::structure::source::Scene;
use super::super::structure::words::moment;
use super::{pairs, slice_of};
use crate::cli;
use market::Timestamp;
use market::time::SECOND;
use pricing::NoVolatility;
use pricing::chain::{Chain, Expiry};
use pricing::forward::Source;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A quote older than this is marked, seconds.
const OLD_S: i64 = 90;

/// Flags of rows and what they mean.
const FLAGS: [(char, &str); 7] = [
    ('1', "one side only"),
    ('x', "crossed"),
    ('o', "older than 90 s"),
    ('-', "never quoted, or not since the feed was lost"),
    ('i', "below its intrinsic value"),
    ('e', "no time value: exercise is worth as much"),
    ('b', "no volatility gives its price"),
];

/// Strikes shown with the most gamma open.
const GAMMA_STRIKES: usize = 3;

/// The whole page.
pub fn page(scene: &Scene, chosen: &[usize], args: &cli::Chain) -> String {
    let mut text = head(scene);
    let mut used = BTreeSet::new();
    for at in chosen {
        block(&mut text, scene, *at, args, &mut used);
    }
    let legend: Vec<String> =
        FLAGS.iter().filter(|(c, _)| used.contains(c)).map(|(c, what)| format!("{c} {what}")).collect();
    if !legend.is_empty() {
        let _ = writeln!(text, "\n{}", legend.join("; "));
    }
    text.push_str(
        "volatility in per cent a year; theta a day, vega a point of volatility, dollars a share\n",
    );
    text
}

fn head(scene: &Scene) -> String {
    let chain = &scene.chain;
    let with_vol = (0..chain.len()).filter(|row| chain.vol_of(*row).is_ok()).count();
    let mut text = format!(
        "{} at {}, {} (from {})\n{} contracts in {} expiries, {with_vol} with a volatility, marked as {}\n",
        scene.symbol,
        scene.spot,
        moment(scene.now),
        scene.from,
        chain.len(),
        chain.expiry_terms().len(),
        if chain.is_american() { "American" } else { "European" },
    );
    let ratios = chain.put_call_ratios();
    let said = |ratio: Option<f64>| ratio.map_or("not known".to_string(), |r| format!("{r:.2}"));
    let _ = writeln!(
        text,
        "puts over calls: by volume {}, by open interest {}",
        said(ratios.volume),
        said(ratios.open_interest)
    );
    text
}

fn block(text: &mut String, scene: &Scene, at: usize, args: &cli::Chain, used: &mut BTreeSet<char>) {
    let e = &scene.chain.expiry_terms()[at];
    let days = e.date.days_since(scene.now.new_york().0);
    let source = match e.source {
        Source::Parity => format!("parity of {} strikes", e.pairs_used),
        Source::ParityForward => format!("forward by parity of {} strikes, rate as configured", e.pairs_used),
        Source::Configured => "as configured: no parity to read".to_string(),
    };
    let _ = writeln!(
        text,
        "\n{}, {days} days: forward {:.2}, rate {:.2} %, yield {:.2} % ({source})",
        e.date,
        e.terms.forward(),
        100.0 * e.curve.rate,
        100.0 * e.curve.dividend_yield,
    );
    match slice_of(scene, e).and_then(|s| s.summary()) {
        Some(s) => {
            let _ = writeln!(
                text,
                "at the money {:.2}, 25-delta skew {:+.2}, butterfly {:+.2}, expected move {:.2} ({:.2} %)",
                100.0 * s.atm_vol,
                -100.0 * s.risk_reversal_25,
                100.0 * s.butterfly_25,
                s.expected_move,
                100.0 * s.expected_move / e.terms.spot
            );
        }
        None => text.push_str("no smile: too few liquid quotes, or too little time\n"),
    }
    gamma(text, &scene.chain, at);
    table(text, scene, e, args, used);
}

/// The strikes at which the open contracts bend the most.
fn gamma(text: &mut String, chain: &Chain, at: usize) {
    let mut all = chain.gamma_by_strike(at);
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most = all.iter().take(GAMMA_STRIKES).filter(|(_, amount)| *amount > 0.0);
    let said: Vec<String> = most.map(|(strike, amount)| format!("{amount:.0} at {strike}")).collect();
    if !said.is_empty() {
        let _ = writeln!(text, "gamma of what is open, shares a dollar: {}", said.join(", "));
    }
}

fn table(text: &mut String, scene: &Scene, e: &Expiry, args: &cli::Chain, used: &mut BTreeSet<char>) {
    let all = pairs(scene, e);
    let forward = e.terms.forward();
    let middle = all.partition_point(|(strike, _)| f64::from(*strike) / 1000.0 < forward);
    let (from, to) = match args.width {
        0 => (0, all.len()),
        n => (middle.saturating_sub(n), (middle + n).min(all.len())),
    };
    let side = "     bid     ask    vol  delta   gamma   theta   vega      OI";
    let _ = writeln!(text, "{side}        strike {side}");
    for (i, (strike, rows)) in all[from..to].iter().enumerate() {
        if from + i == middle && from + i > from {
            let _ = writeln!(text, "{:->61}   {:-^9}  {:->60}", "", "forward", "");
        }
        let [call, put] = rows.map(|row| side_of(&scene.chain, row, scene.now, used));
        let _ =
            writeln!(text, "{} {:>3} {:>9} {} {}", call.0, call.1, f64::from(*strike) / 1000.0, put.0, put.1);
    }
    if to - from < all.len() {
        let _ = writeln!(text, "({} of {} strikes; --width 0 shows all)", to - from, all.len());
    }
}

/// One contract's half of a line, and its flags.
fn side_of(chain: &Chain, row: Option<usize>, now: Timestamp, used: &mut BTreeSet<char>) -> (String, String) {
    let Some(row) = row else { return (" ".repeat(60), String::new()) };
    let listed = &chain.listed()[row];
    let quote = chain.fresh_of(listed, now, i64::MAX);
    let price = |level: Option<market::quote::Level>| {
        level.map_or("-".into(), |l| format!("{:.2}", l.price.dollars()))
    };
    let (bid, ask) = (quote.and_then(|q| q.bid), quote.and_then(|q| q.ask));
    let open = listed.open_interest.map_or("-".into(), |n| n.to_string());
    let marks = match (chain.vol_of(row), chain.greeks_of(row)) {
        (Ok(vol), Ok(g)) => format!(
            "{:>6.2} {:>6.3} {:>7.4} {:>7.3} {:>6.3}",
            100.0 * vol,
            g.delta,
            g.gamma,
            g.theta / 365.0,
            g.vega / 100.0
        ),
        _ => format!("{:>6} {:>6} {:>7} {:>7} {:>6}", "-", "-", "-", "-", "-"),
    };
    let mut flags = String::new();
    match chain.vol_of(row) {
        _ if quote.is_none() => flags.push('-'),
        Ok(_) => {}
        Err(NoVolatility::OneSided) => flags.push('1'),
        Err(NoVolatility::Crossed) => flags.push('x'),
        Err(NoVolatility::BelowIntrinsic) => flags.push('i'),
        Err(NoVolatility::NoTimeValue) => flags.push('e'),
        Err(NoVolatility::AboveBound | NoVolatility::NoMarket | NoVolatility::Stale) => flags.push('b'),
    }
    if listed.quote.is_some_and(|(_, heard)| now.since(heard) > OLD_S * SECOND) {
        flags.push('o');
    }
    used.extend(flags.chars());
    (format!("{:>8} {:>7} {marks} {open:>7}", price(bid), price(ask)), flags)
}
