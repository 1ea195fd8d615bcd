//! Dated fee schedules.
