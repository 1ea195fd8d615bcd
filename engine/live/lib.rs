//! The live shell: actors around the desk's seats, fed by sockets.
//!
//! [`trading`] builds the thread everything fast shares: [`floor`] (clock, journal, histograms, who sits where),
//! [`seat_actor`] (one actor around any seat), [`post`] (letter boxes where overload is met), [`feed`] and
//! [`feed_actor`] (one actor a connection), [`broker`] and [`flights`] (orders out), [`shard`] (symbol seats elsewhere). Away from it
//! work [`office`] (slow questions, repairs), [`keeper`] ([`models`] and their first look, [`vetting`])
//! and [`control`] (views, histograms, the control socket; [`look`] asks a seat for its chain).
//! [`clock`] is the only file of the program that asks the time; [`recover`] is how a start begins, [`learnt`] what
//! it tells the symbols of their models.

pub mod bell;
pub mod broker;
pub mod clock;
pub mod control;
pub mod feed;
pub mod feed_actor;
pub mod flights;
pub mod floor;
pub mod floor_actor;
pub mod inquiry;
pub mod keeper;
pub mod learnt;
pub mod look;
pub mod models;
pub mod office;
pub mod post;
pub mod quarantine;
pub mod recover;
pub mod repair;
pub mod seat_actor;
pub mod shard;
pub mod stages;
pub mod trading;
pub mod universe;
pub mod vetting;
