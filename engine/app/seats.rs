//! Fresh seats from settings: the one place that knows how a core is made, used by a start, by a recovery and by a
//! rerun of the record.

use crate::settings::Settings;
use desk::ShelfSeat;
use desk::seat::{ExecutionSeat, RiskSeat, UnderlyingSeat};
use forecast::shelf::Shelf;
use market::{RunId, Symbol};

/// A symbol's seat that has heard nothing. `run` makes its proposals' ids unique for ever.
pub fn underlying(settings: &strategy::Settings, symbol: Symbol, run: RunId) -> UnderlyingSeat {
    UnderlyingSeat::new(symbol, strategy::Underlying::new(symbol, run, settings.clone()))
}

/// A symbol's seat in place of one that failed.
pub fn underlying_after(
    settings: &strategy::Settings,
    symbol: Symbol,
    run: RunId,
    failed: &UnderlyingSeat,
) -> UnderlyingSeat {
    let core = strategy::Underlying::new(symbol, run, settings.clone());
    UnderlyingSeat::new(symbol, core.going_on_from(failed.core()))
}

/// The seat of risk, over an empty book.
pub fn risk(settings: &Settings) -> RiskSeat {
    RiskSeat::new(risk::Gate::new(settings.risk.clone()))
}

/// The seat of the shelf, without models.
pub fn shelf(settings: &Settings) -> ShelfSeat {
    ShelfSeat::new(Shelf::new(settings.models.shelf), settings.symbols.clone())
}

/// The seat of execution, without orders.
pub fn execution(settings: &Settings, run: RunId) -> ExecutionSeat {
    ExecutionSeat::new(execution::Blotter::new(settings.execution.clone(), run))
}
