//! Which trade do delivered shares belong to? An assignment names the contract, the delivery that goes with
//! it names shares and a price, and the venue may report them in either order. This pairs them.

use crate::proposal::ProposalId;
use market::{Contract, Price, Right, Symbol};

/// Most unpaired halves kept; the oldest is dropped beyond.
pub const UNPAIRED_MAX: usize = 1_024;

/// Shares at a price that one half of a pair speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// The underlying.
    pub symbol: Symbol,
    /// The strike.
    pub price: Price,
    /// Signed shares.
    pub shares: i64,
}

/// Shares with the owner they were found to belong to (`None`: nobody we know).
pub type Owned = (Option<ProposalId>, i64);

/// Halves of pairs that wait for the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    owed: Vec<(Parcel, Option<ProposalId>)>,
    unclaimed: Vec<Parcel>,
}

/// The shares that exercise or assignment brings when it changes an option position by `quantity`: 100 a
/// contract, toward us for a put we are assigned or a call we exercise.
pub const fn shares_of(contract: &Contract, quantity: i64) -> i64 {
    match contract.right {
        Right::Put => quantity * market::contract::MULTIPLIER,
        Right::Call => -quantity * market::contract::MULTIPLIER,
    }
}

impl Deliveries {
    /// An assignment or exercise of `owner`'s contracts promises a parcel. Answers how many of its shares
    /// were here already, booked to nobody.
    pub fn promise(&mut self, parcel: Parcel, owner: Option<ProposalId>) -> i64 {
        let mut left = parcel.shares;
        for held in &mut self.unclaimed {
            left -= take(held, parcel, left);
        }
        self.unclaimed.retain(|held| held.shares != 0);
        if left != 0 {
            self.owed.push((Parcel { shares: left, ..parcel }, owner));
            drop_oldest(&mut self.owed);
        }
        parcel.shares - left
    }

    /// A parcel arrives. Answers whose shares they are.
    pub fn arrive(&mut self, parcel: Parcel) -> Vec<Owned> {
        let mut left = parcel.shares;
        let mut owners = Vec::new();
        for (held, owner) in &mut self.owed {
            let taken = take(held, parcel, left);
            left -= taken;
            if taken != 0 {
                owners.push((*owner, taken));
            }
        }
        self.owed.retain(|(held, _)| held.shares != 0);
        if left != 0 {
            owners.push((None, left));
            self.unclaimed.push(Parcel { shares: left, ..parcel });
            drop_oldest(&mut self.unclaimed);
        }
        owners
    }

    /// True while shares promised to a trade have not come.
    pub fn owes(&self, trade: &ProposalId) -> bool {
        self.owed.iter().any(|(_, owner)| owner.as_ref() == Some(trade))
    }

    /// Forgets every half: the broker's holdings were taken over as they are.
    pub fn clear(&mut self) {
        self.owed.clear();
        self.unclaimed.clear();
    }
}

/// Takes as many shares out of `held` as match `wanted` and are still `left`.
fn take(held: &mut Parcel, wanted: Parcel, left: i64) -> i64 {
    let same = held.symbol == wanted.symbol && held.price == wanted.price;
    if !same || left == 0 || held.shares.signum() != left.signum() {
        return 0;
    }
    let taken = held.shares.abs().min(left.abs()) * left.signum();
    held.shares -= taken;
    taken
}

fn drop_oldest<T>(halves: &mut Vec<T>) {
    if halves.len() > UNPAIRED_MAX {
        halves.remove(0);
    }
}
