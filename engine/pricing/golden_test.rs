//! Reads the reference tables in `tests/golden`: CSV, packed or not, by column name.

use market::Right;
use std::collections::BTreeMap;
use std::io::Read;

/// One line of a table.
#[derive(Debug, Clone)]
pub struct Row(BTreeMap<String, String>);

impl Row {
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).expect("a column of that name")
    }
    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().expect("a number")
    }
    pub fn maybe(&self, name: &str) -> Option<f64> {
        self.text(name).parse().ok()
    }
    pub fn right(&self) -> Right {
        if self.text("cp") == "c" { Right::Call } else { Right::Put }
    }
}

/// The bytes of a file, unpacked when its name ends in `.gz`.
pub fn bytes(path: &str) -> Option<Vec<u8>> {
    let packed = std::fs::read(path).ok()?;
    if !path.ends_with(".gz") {
        return Some(packed);
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..]).read_to_end(&mut plain).expect("whole gzip file");
    Some(plain)
}

/// A golden file of the repository.
pub fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    bytes(&path).expect("golden file in the repository")
}

/// A golden table of the repository.
pub fn table(name: &str) -> Vec<Row> {
    rows(&file(name))
}

/// The rows of a CSV table.
pub fn rows(text: &[u8]) -> Vec<Row> {
    let mut reader = csv::Reader::from_reader(text);
    reader.deserialize().map(|row| Row(row.expect("a CSV row"))).collect()
}
