//! Searching in synthetic chains: what is found, and what each thing missing is called.

use crate::chain::Chain;
use crate::search::{Candidate, Finder, Settings, Shortfall};
use crate::structures::tests::*;
use crate::structures::{Expiry, Pick, Structure, View, Width};
use market::contract::MULTIPLIER;
use market::quote::{Level, Quote};
use market::session::{session, year_fraction};
use market::time::{MINUTE, SECOND};
use market::{Contract, Date, Instrument, Label, Money, Price, Right, Symbol, Timestamp};

pub const SPY: Symbol = Symbol::literal("SPY");
pub const DAY: Date = Date::literal(2026, 3, 16);
/// 32 days away, the third Friday of April.
pub const EXPIRY: Date = Date::literal(2026, 4, 17);
pub const SPOT: f64 = 560.0;
const VOL: f64 = 0.18;

/// Eleven in the morning of [`DAY`].
pub fn eleven() -> Timestamp {
    DAY.at_new_york(11 * 3600)
}

pub fn settings() -> Settings {
    Settings {
        spread_max_bps: 1000,
        spread_floor: Price::from_cents(5),
        age_max_ns: 30 * SECOND,
        open_interest_min: 100,
        rate: 0.04,
        dividend_yield: 0.012,
    }
}

/// A two-sided quote around the model price: cents wide by price.
pub fn model_quote(contract: &Contract, spot: f64, at: Timestamp) -> Quote {
    let close = session(contract.expiry).expect("a session").close;
    let years = year_fraction(at, close).max(0.0);
    let strike = contract.strike().dollars();
    let value = pricing::price(contract.right, spot, strike, years, VOL, 0.04, 0.012);
    let half = (value * 0.02).max(0.01);
    let level = |dollars: f64| {
        let price = Price::from_cents((dollars * 100.0).round() as i64);
        Some(Level { price, size: 20 }).filter(|l| l.price > Price::ZERO)
    };
    Quote { bid: level(value - half), ask: level(value + half), at }
}

/// Every dollar from 500 to 620, calls and puts.
pub fn contracts(expiry: Date) -> impl Iterator<Item = Contract> {
    (500..=620).flat_map(move |k| {
        [Right::Call, Right::Put].map(|right| Contract { root: SPY, expiry, strike_mils: k * 1000, right })
    })
}

pub fn chain_of(expiries: &[Date], spot: f64, at: Timestamp) -> Chain {
    let mut chain = Chain::with_curve(SPY, pricing::chain::Curve { rate: 0.04, dividend_yield: 0.012 });
    chain.hear_spot(spot);
    for contract in expiries.iter().flat_map(|e| contracts(*e)) {
        chain.quote(at, &contract, &model_quote(&contract, spot, at));
        chain.open_interest(&contract, 500);
    }
    chain
}

/// One structure looked for by itself.
fn candidate(
    structure: &Structure,
    chain: &Chain,
    spot: Price,
    now: Timestamp,
    days_floor: i32,
    settings: &Settings,
) -> Result<Candidate, Shortfall> {
    Finder::new().begin(chain, SPY, spot, now, days_floor, settings).candidate(structure)
}

fn spot() -> Price {
    Price::nearest(SPOT).expect("in range")
}

fn strikes(found: &Candidate) -> Vec<i64> {
    found.legs.iter().filter_map(|l| l.instrument.contract()).map(|c| c.strike().units() / 10_000).collect()
}

#[test]
fn bull_put_and_condor_are_found() {
    let chain = chain_of(&[EXPIRY], SPOT, eleven());
    let [put, condor] = &shipped()[..] else { panic!("two structures") };
    let found = candidate(put, &chain, spot(), eleven(), 1, &settings()).expect("bull put");
    let k = strikes(&found);
    assert_eq!(k[1], k[0] - 5);
    assert!((530..556).contains(&k[0]), "{k:?}");
    assert!(found.mid < Price::ZERO && found.natural > found.mid, "a credit, worse at the far side");
    assert_eq!(found.max_loss, Money::from_dollars(500) + found.natural.times(MULTIPLIER));
    assert_eq!(found.max_profit, Money::ZERO - found.mid.times(MULTIPLIER));
    assert_eq!(found.margin, Money::from_dollars(500));

    let found = candidate(condor, &chain, spot(), eleven(), 1, &settings()).expect("condor");
    let k = strikes(&found);
    assert!(k[1] == k[0] - 5 && k[3] == k[2] + 5 && k[0] < 560 && 560 < k[2], "{k:?}");
    assert_eq!(found.margin, Money::from_dollars(500), "one side can lose");
}

#[test]
fn the_expiry_nearest_to_the_target_goes_first() {
    let (near, far) = (DAY.plus(21), DAY.plus(42));
    let chain = chain_of(&[DAY.plus(2), near, EXPIRY, far], SPOT, eleven());
    let put = &shipped()[0];
    let found = candidate(put, &chain, spot(), eleven(), 1, &settings()).expect("bull put");
    assert_eq!(found.legs[0].instrument.contract().map(|c| c.expiry), Some(EXPIRY));
    let found = candidate(put, &chain, spot(), eleven(), 40, &settings()).expect("bull put");
    assert_eq!(found.legs[0].instrument.contract().map(|c| c.expiry), Some(far), "the floor rules");
    let said = candidate(put, &chain, spot(), eleven(), 60, &settings());
    assert_eq!(said, Err(Shortfall::NoExpiry));
}

#[test]
fn what_is_not_liquid_is_not_taken() {
    let t = eleven();
    let put = shipped().remove(0);
    let fresh = || chain_of(&[EXPIRY], SPOT, t);
    let try_in = |chain: &Chain, now, settings: &Settings| candidate(&put, chain, spot(), now, 1, settings);
    assert!(try_in(&fresh(), t, &settings()).is_ok());
    assert_eq!(try_in(&fresh(), t + MINUTE, &settings()), Err(Shortfall::NoLeg(0)), "stale");
    let thin = Settings { open_interest_min: 501, ..settings() };
    assert_eq!(try_in(&fresh(), t, &thin), Err(Shortfall::NoLeg(0)), "too little open interest");
    let narrow = Settings { spread_max_bps: 10, spread_floor: Price::ZERO, ..settings() };
    assert_eq!(try_in(&fresh(), t, &narrow), Err(Shortfall::NoLeg(0)), "too wide");
    let mut lost = fresh();
    lost.lose_quotes(t);
    assert_eq!(try_in(&lost, t, &settings()), Err(Shortfall::NoLeg(0)), "the feed was lost");

    // The whole wing crossed or one-sided: the short leg is there, the long one is not.
    let short = try_in(&fresh(), t, &settings()).expect("found").legs[0].instrument;
    type Spoil = fn(&mut Quote);
    let spoils: [Spoil; 3] = [|q| std::mem::swap(&mut q.bid, &mut q.ask), |q| q.bid = None, |q| q.ask = None];
    for spoil in spoils {
        let mut chain = fresh();
        for contract in contracts(EXPIRY).filter(|c| Instrument::Option(*c) != short) {
            let mut quote = model_quote(&contract, SPOT, t + 1);
            spoil(&mut quote);
            chain.quote(t + 1, &contract, &quote);
        }
        assert_eq!(try_in(&chain, t + 1, &settings()), Err(Shortfall::NoLeg(1)));
    }
}

#[test]
fn prices_that_make_no_sense_and_poor_rewards_are_left() {
    let t = eleven();
    let mut put = shipped().remove(0);
    put.reward_min = 5.0;
    let chain = chain_of(&[EXPIRY], SPOT, t);
    assert_eq!(candidate(&put, &chain, spot(), t, 1, &settings()), Err(Shortfall::Reward));
    // A naked short call has no limit.
    let mut call = shipped().remove(1);
    call.legs.drain(..2);
    call.legs.truncate(1);
    assert_eq!(candidate(&call, &chain, spot(), t, 1, &settings()), Err(Shortfall::Unlimited));
    // The long leg quoted dearer than the short one: paying to sell a credit spread wins never.
    let mut chain = chain_of(&[EXPIRY], SPOT, t);
    let found = candidate(&shipped()[0], &chain, spot(), t, 1, &settings()).expect("found");
    let long = found.legs[1].instrument.contract().expect("an option");
    let level = |cents| Some(Level { price: Price::from_cents(cents), size: 1 });
    chain.quote(t + 1, &long, &Quote { bid: level(2000), ask: level(2010), at: t + 1 });
    assert_eq!(candidate(&shipped()[0], &chain, spot(), t, 1, &settings()), Err(Shortfall::Nonsense));
}

fn days_away(found: &Candidate) -> Vec<i32> {
    let contracts = found.legs.iter().filter_map(|l| l.instrument.contract());
    contracts.map(|c| c.expiry.days_since(DAY)).collect()
}

fn find(legs: Vec<crate::structures::LegTemplate>, chain: &Chain) -> Result<Candidate, Shortfall> {
    candidate(&structure("x", View::Neutral, 0.0, legs), chain, spot(), eleven(), 1, &settings())
}

#[test]
fn every_way_to_pick_finds_its_strike() {
    use market::order::Side::{Buy, Sell};
    let chain = chain_of(&[EXPIRY], SPOT, eleven());
    let pair = |pick| {
        find(vec![option("a", Sell, Right::Put, delta(0.3)), option("b", Buy, Right::Put, pick)], &chain)
    };
    let k = |found: Result<Candidate, Shortfall>| strikes(&found.expect("found"));
    let from = Label::literal("a");
    let short = k(pair(width("a", -5)))[0];
    let by = |by| Pick::Width { from, by };
    assert_eq!(k(pair(by(Width::Strikes(-3))))[1], short - 3);
    let percent = |percent, tolerance| by(Width::Percent { percent, tolerance });
    assert_eq!(k(pair(percent(-2.0, 0.2)))[1], short - 11, "2 % of 560 is 11.20");
    assert_eq!(pair(percent(-2.0, 0.01)), Err(Shortfall::NoLeg(1)), "no strike lies within 0.01 %");
    let out = |percent| Pick::Moneyness { percent, tolerance: 0.2 };
    assert_eq!(k(pair(out(5.0)))[1], 532, "5 % below 560");
    // In the money a put is struck above the market: it can lose nothing it did not cost.
    assert_eq!(k(pair(out(-2.0)))[1], 571);
    // One expected move: the straddle, some 0.8 x 18 % x sqrt(32/365) x 560.
    let below = k(pair(Pick::Moves { out: 1.0, tolerance: 0.1 }))[1];
    assert!((533..538).contains(&below), "{below}");
    let condor = find(
        vec![
            option("p", Sell, Right::Put, Pick::Moneyness { percent: 0.0, tolerance: 0.2 }),
            option("c", Sell, Right::Call, same("p")),
            option("lp", Buy, Right::Put, width("p", -10)),
            option("lc", Buy, Right::Call, width("c", 10)),
        ],
        &chain,
    );
    assert_eq!(k(condor), [560, 560, 550, 570]);
    let twins = find(
        vec![option("a", Sell, Right::Put, delta(0.3)), option("b", Buy, Right::Put, same("a"))],
        &chain,
    );
    assert_eq!(twins, Err(Shortfall::NoLeg(1)), "two legs in one contract are no structure");
}

#[test]
fn a_butterfly_counts_its_middle_twice() {
    use market::order::Side::{Buy, Sell};
    let chain = chain_of(&[EXPIRY], SPOT, eleven());
    let at = Pick::Moneyness { percent: 0.0, tolerance: 0.2 };
    let legs = vec![
        times(2, option("middle", Sell, Right::Call, at)),
        option("lower", Buy, Right::Call, width("middle", -10)),
        option("upper", Buy, Right::Call, width("middle", 10)),
    ];
    let found = find(legs, &chain).expect("found");
    assert_eq!(found.legs[0].ratio, 2);
    assert!(found.mid > Price::ZERO && found.natural > found.mid, "a debit");
    assert_eq!(found.max_loss, found.natural.times(MULTIPLIER), "no more than was paid");
    assert_eq!(found.max_profit, Money::from_dollars(1000) - found.mid.times(MULTIPLIER));
    assert_eq!(found.margin, Money::ZERO);
}

#[test]
fn a_calendar_is_near_and_far_and_can_lose_its_debit() {
    let far = DAY.plus(63);
    let chain = chain_of(&[DAY.plus(4), EXPIRY, far, DAY.plus(200)], SPOT, eleven());
    let of = |s: &Structure| candidate(s, &chain, spot(), eleven(), 1, &settings());
    let found = of(&calendar(Right::Call)).expect("call calendar");
    assert_eq!((strikes(&found), days_away(&found)), (vec![560, 560], vec![32, 63]));
    assert_eq!(found.max_loss, found.natural.times(MULTIPLIER));
    assert_eq!(found.margin, Money::ZERO);
    // At the strike on the first expiry the far call is worth some 0.4 x 18 % x sqrt(31/365) x 560 a share.
    let gain = found.max_profit.dollars();
    assert!((500.0..1300.0).contains(&gain), "{gain}");
    let put = of(&calendar(Right::Put)).expect("put calendar");
    assert_eq!(put.margin, Money::from_dollars(56_000), "the broker's rule looks at each expiry by itself");
    assert!(put.max_loss < Money::from_dollars(2_000), "what can be lost is the debit all the same");
    // Turned round, the long leg expires first: the short call is naked.
    let mut reverse = calendar(Right::Call);
    reverse.legs[0].side = market::order::Side::Buy;
    reverse.legs[1].side = market::order::Side::Sell;
    assert_eq!(of(&reverse), Err(Shortfall::Unlimited));
    // No expiry a month later: the leg is missing, not another one taken.
    let alone = chain_of(&[EXPIRY, EXPIRY.plus(7)], SPOT, eleven());
    let said = candidate(&calendar(Right::Call), &alone, spot(), eleven(), 1, &settings());
    assert_eq!(said, Err(Shortfall::NoLeg(1)));
}

#[test]
fn legs_with_days_of_their_own_take_the_nearest_that_lists_their_strike() {
    use market::order::Side::{Buy, Sell};
    let own = Expiry::Own(crate::structures::Days { min: 50, target: 60, max: 120 });
    let mut chain = chain_of(&[EXPIRY, DAY.plus(88)], SPOT, eleven());
    // The expiry nearest to the target lists one far strike only.
    let lonely = contracts(DAY.plus(60)).next().expect("one");
    chain.quote(eleven(), &lonely, &model_quote(&lonely, SPOT, eleven()));
    chain.open_interest(&lonely, 500);
    let legs = vec![
        option("near", Sell, Right::Call, delta(0.3)),
        on(own, option("far", Buy, Right::Call, delta(0.5))),
        on(Expiry::Same(Label::literal("far")), option("put", Buy, Right::Put, delta(0.3))),
    ];
    assert_eq!(days_away(&find(legs, &chain).expect("found")), [32, 88, 88]);
}

#[test]
fn shares_count_in_hundreds() {
    use market::order::Side::Sell;
    let chain = chain_of(&[EXPIRY], SPOT, eleven());
    let legs = vec![shares(), option("call", Sell, Right::Call, delta(0.3))];
    let found = find(legs, &chain).expect("a covered call");
    assert_eq!(found.legs[0].ratio, 100);
    assert!((Price::from_cents(54_000)..Price::from_cents(56_000)).contains(&found.mid), "{}", found.mid);
    assert_eq!(found.max_loss, found.natural.times(MULTIPLIER), "the shares can become worthless");
    let strike = Money::from_dollars(strikes(&found)[0] * 100);
    assert_eq!((found.max_profit, found.margin), (strike - found.mid.times(MULTIPLIER), Money::ZERO));
}

/// What the shared tables give is what each contract by itself gives.
#[test]
fn deltas_of_the_tables_are_those_of_each_contract() {
    let (chain, t) = (chain_of(&[EXPIRY], SPOT, eleven()), eleven());
    let years = year_fraction(t, session(EXPIRY).expect("a session").close);
    for target in [0.05, 0.16, 0.3, 0.5, 0.7, 0.85] {
        for right in [Right::Call, Right::Put] {
            let off = |row: &crate::chain::Listed| {
                let mid = crate::search::liquid_mid(&chain, row, t, &settings())?.dollars();
                let k = row.contract.strike().dollars();
                let vol = pricing::implied_volatility(right, mid, SPOT, k, years, 0.04, 0.012).ok()?;
                Some((pricing::delta(right, SPOT, k, years, vol, 0.04, 0.012).abs() - target).abs())
            };
            let rows =
                chain.strikes(EXPIRY, right).iter().filter_map(|row| off(row).map(|off| (off, row.contract)));
            let nearest = rows.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, contract)| contract);
            let settings = settings();
            let mut finder = Finder::new();
            let mut round = finder.begin(&chain, SPY, spot(), t, 1, &settings);
            let one = structure(
                "x",
                View::Neutral,
                0.0,
                vec![option("a", market::order::Side::Buy, right, delta(target))],
            );
            let picked = round.legs(&one, EXPIRY).expect("found");
            assert_eq!(picked[0].leg.instrument.contract(), nearest, "{right:?} {target}");
        }
    }
}

#[test]
fn a_round_is_of_its_moment() {
    let t = eleven();
    let put = shipped().remove(0);
    let settings = settings();
    let mut finder = Finder::new();
    let calm = chain_of(&[EXPIRY], SPOT, t);
    let first = finder.begin(&calm, SPY, spot(), t, 1, &settings).candidate(&put);
    let moved = chain_of(&[EXPIRY], 590.0, t);
    let up = Price::from_cents(59_000);
    let second = finder.begin(&moved, SPY, up, t, 1, &settings).candidate(&put);
    assert!(strikes(&second.expect("found"))[0] > strikes(&first.clone().expect("found"))[0] + 20);
    assert_eq!(
        finder.begin(&calm, SPY, spot(), t, 1, &settings).candidate(&put),
        first,
        "nothing is left of a round"
    );
}

#[test]
fn a_later_leg_is_valued_with_the_forwards_of_the_market() {
    use pricing::structure::{Extreme, Kind, StructureLeg, best_at_first_expiry};
    let far = DAY.plus(63);
    let mut chain = chain_of(&[EXPIRY, far], SPOT, eleven());
    let most = |chain: &Chain| {
        let found =
            candidate(&calendar(Right::Call), chain, spot(), eleven(), 1, &settings()).expect("found");
        (found.max_profit + found.mid.times(MULTIPLIER)).dollars()
    };
    let as_configured = most(&chain);
    // Parity says a tenth a year where 4 % are configured.
    let curve = pricing::chain::Curve { rate: 0.1, dividend_yield: 0.0 };
    (0..2).for_each(|expiry| chain.set_curve(expiry, curve));
    let leg = |expiry: Date, sign: f64| {
        let contract = Contract { root: SPY, expiry, strike_mils: 560_000, right: Right::Call };
        let years = year_fraction(eleven(), session(expiry).expect("a session").close);
        let vol = chain.vol(&contract).expect("a volatility");
        let kind = Kind::Option { right: Right::Call, strike: 560.0, years, vol };
        StructureLeg { kind, shares: 100.0 * sign, bid: 0.0, ask: 0.0 }
    };
    let legs = [leg(EXPIRY, -1.0), leg(far, 1.0)];
    let Some(Extreme::Limited(known)) = best_at_first_expiry(&legs, SPOT, 0.1, 0.0) else {
        panic!("a calendar")
    };
    assert!((most(&chain) - known).abs() < 0.01, "{} {known}", most(&chain));
    assert!((as_configured - known).abs() > 20.0, "{as_configured} {known}");
}

#[test]
fn a_leg_without_volatility_is_called_that() {
    let far = DAY.plus(63);
    let mut chain = chain_of(&[EXPIRY, far], SPOT, eleven());
    let cheap = Contract { root: SPY, expiry: far, strike_mils: 560_000, right: Right::Call };
    let level = |cents| Some(Level { price: Price::from_cents(cents), size: 1 });
    // Less than what the forward alone is worth over the strike.
    chain.quote(eleven() + 1, &cheap, &Quote { bid: level(50), ask: level(52), at: eleven() + 1 });
    let said = candidate(&calendar(Right::Call), &chain, spot(), eleven(), 1, &settings());
    assert_eq!(said, Err(Shortfall::NoVolatility));
}

#[test]
fn what_settles_at_the_open_lives_a_session_less() {
    let [put, _] = &shipped()[..] else { panic!("two structures") };
    let of = |root: Symbol, floor: i32| {
        let mut chain = Chain::with_curve(root, pricing::chain::Curve { rate: 0.04, dividend_yield: 0.012 });
        chain.hear_spot(SPOT);
        for contract in contracts(EXPIRY).map(|c| Contract { root, ..c }) {
            chain.quote(eleven(), &contract, &model_quote(&contract, SPOT, eleven()));
            chain.open_interest(&contract, 500);
        }
        let settings = settings();
        let mut finder = Finder::new();
        let mut round = finder.begin(&chain, root, spot(), eleven(), floor, &settings);
        let expiry = round.expiries(put).first().copied()?;
        Some(round.legs(put, expiry).expect("legs")[0].years)
    };
    let [weekly, monthly] = [Symbol::literal("SPXW"), Symbol::literal("SPX")];
    let bells = session(EXPIRY).expect("a session");
    assert_eq!(of(weekly, 32), Some(year_fraction(eleven(), bells.close)));
    assert_eq!(of(monthly, 31), Some(year_fraction(eleven(), bells.open)));
    assert_eq!(of(monthly, 32), None, "its last day is the Thursday, 31 days away");
    assert_eq!(crate::exit::last_day(&monthly, EXPIRY), EXPIRY.plus(-1));
    assert_eq!(crate::exit::last_day(&weekly, EXPIRY), EXPIRY);
    // Good Friday: the Thursday is everybody's last day.
    let closed = Date::literal(2026, 4, 3);
    assert_eq!(crate::exit::last_day(&weekly, closed), closed.plus(-1));
}
