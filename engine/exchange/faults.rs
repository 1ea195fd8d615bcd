//! What goes wrong on purpose. Faults are data and drawn from the exchange's own seeded dice: one seed, one
//! sequence of misfortunes. Chances are in parts per million; a chance of zero draws nothing, so switching one
//! fault off does not move the others.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How often each fault strikes, in parts per million of its occasions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// An accepted order is rejected instead of acknowledged.
    pub reject_after_accept_ppm: u32,
    /// An order is accepted, and the client is told 504.
    pub timeout_after_accept_ppm: u32,
    /// An order event is delivered twice.
    pub duplicate_event_ppm: u32,
    /// An order event is delivered `late_by_ns` late, after events that happened later.
    pub late_event_ppm: u32,
    /// How late, in nanoseconds.
    pub late_by_ns: i64,
    /// A fill takes only a random part of what it could.
    pub partial_fill_ppm: u32,
    /// With an order event, every socket is dropped; the server acts on it.
    pub drop_sockets_ppm: u32,
    /// With an order event, sockets fall silent for `mute_for_ns`; the server acts on it.
    pub mute_ppm: u32,
    /// How long, in nanoseconds.
    pub mute_for_ns: i64,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        reject_after_accept_ppm: 0,
        timeout_after_accept_ppm: 0,
        duplicate_event_ppm: 0,
        late_event_ppm: 0,
        late_by_ns: 0,
        partial_fill_ppm: 0,
        drop_sockets_ppm: 0,
        mute_ppm: 0,
        mute_for_ns: 0,
    };
}

/// The only randomness of the exchange.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// True in `ppm` of a million cases.
    pub(crate) fn strikes(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.0.random_range(0..1_000_000) < ppm
    }

    /// A number from 1 to `most`; 1 when `most` is 0.
    pub(crate) fn up_to(&mut self, most: u32) -> u32 {
        self.0.random_range(1..=most.max(1))
    }
}
