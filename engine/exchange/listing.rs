//! What is listed: shares and option contracts with their terms.

use market::{Contract, Instrument, Symbol, product};
use std::collections::BTreeMap;

/// The terms of an option contract that its symbol does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ContractTerms {
    /// Whose price decides: `SPX` for the root `SPXW`.
    pub underlying: Symbol,
    /// True when it can be exercised before expiry.
    pub american: bool,
    /// True when it settles in cash.
    pub cash_settled: bool,
    /// False: known, but nobody may trade it.
    pub tradable: bool,
}

impl ContractTerms {
    /// What the root says ([`market::product`]): an ordinary American option on the shares of its root, or an
    /// index option. Adjusted contracts are known, not tradable.
    pub fn of(contract: &Contract) -> Self {
        let index = product::is_index(&contract.root);
        let underlying = match contract.root.as_str() {
            "SPXW" => Symbol::literal("SPX"),
            "NDXP" => Symbol::literal("NDX"),
            "RUTW" => Symbol::literal("RUT"),
            "VIXW" => Symbol::literal("VIX"),
            _ => contract.root,
        };
        Self {
            underlying,
            american: product::is_american(&contract.root),
            cash_settled: index,
            tradable: !contract.is_adjusted(),
        }
    }
}

/// The terms of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StockTerms {
    /// True when it can be traded.
    pub tradable: bool,
    /// True when it can be sold short.
    pub shortable: bool,
}

/// All that is listed.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Listing {
    pub stocks: BTreeMap<Symbol, StockTerms>,
    pub contracts: BTreeMap<Contract, ContractTerms>,
}

impl Listing {
    /// Lists whatever a feed mentions, with ordinary terms.
    pub(crate) fn notice(&mut self, instrument: &Instrument) {
        match instrument {
            Instrument::Stock(symbol) => {
                self.stocks.entry(*symbol).or_insert(StockTerms { tradable: true, shortable: true });
            }
            Instrument::Option(contract) => {
                self.contracts.entry(*contract).or_insert_with(|| ContractTerms::of(contract));
            }
        }
    }

    /// The symbol whose price decides about an instrument.
    pub(crate) fn underlying(&self, instrument: &Instrument) -> Symbol {
        match instrument {
            Instrument::Stock(symbol) => *symbol,
            Instrument::Option(contract) => self.terms(contract).underlying,
        }
    }

    pub(crate) fn terms(&self, contract: &Contract) -> ContractTerms {
        self.contracts.get(contract).copied().unwrap_or_else(|| ContractTerms::of(contract))
    }
}
