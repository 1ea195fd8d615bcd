//! What templates may say, and which of them can be traded.

use super::*;

/// A leg of an option with the shared expiry.
pub fn option(name: &str, side: Side, right: Right, pick: Pick) -> LegTemplate {
    LegTemplate {
        name: Label::literal(name),
        side,
        ratio: 1,
        holds: Holds::Option { right, expiry: Expiry::Shared, pick },
    }
}

/// The same on another expiry.
pub fn on(expiry: Expiry, mut leg: LegTemplate) -> LegTemplate {
    if let Holds::Option { expiry: held, .. } = &mut leg.holds {
        *held = expiry;
    }
    leg
}

pub fn times(ratio: u32, leg: LegTemplate) -> LegTemplate {
    LegTemplate { ratio, ..leg }
}

pub fn shares() -> LegTemplate {
    LegTemplate { name: Label::literal("shares"), side: Side::Buy, ratio: 1, holds: Holds::Shares }
}

pub fn delta(target: f64) -> Pick {
    Pick::Delta { target, tolerance: 0.1 }
}

/// So many dollars from another leg, a dollar more or less.
pub fn width(from: &str, dollars: i64) -> Pick {
    let by = Width::Dollars { dollars: Price::from_cents(dollars * 100), tolerance: Price::from_cents(100) };
    Pick::Width { from: Label::literal(from), by }
}

pub fn same(from: &str) -> Pick {
    Pick::SameStrike(Label::literal(from))
}

pub const MONTH: Days = Days { min: 20, target: 32, max: 50 };
/// A month after the month.
pub const LATER: Days = Days { min: 14, target: 28, max: 42 };

pub fn structure(name: &str, view: View, reward_min: f64, legs: Vec<LegTemplate>) -> Structure {
    let name = Label::literal(name);
    Structure { name, description: String::new(), view, days: MONTH, reward_min, legs }
}

pub fn after(leg: &str) -> Expiry {
    Expiry::After { leg: Label::literal(leg), days: LATER }
}

/// A bull put spread and an iron condor, as the shipped file has them.
pub fn shipped() -> Vec<Structure> {
    use {Right::*, Side::*};
    vec![
        structure(
            "bull_put_spread",
            View::Bullish,
            0.15,
            vec![option("short", Sell, Put, delta(0.25)), option("long", Buy, Put, width("short", -5))],
        ),
        structure(
            "iron_condor",
            View::Neutral,
            0.2,
            vec![
                option("short_put", Sell, Put, delta(0.2)),
                option("long_put", Buy, Put, width("short_put", -5)),
                option("short_call", Sell, Call, delta(0.2)),
                option("long_call", Buy, Call, width("short_call", 5)),
            ],
        ),
    ]
}

/// Sold at the month, bought a month later at the same strike.
pub fn calendar(right: Right) -> Structure {
    use Side::*;
    let at = Pick::Moneyness { percent: 0.0, tolerance: 1.0 };
    let far = on(after("near"), option("far", Buy, right, same("near")));
    structure("calendar", View::Neutral, 0.1, vec![option("near", Sell, right, at), far])
}

#[test]
fn every_fault_is_found_and_names_leg_and_remedy() {
    type Spoil = fn(&mut Structure);
    let spoils: [(Spoil, Option<usize>); 12] = [
        (|s| s.days.target = 3, None),
        (|s| s.reward_min = f64::NAN, None),
        (|s| s.legs.clear(), None),
        (|s| s.legs.iter_mut().for_each(|l| l.ratio = 2), None),
        (|s| s.legs[1].name = Label::literal("short"), Some(1)),
        (|s| s.legs[0] = option("short", Side::Sell, Right::Put, delta(-0.2)), Some(0)),
        (|s| s.legs.swap(0, 1), Some(0)),
        (|s| s.legs[1] = option("long", Side::Buy, Right::Put, same("nobody")), Some(1)),
        (|s| s.legs[1] = on(after("long"), s.legs[1].clone()), Some(1)),
        (|s| s.legs[1] = option("long", Side::Buy, Right::Put, width("short", 0)), Some(1)),
        (
            |s| s.legs[1] = option("l", Side::Buy, Right::Put, Pick::Moves { out: 1.0, tolerance: 0.0 }),
            Some(1),
        ),
        (|s| s.legs.iter_mut().for_each(|l| *l = on(Expiry::Own(MONTH), l.clone())), None),
    ];
    for (i, (spoil, leg)) in spoils.into_iter().enumerate() {
        let mut s = shipped().remove(0);
        spoil(&mut s);
        let said = s.faults();
        assert_eq!(said.iter().map(|f| f.leg).collect::<Vec<_>>(), [leg], "{i}: {said:?}");
        let text = said[0].to_string();
        assert!(text.contains("bull_put_spread") && text.contains(';'), "{text}");
    }
    assert!(shipped().iter().all(|s| s.faults().is_empty()));
    let mut worse = shipped().remove(0);
    worse.reward_min = -1.0;
    worse.legs[0] = option("short", Side::Sell, Right::Put, delta(2.0));
    assert_eq!(worse.faults().len(), 2, "all at once");
}

#[test]
fn what_cannot_be_one_order_is_not_tradeable() {
    use {Right::*, Side::*};
    let of = |legs: Vec<LegTemplate>| structure("x", View::Neutral, 0.0, legs).tradeable();
    let naked = |name, right| Err(Untradeable::Naked(Label::literal(name), right));
    assert!(shipped().iter().all(|s| s.tradeable() == Ok(())));
    assert_eq!(of(vec![option("a", Sell, Put, delta(0.3))]), Ok(()), "a put against cash is a simple order");
    assert_eq!(of(vec![option("a", Sell, Call, delta(0.3))]), naked("a", Call));
    let covered = vec![shares(), option("a", Sell, Call, delta(0.3))];
    assert_eq!(of(covered), Err(Untradeable::Stock(Label::literal("shares"))));
    let ratio = vec![option("a", Buy, Call, delta(0.5)), times(2, option("b", Sell, Call, delta(0.3)))];
    assert_eq!(of(ratio), naked("b", Call));
    let back = vec![option("a", Sell, Call, delta(0.5)), times(2, option("b", Buy, Call, delta(0.3)))];
    assert_eq!(of(back), Ok(()));
    let lizard = vec![
        option("p", Sell, Put, delta(0.3)),
        option("a", Sell, Call, delta(0.3)),
        option("b", Buy, Call, width("a", 5)),
    ];
    assert_eq!(of(lizard), naked("p", Put));
    let straddle = Structure {
        view: View::Volatile,
        ..structure("x", View::Neutral, 0.0, vec![option("a", Buy, Call, delta(0.5))])
    };
    assert_eq!(straddle.tradeable(), Err(Untradeable::NoForecast));
}

#[test]
fn a_long_leg_covers_only_when_it_cannot_expire_first() {
    use {Right::*, Side::*};
    let of = |legs: Vec<LegTemplate>| structure("x", View::Neutral, 0.0, legs).tradeable().is_ok();
    assert_eq!(calendar(Call).tradeable(), Ok(()));
    assert_eq!(calendar(Put).tradeable(), Ok(()));
    let reverse = |near: Side| {
        let far = if near == Buy { Sell } else { Buy };
        vec![
            option("near", near, Call, delta(0.5)),
            on(after("near"), option("far", far, Call, same("near"))),
        ]
    };
    assert!(of(reverse(Sell)) && !of(reverse(Buy)));
    // Ranges of their own that overlap may turn the order round.
    let own =
        |min, target, max| on(Expiry::Own(Days { min, target, max }), option("far", Buy, Call, delta(0.5)));
    assert!(of(vec![option("near", Sell, Call, delta(0.3)), own(50, 60, 90)]));
    assert!(!of(vec![option("near", Sell, Call, delta(0.3)), own(40, 60, 90)]));
    // The same later day as another leg.
    let double = |same_day: Expiry| {
        vec![
            option("p", Sell, Put, delta(0.3)),
            option("c", Sell, Call, delta(0.3)),
            on(after("p"), option("lp", Buy, Put, width("p", -5))),
            on(same_day, option("lc", Buy, Call, width("c", 5))),
        ]
    };
    assert!(of(double(Expiry::Same(Label::literal("lp")))));
    assert!(of(double(Expiry::Same(Label::literal("c")))));
}

#[test]
fn the_span_of_days_is_that_of_all_legs() {
    let days = |s: Structure| (s.span().min, s.span().max, s.has_many_expiries());
    assert_eq!(days(shipped().remove(0)), (20, 50, false));
    assert_eq!(days(calendar(Right::Call)), (20, 92, true));
    let mut circle = calendar(Right::Call);
    circle.legs[0] = on(Expiry::Same(Label::literal("far")), circle.legs[0].clone());
    assert_eq!(circle.days_of(0), None, "legs that refer to each other end");
    assert!(!circle.faults().is_empty());
}
