//! Reads the exposition text of `/metrics` back into families.
//!
//! Only what our own exporter writes is understood; a line that is not is left out. The one idea: what is pushed is
//! what is shown.

/// What a family is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes both ways.
    #[default]
    Gauge,
    /// Buckets, sum and count.
    Histogram,
}

/// Names and values.
pub(super) type Labels = Vec<(String, String)>;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// What follows the family's name: empty, `_bucket`, `_sum` or `_count`.
    pub(super) suffix: String,
    pub(super) labels: Labels,
    pub(super) value: f64,
}

/// All lines of one name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: Kind,
    pub(super) samples: Vec<Sample>,
}

/// Reads a whole text. Families come as HELP, TYPE, samples.
pub(super) fn read(text: &str) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|it| it.split_once(' '))
        {
            help.clone_into(&mut family(&mut families, name).help);
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|it| it.split_once(' '))
        {
            family(&mut families, name).kind = match kind {
                "counter" => Kind::Counter,
                "histogram" => Kind::Histogram,
                _ => Kind::Gauge,
            };
        } else if let Some((name, labels, value)) = sample(line)
            && let Some(family) = families.last_mut()
            && let Some(suffix) = name.strip_prefix(family.name.as_str())
        {
            let suffix = suffix.to_owned();
            family.samples.push(Sample {
                suffix,
                labels,
                value,
            });
        }
    }
    families
}

fn family<'a>(families: &'a mut Vec<Family>, name: &str) -> &'a mut Family {
    if families.last().is_none_or(|last| last.name != name) {
        families.push(Family {
            name: name.to_owned(),
            ..Family::default()
        });
    }
    families.last_mut().expect("one was just pushed")
}

/// Reads `name{label="value",..} value`.
fn sample(line: &str) -> Option<(&str, Labels, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (head, value) = line.rsplit_once(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().ok()?,
    };
    let Some((name, rest)) = head.split_once('{') else {
        return Some((head, Labels::new(), value));
    };
    Some((name, labels(rest.strip_suffix('}')?)?, value))
}

fn labels(mut rest: &str) -> Option<Labels> {
    let mut labels = Labels::new();
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, len) = unquoted(quoted)?;
        labels.push((name.to_owned(), value));
        rest = quoted.get(len..)?;
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

/// Reads up to the closing quote; returns the value and the bytes read.
fn unquoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match (is_escaped, letter) {
            (true, 'n') => value.push('\n'),
            (true, letter) => value.push(letter),
            (false, '\\') => {}
            (false, '"') => return Some((value, at + 1)),
            (false, letter) => value.push(letter),
        }
        is_escaped = !is_escaped && letter == '\\';
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_labels_and_families() {
        let text = "# HELP a_total Things, counted\n# TYPE a_total counter\na_total{x=\"1\",y=\"p \\\"q\\\", r\"} 3\n\n\
                    # HELP h Time\n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.75\nh_count 2\n\
                    # HELP g G\n# TYPE g gauge\ng NaN\nnonsense\n";
        let families = read(text);
        let names: Vec<_> = families
            .iter()
            .map(|family| (family.name.as_str(), family.kind, family.samples.len()))
            .collect();
        let expected = [
            ("a_total", Kind::Counter, 1),
            ("h", Kind::Histogram, 4),
            ("g", Kind::Gauge, 1),
        ];
        assert_eq!(names, expected);
        assert_eq!(families[0].help, "Things, counted");
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            families[0].samples[0].labels,
            [label("x", "1"), label("y", "p \"q\", r")]
        );
        let suffixes: Vec<_> = families[1]
            .samples
            .iter()
            .map(|sample| sample.suffix.as_str())
            .collect();
        assert_eq!(suffixes, ["_bucket", "_bucket", "_sum", "_count"]);
        assert!(families[2].samples[0].value.is_nan());
    }
}
