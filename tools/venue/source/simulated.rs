//! The market model as a source.

use super::{ContractFacts, SourceError};
use exchange::market_model::{BadState, MarketModel, Settings, State};
use history::Stamped;
use market::quote::MarketEvent;
use market::{Contract, Timestamp, session};

/// The simulated market.
pub struct Simulated {
    /// The model.
    pub model: MarketModel,
    events: Vec<MarketEvent>,
}

impl Simulated {
    /// Makes the model and its history.
    pub fn new(settings: Settings) -> Result<Self, SourceError> {
        Ok(Self { model: MarketModel::new(settings)?, events: Vec::new() })
    }

    /// Goes on where a market was stored.
    pub fn restore(settings: Settings, state: State<'_>) -> Result<Self, BadState> {
        Ok(Self { model: MarketModel::restore(settings, state)?, events: Vec::new() })
    }

    /// Pushes what happens until `to`.
    pub fn advance(&mut self, to: Timestamp, out: &mut Vec<Stamped>) {
        self.model.advance(to, &mut self.events);
        out.extend(self.events.drain(..).filter_map(|event| Some(Stamped { at: event.at()?, event })));
    }

    /// What the model knows of a contract.
    pub fn facts(&self, contract: Contract) -> ContractFacts {
        let before = session::previous_session(self.model.session().date).map(|s| s.date);
        self.model.facts(contract).map_or_else(ContractFacts::default, |facts| ContractFacts {
            open_interest: before.map(|date| (facts.open_interest, date)),
            previous_close: facts.previous_close,
        })
    }
}
