//! Shapes: the arithmetic of what only moves numbers about.

use super::Constant;
use std::rc::Rc;

/// How many numbers a shape holds; `None` when too many to count.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))
}

/// An axis counted from the front.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let rank_signed = rank as i64;
    let from_front = if axis < 0 { axis + rank_signed } else { axis };
    usize::try_from(from_front)
        .ok()
        .filter(|a| *a <= rank)
        .ok_or_else(|| format!("axis {axis} of rank {rank}"))
}

/// The shape asked of Reshape: 0 keeps, -1 takes what is left.
pub(super) fn reshaped(shape: &[usize], asked: &[f64], zero_is_zero: bool) -> Result<Vec<usize>, String> {
    let all = count(shape).ok_or("too many numbers")?;
    let mut made = Vec::with_capacity(asked.len());
    let mut open = None;
    for (i, dim) in asked.iter().enumerate() {
        made.push(match *dim as i64 {
            0 if !zero_is_zero => *shape.get(i).ok_or("it keeps a dimension that is not there")?,
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            d => usize::try_from(d).map_err(|_| format!("a dimension of {d}"))?,
        });
    }
    let rest = count(&made).filter(|n| *n > 0).ok_or("an impossible shape")?;
    if let Some(open) = open {
        made[open] = all / rest;
    }
    if count(&made) == Some(all) { Ok(made) } else { Err(format!("{shape:?} cannot become {asked:?}")) }
}

/// The shape without some dimensions of one, or without all of them.
pub(super) fn squeezed(shape: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    if axes.is_empty() {
        return Ok(shape.iter().copied().filter(|d| *d != 1).collect());
    }
    let mut goes = vec![false; shape.len()];
    for a in axes {
        let at = axis(*a, shape.len())?;
        match shape.get(at) {
            Some(1) => goes[at] = true,
            _ => return Err(format!("dimension {a} of {shape:?} is not 1")),
        }
    }
    Ok(shape.iter().zip(goes).filter(|(_, goes)| !goes).map(|(d, _)| *d).collect())
}

/// The shape with dimensions of one put in.
pub(super) fn unsqueezed(shape: &[usize], axes: &[i64]) -> Result<Vec<usize>, String> {
    let rank = shape.len() + axes.len();
    let mut is_new = vec![false; rank];
    for a in axes {
        match is_new.get_mut(axis(*a, rank)?) {
            Some(slot) if !*slot => *slot = true,
            _ => return Err(format!("axes {axes:?} of rank {rank}")),
        }
    }
    let mut old = shape.iter();
    Ok(is_new.iter().map(|new| if *new { 1 } else { old.next().copied().unwrap_or(1) }).collect())
}

/// The shape two shapes make together by broadcasting.
pub(super) fn joined(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let dim = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |at| s[at]);
    (0..rank)
        .map(|i| match (dim(a, i), dim(b, i)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(format!("{a:?} and {b:?} do not go together")),
        })
        .collect()
}

impl Constant {
    /// The numbers repeated to a shape; `None` when they do not fit it.
    pub(super) fn spread(&self, shape: &[usize]) -> Option<Vec<f64>> {
        if joined(&self.shape, shape).ok()?.as_slice() != shape {
            return None;
        }
        let lead = shape.len() - self.shape.len();
        let at = |mut index: usize| {
            let (mut place, mut stride) = (0, 1);
            for i in (0..shape.len()).rev() {
                let here = index % shape[i];
                index /= shape[i];
                if i >= lead {
                    let dim = self.shape[i - lead];
                    place += if dim == 1 { 0 } else { here * stride };
                    stride *= dim;
                }
            }
            place
        };
        (0..count(shape)?).map(|i| self.numbers.get(at(i)).copied()).collect()
    }

    /// The numbers with their dimensions in another order; all turned round when none is given.
    pub(super) fn transposed(&self, order: &[i64]) -> Result<Self, String> {
        let rank = self.shape.len();
        let reversed: Vec<usize> = (0..rank).rev().collect();
        let given: Result<Vec<usize>, String> = order.iter().map(|a| axis(*a, rank)).collect();
        let order = if order.is_empty() { reversed } else { given? };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return Err(format!("no order of {rank} dimensions"));
        }
        let shape: Vec<usize> = order.iter().map(|a| self.shape[*a]).collect();
        let strides: Vec<usize> = (0..rank).map(|i| self.shape[i + 1..].iter().product::<usize>()).collect();
        let at = |mut index: usize| {
            let mut place = 0;
            for i in (0..rank).rev() {
                place += index % shape[i] * strides[order[i]];
                index /= shape[i];
            }
            place
        };
        let numbers = (0..self.numbers.len()).map(|i| self.numbers[at(i)]).collect();
        Ok(Self { shape, numbers: Rc::new(numbers) })
    }

    /// As integers.
    pub(super) fn ints(&self) -> Vec<i64> {
        self.numbers.iter().map(|n| *n as i64).collect()
    }

    /// As 32-bit floats; an error when one is beyond them.
    pub(super) fn floats(&self) -> Result<Vec<f32>, String> {
        narrow(&self.numbers)
    }
}

/// Doubles as 32-bit floats; an error when one is beyond them.
pub(super) fn narrow(numbers: &[f64]) -> Result<Vec<f32>, String> {
    let narrowed: Vec<f32> = numbers.iter().map(|n| *n as f32).collect();
    if narrowed.iter().all(|n| n.is_finite()) {
        Ok(narrowed)
    } else {
        Err("a constant is beyond 32-bit floats".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_follow_the_operators() {
        assert_eq!(reshaped(&[1, 6], &[-1.0, 3.0], false), Ok(vec![2, 3]));
        assert_eq!(reshaped(&[1, 6], &[0.0, -1.0], false), Ok(vec![1, 6]));
        assert!(reshaped(&[1, 6], &[4.0], false).is_err());
        assert!(reshaped(&[1, 6], &[0.0, -1.0], true).is_err());
        assert_eq!(squeezed(&[1, 6, 1], &[-1]), Ok(vec![1, 6]));
        assert!(squeezed(&[1, 6], &[1]).is_err());
        assert_eq!(unsqueezed(&[6], &[0, 2]), Ok(vec![1, 6, 1]));
        assert_eq!(joined(&[1, 6], &[6]), Ok(vec![1, 6]));
        assert_eq!(joined(&[1, 6], &[4, 1]), Ok(vec![4, 6]));
        assert!(joined(&[1, 6], &[5]).is_err());
    }

    #[test]
    fn constants_move_as_the_operators_say() {
        let two_three = Constant { shape: vec![2, 3], numbers: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0].into() };
        let turned = two_three.transposed(&[]).expect("a matrix");
        assert_eq!((turned.shape, turned.numbers), (vec![3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0].into()));
        assert!(two_three.transposed(&[0, 0]).is_err());
        let column = Constant { shape: vec![2, 1], numbers: vec![1.0, 2.0].into() };
        assert_eq!(column.spread(&[2, 3]), Some(vec![1.0, 1.0, 1.0, 2.0, 2.0, 2.0]));
        assert_eq!(column.spread(&[1, 3]), None);
    }
}
