//! Bars in ten timeframes, indicators and feature rows.
