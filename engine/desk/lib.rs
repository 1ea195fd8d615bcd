//! Letters, seats and the routing between them, written once for the live and the backtest shell.
//!
//! A [`seat`] wraps one decision core and gives every core the same face: hear a letter, say what should
//! happen next. [`route`] turns what a core says into letters with addresses; [`view`] folds letters into
//! what people read. Nothing here does I/O or asks the time.

pub mod letter;
pub mod route;
pub mod seat;
pub mod shelf_seat;
pub mod view;

pub use letter::{Address, Envelope, Letter};
pub use seat::{Outbox, Seat};
pub use shelf_seat::ShelfSeat;
