//! Starting is recovering: what risk and execution heard before is heard again by fresh cores, which brings them to
//! where the dead run was. Nothing they say meanwhile leaves; what one had said to the other and the other never
//! heard is found and delivered now.

use desk::ShelfSeat;
use desk::letter::{Address, Envelope, Letter};
use desk::seat::{ExecutionSeat, Outbox, RiskSeat, Seat};
use journal::{Fault, Recovered};
use market::Timestamp;
use portfolio::notes::{DoneNote, PositionNote};
use portfolio::proposal::ProposalId;
use std::collections::{BTreeMap, VecDeque};

/// Cores brought back, and what is left to say.
pub struct Restored {
    /// The book and what is pending.
    pub risk: RiskSeat,
    /// The orders.
    pub execution: ExecutionSeat,
    /// Letters that were said but not heard when the run died, to be delivered first.
    pub undelivered: Vec<Envelope>,
    /// Open positions, for the symbols' seats.
    pub positions: Vec<PositionNote>,
    /// Letters heard again.
    pub heard: u64,
    /// The newest time in them.
    pub newest: Timestamp,
}

/// Lets fresh seats hear everything again.
///
/// # Errors
/// When a record does not read: a book is not rebuilt with a gap.
pub fn restore(
    recovered: &Recovered,
    mut risk: RiskSeat,
    mut execution: ExecutionSeat,
) -> Result<Restored, Fault> {
    let mut on_the_way: BTreeMap<(Address, Address), VecDeque<Envelope>> = BTreeMap::new();
    let mut positions: BTreeMap<ProposalId, PositionNote> = BTreeMap::new();
    let mut out = Outbox::new();
    let (mut heard, mut newest) = (0, Timestamp::MIN);
    let mut run = 0;
    let mut letters = recovered.letters_of(&[Address::Risk, Address::Execution]);
    while let Some(letter) = letters.next() {
        let (now, envelope) = letter?;
        if letters.run() != run {
            // As it was then: what belonged to a run ended with it.
            run = letters.run();
            risk.begin_run();
        }
        heard += 1;
        newest = newest.max(now);
        if let Some(queue) = on_the_way.get_mut(&(envelope.from, envelope.to))
            && let Some(place) = queue.iter().position(|said| said.letter == envelope.letter)
        {
            // By content, not by count: one letter that was never heard must not stand for all after it.
            queue.remove(place);
        }
        if let Letter::Done(done) = &envelope.letter
            && let Some(cleared) = on_the_way.get_mut(&(Address::Risk, Address::Execution))
        {
            // A clearance that was never heard was settled by such a note at an earlier start.
            cleared.retain(|said| !is_clearance_of(&said.letter, done.proposal));
        }
        let from = envelope.to;
        match from {
            Address::Risk => risk.hear(now, &envelope.letter, &mut out),
            _ => execution.hear(now, &envelope.letter, &mut out),
        }
        for (to, letter) in out.drain(..) {
            match (&letter, to) {
                (Letter::Position(note), _) if note.units == 0 => {
                    positions.remove(&note.id);
                }
                (Letter::Position(note), _) => {
                    positions.insert(note.id, note.clone());
                }
                (_, Address::Risk | Address::Execution) => {
                    let envelope = Envelope { from, to, at: now, letter };
                    on_the_way.entry((from, to)).or_default().push_back(envelope);
                }
                _ => {}
            }
        }
    }
    risk.begin_run();
    let undelivered = on_the_way.into_values().flatten().map(settle).collect();
    Ok(Restored { risk, execution, undelivered, positions: positions.into_values().collect(), heard, newest })
}

/// Lets a fresh shelf hear again what it heard: which models spoke and which were tried, with what was found so far.
///
/// # Errors
/// When a record does not read: models are not moved on half of the evidence.
pub fn restore_shelf(recovered: &Recovered, mut shelf: ShelfSeat) -> Result<ShelfSeat, Fault> {
    let (mut out, mut run) = (Outbox::new(), 0);
    let mut letters = recovered.letters(Address::Shelf);
    while let Some(letter) = letters.next() {
        let (now, envelope) = letter?;
        if letters.run() != run {
            run = letters.run();
            shelf.begin_run();
        }
        shelf.hear(now, &envelope.letter, &mut out);
        out.clear();
    }
    shelf.begin_run();
    Ok(shelf)
}

fn is_clearance_of(letter: &Letter, proposal: ProposalId) -> bool {
    matches!(letter, Letter::Cleared(cleared) if cleared.proposal().id == proposal)
}

/// A clearance that execution never heard is stale: prices moved while nobody looked. Risk is told that it ended
/// without a fill. Everything else is delivered as it was said.
fn settle(envelope: Envelope) -> Envelope {
    let Letter::Cleared(cleared) = &envelope.letter else { return envelope };
    let note = DoneNote::unsent(cleared.proposal(), envelope.at);
    Envelope { from: Address::Execution, to: Address::Risk, at: envelope.at, letter: Letter::Done(note) }
}
