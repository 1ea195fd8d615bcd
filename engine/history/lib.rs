//! Recorded data of other programs read into market words.
