//! A line chart as inline SVG: axes with units, the warm-up and the stretches of trouble as bands.

use std::fmt::Write;

/// Size of the drawing, in its own units.
const SIZE: (f64, f64) = (560.0, 190.0);
/// Room for the labels: left, right, top, bottom.
const MARGIN: (f64, f64, f64, f64) = (58.0, 24.0, 10.0, 26.0);
/// Lines of the grid.
const GRID: u32 = 4;
/// Points of a line at most; between them every n-th is drawn.
const POINTS_MAX: usize = 1_200;

/// What is drawn.
pub struct Chart<'a> {
    /// Title with the unit.
    pub title: &'a str,
    /// Lines by name.
    pub lines: Vec<(&'a str, Vec<(f64, f64)>)>,
    /// Stretches of x in another colour.
    pub bands: &'a [(f64, f64)],
    /// End of the warm-up.
    pub warm_up: f64,
    /// Last x, seconds.
    pub x_max: f64,
    /// Whether y starts at zero.
    pub from: Floor,
}

/// Where the y axis starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// At zero.
    Zero,
    /// Near the smallest value: for a trend.
    Values,
}

impl Chart<'_> {
    /// Draws it as a figure.
    pub fn to_svg(&self) -> String {
        let (width, height) = SIZE;
        let (low, high) = self.range();
        let mut svg = format!(
            "<figure><figcaption>{}{}</figcaption><svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
            self.title,
            self.legend(),
            self.title
        );
        let bottom = height - MARGIN.3;
        for (class, from, to) in self.all_bands() {
            let (left, right) = (self.x(from), self.x(to));
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{}\"/>",
                MARGIN.2,
                right - left,
                bottom - MARGIN.2
            );
        }
        for step in 0..=GRID {
            let value = low + (high - low) * f64::from(step) / f64::from(GRID);
            let y = place(value, low, high);
            let at = self.x_max * f64::from(step) / f64::from(GRID);
            let x = self.x(at);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
                 <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                MARGIN.0,
                width - MARGIN.1,
                MARGIN.0 - 6.0,
                y + 4.0,
                number(value),
                height - 8.0,
                seconds(at)
            );
        }
        for (index, (_, points)) in self.lines.iter().enumerate() {
            let every = points.len().div_ceil(POINTS_MAX).max(1);
            let drawn = points.iter().step_by(every);
            let path: String = drawn
                .map(|(x, y)| format!("{:.1},{:.1} ", self.x(*x), place(*y, low, high)))
                .collect();
            let _ = write!(
                svg,
                "<polyline class=\"l{index}\" points=\"{}\"/>",
                path.trim_end()
            );
        }
        svg.push_str("</svg></figure>");
        svg
    }

    fn legend(&self) -> String {
        if self.lines.len() < 2 {
            return String::new();
        }
        let names = self.lines.iter().enumerate();
        names
            .map(|(index, (name, _))| format!(" <i class=\"l{index}\">{name}</i>"))
            .collect()
    }

    fn all_bands(&self) -> impl Iterator<Item = (&'static str, f64, f64)> {
        let troubles = self.bands.iter().map(|(from, to)| ("trouble", *from, *to));
        std::iter::once(("warm", 0.0, self.warm_up)).chain(troubles)
    }

    fn x(&self, seconds: f64) -> f64 {
        let width = SIZE.0 - MARGIN.0 - MARGIN.1;
        MARGIN.0 + width * (seconds / self.x_max.max(1.0)).clamp(0.0, 1.0)
    }

    fn range(&self) -> (f64, f64) {
        let values = || {
            self.lines
                .iter()
                .flat_map(|(_, points)| points.iter().map(|point| point.1))
        };
        let (low, high) = (
            values().fold(f64::INFINITY, f64::min),
            values().fold(f64::NEG_INFINITY, f64::max),
        );
        if !low.is_finite() {
            return (0.0, 1.0);
        }
        match self.from {
            Floor::Zero => (0.0, if high > 0.0 { high * 1.1 } else { 1.0 }),
            Floor::Values => {
                let pad = ((high - low) * 0.1).max(0.5);
                (low - pad, high + pad)
            }
        }
    }
}

fn place(value: f64, low: f64, high: f64) -> f64 {
    let height = SIZE.1 - MARGIN.2 - MARGIN.3;
    SIZE.1 - MARGIN.3 - height * (value - low) / (high - low)
}

fn number(value: f64) -> String {
    if value.abs() >= 10_000.0 {
        format!("{:.1}k", value / 1_000.0)
    } else if value.abs() >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

fn seconds(at: f64) -> String {
    if at >= 120.0 {
        let minutes = format!("{:.1}", at / 60.0);
        format!("{} min", minutes.trim_end_matches(".0"))
    } else {
        format!("{at:.0} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_never_rounded_to_another_minute() {
        let check = |at: f64, expected: &str| assert_eq!(seconds(at), expected);
        check(90.0, "90 s");
        check(300.0, "5 min");
        check(450.0, "7.5 min");
    }

    #[test]
    fn a_chart_keeps_its_lines_inside_and_draws_nothing_without_values() {
        let chart = |points: Vec<(f64, f64)>| Chart {
            title: "memory, MiB",
            lines: vec![("rss", points)],
            bands: &[(10.0, 20.0)],
            warm_up: 5.0,
            x_max: 60.0,
            from: Floor::Values,
        };
        let svg = chart(vec![(0.0, 20.0), (60.0, 24.0)]).to_svg();
        assert!(
            svg.contains("points=\"58.0,") && svg.contains(" 536.0,"),
            "{svg}"
        );
        assert!(!svg.contains("NaN") && !chart(vec![]).to_svg().contains("inf"));
    }
}
