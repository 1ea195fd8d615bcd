//! Structures and candidates in words.

use super::look::{Candidate, LegSeen, Seen, a_share};
use super::source::Scene;
use crate::cli;
use crate::settings::Settings;
use market::{Instrument, Right, Timestamp};
use pricing::forward::Source;
use pricing::legs::Bound;
use pricing::outlook::Odds;
use pricing::structure::Extreme;
use std::fmt::Write;
use strategy::Structure;
use strategy::search::Shortfall;
use strategy::structures::{Holds, View};

/// All structures, a line each.
pub fn list(settings: &Settings) -> String {
    let traded = |s: &Structure| settings.strategy.structures.iter().any(|chosen| chosen.name == s.name);
    let mut text = String::new();
    for s in &settings.structures {
        let how = match s.tradeable() {
            _ if traded(s) => "traded",
            Ok(()) => "can be traded",
            Err(_) => "shown only",
        };
        let _ = writeln!(text, "{:<22} {:<8} {:<14} {}", s.name, view(s.view), how, s.description);
    }
    text.push_str(
        "\nwingspread structure NAME SYMBOL shows what it would pick. They stand in config/structures.yaml; `structures` in \
         config/wingspread.yaml says which are traded.\n",
    );
    text
}

const fn view(view: View) -> &'static str {
    match view {
        View::Bullish => "bullish",
        View::Neutral => "neutral",
        View::Bearish => "bearish",
        View::Volatile => "volatile",
    }
}

/// All candidates of a structure.
pub fn page(structure: &Structure, scene: &Scene, seen: &[Seen], args: &cli::Structure) -> String {
    let mut text = format!(
        "{} on {} at {}, {} (from {})\n",
        structure.name,
        scene.symbol,
        scene.spot,
        moment(scene.now),
        scene.from
    );
    if !structure.description.is_empty() {
        let _ = writeln!(text, "{}", structure.description);
    }
    if let Err(why) = structure.tradeable() {
        let _ = writeln!(text, "shown, not traded: {why}");
    }
    if seen.is_empty() {
        let days = structure.days;
        let listed: Vec<String> = scene.chain.expiries().take(12).map(|e| e.to_string()).collect();
        let _ = writeln!(
            text,
            "\nno expiry lies {} to {} days away; listed: {}",
            days.min.max(scene.days_floor),
            days.max,
            if listed.is_empty() { "none".into() } else { listed.join(", ") }
        );
    }
    for (i, seen) in seen.iter().enumerate() {
        let _ = write!(text, "\n{}. {}", i + 1, seen.expiry);
        match &seen.candidate {
            Ok(candidate) => describe(&mut text, candidate, scene, args),
            Err(missing) => {
                let _ = writeln!(text, ": {}", shortfall(structure, *missing, args.any_spread));
            }
        }
    }
    text
}

/// A moment in New York, to the minute.
pub fn moment(at: Timestamp) -> String {
    let (date, ns) = at.new_york();
    let minutes = ns / market::time::MINUTE;
    format!("{date} {:02}:{:02} New York", minutes / 60, minutes % 60)
}

fn shortfall(structure: &Structure, missing: Shortfall, any_spread: bool) -> String {
    match missing {
        Shortfall::NoExpiry => "no expiry fits".into(),
        Shortfall::NoLeg(leg) => match structure.legs.get(usize::from(leg)) {
            Some(l) => format!(
                "no contract that may be traded fits leg {} `{}` ({}){}",
                leg + 1,
                l.name,
                match l.holds {
                    Holds::Option { right: Right::Call, .. } => "call",
                    Holds::Option { right: Right::Put, .. } => "put",
                    Holds::Shares => "stock",
                },
                if any_spread { "" } else { "; --any-spread takes wide quotes too" }
            ),
            None => "a leg is missing".into(),
        },
        Shortfall::Unlimited => "its loss has no limit".into(),
        Shortfall::NoVolatility => "a leg's price has no volatility".into(),
        Shortfall::Nonsense => "its prices would win or lose in every case: a quote is wrong".into(),
        Shortfall::Reward => "it gains too little for what it risks".into(),
    }
}

fn describe(text: &mut String, c: &Candidate, scene: &Scene, args: &cli::Structure) {
    let out = &c.outlook;
    let source = match c.market.source {
        Source::Parity | Source::ParityForward => "by parity",
        Source::Configured => "as configured",
    };
    let law = if c.market.slice.is_some() { "the fitted smile" } else { "a lognormal law" };
    let _ = writeln!(
        text,
        ", {} days: forward {:.2} {source}, volatility at the money {:.1} %, odds by {law}",
        c.days,
        c.market.terms.forward(),
        100.0 * c.market.atm_vol
    );
    c.legs.iter().for_each(|leg| leg_line(text, leg));
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "   {name:<22}{what}");
    };
    let named = |net: f64| {
        let word = if net < 0.0 { "credit" } else { "debit" };
        format!("{word} {:.2}", a_share(net.abs()))
    };
    line("net a share", format!("{} at mid, {} at the far side", named(out.mid), named(out.natural)));
    if args.price > 0.0 {
        line("looked at", format!("{}, {:.0} % of the way", named(out.cost), 100.0 * args.price));
    }
    let several = c.set.iter().filter_map(|l| l.years()).any(|y| y > out.years + 1e-9);
    let then = if several { " on the first expiry, at today's volatilities" } else { "" };
    line("max profit", format!("{}{then}", extreme(out.max_profit)));
    line("max loss", bound(c.worst));
    let turns: Vec<String> = out.breakevens.iter().map(|b| format!("{b:.2}")).collect();
    line("breakevens", if turns.is_empty() { "none".into() } else { turns.join(", ") });
    let touch = out.touch.map_or(String::new(), |p| {
        let of = if c.set.iter().any(|l| l.shares < 0.0 && l.strike().is_some()) {
            "short strike"
        } else {
            "breakeven"
        };
        format!("; of touching a {of} {:.1} %", 100.0 * p)
    });
    line("probability of profit", format!("{:.1} %{touch}", 100.0 * out.odds.profit));
    line("expected profit", format!("{:+.2}", out.odds.expected));
    if let (Some(Odds { profit, expected }), Some([down, flat, up])) =
        (out.forecast, args.odds.or(scene.odds))
    {
        let odds = format!("down {:.0}, flat {:.0}, up {:.0} %", 100.0 * down, 100.0 * flat, 100.0 * up);
        line("by the forecast", format!("{:.1} %, expected {expected:+.2} ({odds})", 100.0 * profit));
    }
    line("Greeks", greeks(c));
    line("margin", margins(c, out.cost));
    if let Some(why) = c.poor {
        let said = match why {
            Shortfall::Reward => "it gains too little for what it risks (`reward_min`)",
            Shortfall::Unlimited => "its loss has no limit",
            Shortfall::NoVolatility => "a leg's price has no volatility",
            _ => "its prices win or lose in every case: a quote is wrong",
        };
        line("not proposed", said.into());
    }
}

fn leg_line(text: &mut String, leg: &LegSeen) {
    let found = &leg.found;
    let side = if found.leg.signed_ratio() > 0 { "buy " } else { "sell" };
    let what = match found.leg.instrument {
        Instrument::Option(contract) => contract.to_string(),
        Instrument::Stock(symbol) => format!("{symbol} shares"),
    };
    let _ = write!(text, "   {side} {:>3} {what:<22} {:>8} / {:<8}", found.leg.ratio, found.bid, found.ask);
    if let Some(vol) = leg.vol {
        let _ = write!(text, " vol {:>5.1} %  delta {:>5.2}", 100.0 * vol, leg.greeks.delta);
    }
    text.push('\n');
}

/// Delta in shares, the rest in dollars in the units people use.
fn greeks(c: &Candidate) -> String {
    let g = &c.outlook.greeks;
    format!(
        "delta {:+.1} shares, gamma {:+.2} shares a dollar, vega {:+.2} a volatility point, theta {:+.2} a day, rho {:+.2} a point",
        g.delta,
        g.gamma,
        g.vega / 100.0,
        g.theta / 365.0,
        g.rho / 100.0
    )
}

fn margins(c: &Candidate, cost: f64) -> String {
    let needs = c.broker.limited().map(|m| (m.dollars() + cost).max(0.0));
    let needs = needs.map_or(String::new(), |dollars| format!(" ({dollars:.2} with the net price)"));
    format!("{:.2} by Regulation T, {} by the broker's rule{needs}", c.outlook.reg_t, bound(c.broker))
}

fn extreme(e: Extreme) -> String {
    match e {
        Extreme::Limited(dollars) => format!("{dollars:.2}"),
        Extreme::Unlimited => "unlimited".into(),
    }
}

fn bound(b: Bound) -> String {
    match b {
        Bound::Limited(money) => format!("{:.2}", money.dollars()),
        Bound::Unlimited => "unlimited".into(),
    }
}
