//! The spine: the real program over loopback, each test with a folder of its own. Nothing here is about speed: a
//! test waits for what must come, with a limit that only a machine that hangs can reach.

mod learnt;
mod models;
mod office;
mod on_record;
mod replayed;
mod restarted;
mod sharded;
mod shelf;
mod steered;
mod storm;
mod structured;
mod traded;
mod venue_dies;
mod vetting;
mod wrong_input;
