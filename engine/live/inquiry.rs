//! Questions to the broker's REST side, answered in our words. Rows that cannot be read are an error where money
//! depends on them, and left out where only a choice does.

use alpaca::orders::BadOrder;
use alpaca::rest::{Rest, RestError};
use market::order::{Account, ActivityNote, Holding, Report};
use market::quote::{Bar, OpenInterest, Timeframe};
use market::{Contract, Date, Instrument, Price, Symbol, Timestamp};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The call failed.
    #[error(transparent)]
    Call(#[from] RestError),
    /// The answer holds a row that cannot be read.
    #[error("the broker's answer cannot be read: {0}")]
    Row(#[from] BadOrder),
}

/// An open order.
#[derive(Clone, Debug)]
pub struct OpenOrder {
    /// That it is open, in our words; `None` when its id is none that we could have made.
    pub report: Option<Report>,
    /// The option contracts it trades.
    pub contracts: Vec<Contract>,
}

impl OpenOrder {
    fn of(order: &alpaca::orders::Order) -> Self {
        // Legs that cannot be read are legs we cannot listen to.
        let legs = order.our_legs().unwrap_or_default();
        let contracts = legs.iter().filter_map(|leg| leg.instrument.contract()).collect();
        Self { report: order.answer(), contracts }
    }
}

/// Asks.
pub struct Inquiry {
    rest: Rest,
}

impl Inquiry {
    /// Asks through `rest`.
    pub fn new(rest: Rest) -> Self {
        Self { rest }
    }

    /// The venue's time.
    pub async fn time(&self) -> Result<Timestamp, Unanswered> {
        Ok(self.rest.clock().await?.timestamp)
    }

    /// The account, stamped `at`.
    pub async fn account(&self, at: Timestamp) -> Result<Account, Unanswered> {
        Ok(self.rest.account().await?.account(at)?)
    }

    /// Everything held.
    pub async fn holdings(&self) -> Result<Vec<Holding>, Unanswered> {
        let rows = self.rest.positions().await?;
        Ok(rows.iter().map(alpaca::account::PositionBody::holding).collect::<Result<_, _>>()?)
    }

    /// Every order that is open, whoever sent it.
    pub async fn open_orders(&self) -> Result<Vec<OpenOrder>, Unanswered> {
        Ok(self.rest.open_orders().await?.iter().map(OpenOrder::of).collect())
    }

    /// What happened besides trading since the start of `date`, oldest first.
    pub async fn activities(&self, date: Date) -> Result<Vec<ActivityNote>, Unanswered> {
        let rows = self.rest.activities_after("", date.midnight_utc()).await?;
        let notes: Result<Vec<Option<ActivityNote>>, BadOrder> = rows.iter().map(|row| row.note()).collect();
        Ok(notes?.into_iter().flatten().collect())
    }

    /// Bars of several symbols, each symbol's oldest first.
    pub async fn bars(
        &self,
        symbols: &[Symbol],
        timeframe: Timeframe,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Symbol, Bar)>, Unanswered> {
        let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let found = self.rest.stock_bars(&names, timeframe, from, to).await?;
        let mut bars = Vec::new();
        for (name, rows) in found {
            let Some(symbol) = symbols.iter().find(|s| s.as_str() == name) else { continue };
            bars.extend(rows.iter().filter_map(|row| row.bar()).map(|bar| (*symbol, bar)));
        }
        Ok(bars)
    }

    /// Standard contracts of an underlying that expire within the dates, with what is known of their open interest.
    pub async fn contracts(
        &self,
        underlying: Symbol,
        first: Date,
        last: Date,
    ) -> Result<Vec<(Contract, Option<OpenInterest>)>, Unanswered> {
        let rows = self.rest.contracts(&[underlying.as_str()], first, last).await?;
        Ok(rows
            .iter()
            .filter(|row| row.is_standard())
            .filter_map(|row| row.contract().map(|c| (c, row.open_interest())))
            .collect())
    }

    /// The last price of each symbol.
    pub async fn last_prices(&self, symbols: &[Symbol]) -> Result<Vec<(Symbol, Price)>, Unanswered> {
        let names: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let found = self.rest.latest_stock_trades(&names).await?;
        let price = |symbol: &Symbol| {
            let row = found.get(symbol.as_str())?;
            Some((*symbol, row.trade(&Instrument::Stock(*symbol))?.price))
        };
        Ok(symbols.iter().filter_map(price).collect())
    }
}
