//! The program: command line, settings, checks and the wiring of rooms.
