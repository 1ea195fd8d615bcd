//! The memory-mapped ring, LMDB tables, rebuild and export.
