//! The market-data calls.

use super::{Api, Call, Rest, RestError, each_page};
use crate::data::{
    BarPage, BarRow, LatestQuotes, LatestTrades, QuoteRow, Snapshot, SnapshotPage, TradePage, TradeRow,
};
use market::quote::Timeframe;
use market::{Date, Timestamp};
use std::collections::BTreeMap;

/// Data points in one page of a series (the most the venue gives).
const SERIES_PAGE: &str = "10000";
/// Contracts in one page of snapshots (the most the venue gives).
const SNAPSHOT_PAGE: &str = "1000";
/// Contracts one call may name.
const CONTRACTS_A_CALL: usize = 100;

/// The venue's name of a timeframe.
pub(crate) const fn timeframe_name(timeframe: Timeframe) -> &'static str {
    match timeframe {
        Timeframe::Min1 => "1Min",
        Timeframe::Min5 => "5Min",
        Timeframe::Min15 => "15Min",
        Timeframe::Min30 => "30Min",
        Timeframe::Hour1 => "1Hour",
        Timeframe::Hour4 => "4Hour",
        Timeframe::Day1 => "1Day",
        Timeframe::Week1 => "1Week",
        Timeframe::Month1 => "1Month",
        Timeframe::Year1 => "12Month",
    }
}

impl Rest {
    /// Bars of stocks from `start` to `end`, both included, by symbol, raw (not adjusted), oldest first.
    pub async fn stock_bars(
        &self,
        symbols: &[&str],
        timeframe: Timeframe,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<BTreeMap<String, Vec<BarRow>>, RestError> {
        let path = "/v2/stocks/bars";
        let (symbols, start, end) = (symbols.join(","), start.to_string(), end.to_string());
        let mut all: BTreeMap<String, Vec<BarRow>> = BTreeMap::new();
        each_page(path, async |token| {
            let query = [
                ("symbols", symbols.as_str()),
                ("timeframe", timeframe_name(timeframe)),
                ("start", &start),
                ("end", &end),
                ("limit", SERIES_PAGE),
                ("adjustment", "raw"),
                ("feed", &self.settings.stock_feed),
                ("sort", "asc"),
                ("page_token", token.unwrap_or_default()),
            ];
            let page: BarPage = self.ask(Call::get(Api::Data, path, &query)).await?;
            for (symbol, rows) in page.bars {
                all.entry(symbol).or_default().extend(rows);
            }
            Ok(page.next_page_token)
        })
        .await?;
        Ok(all)
    }

    /// Trades of stocks from `start` to `end`, both included, by symbol, oldest first.
    pub async fn stock_trades(
        &self,
        symbols: &[&str],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<BTreeMap<String, Vec<TradeRow>>, RestError> {
        let path = "/v2/stocks/trades";
        let (symbols, start, end) = (symbols.join(","), start.to_string(), end.to_string());
        let mut all: BTreeMap<String, Vec<TradeRow>> = BTreeMap::new();
        each_page(path, async |token| {
            let query = [
                ("symbols", symbols.as_str()),
                ("start", &start),
                ("end", &end),
                ("limit", SERIES_PAGE),
                ("feed", &self.settings.stock_feed),
                ("sort", "asc"),
                ("page_token", token.unwrap_or_default()),
            ];
            let page: TradePage = self.ask(Call::get(Api::Data, path, &query)).await?;
            for (symbol, rows) in page.trades {
                all.entry(symbol).or_default().extend(rows);
            }
            Ok(page.next_page_token)
        })
        .await?;
        Ok(all)
    }

    /// The latest quote of each stock.
    pub async fn latest_stock_quotes(
        &self,
        symbols: &[&str],
    ) -> Result<BTreeMap<String, QuoteRow>, RestError> {
        let symbols = symbols.join(",");
        let query = [("symbols", symbols.as_str()), ("feed", &self.settings.stock_feed)];
        let found: LatestQuotes = self.ask(Call::get(Api::Data, "/v2/stocks/quotes/latest", &query)).await?;
        Ok(found.quotes)
    }

    /// The latest trade of each stock.
    pub async fn latest_stock_trades(
        &self,
        symbols: &[&str],
    ) -> Result<BTreeMap<String, TradeRow>, RestError> {
        let symbols = symbols.join(",");
        let query = [("symbols", symbols.as_str()), ("feed", &self.settings.stock_feed)];
        let found: LatestTrades = self.ask(Call::get(Api::Data, "/v2/stocks/trades/latest", &query)).await?;
        Ok(found.trades)
    }

    /// The latest quote of each contract; asked for in as many calls as are needed.
    pub async fn latest_option_quotes(
        &self,
        contracts: &[&str],
    ) -> Result<BTreeMap<String, QuoteRow>, RestError> {
        let mut all = BTreeMap::new();
        for some in contracts.chunks(CONTRACTS_A_CALL) {
            let symbols = some.join(",");
            let query = [("symbols", symbols.as_str()), ("feed", &self.settings.option_feed)];
            let found: LatestQuotes =
                self.ask(Call::get(Api::Data, "/v1beta1/options/quotes/latest", &query)).await?;
            all.extend(found.quotes);
        }
        Ok(all)
    }

    /// Snapshots of contracts by symbol; asked for in as many calls as are needed.
    pub async fn option_snapshots(
        &self,
        contracts: &[&str],
    ) -> Result<BTreeMap<String, Snapshot>, RestError> {
        let mut all = BTreeMap::new();
        for some in contracts.chunks(CONTRACTS_A_CALL) {
            let symbols = some.join(",");
            self.snapshot_pages("/v1beta1/options/snapshots", &[("symbols", &symbols)], &mut all).await?;
        }
        Ok(all)
    }

    /// Snapshots of an underlying's contracts that expire from `first` to `last`, both included.
    pub async fn option_chain(
        &self,
        underlying: &str,
        first: Date,
        last: Date,
    ) -> Result<BTreeMap<String, Snapshot>, RestError> {
        let path = format!("/v1beta1/options/snapshots/{underlying}");
        let (first, last) = (first.to_string(), last.to_string());
        let bounds = [("expiration_date_gte", first.as_str()), ("expiration_date_lte", last.as_str())];
        let mut all = BTreeMap::new();
        self.snapshot_pages(&path, &bounds, &mut all).await?;
        Ok(all)
    }

    async fn snapshot_pages(
        &self,
        path: &str,
        which: &[(&str, &str)],
        all: &mut BTreeMap<String, Snapshot>,
    ) -> Result<(), RestError> {
        each_page(path, async |token| {
            let mut query = which.to_vec();
            query.push(("feed", &self.settings.option_feed));
            query.push(("limit", SNAPSHOT_PAGE));
            query.push(("page_token", token.unwrap_or_default()));
            let page: SnapshotPage = self.ask(Call::get(Api::Data, path, &query)).await?;
            all.extend(page.snapshots);
            Ok(page.next_page_token)
        })
        .await
    }
}
