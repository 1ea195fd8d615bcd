//! What the decision cores of one symbol cost a tick, models left out: bars, indicators, exits of a held position,
//! entry; a quote of the chain; and a search through it.

use criterion::{Criterion, criterion_group, criterion_main};
use forecast::notes::ModelNote;
use forecast::{Ensemble, Plan, PlanFault};
use market::contract::Contract;
use market::order::{Effect, Leg, Side};
use market::quote::{Level, MarketEvent, Quote, Timeframe};
use market::time::{MS, SECOND};
use market::{Date, Instrument, Label, Money, Price, Right, Symbol, Timestamp};
use portfolio::notes::PositionNote;
use pricing::chain::terms::Liquidity;
use std::hint::black_box;
use strategy::structures::{Days, Expiry, Holds, LegTemplate, Pick, Structure, View, Width};
use strategy::{Settings, Underlying, entry, exit, marking, search};

const SPY: Symbol = Symbol::literal("SPY");
const EXPIRIES: [Date; 6] = [
    Date::literal(2026, 3, 20),
    Date::literal(2026, 3, 27),
    Date::literal(2026, 4, 2),
    Date::literal(2026, 4, 17),
    Date::literal(2026, 5, 15),
    Date::literal(2026, 6, 18),
];

/// Costs nothing, so that what is measured is the rest.
struct Free;

impl Plan for Free {
    fn predict(&mut self, features: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
        *out = [0.2, 0.2, black_box(features)[0].mul_add(0.0, 0.6)];
        Ok(())
    }
}

fn structure() -> Structure {
    let leg = |name, side, pick| LegTemplate {
        name,
        side,
        ratio: 1,
        holds: Holds::Option { right: Right::Put, expiry: Expiry::Shared, pick },
    };
    let short = Label::literal("short");
    Structure {
        name: Label::literal("bull_put_spread"),
        description: String::new(),
        view: View::Bullish,
        days: Days { min: 20, target: 32, max: 50 },
        // Out of reach: every search goes all the way and finds nothing, every time.
        reward_min: 1e9,
        legs: vec![
            leg(short, Side::Sell, Pick::Delta { target: 0.25, tolerance: 0.1 }),
            leg(
                Label::literal("long"),
                Side::Buy,
                Pick::Width {
                    from: short,
                    by: Width::Dollars {
                        dollars: Price::from_cents(-500),
                        tolerance: Price::from_cents(100),
                    },
                },
            ),
        ],
    }
}

fn settings(search_every_ns: i64, positions_max: usize) -> Settings {
    Settings {
        structures: vec![structure()],
        ensemble: Ensemble::shipped("full").expect("shipped"),
        particular: Vec::new(),
        entry: entry::Settings {
            confidence_min: 0.5,
            agreement_min: 0.5,
            lean_min: 0.1,
            positions_max,
            units: 1,
            cooldown_ns: 0,
            search_every_ns,
            after_open_ns: 0,
            before_close_ns: 0,
        },
        exit: exit::Settings {
            profit_target: 0.5,
            stop_multiple: 2.0,
            days_min: 7,
            last_day_from_s: 54_000,
            age_max_ns: 3600 * SECOND,
            retry_ns: SECOND,
        },
        search: search::Settings {
            spread_max_bps: 2_000,
            spread_floor: Price::from_cents(10),
            age_max_ns: 3600 * SECOND,
            open_interest_min: 0,
            rate: 0.04,
            dividend_yield: 0.012,
        },
        marking: marking::Settings {
            remark_every_ns: 100 * MS,
            refit_every_ns: 20 * SECOND,
            liquidity: Liquidity {
                relative_spread_max: 0.5,
                size_min: 1,
                open_interest_min: 0,
                volume_min: 0,
                age_max_ns: 90 * SECOND,
            },
        },
        spot_age_max_ns: SECOND,
        mark_every_ns: 5 * SECOND,
        missing_max: u32::MAX,
        inference: true,
    }
}

fn contracts() -> Vec<Contract> {
    let strikes = |expiry| {
        (510..610u32).step_by(2).flat_map(move |k| {
            [Right::Call, Right::Put].map(|right| Contract {
                root: SPY,
                expiry,
                strike_mils: k * 1000,
                right,
            })
        })
    };
    EXPIRIES.into_iter().flat_map(strikes).collect()
}

fn quote(cents: i64, half: i64, at: Timestamp) -> Quote {
    let level = |cents: i64| Some(Level { price: Price::from_cents(cents.max(1)), size: 10 });
    Quote { bid: level(cents - half), ask: level(cents + half), at }
}

fn option_quote(c: &Contract, at: Timestamp, cents: i64) -> MarketEvent {
    let years = f64::from(c.expiry.days_since(at.new_york().0)) / 365.0;
    let value = pricing::price(c.right, 560.0, c.strike().dollars(), years, 0.18, 0.04, 0.012);
    MarketEvent::Quote(Instrument::Option(*c), quote((value * 100.0) as i64 + 3 + cents, 2, at))
}

fn core(settings: Settings) -> (Underlying, Timestamp) {
    let mut core = Underlying::new(SPY, 1, settings);
    let at = Date::literal(2026, 3, 16).at_new_york(11 * 3600);
    let mut out = Vec::new();
    for c in contracts() {
        core.on_market(at, &option_quote(&c, at, 0), &mut out);
    }
    for timeframe in Timeframe::ALL {
        let note =
            ModelNote { timeframe, name: Label::literal("free"), version: Label::literal("1"), digest: 0 };
        core.install(at, timeframe, Some(Box::new(Free)), note);
    }
    (core, at)
}

fn held(at: Timestamp) -> PositionNote {
    let leg = |strike: u32, side| Leg {
        instrument: Instrument::Option(Contract {
            root: SPY,
            expiry: EXPIRIES[3],
            strike_mils: strike * 1000,
            right: Right::Put,
        }),
        side,
        effect: Effect::Open,
        ratio: 1,
    };
    PositionNote {
        id: Label::literal("w1.SPY.9"),
        underlying: SPY,
        structure: Label::literal("bull_put_spread"),
        legs: [leg(546, Side::Sell), leg(540, Side::Buy)].into_iter().collect(),
        units: 1,
        entry: Price::from_cents(-120),
        max_profit: Money::from_dollars(120),
        max_loss: Money::from_dollars(480),
        opened: at,
        closing: None,
    }
}

fn ticks(c: &mut Criterion) {
    let mut group = c.benchmark_group("tick");
    for (name, search_every_ns, positions_max) in
        [("stock quote, a position held", i64::MAX / 2, 1), ("stock quote with a search", 0, 2)]
    {
        let (mut core, mut at) = core(settings(search_every_ns, positions_max));
        let mut out = Vec::with_capacity(64);
        core.on_position(at, &held(at), &mut out);
        let mut n = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                n += 1;
                at = at + MS / 100;
                let event = MarketEvent::Quote(Instrument::Stock(SPY), quote(56_000 + n % 7, 1, at));
                core.on_market(at, black_box(&event), &mut out);
                out.clear();
            });
        });
    }
    let (mut core, mut at) = core(settings(i64::MAX / 2, 1));
    let mut out = Vec::with_capacity(64);
    // Without a spot no option means anything; two rounds of the seat's own work find forwards and exercise boundaries.
    core.on_market(at, &MarketEvent::Quote(Instrument::Stock(SPY), quote(56_000, 1, at)), &mut out);
    for _ in 0..400 {
        at = at + 50 * MS;
        core.wake(at, &mut out);
    }
    // Each comes again a cent away.
    let both = [0, 1].map(|cent| contracts().iter().map(|c| option_quote(c, at, cent)).collect::<Vec<_>>());
    let (mut n, mut round) = (0, 0);
    group.bench_function("option quote, 600 listed and marked", |b| {
        b.iter(|| {
            n += 37;
            if n >= both[0].len() {
                n -= both[0].len();
                round = 1 - round;
            }
            core.on_market(at, black_box(&both[round][n]), &mut out);
            out.clear();
        });
    });
    group.finish();
}

criterion_group!(benches, ticks);
criterion_main!(benches);
