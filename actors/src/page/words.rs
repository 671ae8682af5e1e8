//! Numbers, ages and moments as people read them.
//!
//! Exact figures come in as text and are cut, never rounded up and never turned into floats. What is no number is shown
//! as it is.

use serde_json::Value;

/// What stands where nothing is known.
pub(super) const NONE: &str = "–";
/// Decimals of an amount of money that are shown; `/status` has all of them.
const MONEY_DECIMALS: usize = 2;

/// Returns the text of a member.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or(NONE)
}

/// Returns the rows of a member.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Returns a code as words: `risk_block:cooldown` is `risk block: cooldown`.
pub(super) fn plain(code: &str) -> String {
    code.replace('_', " ").replace(':', ": ")
}

/// Returns a count with its thousands apart.
pub(super) fn count(value: &Value) -> String {
    value
        .as_u64()
        .map_or(NONE.to_owned(), |count| grouped(&count.to_string()))
}

/// Returns an amount of money, cut to two decimals.
pub(super) fn money(value: &Value) -> String {
    let Some(full) = value.as_str() else {
        return NONE.to_owned();
    };
    if !is_decimal(full) {
        return full.to_owned();
    }
    let (whole, rest) = full.split_once('.').unwrap_or((full, ""));
    let cents: String = rest
        .chars()
        .chain("00".chars())
        .take(MONEY_DECIMALS)
        .collect();
    format!("{}.{cents}", grouped(whole))
}

/// Returns a decimal in full with its thousands apart.
pub(super) fn decimal(value: &Value) -> String {
    value.as_str().map_or(NONE.to_owned(), grouped)
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Sets the thousands of the whole part apart; a text that is no decimal stays.
pub(super) fn grouped(text: &str) -> String {
    if !is_decimal(text) {
        return text.to_owned();
    }
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

/// Returns a time span in two units at most.
pub(super) fn span(ms: i64) -> String {
    let s = ms / 1_000;
    match ms {
        ..0 => "0.0 s".to_owned(),
        0..10_000 => format!("{s}.{} s", ms % 1_000 / 100),
        10_000..60_000 => format!("{s} s"),
        60_000..3_600_000 if s % 60 == 0 => format!("{} min", s / 60),
        60_000..3_600_000 => format!("{} min {} s", s / 60, s % 60),
        3_600_000..86_400_000 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        86_400_000.. => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// Returns a moment in microseconds since 1970 as date and time, UTC.
pub(super) fn moment(us: &Value) -> String {
    written(us, "%Y-%m-%d %H:%M:%S UTC")
}

/// Returns the time of day of a moment, UTC.
pub(super) fn time_of_day(us: &Value) -> String {
    written(us, "%H:%M:%S")
}

fn written(us: &Value, form: &str) -> String {
    let at = us
        .as_i64()
        .and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    at.map_or(NONE.to_owned(), |at| at.strftime(form).to_string())
}

/// Returns how long ago a moment was, seen from when the picture was taken.
pub(super) fn ago(document: &Value, us: &Value) -> String {
    match (document["taken_us"].as_i64(), us.as_i64()) {
        (Some(now), Some(then)) => span(now.saturating_sub(then) / 1_000),
        (None, _) | (_, None) => NONE.to_owned(),
    }
}
