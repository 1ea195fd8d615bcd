//! The XNYS session calendar.
