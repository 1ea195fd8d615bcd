//! The book as text: one line a fact, in a fixed order, so that two books can be compared by eye and by `==`.

use crate::book::Book;
use crate::trade::Share;
use std::fmt::{self, Write};

impl Book {
    /// The whole book as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_to(&mut text);
        text
    }

    fn write_to(&self, out: &mut String) -> fmt::Result {
        let flows = self.flows();
        match self.opening() {
            Some(opening) => writeln!(out, "opening {opening}")?,
            None => writeln!(out, "opening unknown")?,
        }
        writeln!(
            out,
            "flows trading {} fees {} income {} transfers {} adjustments {}",
            flows.trading, flows.fees, flows.income, flows.transfers, flows.adjustments
        )?;
        writeln!(out, "cash {} equity {}", self.cash(), self.equity())?;
        writeln!(out, "realised {} unrealised {}", self.realised(), self.unrealised())?;
        if let (Some(start), Some(high)) = (self.day_start(), self.high_water()) {
            writeln!(out, "day start {start} high water {high}")?;
        }
        for position in self.positions() {
            write!(out, "position {} {}", position.instrument(), position.quantity())?;
            write!(out, " cost {} value {} lots", position.cost(), position.value())?;
            position.lots().try_for_each(|lot| write!(out, " {}@{}", lot.quantity, lot.price))?;
            writeln!(out)?;
        }
        self.write_trades(out)
    }

    fn write_trades(&self, out: &mut String) -> fmt::Result {
        for trade in self.trades() {
            let state = if trade.closed.is_some() { "closed" } else { "open" };
            write!(out, "trade {} {} {state} units {}", trade.id, trade.structure, trade.units())?;
            write!(out, "/{} entry {} ", trade.opened_units, trade.entry())?;
            write_share(out, &trade.share)?;
            writeln!(out, " profit {}", self.profit(trade))?;
        }
        if *self.nobody() != Share::default() {
            write!(out, "nobody ")?;
            write_share(out, self.nobody())?;
            writeln!(out)?;
        }
        Ok(())
    }
}

fn write_share(out: &mut String, share: &Share) -> fmt::Result {
    write!(out, "cash {} holds", share.cash)?;
    share.holds.iter().try_for_each(|(instrument, quantity)| write!(out, " {instrument}:{quantity}"))
}
