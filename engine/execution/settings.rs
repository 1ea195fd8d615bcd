//! What execution is told: how prices walk and how long answers may take. Nothing here has a default.

use market::Price;

/// Everything the blotter needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How an unhurried order's price walks: entries, and exits that can wait.
    pub patient: Pace,
    /// How the price of a stop loss, an expiry or a clean-up walks.
    pub urgent: Pace,
    /// How much longer a step of an unhurried order lasts at a confidence of one half or less than at one:
    /// 3.0 means three times. At least 1.
    pub patience: f64,
    /// Price step of a multi-leg order's net, and of shares.
    pub tick: Price,
    /// Price step of a single option leg.
    pub option_tick: Price,
    /// How long an answer to a request may take, nanoseconds, before the venue is asked.
    pub request_timeout_ns: i64,
    /// Wait between two look-ups of an order the venue does not know (yet), nanoseconds.
    pub look_up_delay_ns: i64,
    /// Look-ups without an answer before the operator is told.
    pub look_ups_before_alert: u32,
    /// Most submissions of one order, the first included: only repeated when the venue surely has none.
    pub submissions_max: u32,
    /// True when the venue's count of filled units goes on through a replacement (the new order begins with
    /// the units its predecessor filled), false when it begins again at zero.
    pub fills_carry_over: bool,
}

/// How a price walks from mid toward natural.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Steps after the first price.
    pub steps: u32,
    /// How long each price stands, nanoseconds.
    pub step_ns: i64,
    /// How much of the way from mid to natural the last step has gone, basis points.
    pub share_bps: i64,
}
