//! Keeps a chain's marks and its surface up to date in small pieces: the whole chain re-marked as the underlying moves,
//! at most so often; and between ticks, one piece at a time, each expiry's forward and rate, its exercise
//! boundaries and its smile. When each piece falls due depends on the engine's time only, so the same letters make the
//! same marks.

use crate::chain::Chain;
use market::session::year_fraction;
use market::{Right, Timestamp};
use pricing::chain::terms::{Liquidity, ParityRoom};
use pricing::smile::SmilePoint;
use pricing::surface::Surface;

/// How a chain is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The chain is re-marked at most this often as the underlying moves, in nanoseconds; a decision always sees it
    /// re-marked.
    pub remark_every_ns: i64,
    /// Every expiry's forward, boundaries and smile are found anew this often, spread evenly, in nanoseconds.
    pub refit_every_ns: i64,
    /// What a row must be like for parity and smile.
    pub liquidity: Liquidity,
}

/// With less than ten minutes to live an expiry keeps the smile it has.
const YEARS_SMILE_MIN: f64 = 10.0 / (365.0 * 24.0 * 60.0);
/// Pieces of work an expiry.
const PIECES: i64 = 4;
/// No two pieces follow each other faster, in nanoseconds.
const STEP_MIN_NS: i64 = 10_000_000;

/// Most times an expiry is gone over when all of it is known at once.
const ROUNDS: usize = 12;

/// What is next for an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Terms,
    Boundaries(Right),
    Smile,
}

/// The keeper of one chain.
#[derive(Clone, Debug)]
pub struct Marking {
    settings: Settings,
    surface: Surface,
    /// The time the surface's smiles are as of.
    surface_at: Timestamp,
    room: ParityRoom,
    points: Vec<SmilePoint>,
    expiry: usize,
    piece: Piece,
    next_step: Timestamp,
    marked_at: Timestamp,
    moved: bool,
}

impl Marking {
    /// A keeper that has kept nothing. Allocates its room once.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            surface: Surface::new(),
            surface_at: Timestamp::MIN,
            room: ParityRoom::default(),
            points: Vec::with_capacity(512),
            expiry: 0,
            piece: Piece::Terms,
            next_step: Timestamp::MIN,
            marked_at: Timestamp::MIN,
            moved: false,
        }
    }

    /// The surface as of the last fits.
    pub const fn surface(&self) -> &Surface {
        &self.surface
    }

    /// The underlying is at `spot`; true when the chain was re-marked.
    #[inline]
    pub fn hear_spot(&mut self, chain: &mut Chain, now: Timestamp, spot: f64) -> bool {
        let first = chain.spot().is_none();
        if !first && chain.spot() == Some(spot) && !self.moved {
            return false;
        }
        chain.hear_spot(spot);
        self.moved = true;
        let due = first || now.since(self.marked_at) >= self.settings.remark_every_ns;
        due && self.make_ready(chain, now)
    }

    /// Re-marks the chain when the underlying has moved since the last time; true when it had.
    pub fn make_ready(&mut self, chain: &mut Chain, now: Timestamp) -> bool {
        let moved = std::mem::take(&mut self.moved);
        if moved {
            chain.remark(now);
            self.marked_at = now;
        }
        moved
    }

    /// When the next piece of work is due; `None` while there is nothing to work on.
    pub fn deadline(&self, chain: &Chain) -> Option<Timestamp> {
        (!chain.is_empty() && chain.spot().is_some()).then_some(self.next_step)
    }

    /// Does the next piece when it is due; true when that ended a round over all expiries.
    pub fn step_in_time(&mut self, chain: &mut Chain, now: Timestamp) -> bool {
        if self.deadline(chain).is_none_or(|due| now < due) {
            return false;
        }
        let count = chain.expiry_terms().len();
        let pieces = PIECES * count as i64;
        self.next_step = now + (self.settings.refit_every_ns / pieces.max(1)).max(STEP_MIN_NS);
        if self.expiry >= count {
            self.expiry = 0;
        }
        loop {
            let (expiry, piece) = (self.expiry, self.piece);
            self.piece = match piece {
                Piece::Terms => Piece::Boundaries(Right::Call),
                Piece::Boundaries(Right::Call) => Piece::Boundaries(Right::Put),
                Piece::Boundaries(Right::Put) => Piece::Smile,
                Piece::Smile => Piece::Terms,
            };
            match piece {
                Piece::Terms => {
                    self.make_known(chain, now);
                    chain.imply_terms(expiry, now, &self.settings.liquidity, &mut self.room);
                    return false;
                }
                Piece::Boundaries(right) if chain.solve_boundaries(expiry, right) => {
                    // What was marked before them held no early-exercise premium.
                    chain.settle(expiry);
                    return false;
                }
                Piece::Boundaries(_) => {}
                Piece::Smile => {
                    self.fit(chain, expiry, now);
                    self.expiry += 1;
                    return self.expiry >= count;
                }
            }
        }
    }

    fn fit(&mut self, chain: &Chain, expiry: usize, now: Timestamp) {
        if self.surface_at > Timestamp::MIN {
            self.surface.pass(year_fraction(self.surface_at, now));
        }
        self.surface_at = now;
        // The smile is fitted to what the rows say at the terms they were last marked with.
        let terms = &chain.expiry_terms()[expiry].terms;
        if terms.is_valid() && terms.years >= YEARS_SMILE_MIN {
            chain.smile_points(expiry, now, &self.settings.liquidity, &mut self.points);
            self.surface.refit(terms, &self.points);
        }
    }

    /// Works over a chain that was heard all at once (a file, a look at another's chain), until forwards, early
    /// exercise and smiles agree.
    pub fn look_over(&mut self, chain: &mut Chain, now: Timestamp) {
        self.make_known(chain, now);
        for expiry in 0..chain.expiry_terms().len() {
            for _ in 0..ROUNDS {
                chain.imply_terms(expiry, now, &self.settings.liquidity, &mut self.room);
                let solved = [Right::Call, Right::Put].map(|right| chain.solve_boundaries(expiry, right));
                chain.settle(expiry);
                if solved == [false, false] {
                    break;
                }
            }
            self.fit(chain, expiry, now);
        }
    }

    fn make_known(&mut self, chain: &mut Chain, now: Timestamp) {
        chain.remark(now);
        self.moved = false;
        self.marked_at = now;
    }
}
