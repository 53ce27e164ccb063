//! What is left of many measurements of the same thing.

use anyhow::{Context, Result};
use serde::Serialize;

/// Least, middle and greatest of some measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one measurement.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Result<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        let upper = *sorted.get(half).context("nothing was measured")?;
        let lower = if sorted.len().is_multiple_of(2) { half - 1 } else { half };
        let lower = sorted.get(lower).copied().unwrap_or(upper);
        Ok(Self {
            min: rounded(sorted.first().copied().unwrap_or(upper)),
            median: rounded(f64::midpoint(lower, upper)),
            max: rounded(sorted.last().copied().unwrap_or(upper)),
        })
    }

    /// How many times the median of `other` this median is.
    pub(crate) fn over(&self, other: &Self) -> f64 {
        rounded(self.median / other.median)
    }
}

/// Three decimals: more would be noise.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Bytes in MiB.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn mib(bytes: u64) -> f64 {
    rounded(bytes as f64 / f64::from(1 << 20))
}

/// Bytes in GiB, not rounded: a divisor.
pub(crate) fn gib(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert!(Spread::of([]).is_err());
    }
}
