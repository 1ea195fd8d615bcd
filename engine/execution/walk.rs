//! The price walk: from mid toward natural in equal steps, each rounded to the passive side. Pure: step in,
//! price out.

use crate::settings::Settings;
use market::Price;
use market::order::Side;
use portfolio::{ExitReason, Proposal, Purpose};

/// One order's walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    from: Price,
    to: Price,
    tick: Price,
    steps: u32,
    step_ns: i64,
    single: Option<Side>,
}

impl Walk {
    /// The walk of a proposal. Signed net prices: natural is the larger number, since it pays more or receives
    /// less.
    pub fn of(settings: &Settings, proposal: &Proposal) -> Self {
        let urgent = is_urgent(proposal);
        let pace = if urgent { settings.urgent } else { settings.patient };
        let way = (proposal.natural - proposal.mid).units().max(0);
        let gone = i128::from(way) * i128::from(pace.share_bps) / 10_000;
        let single_option = proposal.legs.len() == 1 && proposal.legs[0].instrument.contract().is_some();
        Self {
            from: proposal.mid,
            to: proposal.mid + Price::from_units(gone as i64),
            tick: if single_option { settings.option_tick } else { settings.tick },
            steps: pace.steps,
            single: if proposal.legs.len() == 1 { Some(proposal.legs[0].side) } else { None },
            step_ns: if urgent {
                pace.step_ns
            } else {
                stretched(pace.step_ns, settings.patience, proposal.confidence)
            },
        }
    }

    /// How many steps there are after the first price.
    pub fn steps(&self) -> u32 {
        self.steps
    }
    /// How long each price stands, nanoseconds.
    pub fn step_ns(&self) -> i64 {
        self.step_ns
    }

    /// The limit at a step: 0 is mid, `steps` the last. Rounded down, which is passive for debits, credits and
    /// single sells alike, since all are signed; a single leg costs one tick at least.
    pub fn price(&self, step: u32) -> Price {
        let way = i128::from((self.to - self.from).units());
        let gone = match self.steps {
            0 => 0,
            steps => way * i128::from(step.min(steps)) / i128::from(steps),
        };
        let price = (self.from + Price::from_units(gone as i64)).floor_to(self.tick);
        match self.single {
            None => price,
            Some(Side::Buy) => price.max(self.tick),
            Some(Side::Sell) => price.min(-self.tick),
        }
    }
}

/// True for orders that should rather be done than be done well.
pub fn is_urgent(proposal: &Proposal) -> bool {
    match proposal.purpose {
        Purpose::Open { .. } => false,
        Purpose::Close { reason, .. } => match reason {
            ExitReason::ProfitTarget | ExitReason::SignalReversal => false,
            ExitReason::StopLoss | ExitReason::DaysToExpiry | ExitReason::Operator | ExitReason::CleanUp => {
                true
            }
        },
    }
}

/// Doubtful forecasts can wait for a better price; sure ones cannot. Linear between one half and one.
fn stretched(step_ns: i64, patience: f64, confidence: f32) -> i64 {
    let doubt = (2.0 * (1.0 - f64::from(confidence))).clamp(0.0, 1.0);
    (step_ns as f64 * (1.0 + (patience.max(1.0) - 1.0) * doubt)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{settings, spread};
    use proptest::prelude::*;

    #[test]
    fn walks_three_quarters_of_the_way_in_equal_steps() {
        let proposal = Proposal { confidence: 1.0, ..spread("w1.SPY.1", 1) };
        let walk = Walk::of(&settings(), &proposal);
        // Mid -1.20, natural -1.10: three steps to -1.125, rounded down to the cent.
        let prices: Vec<String> = (0..=5).map(|step| walk.price(step).to_string()).collect();
        assert_eq!(prices, ["-1.20", "-1.18", "-1.15", "-1.13", "-1.13", "-1.13"]);
        let doubtful = Walk::of(&settings(), &Proposal { confidence: 0.3, ..proposal.clone() });
        assert_eq!(doubtful.step_ns(), 3 * walk.step_ns());
        let purpose = Purpose::Close { position: proposal.id, reason: ExitReason::StopLoss };
        let urgent = Walk::of(&settings(), &Proposal { purpose, ..proposal });
        assert_eq!(urgent.price(urgent.steps()), Price::from_cents(-110));
        assert!(urgent.step_ns() < walk.step_ns());
    }

    proptest! {
        // No file of failures: it would land beside the rooms, where the workspace looks for crates.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_falls_back_and_never_passes_natural(mid in -50_000i64..50_000, way in -500i64..20_000, confidence in 0f32..1.0) {
            let (mid, natural) = (Price::from_units(mid), Price::from_units(mid + way));
            let walk = Walk::of(&settings(), &Proposal { mid, natural, confidence, ..spread("w1.SPY.1", 1) });
            let prices: Vec<Price> = (0..=walk.steps()).map(|step| walk.price(step)).collect();
            prop_assert!(prices.is_sorted());
            prop_assert!(prices.iter().all(|p| p.units() % 100 == 0 && *p <= natural.max(mid)));
            prop_assert!(prices[0] <= mid && mid - prices[0] < Price::CENT);
        }
    }
}
