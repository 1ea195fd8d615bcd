//! The trading calls.

use super::{Api, Call, Failure, Rest, RestError, each_page, percent_encode, read};
use crate::account::{
    AccountBody, ActivityBody, Asset, CalendarDay, ClockBody, ContractBody, ContractPage, PortfolioHistory,
    PositionBody,
};
use crate::orders::{NewOrder, Order, ReplaceOrder};
use hyper::Method;
use market::{Date, Timestamp};

/// Contracts in one page (the most the venue gives).
const CONTRACTS_PAGE: &str = "10000";
/// Orders in one page (the most the venue gives).
const ORDERS_PAGE: usize = 500;
/// Activities in one page (the most the venue gives).
const ACTIVITIES_PAGE: usize = 100;

/// The answer to an order request, and when its bytes were written to the socket (monotonic nanoseconds).
pub struct Sent<T> {
    /// The answer, or what went wrong.
    pub reply: Result<T, RestError>,
    /// When the last bytes of the request were written; `None` when none were.
    pub written_ns: Option<u64>,
}

impl Rest {
    /// The account.
    pub async fn account(&self) -> Result<AccountBody, RestError> {
        self.ask(Call::get(Api::Trading, "/v2/account", &[])).await
    }

    /// The venue's time and the next opening and close.
    pub async fn clock(&self) -> Result<ClockBody, RestError> {
        self.ask(Call::get(Api::Trading, "/v2/clock", &[])).await
    }

    /// Trading days from `start` to `end`, both included.
    pub async fn calendar(&self, start: Date, end: Date) -> Result<Vec<CalendarDay>, RestError> {
        let (start, end) = (start.to_string(), end.to_string());
        self.ask(Call::get(Api::Trading, "/v2/calendar", &[("start", &start), ("end", &end)])).await
    }

    /// One asset by ticker or id.
    pub async fn asset(&self, symbol: &str) -> Result<Asset, RestError> {
        self.ask(Call::get(Api::Trading, &with_id("/v2/assets/", symbol), &[])).await
    }

    /// Active shares.
    pub async fn assets(&self) -> Result<Vec<Asset>, RestError> {
        let query = [("status", "active"), ("asset_class", "us_equity")];
        self.ask(Call::get(Api::Trading, "/v2/assets", &query)).await
    }

    /// All active contracts of the underlyings that expire from `first` to `last`, both included. The bounds
    /// are always sent: without them the venue answers with this week's contracts only.
    pub async fn contracts(
        &self,
        underlyings: &[&str],
        first: Date,
        last: Date,
    ) -> Result<Vec<ContractBody>, RestError> {
        let path = "/v2/options/contracts";
        let (symbols, first, last) = (underlyings.join(","), first.to_string(), last.to_string());
        let mut all = Vec::new();
        each_page(path, async |token| {
            let query = [
                ("underlying_symbols", symbols.as_str()),
                ("status", "active"),
                ("expiration_date_gte", &first),
                ("expiration_date_lte", &last),
                ("limit", CONTRACTS_PAGE),
                ("page_token", token.unwrap_or_default()),
            ];
            let page: ContractPage = self.ask(Call::get(Api::Trading, path, &query)).await?;
            all.extend(page.option_contracts);
            Ok(page.next_page_token)
        })
        .await?;
        Ok(all)
    }

    /// Sends a new order. Never sent twice: when the outcome is unknown, look the client id up.
    pub async fn submit(&self, order: &NewOrder) -> Sent<Order> {
        self.change(Method::POST, "/v2/orders", serde_json::to_vec(order)).await
    }

    /// Replaces a working order, by the venue's id.
    pub async fn replace(&self, venue_id: &str, body: &ReplaceOrder) -> Sent<Order> {
        self.change(Method::PATCH, &with_id("/v2/orders/", venue_id), serde_json::to_vec(body)).await
    }

    /// Asks to cancel an order, by the venue's id. `Ok` means that it was asked for; it is done when the
    /// trading stream says so.
    pub async fn cancel(&self, venue_id: &str) -> Sent<()> {
        let path = with_id("/v2/orders/", venue_id);
        let call = Call { urgent: true, method: Method::DELETE, ..Call::get(Api::Trading, &path, &[]) };
        match self.send(call).await {
            Ok(answer) => Sent { reply: Ok(()), written_ns: answer.written_ns },
            Err(Failure { error, written_ns }) => Sent { reply: Err(error), written_ns },
        }
    }

    async fn change(
        &self,
        method: Method,
        path: &str,
        body: Result<Vec<u8>, serde_json::Error>,
    ) -> Sent<Order> {
        let name = format!("{method} {path}");
        let body = match body {
            Ok(body) => Some(body),
            Err(e) => {
                let error = RestError::NotSent { call: name, why: e.to_string() };
                return Sent { reply: Err(error), written_ns: None };
            }
        };
        let call = Call { urgent: true, method, body, ..Call::get(Api::Trading, path, &[]) };
        match self.send(call).await {
            Ok(answer) => Sent { reply: read(&name, &answer.body), written_ns: answer.written_ns },
            Err(Failure { error, written_ns }) => Sent { reply: Err(error), written_ns },
        }
    }

    /// One order by our id. Urgent when a replacement or a cancel waits for it; else it leaves the last of the
    /// rate limit to these.
    pub async fn order_by_client_id(&self, client_order_id: &str, urgent: bool) -> Result<Order, RestError> {
        let query = [("client_order_id", client_order_id), ("nested", "true")];
        let path = "/v2/orders:by_client_order_id";
        let call = Call { urgent, ..Call::get(Api::Trading, path, &query) };
        self.ask(call).await
    }

    /// All open orders, legs nested.
    pub async fn open_orders(&self) -> Result<Vec<Order>, RestError> {
        self.orders("open", Timestamp::from_ns(0)).await
    }

    /// All orders submitted after a moment, open and closed, legs nested, oldest first.
    pub async fn orders_after(&self, after: Timestamp) -> Result<Vec<Order>, RestError> {
        self.orders("all", after).await
    }

    /// Pages by submission time: `after` is exclusive, so each page starts at the last one's newest stamp, a
    /// nanosecond earlier, and repeats are dropped by id.
    async fn orders(&self, status: &str, after: Timestamp) -> Result<Vec<Order>, RestError> {
        let mut all: Vec<Order> = Vec::new();
        let limit = ORDERS_PAGE.to_string();
        each_page("/v2/orders", async |token| {
            let after = token.map_or_else(|| after.to_string(), str::to_string);
            let query = [
                ("status", status),
                ("limit", limit.as_str()),
                ("direction", "asc"),
                ("nested", "true"),
                ("after", after.as_str()),
            ];
            let page: Vec<Order> = self.ask(Call::get(Api::Trading, "/v2/orders", &query)).await?;
            let full = page.len() >= ORDERS_PAGE;
            let newest = page.iter().map(|o| o.submitted_at).max();
            all.extend(page);
            Ok(newest.filter(|_| full).map(|at| (at - 1).to_string()))
        })
        .await?;
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|o| seen.insert(o.id.clone()));
        Ok(all)
    }

    /// All positions.
    pub async fn positions(&self) -> Result<Vec<PositionBody>, RestError> {
        self.ask(Call::get(Api::Trading, "/v2/positions", &[])).await
    }

    /// Account activities of the given types (comma-separated; empty for all) after a moment, oldest first.
    pub async fn activities_after(
        &self,
        types: &str,
        after: Timestamp,
    ) -> Result<Vec<ActivityBody>, RestError> {
        let path = "/v2/account/activities";
        let (after, size) = (after.to_string(), ACTIVITIES_PAGE.to_string());
        let mut all: Vec<ActivityBody> = Vec::new();
        each_page(path, async |token| {
            let query = [
                ("activity_types", types),
                ("after", after.as_str()),
                ("direction", "asc"),
                ("page_size", size.as_str()),
                ("page_token", token.unwrap_or_default()),
            ];
            let page: Vec<ActivityBody> = self.ask(Call::get(Api::Trading, path, &query)).await?;
            // The page token is the id of the last row; a page that is not full is the last one.
            let next = page.last().filter(|_| page.len() >= ACTIVITIES_PAGE).map(|a| a.id.clone());
            all.extend(page);
            Ok(next)
        })
        .await?;
        Ok(all)
    }

    /// Equity over time.
    pub async fn portfolio_history(
        &self,
        period: &str,
        timeframe: &str,
    ) -> Result<PortfolioHistory, RestError> {
        let query = [("period", period), ("timeframe", timeframe)];
        self.ask(Call::get(Api::Trading, "/v2/account/portfolio/history", &query)).await
    }
}

fn with_id(path: &str, id: &str) -> String {
    let mut text = path.to_string();
    percent_encode(id, &mut text);
    text
}
