//! The gate's own closing proposals: when the operator flattens, and for leftovers of a broken trade (shares
//! after an assignment, a leg whose partner is gone). They are priced from marks and judged like any other.

use crate::pending::multiplier;
use market::order::{Effect, Leg, Legs, Side};
use market::{Instrument, Label, Money, Price, Timestamp};
use portfolio::proposal::ProposalId;
use portfolio::{Book, ExitReason, Proposal, Purpose, Trade};

/// Least slack beyond the mark a leg: thinly quoted contracts trade in wide ticks.
const SLACK_MIN: Price = Price::from_cents(2);

/// Something of a trade to be closed, one unit of it and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// The legs that close one unit.
    pub legs: Legs,
    /// Units.
    pub units: u32,
}

/// The whole units of a trade, to be closed as one order.
pub fn whole_units(trade: &Trade) -> Option<Rest> {
    let closing = |leg: &Leg| Leg { side: leg.side.opposite(), effect: Effect::Close, ..*leg };
    let units = trade.units();
    (units > 0).then(|| Rest { legs: trade.legs.iter().map(closing).collect(), units })
}

/// The first leftover to be cleared away: shorts before longs, since a short whose cover is gone is the
/// greater risk, and the broker refuses to sell its cover first.
pub fn first_leftover(trade: &Trade) -> Option<Rest> {
    let mut rests = trade.leftovers();
    rests.sort_by_key(|(instrument, quantity)| (*quantity > 0, instrument.contract().is_some(), *instrument));
    let (instrument, quantity) = *rests.first()?;
    Some(Rest {
        legs: Legs::from_iter([leg_that_closes(instrument, quantity)]),
        units: u32::try_from(quantity.unsigned_abs()).ok()?,
    })
}

/// The leg that takes a signed quantity back.
fn leg_that_closes(instrument: Instrument, quantity: i64) -> Leg {
    let side = if quantity > 0 { Side::Sell } else { Side::Buy };
    Leg { instrument, side, effect: Effect::Close, ratio: 1 }
}

/// Why and as what the gate closes something.
#[derive(Clone, Copy, Debug)]
pub struct Reason {
    /// The proposal's id.
    pub id: ProposalId,
    /// Why.
    pub reason: ExitReason,
    /// Slack beyond each mark, basis points.
    pub slack_bps: i64,
    /// Price of the underlying as last heard; shares without a mark are worth it.
    pub spot: Option<Price>,
    /// When.
    pub now: Timestamp,
}

/// The proposal that closes `rest` of `trade`; `None` while one of its legs has no mark.
pub fn proposal(trade: &Trade, rest: Rest, book: &Book, why: Reason) -> Option<Proposal> {
    let (mut mid, mut natural) = (Price::ZERO, Price::ZERO);
    for leg in &rest.legs {
        let mark = price_of(&leg.instrument, book, why.spot)?;
        let slack = Price::from_units(mark.units() * why.slack_bps / 10_000).max(SLACK_MIN);
        // A sell below nothing is not asked for: the worst price of a worthless option is one cent.
        let worst = match leg.side {
            Side::Buy => mark + slack,
            Side::Sell => (mark - slack).max(Price::CENT),
        };
        mid += mark * leg.signed_ratio();
        natural += worst * leg.signed_ratio();
    }
    debug_assert!(multiplier(&rest.legs) > 0);
    Some(Proposal {
        id: why.id,
        underlying: trade.underlying,
        purpose: Purpose::Close { position: trade.id, reason: why.reason },
        legs: rest.legs,
        units: rest.units,
        mid,
        natural: natural.max(mid),
        max_loss: Money::ZERO,
        max_profit: Money::ZERO,
        margin: Money::ZERO,
        confidence: 0.0,
        spot: why.spot.unwrap_or(Price::ZERO),
        at: why.now,
    })
}

fn price_of(instrument: &Instrument, book: &Book, spot: Option<Price>) -> Option<Price> {
    let mark = book.mark(instrument).map(|mark| mark.mid);
    match instrument {
        Instrument::Stock(_) => mark.or(spot),
        Instrument::Option(_) => mark,
    }
}

/// Names the gate's own proposals: `w3.SPY.17.x4`.
pub fn name(trade: &ProposalId, count: u32) -> ProposalId {
    Label::fold(format_args!("{trade}.x{count}"))
}
