//! An order's life as an enum, the price walk, reconciliation.
