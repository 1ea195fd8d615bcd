//! A forecast: the odds of down, flat and up, and who spoke.

/// Probabilities of the three classes every model answers with; they sum to one.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    rkyv::Archive,
    rkyv::Serialize,
    rkyv::Deserialize,
    serde::Serialize,
)]
pub struct Odds {
    /// The price falls by more than the label's threshold within the horizon.
    pub down: f32,
    /// It stays inside.
    pub flat: f32,
    /// It rises by more.
    pub up: f32,
}

/// What an ensemble says at one moment.
#[derive(
    Clone, Copy, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, serde::Serialize,
)]
pub struct Forecast {
    /// The combined odds.
    pub odds: Odds,
    /// The largest of the three odds.
    pub confidence: f32,
    /// Share of the members' weight whose own favourite is the ensemble's favourite, 0-1.
    pub agreement: f32,
    /// Bit `i` is set when the model of `Timeframe::ALL[i]` spoke.
    pub members: u16,
}
