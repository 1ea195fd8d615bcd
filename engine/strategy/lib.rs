//! From forecast and chain to a proposal: structures, entry, exit and the per-symbol core.
