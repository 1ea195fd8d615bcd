//! The LEAN data layout: zips of headerless CSV members, one zip a symbol, day and kind.
//!
//! Prices are integers of a ten-thousandth of a dollar, times are milliseconds since midnight of the file's
//! date in New York (Chicago under `index/`). A row's missing side is `None`, never zero.

mod conditions;
mod daily;
mod day;
mod factors;
mod names;
mod rows;

pub use conditions::sale_rule;
pub use daily::{OptionDay, equity_daily, equity_hourly, option_daily};
pub use day::{Day, EquityData, Rows, What};
pub use factors::splits;
pub use names::{StockFile, stock_file_of};

use std::path::PathBuf;

/// Why recorded data was not read. Messages name the file, the member and the line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing that was asked for is there.
    #[error("no LEAN data of {what}: expected {} (is the data root right?)", expected.display())]
    NothingThere {
        /// Symbol and date.
        what: String,
        /// The first file looked for.
        expected: PathBuf,
    },
    /// A file is there but cannot be opened.
    #[error("{}: cannot be opened: {source}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not a zip, or is damaged.
    #[error("{}: {member}: not readable as a zip: {source}; fetch the file again", file.display())]
    Zip {
        /// The file.
        file: PathBuf,
        /// The member, or its number when its name cannot be read.
        member: String,
        /// Why.
        source: zip::result::ZipError,
    },
    /// A member's name does not say which contract it is of.
    #[error(
        "{}: member `{member}` does not name a contract (…_call_STRIKEx10000_YYYYMMDD.csv)", file.display()
    )]
    Member {
        /// The file.
        file: PathBuf,
        /// The member.
        member: String,
    },
    /// A row is not what its kind has.
    #[error("{}: {member}, line {line}: {what}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The member.
        member: String,
        /// The line, from 1.
        line: u32,
        /// What is wrong with it.
        what: String,
    },
}
