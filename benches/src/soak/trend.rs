//! A line through samples, and how far to believe it.

use serde::Serialize;

/// The slope of a line, with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Trend {
    pub(super) slope: f64,
    pub(super) error: f64,
}

/// The line of least squares through these points; `None` where fewer than three times are among them.
pub(super) fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    if points.len() < 3 {
        return None;
    }
    let count = points.iter().fold(0.0, |count, _| count + 1.0);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (middle, height) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(at, _)| (at - middle).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|(at, value)| (at - middle) * (value - height)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|(at, value)| (value - height - slope * (at - middle)).powi(2)).sum();
    Some(Trend { slope, error: (rest / (count - 2.0) / spread).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 300 samples, 5 s apart, of something that grows so much an hour and swings by 1 around that.
    fn samples(growth: f64) -> Vec<(f64, f64)> {
        let at = |index: i32| f64::from(index) * 5.0 / 3600.0;
        let swing = |index: i32| f64::from(index * 7919 % 200 - 100) / 100.0;
        (0..300).map(|index| (at(index), 40.0 + growth * at(index) + swing(index))).collect()
    }

    #[test]
    fn a_leak_that_is_there_is_found() {
        let found = trend(&samples(6.0)).unwrap();
        assert!((found.slope - 6.0).abs() < 3.0 * found.error, "{found:?}");
        assert!(found.slope > 5.0 * found.error, "{found:?}");
    }

    #[test]
    fn what_only_swings_has_no_slope_beyond_its_error() {
        let found = trend(&samples(0.0)).unwrap();
        assert!(found.slope.abs() < 3.0 * found.error, "{found:?}");
    }

    #[test]
    fn points_on_a_line_have_its_slope_and_no_error() {
        let found = trend(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (4.0, 9.0)]).unwrap();
        assert!((found.slope - 2.0).abs() < 1e-12 && found.error < 1e-12, "{found:?}");
    }

    #[test]
    fn too_few_points_have_no_trend() {
        assert_eq!(trend(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(trend(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }
}
