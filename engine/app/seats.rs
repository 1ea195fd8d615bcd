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

#[cfg(test)]
mod tests {
    use super::*;
    use desk::letter::Letter;
    use desk::{Outbox, Seat};
    use forecast::notes::ModelNote;
    use forecast::papers::Reads;
    use forecast::shelf::notes::ShelfLetter;
    use forecast::{Documented, Papers, Plan, PlanFault};
    use market::quote::Timeframe;
    use market::{Label, Timestamp};
    use std::path::Path;
    use std::sync::Arc;

    struct Parrot;

    impl Plan for Parrot {
        fn predict(&mut self, _: &[f32], out: &mut [f32; 3]) -> Result<(), PlanFault> {
            *out = [0.2, 0.3, 0.5];
            Ok(())
        }
    }

    fn note(version: &str, digest: u64) -> ModelNote {
        let (name, version) = (Label::literal("parrot"), version.parse().expect("a version"));
        ModelNote { timeframe: Timeframe::Min5, name, version, digest }
    }

    fn seat() -> UnderlyingSeat {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let settings = crate::settings::load(&root.join("config/wingspread.yaml")).expect("shipped settings");
        underlying(&settings.strategy, Symbol::literal("SPY"), RunId::default())
    }

    fn hear(seat: &mut UnderlyingSeat, letter: Letter) {
        seat.hear(Timestamp::MIN, &letter, &mut Outbox::new());
    }

    fn speaks(seat: &UnderlyingSeat) -> Option<ModelNote> {
        seat.core().panel().note(Timeframe::Min5).copied()
    }

    #[test]
    fn a_shadow_steps_forward_and_back_with_the_plan_it_was_given_once() {
        let (old, new) = (note("1", 1), note("2", 2));
        let mut seat = seat();
        for model in [old, new] {
            seat.offer(&model, Box::new(Parrot));
        }
        hear(&mut seat, Letter::Model(old));
        hear(&mut seat, Letter::Shelf(ShelfLetter::Shadow(new)));
        assert_eq!(speaks(&seat), Some(old));
        assert!(seat.core().forecasts().shadows().has(&new));
        for (forward, back) in [(new, old), (old, new)] {
            hear(&mut seat, Letter::Model(forward));
            assert_eq!(speaks(&seat), Some(forward));
            assert!(!seat.core().forecasts().shadows().has(&forward), "in one place at a time");
            hear(&mut seat, Letter::Shelf(ShelfLetter::Shadow(back)));
            assert!(seat.core().forecasts().shadows().has(&back));
            // Told again, as when another seat was made anew: nothing changes.
            hear(&mut seat, Letter::Model(forward));
            hear(&mut seat, Letter::Shelf(ShelfLetter::Shadow(back)));
            assert_eq!(speaks(&seat), Some(forward));
        }
        hear(&mut seat, Letter::Shelf(ShelfLetter::Dismiss(new)));
        assert!(!seat.core().forecasts().shadows().has(&new));
        hear(&mut seat, Letter::Shelf(ShelfLetter::Dismiss(old)));
        assert_eq!(speaks(&seat), None);
        hear(&mut seat, Letter::Model(new));
        assert_eq!(speaks(&seat), Some(new), "its plan stayed at hand");
    }

    /// A letter may name any model that was offered, however many there are; a bundle that is gone leaves no plan behind.
    #[test]
    fn no_plan_is_lost_and_none_is_kept_for_nothing() {
        let mut seat = seat();
        let models: Vec<ModelNote> = (1..=300).map(|n| note(&n.to_string(), n)).collect();
        models.iter().for_each(|model| seat.offer(model, Box::new(Parrot)));
        hear(&mut seat, Letter::Model(models[0]));
        assert_eq!(speaks(&seat), Some(models[0]), "the first of three hundred");
        hear(&mut seat, Letter::Shelf(ShelfLetter::Shadow(models[1])));
        models.iter().for_each(|model| seat.withdraw(model));
        assert_eq!(seat.offered(), 0);
        assert!(seat.core().forecasts().shadows().has(&models[1]), "until it is told otherwise");
        hear(&mut seat, Letter::Shelf(ShelfLetter::Dismiss(models[1])));
        hear(&mut seat, Letter::Shelf(ShelfLetter::Dismiss(models[0])));
        assert_eq!((seat.offered(), speaks(&seat)), (0, None));
        seat.offer(&models[0], Box::new(Parrot));
        assert_eq!(seat.offered(), 1, "it was brought again");
    }

    #[test]
    fn an_ensembles_rule_takes_nobodys_place() {
        let (old, rule) = (note("1", 1), note("rule", 2));
        let papers = Papers {
            reads: Reads::Members,
            label: None,
            horizon_bars: 1,
            calibration: None,
            reference: None,
            hull: None,
        };
        let mut seat = seat();
        seat.offer(&old, Box::new(Parrot));
        seat.offer(&rule, Box::new(Documented::new(Box::new(Parrot), Arc::new(papers))));
        hear(&mut seat, Letter::Model(old));
        hear(&mut seat, Letter::Model(rule));
        assert_eq!(speaks(&seat), Some(old));
    }
}
