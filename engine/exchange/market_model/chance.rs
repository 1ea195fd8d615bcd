//! Where randomness comes from: numbered streams of one seed, and hashes for what must not depend on the
//! order of asking (a contract's noise is the same whether it is streamed or looked up).

use market::Contract;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// A stream of chance.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream called `name`, used for `purpose`, of a seed: independent of which other streams exist.
    pub fn stream(seed: u64, name: &str, purpose: &str) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(market::order::fold_id(&format!("{purpose}:{name}")));
        Self(rng)
    }
    /// A standard normal.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }
    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }
    /// Exponential with mean one, at most twelve.
    pub fn exponential(&mut self) -> f64 {
        (-(1.0 - self.unit()).ln()).min(12.0)
    }
    /// Log-normal with the given mean and log standard deviation.
    pub fn lognormal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean * (deviation * self.normal() - 0.5 * deviation * deviation).exp()
    }
}

fn mix(mut x: u64) -> u64 {
    // splitmix64's finaliser (Steele, Lea, Flood 2014).
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number in [0, 1) that depends on seed, contract and `salt` only.
pub fn hash_unit(seed: u64, contract: &Contract, salt: u64) -> f64 {
    let mut h = mix(seed ^ 0x9e37_79b9_7f4a_7c15);
    for b in contract.root.as_bytes() {
        h = mix(h ^ u64::from(*b));
    }
    let right = u64::from(contract.right == market::Right::Put);
    h = mix(h ^ (contract.expiry.days() as u64) << 1 ^ right);
    h = mix(h ^ u64::from(contract.strike_mils));
    (mix(h ^ mix(salt)) >> 11) as f64 / (1u64 << 53) as f64
}
