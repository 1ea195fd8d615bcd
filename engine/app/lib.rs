//! The program: command line, settings, checks and the wiring of rooms.

pub mod settings;
