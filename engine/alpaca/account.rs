//! What the trading REST tells besides orders: account, clock, calendar, assets, contracts, positions,
//! activities, portfolio history, and the body of a refusal.

use crate::decimal::Decimal;
use crate::orders::{BadOrder, decimal_or_zero, text_or_empty, time_or_none};
use crate::words::{ActivityType, AssetClass, OrderStatus, PositionSide, SideWord};
use market::order::{Activity, ActivityNote, Holding, ReasonText, fold_id};
use market::quote::OpenInterest;
use market::{Contract, Date, Instrument, Label, Money, Right, Symbol, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /account`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountBody {
    /// A UUID.
    pub id: String,
    /// The account's number.
    pub account_number: String,
    /// `ACTIVE`, or no trading.
    pub status: String,
    /// Status for crypto.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub crypto_status: String,
    /// `USD`.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub currency: String,
    /// Cash.
    pub cash: Decimal,
    /// Deprecated twin of `equity`.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub portfolio_value: Decimal,
    /// Cash plus long plus (negative) short market value.
    pub equity: Decimal,
    /// Equity at the previous close.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub last_equity: Decimal,
    /// The date `last_equity` is of.
    #[serde(default)]
    pub balance_asof: Option<String>,
    /// Margin buying power for shares.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub buying_power: Decimal,
    /// Overnight buying power.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub regt_buying_power: Decimal,
    /// Cash-like buying power.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub non_marginable_buying_power: Decimal,
    /// What option orders may use.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub options_buying_power: Decimal,
    /// Market value of longs.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub long_market_value: Decimal,
    /// Market value of shorts, zero or negative.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub short_market_value: Decimal,
    /// Initial margin.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub initial_margin: Decimal,
    /// Maintenance margin.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub maintenance_margin: Decimal,
    /// Maintenance margin at the previous close.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub last_maintenance_margin: Decimal,
    /// Special memorandum account.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub sma: Decimal,
    /// 1, 2 or 4.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub multiplier: Decimal,
    /// May sell short.
    #[serde(default)]
    pub shorting_enabled: bool,
    /// Fees not yet booked.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub accrued_fees: Decimal,
    /// Regulatory fees not yet booked.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub pending_reg_taf_fees: Decimal,
    /// Cash on its way in.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub pending_transfer_in: Decimal,
    /// Cash on its way out.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub pending_transfer_out: Decimal,
    /// Adjustments of the day.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub intraday_adjustments: Decimal,
    /// Option level the broker granted, 0 to 3.
    #[serde(default)]
    pub options_approved_level: Option<u8>,
    /// Option level in force, 0 to 3.
    #[serde(default)]
    pub options_trading_level: Option<u8>,
    /// No trading.
    #[serde(default)]
    pub trading_blocked: bool,
    /// No transfers.
    #[serde(default)]
    pub transfers_blocked: bool,
    /// Nothing.
    #[serde(default)]
    pub account_blocked: bool,
    /// The user's own switch.
    #[serde(default)]
    pub trade_suspended_by_user: bool,
    /// When the account was opened.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl AccountBody {
    /// An active account with only an identity and cash; everything else is zero. For servers.
    pub fn bare(id: String, account_number: String, cash: Decimal, created_at: Timestamp) -> Self {
        Self {
            id,
            account_number,
            status: "ACTIVE".into(),
            crypto_status: "INACTIVE".into(),
            currency: "USD".into(),
            cash,
            portfolio_value: cash,
            equity: cash,
            last_equity: cash,
            balance_asof: None,
            buying_power: cash,
            regt_buying_power: cash,
            non_marginable_buying_power: cash,
            options_buying_power: cash,
            long_market_value: Decimal::ZERO,
            short_market_value: Decimal::ZERO,
            initial_margin: Decimal::ZERO,
            maintenance_margin: Decimal::ZERO,
            last_maintenance_margin: Decimal::ZERO,
            sma: Decimal::ZERO,
            multiplier: Decimal::whole(1),
            shorting_enabled: true,
            accrued_fees: Decimal::ZERO,
            pending_reg_taf_fees: Decimal::ZERO,
            pending_transfer_in: Decimal::ZERO,
            pending_transfer_out: Decimal::ZERO,
            intraday_adjustments: Decimal::ZERO,
            options_approved_level: Some(3),
            options_trading_level: Some(3),
            trading_blocked: false,
            transfers_blocked: false,
            account_blocked: false,
            trade_suspended_by_user: false,
            created_at,
        }
    }

    /// The account in our words, as asked at `at`.
    pub fn account(&self, at: Timestamp) -> Result<market::order::Account, BadOrder> {
        let money = |field: &'static str, value: Decimal| {
            value.to_money().ok_or_else(|| BadOrder::Invalid {
                id: self.account_number.clone(),
                field,
                found: value.to_string(),
            })
        };
        let blocked = self.trading_blocked || self.account_blocked || self.trade_suspended_by_user;
        Ok(market::order::Account {
            cash: money("cash", self.cash)?,
            equity: money("equity", self.equity)?,
            options_buying_power: money("options_buying_power", self.options_buying_power)?,
            may_trade: self.status == "ACTIVE" && !blocked,
            at,
        })
    }
}

/// `GET`/`PATCH /account/configurations`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountConfiguration {
    /// Fractions of shares allowed.
    pub fractional_trading: bool,
    /// `"1"`, `"2"` or `"4"`.
    pub max_margin_multiplier: String,
    /// Long only.
    pub no_shorting: bool,
    /// The venue-side kill switch for new orders.
    pub suspend_trade: bool,
    /// `all` or `none`.
    pub trade_confirm_email: String,
    /// Demanded by the SDK.
    pub ptp_no_exception_entry: bool,
    /// 0 to 3, or none.
    pub max_options_trading_level: Option<u8>,
    /// No overnight session.
    pub disable_overnight_trading: bool,
}

impl Default for AccountConfiguration {
    /// What the broker gives a new account.
    fn default() -> Self {
        Self {
            fractional_trading: true,
            max_margin_multiplier: "4".into(),
            no_shorting: false,
            suspend_trade: false,
            trade_confirm_email: "all".into(),
            ptp_no_exception_entry: false,
            max_options_trading_level: None,
            disable_overnight_trading: false,
        }
    }
}

/// `GET /clock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockBody {
    /// The venue's time.
    pub timestamp: Timestamp,
    /// True during the regular session.
    pub is_open: bool,
    /// The next opening.
    pub next_open: Timestamp,
    /// The next close.
    pub next_close: Timestamp,
}

/// One trading day of `GET /calendar`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarDay {
    /// The date.
    pub date: Date,
    /// New York opening time, `HH:MM`.
    pub open: String,
    /// New York closing time, `HH:MM`.
    pub close: String,
    /// Start of extended hours, `HHMM`.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub session_open: String,
    /// End of extended hours, `HHMM`.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub session_close: String,
    /// When trades of the day settle.
    #[serde(default)]
    pub settlement_date: Option<Date>,
}

/// `GET /assets/{symbol-or-id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// A UUID.
    pub id: String,
    /// Shares or crypto; options are not assets.
    pub class: AssetClass,
    /// Where it is listed.
    pub exchange: String,
    /// Ticker.
    pub symbol: String,
    /// Name.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub name: String,
    /// `active` or `inactive`.
    pub status: String,
    /// May be traded.
    pub tradable: bool,
    /// May be bought on margin.
    #[serde(default)]
    pub marginable: bool,
    /// May be sold short.
    #[serde(default)]
    pub shortable: bool,
    /// Deprecated, demanded by the SDK.
    #[serde(default)]
    pub easy_to_borrow: bool,
    /// `easy_to_borrow` and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow_status: Option<String>,
    /// Fractions allowed.
    #[serde(default)]
    pub fractionable: bool,
    /// Percent; a JSON number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_margin_requirement: Option<f64>,
    /// Percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_requirement_long: Option<Decimal>,
    /// Percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_requirement_short: Option<Decimal>,
    /// `has_options`, `options_late_close` and the like.
    #[serde(default)]
    pub attributes: Vec<String>,
}

/// One contract of `GET /options/contracts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractBody {
    /// A UUID.
    pub id: String,
    /// OCC symbol, unpadded.
    pub symbol: String,
    /// `SPY Apr 17 2026 560 Put`.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub name: String,
    /// `active` or `inactive`.
    pub status: String,
    /// May be traded.
    pub tradable: bool,
    /// Expiration date.
    pub expiration_date: Date,
    /// Root of the symbol.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub root_symbol: String,
    /// The underlying's ticker.
    pub underlying_symbol: String,
    /// The underlying's asset id.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub underlying_asset_id: String,
    /// Call or put.
    #[serde(rename = "type")]
    pub right: Right,
    /// `american` or `european`.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub style: String,
    /// Strike.
    pub strike_price: Decimal,
    /// Premium multiplier.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub multiplier: Decimal,
    /// Shares delivered.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub size: Decimal,
    /// Open interest of the previous session.
    #[serde(default)]
    pub open_interest: Option<Decimal>,
    /// The session it is of.
    #[serde(default)]
    pub open_interest_date: Option<Date>,
    /// Previous closing price.
    #[serde(default)]
    pub close_price: Option<Decimal>,
    /// The session it is of.
    #[serde(default)]
    pub close_price_date: Option<Date>,
    /// Penny-increment class.
    #[serde(default)]
    pub ppind: Option<bool>,
}

impl ContractBody {
    /// The contract in our words; `None` when its symbol is not an OCC symbol.
    pub fn contract(&self) -> Option<Contract> {
        Contract::parse_occ(self.symbol.as_bytes())
    }
    /// True when it is a plain contract on 100 shares that may be opened.
    pub fn is_standard(&self) -> bool {
        let hundred = Decimal::whole(market::contract::MULTIPLIER);
        self.tradable
            && self.status == "active"
            && self.multiplier == hundred
            && self.size == hundred
            && self.contract().is_some_and(|c| !c.is_adjusted())
    }
    /// Its open interest, when the venue knows it.
    pub fn open_interest(&self) -> Option<OpenInterest> {
        let contracts = u32::try_from(self.open_interest?.to_whole()?).ok()?;
        Some(OpenInterest { contract: self.contract()?, contracts, as_of: self.open_interest_date? })
    }
}

/// A page of `GET /options/contracts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractPage {
    /// The contracts.
    #[serde(default)]
    pub option_contracts: Vec<ContractBody>,
    /// Token of the next page.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

/// One row of `GET /positions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PositionBody {
    /// Asset or contract id.
    pub asset_id: String,
    /// Ticker or OCC symbol.
    pub symbol: String,
    /// Empty for options.
    #[serde(default, deserialize_with = "text_or_empty")]
    pub exchange: String,
    /// Shares or option.
    #[serde(default)]
    pub asset_class: AssetClass,
    /// May be held on margin.
    #[serde(default)]
    pub asset_marginable: Option<bool>,
    /// Signed quantity.
    pub qty: Decimal,
    /// Long or short.
    #[serde(default)]
    pub side: PositionSide,
    /// Dollars per share.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub avg_entry_price: Decimal,
    /// Dollars, negative for shorts, multiplier included.
    #[serde(default, deserialize_with = "decimal_or_zero")]
    pub cost_basis: Decimal,
    /// Dollars, negative for shorts, multiplier included.
    #[serde(default)]
    pub market_value: Option<Decimal>,
    /// Dollars per share.
    #[serde(default)]
    pub current_price: Option<Decimal>,
    /// Dollars per share at the previous close.
    #[serde(default)]
    pub lastday_price: Option<Decimal>,
    /// Fraction.
    #[serde(default)]
    pub change_today: Option<Decimal>,
    /// Dollars.
    #[serde(default)]
    pub unrealized_pl: Option<Decimal>,
    /// Fraction.
    #[serde(default)]
    pub unrealized_plpc: Option<Decimal>,
    /// Dollars.
    #[serde(default)]
    pub unrealized_intraday_pl: Option<Decimal>,
    /// Fraction.
    #[serde(default)]
    pub unrealized_intraday_plpc: Option<Decimal>,
    /// Quantity not held by open closing orders.
    #[serde(default)]
    pub qty_available: Option<Decimal>,
}

impl PositionBody {
    /// The position in our words. Fractional shares are an error: this program never makes any.
    pub fn holding(&self) -> Result<Holding, BadOrder> {
        let bad = |field, found: String| BadOrder::Invalid { id: self.symbol.clone(), field, found };
        let instrument = Instrument::parse(&self.symbol).ok_or_else(|| bad("symbol", self.symbol.clone()))?;
        let quantity = self.qty.to_whole().ok_or_else(|| bad("qty", self.qty.to_string()))?;
        // Older servers wrote shorts without a sign; the side tells.
        let short = self.side == PositionSide::Short;
        Ok(Holding { instrument, quantity: if short { -quantity.abs() } else { quantity } })
    }
}

/// One row of `GET /account/activities`: a trade, or anything else. Absent fields are not written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActivityBody {
    /// The kind of row.
    pub activity_type: ActivityType,
    /// Time and UUID joined by `::`; also the page token.
    pub id: String,
    /// `fill` or `partial_fill`, on trades.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When, on trades.
    #[serde(deserialize_with = "time_or_none", skip_serializing_if = "Option::is_none")]
    pub transaction_time: Option<Timestamp>,
    /// Booking date, on everything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
    /// Signed cash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_amount: Option<Decimal>,
    /// A text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Ticker or OCC symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Of a trade.
    #[serde(skip_serializing_if = "SideWord::is_blank")]
    pub side: SideWord,
    /// Quantity: unsigned on trades, else the change that flattens the option, or signed shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qty: Option<Decimal>,
    /// Dollars per share; the strike on deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Decimal>,
    /// Quantity filled so far, on trades.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cum_qty: Option<Decimal>,
    /// Quantity left, on trades.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves_qty: Option<Decimal>,
    /// The venue's order id, on trades.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The order's status, on trades.
    #[serde(skip_serializing_if = "OrderStatus::is_blank")]
    pub order_status: OrderStatus,
    /// `executed`, `correct`, `canceled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Joins an exercise or assignment to its delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Kind of fee: ORF, OCC, TAF, REG, CAT, COM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_sub_type: Option<String>,
}

impl ActivityBody {
    /// The row in our words; `Ok(None)` for trades, which the order stream tells.
    pub fn note(&self) -> Result<Option<ActivityNote>, BadOrder> {
        let activity = match self.activity_type {
            ActivityType::Fill => return Ok(None),
            ActivityType::OptionExpiry => {
                Activity::Expired { contract: self.contract()?, quantity: self.quantity()? }
            }
            ActivityType::OptionAssignment => {
                Activity::Assigned { contract: self.contract()?, quantity: self.quantity()? }
            }
            ActivityType::OptionExercise => {
                Activity::Exercised { contract: self.contract()?, quantity: self.quantity()? }
            }
            ActivityType::OptionTrade => Activity::Delivered {
                symbol: self.ticker()?,
                shares: self.quantity()?,
                price: self.price.and_then(Decimal::to_price).ok_or_else(|| self.missing("price"))?,
            },
            ActivityType::OptionCash => Activity::CashSettled {
                contract: self.contract()?,
                quantity: self.quantity()?,
                amount: self.amount()?,
            },
            ActivityType::Fee => Activity::Fee { kind: self.fee_kind(), amount: self.amount()? },
            other => Activity::Cash {
                kind: Label::format(format_args!("{}", other.as_str())),
                amount: self.net_amount.and_then(Decimal::to_money).unwrap_or(Money::ZERO),
            },
        };
        Ok(Some(ActivityNote { id: fold_id(&self.id), date: self.booked_on()?, activity }))
    }

    fn fee_kind(&self) -> Label {
        Label::format(format_args!("{}", self.activity_sub_type.as_deref().unwrap_or("FEE")))
    }

    fn missing(&self, field: &'static str) -> BadOrder {
        BadOrder::Missing { id: self.id.clone(), field }
    }

    fn booked_on(&self) -> Result<Date, BadOrder> {
        self.date
            .or_else(|| self.transaction_time.map(|t| t.new_york().0))
            .ok_or_else(|| self.missing("date"))
    }

    fn quantity(&self) -> Result<i64, BadOrder> {
        self.qty.and_then(Decimal::to_whole).ok_or_else(|| self.missing("qty"))
    }

    fn amount(&self) -> Result<Money, BadOrder> {
        self.net_amount.and_then(Decimal::to_money).ok_or_else(|| self.missing("net_amount"))
    }

    fn contract(&self) -> Result<Contract, BadOrder> {
        let text = self.symbol.as_deref().ok_or_else(|| self.missing("symbol"))?;
        Contract::parse_occ(text.as_bytes()).ok_or_else(|| BadOrder::Invalid {
            id: self.id.clone(),
            field: "symbol",
            found: text.chars().take(60).collect(),
        })
    }

    fn ticker(&self) -> Result<Symbol, BadOrder> {
        self.symbol.as_deref().and_then(|s| s.parse().ok()).ok_or_else(|| self.missing("symbol"))
    }
}

/// `GET /account/portfolio/history`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PortfolioHistory {
    /// Unix seconds, left edges.
    pub timestamp: Vec<i64>,
    /// Equity in dollars; the venue may send null for a moment without data.
    pub equity: Vec<Option<f64>>,
    /// Profit in dollars.
    pub profit_loss: Vec<Option<f64>>,
    /// Profit as a fraction.
    pub profit_loss_pct: Vec<Option<f64>>,
    /// Equity the profits are counted from.
    pub base_value: f64,
    /// The date it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_value_asof: Option<String>,
    /// `5Min` and so on.
    pub timeframe: String,
    /// Cash flows by type; an object, never null.
    #[serde(default)]
    pub cashflow: BTreeMap<String, serde_json::Value>,
}

/// The body of a refusal. Authentication failures come without a code, gateways may send no JSON at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// The venue's code, whose first three digits repeat an HTTP class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// A text; not stable.
    pub message: String,
    /// Whatever else the error carries (`symbol`, `available`, `buying_power`); numbers are usually strings.
    #[serde(flatten)]
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl ErrorBody {
    /// An error with code and message.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code: Some(code), message: message.into(), extra: BTreeMap::new() }
    }
    /// The same with one more key.
    pub fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.extra.insert(key.into(), value.into());
        self
    }
    /// The message as a record keeps it.
    pub fn reason(&self) -> ReasonText {
        ReasonText::format(format_args!("{}", self.message))
    }
}

/// One item of a 207 answer to `DELETE /orders`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BulkCancelItem {
    /// The venue's order id.
    pub id: String,
    /// HTTP status of this item.
    pub status: u16,
    /// The refusal, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<ErrorBody>,
}

/// One item of a 207 answer to `DELETE /positions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BulkCloseItem {
    /// Ticker or OCC symbol.
    pub symbol: String,
    /// HTTP status of this item.
    pub status: u16,
    /// The closing order, or the refusal; never null.
    pub body: serde_json::Value,
}
