//! Many contracts of one expiry at once, as structure of arrays. The kernels of [`crate::european`] run over blocks
//! of fixed length, which the compiler turns into vector code; `pulp` picks AVX-512, AVX2 or plain code
//! at run time. All three give the same bits.

use crate::dispatch::vectorised;
use crate::european::{Greeks, Terms, kernel, sign_of};
use market::Right;

/// Contracts worked on together: long enough to fill every vector width, short enough that all columns of a block
/// stay in the first-level cache.
pub(crate) const BLOCK: usize = 64;

/// Columns of prices and Greeks, one row a contract. Units as in [`crate::european`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// Dollars per share.
    pub price: Vec<f64>,
    /// Per dollar of spot.
    pub delta: Vec<f64>,
    /// Delta per dollar of spot.
    pub gamma: Vec<f64>,
    /// Per 1.00 of volatility.
    pub vega: Vec<f64>,
    /// Per year of time passing.
    pub theta: Vec<f64>,
    /// Per 1.00 of rate.
    pub rho: Vec<f64>,
    /// Delta per 1.00 of volatility.
    pub vanna: Vec<f64>,
    /// Vega per 1.00 of volatility.
    pub volga: Vec<f64>,
    /// Delta per year of time passing.
    pub charm: Vec<f64>,
    /// Gamma per dollar of spot.
    pub speed: Vec<f64>,
}

impl Columns {
    /// Columns of `rows` missing values (NaN).
    pub fn missing(rows: usize) -> Self {
        let column = || vec![f64::NAN; rows];
        Self {
            price: column(),
            delta: column(),
            gamma: column(),
            vega: column(),
            theta: column(),
            rho: column(),
            vanna: column(),
            volga: column(),
            charm: column(),
            speed: column(),
        }
    }

    /// No rows, with room for so many.
    pub fn with_room(rows: usize) -> Self {
        let mut columns = Self::default();
        columns.columns_mut().into_iter().for_each(|column| column.reserve_exact(rows));
        columns
    }

    /// A row of missing values at this place; those from there on move back.
    pub fn insert_missing(&mut self, i: usize) {
        self.columns_mut().into_iter().for_each(|column| column.insert(i, f64::NAN));
    }

    /// Drops the first rows.
    pub fn drop_first(&mut self, rows: usize) {
        self.columns_mut().into_iter().for_each(|column| _ = column.drain(..rows));
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.price.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.price.is_empty()
    }

    /// One row.
    pub fn row(&self, i: usize) -> Greeks {
        Greeks {
            price: self.price[i],
            delta: self.delta[i],
            gamma: self.gamma[i],
            vega: self.vega[i],
            theta: self.theta[i],
            rho: self.rho[i],
            vanna: self.vanna[i],
            volga: self.volga[i],
            charm: self.charm[i],
            speed: self.speed[i],
        }
    }

    /// Sets one row.
    pub fn set(&mut self, i: usize, g: &Greeks) {
        self.price[i] = g.price;
        self.delta[i] = g.delta;
        self.gamma[i] = g.gamma;
        self.vega[i] = g.vega;
        self.theta[i] = g.theta;
        self.rho[i] = g.rho;
        self.vanna[i] = g.vanna;
        self.volga[i] = g.volga;
        self.charm[i] = g.charm;
        self.speed[i] = g.speed;
    }

    /// The ten columns, in the order of a block.
    fn columns_mut(&mut self) -> [&mut Vec<f64>; COLUMNS] {
        [
            &mut self.price,
            &mut self.delta,
            &mut self.gamma,
            &mut self.vega,
            &mut self.theta,
            &mut self.rho,
            &mut self.vanna,
            &mut self.volga,
            &mut self.charm,
            &mut self.speed,
        ]
    }
}

const COLUMNS: usize = 10;

/// One block of contracts, padded with the last one.
pub(crate) struct Block {
    pub sign: [f64; BLOCK],
    pub strike: [f64; BLOCK],
    pub vol: [f64; BLOCK],
}

impl Block {
    /// Takes a block from columns; what is short of it is filled with the last contract.
    pub fn load(rights: &[Right], strikes: &[f64], vols: &[f64]) -> Self {
        let mut block = Self { sign: [1.0; BLOCK], strike: [1.0; BLOCK], vol: [1.0; BLOCK] };
        for (to, right) in block.sign.iter_mut().zip(rights) {
            *to = sign_of(*right);
        }
        block.strike[..strikes.len()].copy_from_slice(strikes);
        block.vol[..vols.len()].copy_from_slice(vols);
        block
    }
}

#[inline(always)]
pub(crate) fn fill(terms: &Terms, block: &Block, out: &mut [[f64; BLOCK]; COLUMNS]) {
    let [price, delta, gamma, vega, theta, rho, vanna, volga, charm, speed] = out;
    for i in 0..BLOCK {
        let g = kernel(block.sign[i], terms, block.strike[i], block.vol[i]);
        price[i] = g.price;
        delta[i] = g.delta;
        gamma[i] = g.gamma;
        vega[i] = g.vega;
        theta[i] = g.theta;
        rho[i] = g.rho;
        vanna[i] = g.vanna;
        volga[i] = g.volga;
        charm[i] = g.charm;
        speed[i] = g.speed;
    }
}

/// Prices and Greeks of contracts of one expiry into `out` from row `from` on. A row whose strike or volatility is
/// not above zero (not at least zero), or NaN, becomes NaN throughout. Allocates nothing.
///
/// # Panics
/// When the slices differ in length or `out` has too few rows: a fault of the caller.
pub fn greeks_into(
    terms: &Terms,
    rights: &[Right],
    strikes: &[f64],
    vols: &[f64],
    out: &mut Columns,
    from: usize,
) {
    assert!(rights.len() == strikes.len() && vols.len() == strikes.len(), "columns of one length");
    assert!(from + strikes.len() <= out.len(), "room for every row");
    let mut found = [[0.0; BLOCK]; COLUMNS];
    let valid = terms.is_valid();
    for start in (0..strikes.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(strikes.len());
        let block = Block::load(&rights[start..end], &strikes[start..end], &vols[start..end]);
        let room = &mut found;
        vectorised!(fill(terms, &block, room));
        let rows = from + start..from + end;
        for (column, values) in out.columns_mut().into_iter().zip(&found) {
            column[rows.clone()].copy_from_slice(&values[..end - start]);
        }
        for i in start..end {
            if !(valid && strikes[i] > 0.0 && vols[i] >= 0.0) {
                out.columns_mut().into_iter().for_each(|column| column[from + i] = f64::NAN);
            }
        }
    }
}
