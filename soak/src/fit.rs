//! A straight line through samples, and how sure its slope is.
//!
//! Samples of a process are not independent: memory grows in steps. The standard error of least squares is therefore
//! widened by the correlation of neighbouring residuals, as if there were fewer samples.

use serde::Serialize;

/// Half width of a 95 % interval in standard errors; the t quantile for more than a few dozen samples.
const Z_95: f64 = 1.96;
/// Fewer samples say nothing about a slope.
pub const SAMPLES_MIN: usize = 10;
/// Largest correlation that is corrected for: beyond it the interval would be without bound.
const CORRELATION_MAX: f64 = 0.98;

/// A fitted slope.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slope {
    /// Units of y per unit of x.
    pub per_x: f64,
    /// Standard error, widened for correlation.
    pub error: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Number of samples.
    pub samples: usize,
}

/// Fits a line by least squares; `None` with too few samples or without any spread in x.
pub fn fit(points: &[(f64, f64)]) -> Option<Slope> {
    if points.len() < SAMPLES_MIN {
        return None;
    }
    let count = count(points.len());
    let (x_mean, y_mean) = (
        points.iter().map(|(x, _)| x).sum::<f64>() / count,
        points.iter().map(|(_, y)| y).sum::<f64>() / count,
    );
    let x_spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    if x_spread <= 0.0 {
        return None;
    }
    let shared: f64 = points
        .iter()
        .map(|(x, y)| (x - x_mean) * (y - y_mean))
        .sum();
    let per_x = shared / x_spread;
    let residual = |(x, y): &(f64, f64)| y - y_mean - per_x * (x - x_mean);
    let residuals: Vec<f64> = points.iter().map(residual).collect();
    let squares: f64 = residuals.iter().map(|one| one * one).sum();
    let correlation = correlation(&residuals, squares);
    let widened = ((1.0 + correlation) / (1.0 - correlation)).sqrt();
    let error = (squares / (count - 2.0) / x_spread).sqrt() * widened;
    Some(Slope {
        per_x,
        error,
        low: per_x - Z_95 * error,
        high: per_x + Z_95 * error,
        samples: points.len(),
    })
}

/// Correlation of each residual with the next; never below zero, which would narrow the interval.
fn correlation(residuals: &[f64], squares: f64) -> f64 {
    if squares <= 0.0 {
        return 0.0;
    }
    let next: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    (next / squares).clamp(0.0, CORRELATION_MAX)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(y: impl Fn(f64) -> f64) -> Slope {
        let points: Vec<(f64, f64)> = (0..200).map(|x| (f64::from(x), y(f64::from(x)))).collect();
        fit(&points).unwrap()
    }

    #[test]
    fn a_straight_line_is_found_without_doubt() {
        let slope = of(|x| 3.0 + 0.5 * x);
        assert!(
            (slope.per_x - 0.5).abs() < 1e-9 && slope.error < 1e-6,
            "{slope:?}"
        );
        assert_eq!(of(|_| 7.0).per_x, 0.0);
    }

    #[test]
    fn noise_without_a_trend_contains_zero_and_a_trend_does_not() {
        let noise = |x: f64| f64::from((x as i32 * 7_919) % 101) / 101.0;
        let flat = of(noise);
        assert!(flat.low < 0.0 && flat.high > 0.0, "{flat:?}");
        let rising = of(|x| noise(x) + 0.1 * x);
        assert!(rising.low > 0.09 && rising.high < 0.11, "{rising:?}");
    }

    #[test]
    fn correlated_samples_are_believed_less() {
        let wave = |period: f64| move |x: f64| (x / period).sin();
        assert!(of(wave(20.0)).error > 3.0 * of(wave(0.3)).error);
    }

    #[test]
    fn too_few_samples_say_nothing() {
        assert_eq!(fit(&[(0.0, 1.0); 9]), None);
        assert_eq!(fit(&[(0.0, 1.0); 20]), None);
    }
}
