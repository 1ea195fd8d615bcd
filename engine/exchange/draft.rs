//! Reading an order as the client wrote it: shape, numbers and words. Whatever needs the market, the calendar
//! or the account's books is checked later.

use crate::asked::{NewLeg, NewOrder};
use crate::order::{Intent, OrderClass, OrderKind, TimeInForce};
use crate::refusal::Refusal;
use arrayvec::ArrayVec;
use market::order::{LEGS_MAX, Side};
use market::{Instrument, Money, Price};

/// A well-formed order.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub class: OrderClass,
    pub kind: OrderKind,
    pub time_in_force: TimeInForce,
    pub units: u32,
    /// As written.
    pub limit: Option<Price>,
    pub client_order_id: Option<String>,
    pub legs: ArrayVec<DraftLeg, LEGS_MAX>,
}

/// A well-formed leg.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DraftLeg {
    pub instrument: Instrument,
    pub side: Side,
    pub intent: Option<Intent>,
    pub ratio: u32,
}

impl DraftLeg {
    pub(crate) const fn signed_ratio(&self) -> i64 {
        self.side.sign() * self.ratio as i64
    }
}

impl Draft {
    pub(crate) const fn is_mleg(&self) -> bool {
        matches!(self.class, OrderClass::Mleg)
    }
    /// The limit as a signed net price.
    pub(crate) fn signed_limit(&self) -> Option<Price> {
        let sign = if self.is_mleg() { 1 } else { self.legs[0].side.sign() };
        self.limit.map(|limit| limit * sign)
    }
}

const MLEG_LEGS: &str = "mleg orders must have at least 2 legs and at most 4 legs";

/// Reads an order; `option_order_max` contracts are the most of one leg.
pub(crate) fn read(asked: &NewOrder, option_order_max: u32) -> Result<Draft, Refusal> {
    if asked.client_order_id.as_ref().is_some_and(|id| id.len() > 128) {
        return Err(Refusal::bad_parameter("client_order_id must be no more than 128 characters"));
    }
    let mut draft = match asked.order_class.as_deref() {
        None | Some("" | "simple") => simple(asked)?,
        Some("mleg") => package(asked)?,
        Some("bracket" | "oco" | "oto") => return Err(complex(asked)),
        Some(_) => return Err(Refusal::bad_parameter("invalid order class")),
    };
    draft.client_order_id = asked.client_order_id.clone().filter(|id| !id.is_empty());
    let options = draft.legs.iter().filter(|leg| leg.instrument.contract().is_some());
    let most = options.map(|leg| u64::from(draft.units) * u64::from(leg.ratio)).max();
    if most.is_some_and(|most| most > u64::from(option_order_max)) {
        return Err(Refusal::unprocessable(format!("options order qty must be <= {option_order_max}")));
    }
    if draft.units > SHARES_MAX {
        return Err(Refusal::bad_parameter(format!("qty must be <= {SHARES_MAX}")));
    }
    Ok(draft)
}

fn complex(asked: &NewOrder) -> Refusal {
    let option = asked.symbol.as_deref().and_then(Instrument::parse).and_then(|i| i.contract()).is_some();
    Refusal::unprocessable(if option {
        "complex orders not supported for options trading"
    } else {
        "complex orders are not supported"
    })
}

fn simple(asked: &NewOrder) -> Result<Draft, Refusal> {
    let symbol = asked.symbol.as_deref().filter(|s| !s.is_empty());
    let symbol = symbol.ok_or_else(|| Refusal::unprocessable("invalid symbol"))?;
    let instrument = Instrument::parse(symbol)
        .ok_or_else(|| Refusal::unprocessable(format!("asset \"{symbol}\" not found")))?;
    let option = instrument.contract().is_some();
    let units = units(asked, option)?;
    let side = side(asked.side.as_deref()).ok_or_else(|| Refusal::bad_parameter("invalid side"))?;
    let kind = simple_kind(asked.kind.as_deref(), option)?;
    let time_in_force = simple_time_in_force(asked.time_in_force.as_deref(), option)?;
    if asked.extended_hours {
        return Err(Refusal::unprocessable(if option {
            "extended hours is not supported for options trading"
        } else {
            "extended hours is not supported"
        }));
    }
    let limit = simple_limit(asked, kind, option)?;
    let intent = intent(asked.position_intent.as_deref(), "invalid position_intent")?;
    let leg = DraftLeg { instrument, side, intent, ratio: 1 };
    let legs = [leg].into_iter().collect();
    Ok(Draft { class: OrderClass::Simple, kind, time_in_force, units, limit, client_order_id: None, legs })
}

fn simple_kind(word: Option<&str>, option: bool) -> Result<OrderKind, Refusal> {
    match word {
        Some("market") => Ok(OrderKind::Market),
        Some("limit") => Ok(OrderKind::Limit),
        _ if option => Err(Refusal::unprocessable("invalid order type for options trading")),
        _ => Err(Refusal::bad_parameter("invalid order type")),
    }
}

fn simple_time_in_force(word: Option<&str>, option: bool) -> Result<TimeInForce, Refusal> {
    match word {
        Some("day") => Ok(TimeInForce::Day),
        Some("gtc") => Ok(TimeInForce::Gtc),
        Some("ioc" | "fok" | "opg" | "cls") if option => {
            Err(Refusal::unprocessable("order_time_in_force provided not supported for options trading"))
        }
        _ if option => Err(Refusal::unprocessable("invalid option time_in_force")),
        _ => Err(Refusal::bad_parameter("invalid time_in_force")),
    }
}

fn simple_limit(asked: &NewOrder, kind: OrderKind, option: bool) -> Result<Option<Price>, Refusal> {
    if asked.stop_price.is_some() {
        return Err(Refusal::bad_parameter(format!("{kind} orders require no stop price")));
    }
    match (kind, asked.limit_price.as_deref()) {
        (OrderKind::Market, Some(_)) => {
            Err(Refusal::bad_parameter("market orders require no stop or limit price"))
        }
        (OrderKind::Market, None) => Ok(None),
        (OrderKind::Limit, None) => Err(Refusal::bad_parameter("limit orders require a limit price")),
        (OrderKind::Limit, Some(text)) => {
            let limit = price(text, option)?;
            if limit <= Price::ZERO {
                return Err(Refusal::bad_parameter("limit price must be > 0"));
            }
            Ok(Some(limit))
        }
    }
}

fn package(asked: &NewOrder) -> Result<Draft, Refusal> {
    if !(2..=LEGS_MAX).contains(&asked.legs.len()) {
        return Err(Refusal::unprocessable(MLEG_LEGS));
    }
    let units = units(asked, true)?;
    let kind = match asked.kind.as_deref() {
        Some("market") => OrderKind::Market,
        Some("limit") => OrderKind::Limit,
        _ => return Err(Refusal::unprocessable("invalid order type for options trading")),
    };
    let time_in_force = match asked.time_in_force.as_deref() {
        Some("day") => TimeInForce::Day,
        Some("gtc") => TimeInForce::Gtc,
        _ => return Err(Refusal::unprocessable("invalid time in force")),
    };
    if asked.extended_hours {
        return Err(Refusal::unprocessable("extended hours is not supported for options trading"));
    }
    let limit = package_limit(kind, asked.limit_price.as_deref())?;
    let mut legs = ArrayVec::<DraftLeg, LEGS_MAX>::new();
    for (i, leg) in asked.legs.iter().enumerate() {
        let leg = package_leg(i, leg)?;
        if legs.iter().any(|other| other.instrument == leg.instrument) {
            return Err(Refusal::unprocessable("leg symbols must be distinct"));
        }
        legs.push(leg);
    }
    if legs.iter().fold(0, |g, leg| greatest_common_divisor(g, leg.ratio)) != 1 {
        return Err(Refusal::unprocessable("leg ratio quantities must be in their simplest form"));
    }
    Ok(Draft { class: OrderClass::Mleg, kind, time_in_force, units, limit, client_order_id: None, legs })
}

fn package_limit(kind: OrderKind, text: Option<&str>) -> Result<Option<Price>, Refusal> {
    match (kind, text) {
        (OrderKind::Market, None) => Ok(None),
        (OrderKind::Market, Some(_)) => {
            Err(Refusal::unprocessable("limit price is only valid for limit orders"))
        }
        (OrderKind::Limit, None) => Err(Refusal::unprocessable("limit price is required for limit orders")),
        (OrderKind::Limit, Some(text)) => price(text, true).map(Some),
    }
}

fn package_leg(i: usize, asked: &NewLeg) -> Result<DraftLeg, Refusal> {
    let symbol = asked.symbol.as_deref().unwrap_or("");
    let instrument = match Instrument::parse(symbol) {
        Some(instrument @ Instrument::Option(_)) => instrument,
        Some(Instrument::Stock(_)) => {
            let text = "equity legs are allowed only with a corresponding amount of call contracts";
            return Err(Refusal::unprocessable(text));
        }
        None => return Err(Refusal::unprocessable(format!("asset not found for {symbol}"))),
    };
    let unknown = format!("leg.{i} position intent is required");
    let intent = intent(asked.position_intent.as_deref(), &unknown)?;
    let intent = intent.ok_or_else(|| Refusal::unprocessable(unknown))?;
    let side = match asked.side.as_deref() {
        None | Some("") => intent.side(),
        word => side(word).ok_or_else(|| Refusal::bad_parameter("invalid side"))?,
    };
    if side != intent.side() {
        return Err(Refusal::unprocessable(format!("leg.{i} side does not match position intent {intent}")));
    }
    let ratio = match asked.ratio_qty.as_deref() {
        None => 1,
        Some(text) => {
            let bad = || Refusal::unprocessable(format!("leg.{i} ratio_qty must be a positive integer"));
            whole(text).filter(|n| *n > 0).ok_or_else(bad)?
        }
    };
    Ok(DraftLeg { instrument, side, intent: Some(intent), ratio })
}

fn side(word: Option<&str>) -> Option<Side> {
    match word {
        Some("buy") => Some(Side::Buy),
        Some("sell") => Some(Side::Sell),
        _ => None,
    }
}

fn intent(word: Option<&str>, unknown: &str) -> Result<Option<Intent>, Refusal> {
    match word {
        None | Some("") => Ok(None),
        Some(word) => Intent::from_word(word).map(Some).ok_or_else(|| Refusal::unprocessable(unknown)),
    }
}

fn units(asked: &NewOrder, option: bool) -> Result<u32, Refusal> {
    if asked.notional.is_some() {
        return Err(if option {
            Refusal::unprocessable("notional orders are not supported for options trading")
        } else {
            Refusal::forbidden("requested asset is not fractionable")
        });
    }
    match asked.qty.as_deref() {
        None => Err(Refusal::bad_parameter("qty or notional is required")),
        Some(text) => quantity(text, option),
    }
}

/// Reads a quantity: `2`, `2.0`; the rest is refused by its kind.
pub(crate) fn quantity(text: &str, option: bool) -> Result<u32, Refusal> {
    let amount: Money = text.trim().parse().map_err(|_| Refusal::bad_parameter("qty must be > 0"))?;
    if amount <= Money::ZERO {
        return Err(Refusal::bad_parameter("qty must be > 0"));
    }
    whole(text).ok_or_else(|| {
        if option {
            Refusal::unprocessable("qty must be integer for options trading")
        } else {
            Refusal::forbidden("requested asset is not fractionable")
        }
    })
}

fn whole(text: &str) -> Option<u32> {
    let micros = text.trim().parse::<Money>().ok()?.micros();
    (micros % Money::PER_DOLLAR == 0).then(|| u32::try_from(micros / Money::PER_DOLLAR).ok()).flatten()
}

/// Reads a price on its grid: cents for options and shares from a dollar up, else hundredths of a cent.
pub(crate) fn price(text: &str, option: bool) -> Result<Price, Refusal> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if !numeric {
        return Err(Refusal::unprocessable("invalid limit price"));
    }
    let price: Price = text.parse().map_err(|_| Refusal::sub_penny(text))?;
    if price.abs() > PRICE_MAX {
        return Err(Refusal::unprocessable("invalid limit price"));
    }
    let fine = !option && price.abs() < Price::from_cents(100);
    if !fine && price.units() % Price::CENT.units() != 0 {
        return Err(Refusal::sub_penny(text));
    }
    Ok(price)
}

/// Beyond these nothing is meant seriously, and sums could overflow: a million dollars a share, a million shares.
const PRICE_MAX: Price = Price::from_cents(100_000_000);
const SHARES_MAX: u32 = 1_000_000;

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
