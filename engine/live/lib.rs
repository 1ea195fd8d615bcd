//! The live shell: actors around seats, posts, clocks, supervision, histograms.
