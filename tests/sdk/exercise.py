"""Drives the venue with the broker's official SDK, unmodified (alpaca-py 0.44.0 from PyPI).

Usage: exercise.py REST_URL STOCK_WS OPTION_WS TRADING_WS
Keys are SIMKEY / SIMSECRET. Every check is an assert; the last line printed is "all good".
"""

import sys
import threading
import time
from datetime import datetime, timedelta, timezone

from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed, OptionsFeed
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.live.option import OptionDataStream
from alpaca.data.live.stock import StockDataStream
from alpaca.data.requests import (
    CorporateActionsRequest,
    OptionBarsRequest,
    OptionChainRequest,
    OptionLatestQuoteRequest,
    OptionSnapshotRequest,
    StockBarsRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AssetClass,
    ContractType,
    OrderClass,
    OrderSide,
    OrderStatus,
    PositionIntent,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOptionContractsRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OptionLegRequest,
    ReplaceOrderRequest,
)
from alpaca.trading.stream import TradingStream

REST, STOCK_WS, OPTION_WS, TRADING_WS = sys.argv[1:5]
KEYS = ("SIMKEY", "SIMSECRET")
WAIT_SECONDS = 40

trading = TradingClient(*KEYS, paper=True, url_override=REST)
stocks = StockHistoricalDataClient(*KEYS, url_override=REST)
options = OptionHistoricalDataClient(*KEYS, url_override=REST)


def until(what, check):
    """Waits for something to become true, with a bound."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"timed out waiting for {what}")


def refused(status, call, code=None):
    """Asserts that a call is refused with an HTTP status and, when given, the broker's code."""
    try:
        call()
    except APIError as error:
        assert error.status_code == status, (status, error.status_code, str(error))
        if code is not None:
            assert error.code == code, (code, error.code, error.message)
        return error
    raise AssertionError(f"expected HTTP {status}")


def account_and_clock():
    account = trading.get_account()
    assert account.status.value == "ACTIVE" and account.cash == "100000", account
    assert account.options_trading_level == 3 and account.multiplier in ("1", "2", "4")
    configuration = trading.get_account_configurations()
    assert configuration.suspend_trade is False
    assert trading.set_account_configurations(configuration).no_shorting is False
    clock = until("the open", lambda: (lambda c: c if c.is_open else None)(trading.get_clock()))
    assert clock.next_close > clock.timestamp and clock.next_open > clock.next_close
    days = trading.get_calendar(GetCalendarRequest(start="2026-11-25", end="2026-11-30"))
    assert [str(d.date) for d in days] == ["2026-11-25", "2026-11-27", "2026-11-30"], days
    assert days[1].close.hour == 13
    return clock


def assets_and_contracts(clock):
    assets = trading.get_all_assets(GetAssetsRequest(asset_class=AssetClass.US_EQUITY))
    assert {"SPY", "QQQ", "AAPL"} <= {a.symbol for a in assets}
    spy = trading.get_asset("SPY")
    assert spy.tradable and trading.get_asset(str(spy.id)).symbol == "SPY"
    today = clock.timestamp.date()
    near = trading.get_option_contracts(GetOptionContractsRequest(underlying_symbols=["SPY"]))
    assert near.option_contracts and all(
        c.expiration_date <= today + timedelta(days=7) for c in near.option_contracts
    ), "without bounds only this week"
    contracts, token, pages = [], None, 0
    while True:
        page = trading.get_option_contracts(
            GetOptionContractsRequest(
                underlying_symbols=["SPY"],
                expiration_date_gte=today,
                expiration_date_lte=today + timedelta(days=200),
                limit=300,
                page_token=token,
            )
        )
        contracts += page.option_contracts
        pages += 1
        token = page.next_page_token
        if not token:
            break
    expiries = sorted({c.expiration_date for c in contracts})
    assert len(expiries) >= 6 and pages >= 2 and len(contracts) >= 480, (len(expiries), pages, len(contracts))
    assert len({c.symbol for c in contracts}) == len(contracts), "no page repeats another"
    assert all(int(c.open_interest) >= 0 and c.size == "100" for c in contracts)
    one = trading.get_option_contract(contracts[0].symbol)
    assert one.underlying_symbol == "SPY" and one.root_symbol == "SPY"
    month = next(e for e in expiries if (e - today).days >= 20)
    return [c for c in contracts if c.expiration_date == month]


def stock_data(clock):
    end = clock.timestamp
    daily = stocks.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols=["SPY", "TLT"], timeframe=TimeFrame.Day, start=end - timedelta(days=400), end=end
        )
    ).data
    assert len(daily["SPY"]) > 250 and len(daily["TLT"]) > 250
    assert all(b.low <= min(b.open, b.close) and b.high >= max(b.open, b.close) for b in daily["SPY"])
    # More than one page of minutes.
    minutes = stocks.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols=["SPY", "QQQ"],
            timeframe=TimeFrame.Minute,
            start=end - timedelta(days=27),
            end=end,
        )
    ).data
    assert len(minutes["SPY"]) > 6000 and len(minutes["QQQ"]) > 6000
    times = [b.timestamp for b in minutes["SPY"]]
    assert times == sorted(set(times))
    hours = stocks.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols="SPY", timeframe=TimeFrame(1, TimeFrameUnit.Hour), start=end - timedelta(days=5)
        )
    ).data["SPY"]
    assert 7 <= len(hours) <= 7 * 5
    quote = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="SPY"))["SPY"]
    assert 0 < quote.bid_price < quote.ask_price
    until(
        "a trade",
        lambda: stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="SPY")).get("SPY"),
    )
    quotes = stocks.get_stock_quotes(
        StockQuotesRequest(symbol_or_symbols="SPY", start=end - timedelta(minutes=30), limit=5)
    ).data
    assert 1 <= len(quotes["SPY"]) <= 5
    trades = stocks.get_stock_trades(
        StockTradesRequest(symbol_or_symbols="SPY", start=end - timedelta(hours=1), limit=5)
    ).data
    assert len(trades["SPY"]) >= 1
    snapshot = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=["SPY", "AAPL"]))
    assert snapshot["SPY"].latest_quote.ask_price > 0 and snapshot["AAPL"].previous_daily_bar.close > 0
    dividends = CorporateActionsClient(*KEYS, url_override=REST).get_corporate_actions(
        CorporateActionsRequest(symbols=["SPY"])
    )
    assert dividends is not None
    return (quote.bid_price + quote.ask_price) / 2


def option_data(contracts, spot):
    chain = options.get_option_chain(
        OptionChainRequest(
            underlying_symbol="SPY",
            feed=OptionsFeed.OPRA,
            expiration_date=contracts[0].expiration_date,
        )
    )
    assert len(chain) >= 80, len(chain)
    greeks = [s for s in chain.values() if s.greeks is not None]
    assert len(greeks) >= 40 and all(-1.01 <= s.greeks.delta <= 1.01 for s in greeks)
    puts = sorted((c for c in contracts if c.type == ContractType.PUT), key=lambda c: c.strike_price)
    calls = sorted((c for c in contracts if c.type == ContractType.CALL), key=lambda c: c.strike_price)
    below = [c for c in puts if c.strike_price < spot]
    above = [c for c in calls if c.strike_price > spot]
    picked = below[-4], below[-5], above[3], above[4]
    quotes = options.get_option_latest_quote(
        OptionLatestQuoteRequest(symbol_or_symbols=[c.symbol for c in picked])
    )
    assert all(q.ask_price > 0 for q in quotes.values()) and len(quotes) == 4
    snapshots = options.get_option_snapshot(OptionSnapshotRequest(symbol_or_symbols=picked[0].symbol))
    assert 0.02 < snapshots[picked[0].symbol].implied_volatility < 2.0
    bars = options.get_option_bars(
        OptionBarsRequest(
            symbol_or_symbols=picked[0].symbol, timeframe=TimeFrame.Day, start=datetime.now() - timedelta(days=9)
        )
    )
    assert bars is not None
    return [c.symbol for c in picked], quotes


class Streams:
    """The three streams, each on a thread of its own as the SDK runs them."""

    def __init__(self, option_symbols):
        self.stock = StockDataStream(*KEYS, feed=DataFeed.SIP, url_override=STOCK_WS)
        self.option = OptionDataStream(*KEYS, feed=OptionsFeed.OPRA, url_override=OPTION_WS)
        self.orders = TradingStream(*KEYS, paper=True, url_override=TRADING_WS)
        self.quotes, self.trades, self.bars, self.option_quotes, self.updates = [], [], [], [], []
        self.stock.subscribe_quotes(self.keep(self.quotes), "SPY", "QQQ")
        self.stock.subscribe_trades(self.keep(self.trades), "SPY")
        self.stock.subscribe_bars(self.keep(self.bars), "*")
        self.option.subscribe_quotes(self.keep(self.option_quotes), *option_symbols)
        self.orders.subscribe_trade_updates(self.keep(self.updates))
        for stream in (self.stock, self.option, self.orders):
            threading.Thread(target=stream.run, daemon=True).start()

    @staticmethod
    def keep(into):
        async def handler(message):
            into.append(message)

        return handler

    def check(self, option_symbols):
        until("stock quotes", lambda: {q.symbol for q in self.quotes} == {"SPY", "QQQ"})
        until("stock trades", lambda: len(self.trades) > 3)
        until("minute bars", lambda: len({b.symbol for b in self.bars}) >= 5)
        until("option quotes", lambda: {q.symbol for q in self.option_quotes} == set(option_symbols))
        quote = self.quotes[-1]
        assert quote.bid_price < quote.ask_price and quote.timestamp.tzinfo is not None
        assert all(b.low <= b.open <= b.high and b.volume > 0 for b in self.bars)
        self.stock.unsubscribe_quotes("QQQ")
        time.sleep(1)
        before = len(self.quotes)
        until("more SPY quotes", lambda: len(self.quotes) > before + 5)
        assert {q.symbol for q in self.quotes[before:]} == {"SPY"}, "QQQ was unsubscribed"

    def event(self, kind, client_id):
        return until(
            f"{kind} of {client_id}",
            lambda: next(
                (
                    u
                    for u in self.updates
                    if getattr(u.event, "value", u.event) == kind and u.order.client_order_id == client_id
                ),
                None,
            ),
        )

    def stop(self):
        for stream in (self.stock, self.option, self.orders):
            stream.stop()


def share_orders(streams, spot):
    order = trading.submit_order(
        MarketOrderRequest(
            symbol="SPY", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="share-1"
        )
    )
    assert order.status in (OrderStatus.PENDING_NEW, OrderStatus.ACCEPTED, OrderStatus.NEW)
    fill = streams.event("fill", "share-1")
    assert fill.order.filled_qty == "10" and float(fill.position_qty) == 10
    assert streams.event("new", "share-1").order.symbol == "SPY"
    position = trading.get_open_position("SPY")
    assert position.qty == "10" and position.side.value == "long"
    # A resting limit: look it up, replace it, cancel it.
    resting = trading.submit_order(
        LimitOrderRequest(
            symbol="SPY",
            qty=1,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.DAY,
            limit_price=round(spot * 0.9, 2),
            client_order_id="share-2",
        )
    )
    streams.event("new", "share-2")
    assert trading.get_order_by_client_id("share-2").id == resting.id
    assert trading.get_order_by_id(resting.id).status == OrderStatus.NEW
    open_orders = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=["SPY"]))
    assert [o.client_order_id for o in open_orders] == ["share-2"]
    replaced = trading.replace_order_by_id(
        resting.id, ReplaceOrderRequest(qty=2, limit_price=round(spot * 0.91, 2), client_order_id="share-3")
    )
    assert str(replaced.replaces) == str(resting.id) and replaced.id != resting.id
    assert str(streams.event("replaced", "share-2").order.replaced_by) == str(replaced.id)
    streams.event("new", "share-3")
    trading.cancel_order_by_id(replaced.id)
    streams.event("canceled", "share-3")
    refused(422, lambda: trading.cancel_order_by_id(replaced.id), 42210000)


def option_orders(streams, symbols, quotes):
    short_put, long_put, short_call, long_call = symbols
    ask = quotes[long_call].ask_price
    trading.submit_order(
        LimitOrderRequest(
            symbol=long_call,
            qty=1,
            side=OrderSide.BUY,
            time_in_force=TimeInForce.DAY,
            limit_price=round(ask * 1.2 + 0.05, 2),
            position_intent=PositionIntent.BUY_TO_OPEN,
            client_order_id="single-1",
        )
    )
    fill = streams.event("fill", "single-1")
    assert fill.order.asset_class == AssetClass.US_OPTION and fill.order.filled_avg_price is not None

    def leg(symbol, side, intent):
        return OptionLegRequest(symbol=symbol, ratio_qty=1, side=side, position_intent=intent)

    spread = trading.submit_order(
        LimitOrderRequest(
            qty=2,
            order_class=OrderClass.MLEG,
            time_in_force=TimeInForce.DAY,
            limit_price=-0.01,
            client_order_id="spread-1",
            legs=[
                leg(short_put, OrderSide.SELL, PositionIntent.SELL_TO_OPEN),
                leg(long_put, OrderSide.BUY, PositionIntent.BUY_TO_OPEN),
            ],
        )
    )
    assert spread.order_class == OrderClass.MLEG and len(spread.legs) == 2
    fill = streams.event("fill", "spread-1")
    assert fill.order.status == OrderStatus.FILLED and len(fill.order.legs) == 2
    net = float(fill.order.filled_avg_price)
    legs = {o.symbol: float(o.filled_avg_price) for o in fill.order.legs}
    assert net < 0 and abs(net - (legs[long_put] - legs[short_put])) < 1e-6, (net, legs)
    held = {p.symbol: p.qty for p in trading.get_all_positions()}
    assert held[short_put] == "-2" and held[long_put] == "2" and held[long_call] == "1", held
    # A resting package: replaced with another credit (a negative limit), then canceled.
    resting = trading.submit_order(
        LimitOrderRequest(
            qty=1,
            order_class=OrderClass.MLEG,
            time_in_force=TimeInForce.DAY,
            limit_price=-4.5,
            client_order_id="spread-2",
            legs=[
                leg(short_put, OrderSide.SELL, PositionIntent.SELL_TO_OPEN),
                leg(long_put, OrderSide.BUY, PositionIntent.BUY_TO_OPEN),
            ],
        )
    )
    streams.event("new", "spread-2")
    nested = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN, nested=True))
    assert [len(o.legs) for o in nested] == [2]
    trading.replace_order_by_id(resting.id, ReplaceOrderRequest(limit_price=-4.4, client_order_id="spread-3"))
    streams.event("new", "spread-3")
    answers = trading.cancel_orders()
    assert len(answers) == 1 and answers[0].status == 200
    streams.event("canceled", "spread-3")
    closing = trading.submit_order(
        LimitOrderRequest(
            qty=2,
            order_class=OrderClass.MLEG,
            time_in_force=TimeInForce.DAY,
            limit_price=4.9,
            client_order_id="spread-close",
            legs=[
                leg(short_put, OrderSide.BUY, PositionIntent.BUY_TO_CLOSE),
                leg(long_put, OrderSide.SELL, PositionIntent.SELL_TO_CLOSE),
            ],
        )
    )
    assert closing.limit_price == "4.9"
    fill = streams.event("fill", "spread-close")
    assert float(fill.order.filled_avg_price) > 0
    assert short_put not in {p.symbol for p in trading.get_all_positions()}


def errors(symbols):
    stranger = TradingClient("WRONG", "KEYS", paper=True, url_override=REST)
    refused(401, stranger.get_account)
    short_put, long_put, short_call, _ = symbols
    naked = LimitOrderRequest(
        symbol=short_call, qty=5, side=OrderSide.SELL, time_in_force=TimeInForce.DAY, limit_price=1.0
    )
    refused(403, lambda: trading.submit_order(naked), 40310000)
    rich = LimitOrderRequest(
        symbol="SPY", qty=5000, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=500
    )
    refused(403, lambda: trading.submit_order(rich), 40310000)
    refused(404, lambda: trading.get_order_by_id("00000000-0000-4000-8000-000000000000"), 40410000)
    refused(404, lambda: trading.get_open_position("XLF"), 40410000)
    refused(404, lambda: trading.get_option_contract("SPY991231C99999000"), 40410000)
    again = MarketOrderRequest(
        symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="share-1"
    )
    refused(422, lambda: trading.submit_order(again), 40010001)
    penny = LimitOrderRequest(
        symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=290.123
    )
    refused(422, lambda: trading.submit_order(penny), 42210000)
    unknown = MarketOrderRequest(
        symbol="SPY991231C99999000", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
    )
    refused(422, lambda: trading.submit_order(unknown), 42210000)
    ratio = LimitOrderRequest(
        qty=1,
        order_class=OrderClass.MLEG,
        time_in_force=TimeInForce.DAY,
        limit_price=-0.1,
        legs=[
            OptionLegRequest(
                symbol=s, ratio_qty=2, side=side, position_intent=intent
            )
            for s, side, intent in [
                (short_put, OrderSide.SELL, PositionIntent.SELL_TO_OPEN),
                (long_put, OrderSide.BUY, PositionIntent.BUY_TO_OPEN),
            ]
        ],
    )
    refused(422, lambda: trading.submit_order(ratio), 42210000)


def closing(streams, symbols):
    part = trading.close_position("SPY", ClosePositionRequest(qty="4"))
    assert part.symbol == "SPY" and part.side == OrderSide.SELL
    until("six shares left", lambda: trading.get_open_position("SPY").qty == "6")
    answers = trading.close_all_positions(cancel_orders=True)
    assert {a.symbol for a in answers} == {"SPY", symbols[3]} and all(a.status == 200 for a in answers)
    until("flat", lambda: trading.get_all_positions() == [])
    rows = trading.get("/account/activities", {"activity_types": "FILL", "page_size": 100})
    assert {r["activity_type"] for r in rows} == {"FILL"} and len(rows) >= 8, rows
    first = trading.get("/account/activities", {"activity_types": "FILL", "page_size": 3})
    second = trading.get("/account/activities", {"activity_types": "FILL", "page_size": 3, "page_token": first[-1]["id"]})
    assert [r["id"] for r in first + second] == [r["id"] for r in rows[:6]]
    # Cash is the opening balance plus what the fills moved, to the cent.
    moved = 0
    for row in rows:
        shares = 100 if len(row["symbol"]) > 10 else 1
        sign = -1 if row["side"] == "buy" else 1
        moved += sign * round(float(row["price"]) * 10000) * int(row["qty"]) * shares
    account = trading.get_account()
    assert abs(float(account.cash) - 100000 - moved / 10000) < 0.005, (account.cash, moved)
    history = trading.get_portfolio_history(GetPortfolioHistoryRequest(period="1D"))
    assert len(history.equity) == len(history.timestamp) >= 1


def main():
    clock = account_and_clock()
    contracts = assets_and_contracts(clock)
    print("account, clock, calendar, assets, contracts: good", flush=True)
    spot = stock_data(clock)
    symbols, quotes = option_data(contracts, spot)
    print("stock and option data: good", flush=True)
    streams = Streams(symbols)
    streams.check(symbols)
    print("streams: good", flush=True)
    share_orders(streams, spot)
    print("share orders: good", flush=True)
    option_orders(streams, symbols, quotes)
    print("option orders: good", flush=True)
    errors(symbols)
    print("refusals: good", flush=True)
    closing(streams, symbols)
    print("closing, activities, cash: good", flush=True)
    streams.stop()
    print("all good", flush=True)


main()
