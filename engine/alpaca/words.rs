//! The broker's closed lists that are not closed: each word has a variant, the empty word is `Blank`, and a
//! word we do not know is kept as it came. The broker adds words without warning, and a client that refuses
//! the whole message for one new word loses fills.

use market::Label;
use market::order::{Effect, Side};

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        pub enum $name {
            /// Empty, null or absent.
            #[default]
            Blank,
            $(#[doc = concat!("`", $text, "`")] $variant,)+
            /// A word this program does not know yet, cut to 24 bytes.
            Other(Label),
        }

        impl $name {
            /// The word as it is written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    Self::Blank => "",
                    $(Self::$variant => $text,)+
                    Self::Other(word) => word.as_str(),
                }
            }
            /// The word of that spelling; anything unknown becomes `Other`.
            pub fn from_text(text: &str) -> Self {
                match text {
                    "" => Self::Blank,
                    $($text => Self::$variant,)+
                    other => Self::Other(Label::format(format_args!("{other}"))),
                }
            }
            /// True for the empty word.
            pub fn is_blank(&self) -> bool {
                *self == Self::Blank
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <Option<std::borrow::Cow<'de, str>>>::deserialize(d)?;
                Ok(Self::from_text(text.as_deref().unwrap_or("")))
            }
        }
    };
}

words! {
    /// Where an order stands.
    OrderStatus {
        New = "new", PartiallyFilled = "partially_filled", Filled = "filled", DoneForDay = "done_for_day",
        Canceled = "canceled", Expired = "expired", Replaced = "replaced", PendingCancel = "pending_cancel",
        PendingReplace = "pending_replace", Accepted = "accepted", PendingNew = "pending_new",
        AcceptedForBidding = "accepted_for_bidding", Stopped = "stopped", Rejected = "rejected",
        Suspended = "suspended", Calculated = "calculated", Held = "held", PendingReview = "pending_review",
    }
}

impl OrderStatus {
    /// True when nothing more will come of the order.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Expired | Self::Replaced | Self::Rejected)
    }
}

words! {
    /// What a trade update tells.
    UpdateEvent {
        Accepted = "accepted", PendingNew = "pending_new", New = "new", PartialFill = "partial_fill",
        Fill = "fill", PendingCancel = "pending_cancel", Canceled = "canceled", Expired = "expired",
        PendingReplace = "pending_replace", Replaced = "replaced",
        ReplaceRejected = "order_replace_rejected", CancelRejected = "order_cancel_rejected",
        Rejected = "rejected", DoneForDay = "done_for_day", Stopped = "stopped", Suspended = "suspended",
        Calculated = "calculated", Held = "held", Restated = "restated", TradeBust = "trade_bust",
        TradeCorrect = "trade_correct",
    }
}

words! {
    /// The kind of order (`type` and its deprecated twin `order_type`).
    OrderKind {
        Market = "market", Limit = "limit", Stop = "stop", StopLimit = "stop_limit",
        TrailingStop = "trailing_stop",
    }
}

words! {
    /// Whether an order stands alone, has children, or is a package of legs.
    OrderClass {
        Simple = "simple", Bracket = "bracket", Oco = "oco", Oto = "oto", MultiLeg = "mleg",
    }
}

words! {
    /// How long an order lives.
    TimeInForce { Day = "day", Gtc = "gtc", Opg = "opg", Cls = "cls", Ioc = "ioc", Fok = "fok" }
}

words! {
    /// Buy or sell, as orders and activities spell it.
    SideWord { Buy = "buy", Sell = "sell", SellShort = "sell_short" }
}

impl SideWord {
    /// The side meant; `None` for a blank or unknown word.
    pub fn side(&self) -> Option<Side> {
        match self {
            Self::Buy => Some(Side::Buy),
            Self::Sell | Self::SellShort => Some(Side::Sell),
            Self::Blank | Self::Other(_) => None,
        }
    }
}

impl From<Side> for SideWord {
    fn from(side: Side) -> Self {
        match side {
            Side::Buy => Self::Buy,
            Side::Sell => Self::Sell,
        }
    }
}

words! {
    /// What a leg does to the position.
    Intent {
        BuyToOpen = "buy_to_open", BuyToClose = "buy_to_close", SellToOpen = "sell_to_open",
        SellToClose = "sell_to_close",
    }
}

impl Intent {
    /// The intent of a side and an effect.
    pub fn of(side: Side, effect: Effect) -> Self {
        match (side, effect) {
            (Side::Buy, Effect::Open) => Self::BuyToOpen,
            (Side::Buy, Effect::Close) => Self::BuyToClose,
            (Side::Sell, Effect::Open) => Self::SellToOpen,
            (Side::Sell, Effect::Close) => Self::SellToClose,
        }
    }
    /// Side and effect; `None` for a blank or unknown word.
    pub fn parts(&self) -> Option<(Side, Effect)> {
        match self {
            Self::BuyToOpen => Some((Side::Buy, Effect::Open)),
            Self::BuyToClose => Some((Side::Buy, Effect::Close)),
            Self::SellToOpen => Some((Side::Sell, Effect::Open)),
            Self::SellToClose => Some((Side::Sell, Effect::Close)),
            Self::Blank | Self::Other(_) => None,
        }
    }
}

words! {
    /// What kind of thing is traded.
    AssetClass { UsEquity = "us_equity", UsOption = "us_option", Crypto = "crypto" }
}

words! {
    /// The sign of a position.
    PositionSide { Long = "long", Short = "short" }
}

words! {
    /// What kind of row an account activity is.
    ActivityType {
        Fill = "FILL", OptionExpiry = "OPEXP", OptionAssignment = "OPASN", OptionExercise = "OPEXC",
        OptionTrade = "OPTRD", OptionCash = "OPCSH", Fee = "FEE", Dividend = "DIV", Interest = "INT",
        CashDeposit = "CSD", CashWithdrawal = "CSW", JournalCash = "JNLC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_blank_and_null_words_are_kept() {
        let read = |t: &str| serde_json::from_str::<OrderStatus>(t).expect(t);
        assert_eq!(read("\"partially_filled\""), OrderStatus::PartiallyFilled);
        assert_eq!(read("\"\""), OrderStatus::Blank);
        assert_eq!(read("null"), OrderStatus::Blank);
        let new = read("\"asleep\"");
        assert_eq!(new, OrderStatus::Other(Label::literal("asleep")));
        assert_eq!(serde_json::to_string(&new).expect("writes"), "\"asleep\"");
    }
}
