//! A timeframe's place: who speaks, who spoke before, and who would speak if its bundle were there.

use super::Id;
use super::duel::Watch;
use market::{Symbol, Timestamp};
use std::collections::BTreeMap;

/// A timeframe's place.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Who speaks. Where `away` is told, it only stands in.
    pub incumbent: Option<Id>,
    /// Who spoke before; its bundle may be away.
    pub predecessor: Option<Id>,
    /// Whose place it is by right.
    pub away: Option<Away>,
    /// Whom the operator keeps in the place, there or not: meanwhile nobody moves.
    pub pinned: Option<Id>,
    /// How the incumbent fares; it has a horizon only when there is one.
    pub watch: Option<Watch>,
    /// True once its fall was told.
    pub has_fallen: bool,
    /// Losses at a moment that wait for others of the same.
    pub pairs: BTreeMap<(Timestamp, Symbol), Vec<(Id, f64)>>,
}

/// An incumbent whose bundle is not there: refused by a circumstance, not looked at yet, or taken away. It speaks again
/// as soon as it is back, unless another is promoted, rolled back to or pinned meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Away {
    /// Whose.
    pub id: Id,
    /// Who spoke before it.
    pub predecessor: Option<Id>,
    /// How it fared.
    pub watch: Option<Watch>,
}
