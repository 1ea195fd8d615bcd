//! What brings the values of a row to a common size: training fits it, the model's manifest carries it, and one
//! function applies it, live and in batch.
//!
//! A value that was never known in training, or never varied there, taught the model nothing: the weights behind it
//! are what chance put there. Its scale is 0, so that the model goes on seeing the 0 it was trained with when the value
//! is known one day (a chain that begins to speak).

use crate::features::{FEATURES, Missing, Row};

/// No scaled value is beyond this, either side.
pub const CLIP: f32 = 8.0;
/// A value that varies less than this is a constant.
const CONSTANT: f64 = 1e-6;

/// Centre and scale of every value, and where scaled values are cut.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Scaling {
    centre: Row,
    scale: Row,
    clip: f32,
}

/// As it is written in manifests.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    centre: Vec<f32>,
    scale: Vec<f32>,
    clip: f32,
}

/// Why numbers are no scaling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScalingFault {
    /// Not one number a feature.
    #[error("scaling has {found} numbers under `{list}`, a row has {FEATURES}: train the model again")]
    Length {
        /// The list.
        list: &'static str,
        /// Numbers there.
        found: usize,
    },
    /// A number that cannot be right.
    #[error(
        "scaling: number {at} under `{list}` is not usable: centres must be finite, scales not negative, clip positive"
    )]
    Number {
        /// The list.
        list: &'static str,
        /// Its place.
        at: usize,
    },
}

impl TryFrom<Written> for Scaling {
    type Error = ScalingFault;

    fn try_from(written: Written) -> Result<Self, ScalingFault> {
        let row = |list: &'static str, numbers: Vec<f32>, is_right: fn(f32) -> bool| {
            if let Some(at) = numbers.iter().position(|x| !is_right(*x)) {
                return Err(ScalingFault::Number { list, at });
            }
            Row::try_from(numbers.as_slice()).map_err(|_| ScalingFault::Length { list, found: numbers.len() })
        };
        if !(written.clip.is_finite() && written.clip > 0.0) {
            return Err(ScalingFault::Number { list: "clip", at: 0 });
        }
        let centre = row("centre", written.centre, f32::is_finite)?;
        let mut scale = row("scale", written.scale, |x| x.is_finite() && x >= 0.0)?;
        // Fits once wrote 1 for values that taught nothing. No deviation is ever exactly 1, but a scaling that
        // stretches nothing at all was written by hand and means what it says.
        if scale.iter().any(|x| *x != 1.0) {
            scale.iter_mut().filter(|x| **x == 1.0).for_each(|x| *x = 0.0);
        }
        Ok(Self { centre, scale, clip: written.clip })
    }
}

impl From<Scaling> for Written {
    fn from(scaling: Scaling) -> Self {
        Self { centre: scaling.centre.to_vec(), scale: scaling.scale.to_vec(), clip: scaling.clip }
    }
}

impl Scaling {
    /// Changes nothing but to cut at the bound of rows.
    pub const NONE: Self =
        Self { centre: [0.0; FEATURES], scale: [1.0; FEATURES], clip: crate::features::BOUND as f32 };

    /// The scaling under which the known values of these rows have mean 0 and deviation 1. A value that never varies
    /// or is never known becomes 0 whatever it is.
    pub fn fit<'a>(rows: impl Iterator<Item = (&'a Row, Missing)> + Clone) -> Self {
        let mut scaling = Self { clip: CLIP, ..Self::NONE };
        for at in 0..FEATURES {
            let known =
                rows.clone().filter(|(_, missing)| !missing.has(at)).map(|(row, _)| f64::from(row[at]));
            let (sum, count) = known.clone().fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
            scaling.scale[at] = 0.0;
            if count == 0.0 {
                continue;
            }
            let mean = sum / count;
            let deviation = (known.map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
            scaling.centre[at] = mean as f32;
            if deviation > CONSTANT {
                scaling.scale[at] = (1.0 / deviation) as f32;
            }
        }
        scaling
    }

    /// The row a model reads. What was missing stands at 0 before and is scaled like any 0.
    #[inline]
    pub fn apply(&self, row: &Row) -> Row {
        let scaled = |at: usize| ((row[at] - self.centre[at]) * self.scale[at]).clamp(-self.clip, self.clip);
        std::array::from_fn(scaled)
    }

    /// The centre of every value.
    pub const fn centre(&self) -> &Row {
        &self.centre
    }

    /// What every value less its centre is multiplied by.
    pub const fn scale(&self) -> &Row {
        &self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        (0..200)
            .map(|i| std::array::from_fn(|at| if at == 3 { 7.0 } else { ((i * (at + 3)) % 41) as f32 * 0.1 }))
            .collect()
    }

    #[test]
    fn fitted_rows_have_mean_zero_and_deviation_one() {
        let rows = rows();
        let scaling = Scaling::fit(rows.iter().map(|row| (row, Missing::from_bits(1 << 5))));
        let scaled: Vec<Row> = rows.iter().map(|row| scaling.apply(row)).collect();
        for at in (0..FEATURES).filter(|at| *at != 5) {
            let mean = scaled.iter().map(|row| f64::from(row[at])).sum::<f64>() / 200.0;
            let square = scaled.iter().map(|row| f64::from(row[at]).powi(2)).sum::<f64>() / 200.0;
            assert!(mean.abs() < 1e-5, "{at}: {mean}");
            assert!(at == 3 && square < 1e-9 || (square - 1.0).abs() < 1e-4, "{at}: {square}");
        }
        let far = scaling.apply(&[1e9; FEATURES]);
        for (at, x) in far.iter().enumerate() {
            let known = if [3, 5].contains(&at) { 0.0 } else { CLIP };
            assert_eq!(*x, known, "{at}: never known or never another: nothing was learnt from it");
        }
    }

    #[test]
    fn it_is_written_and_read_back() {
        let scaling = Scaling::fit(rows().iter().map(|row| (row, Missing::NONE)));
        let bytes = postcard::to_allocvec(&scaling).unwrap();
        assert_eq!(postcard::from_bytes::<Scaling>(&bytes).unwrap(), scaling);
        let mut written = Written::from(scaling);
        written.scale[2] = -1.0;
        assert_eq!(Scaling::try_from(written.clone()), Err(ScalingFault::Number { list: "scale", at: 2 }));
        written.scale.truncate(2);
        let fault = Scaling::try_from(written).unwrap_err();
        assert_eq!(fault, ScalingFault::Length { list: "scale", found: 2 });
        assert_eq!(Scaling::NONE.apply(&[0.5; FEATURES]), [0.5; FEATURES]);
    }

    #[test]
    fn values_that_taught_nothing_stay_unseen_in_manifests_of_before() {
        let (centre, mut scale) = (vec![0.25; FEATURES], vec![2.0; FEATURES]);
        scale[31] = 1.0;
        let of_before = Written { centre: centre.clone(), scale, clip: CLIP };
        let applied = Scaling::try_from(of_before).unwrap().apply(&[0.75; FEATURES]);
        assert!(applied.iter().enumerate().all(|(at, x)| *x == if at == 31 { 0.0 } else { 1.0 }));
        // By hand: only moved.
        let moved = Written { centre, scale: vec![1.0; FEATURES], clip: CLIP };
        assert_eq!(Scaling::try_from(moved).unwrap().apply(&[0.75; FEATURES]), [0.5; FEATURES]);
    }
}
