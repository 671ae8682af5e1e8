//! The `Retry-After` header: seconds or an HTTP date, turned into a bounded wait.

use engine::time::Timestamp;

/// Shortest wait that is obeyed, in milliseconds.
pub const RETRY_AFTER_MS_MIN: i64 = 1_000;
/// Longest wait that is obeyed, in milliseconds.
pub const RETRY_AFTER_MS_MAX: i64 = 300_000;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Returns the wait in milliseconds, between [`RETRY_AFTER_MS_MIN`] and [`RETRY_AFTER_MS_MAX`].
///
/// `None` where the header is absent or makes no sense (negative, a fraction, a date in the past): the caller then
/// waits its own 60 s, the longest documented block. `now` is the exchange's time, for the date form.
pub fn retry_after_ms(header: Option<&str>, now: Timestamp) -> Option<i64> {
    let text = header?.trim();
    let wait_ms = if is_digits(text) {
        // Digits that do not fit are an absurdly long wait, and the clamp is the answer to that.
        text.parse::<i64>()
            .map_or(i64::MAX, |seconds| seconds.saturating_mul(1_000))
    } else {
        let wait_ms = http_date_ms(text)?.saturating_sub(now.ms());
        Some(wait_ms).filter(|wait_ms| *wait_ms > 0)?
    };
    Some(wait_ms.clamp(RETRY_AFTER_MS_MIN, RETRY_AFTER_MS_MAX))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn number(text: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    Some(text)
        .filter(|text| is_digits(text))?
        .parse()
        .ok()
        .filter(|n| range.contains(n))
}

/// Reads the one date form that servers send, such as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date_ms(text: &str) -> Option<i64> {
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day = number(parts.next()?, 1..=31)?;
    let month = parts.next()?;
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let year = number(parts.next()?, 1970..=9999)?;
    let mut clock = parts.next()?.split(':');
    let hour = number(clock.next()?, 0..=23)?;
    let minute = number(clock.next()?, 0..=59)?;
    let second = number(clock.next()?, 0..=60)?;
    let is_whole = clock.next().is_none() && parts.next()? == "GMT" && parts.next().is_none();
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    is_whole.then_some(seconds * 1_000)
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar, by counting years from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29 12:00:00 UTC.
    const NOON: Timestamp = Timestamp::from_ms(1_709_208_000_000);

    #[test]
    fn retry_after_is_clamped() {
        let check = |header: Option<&str>, expected: Option<i64>| {
            assert_eq!(retry_after_ms(header, NOON), expected, "{header:?}");
        };
        check(Some("55"), Some(55_000));
        check(Some(" 49 "), Some(49_000));
        check(Some("0"), Some(1_000));
        check(Some("301"), Some(300_000));
        check(Some("1000000000"), Some(300_000));
        check(Some("99999999999999999999999999"), Some(300_000));
        check(Some("Thu, 29 Feb 2024 12:00:42 GMT"), Some(42_000));
        check(Some("Thu, 29 Feb 2024 13:00:00 GMT"), Some(300_000));
        for absurd in [
            "",
            "-1",
            "NaN",
            "1.5",
            "1e9",
            "soon",
            "５",
            "Thu, 29 Feb 2024 11:59:59 GMT",
            "Thu, 29 Feb 2024 12:00:42 CET",
            "Thu, 29 Foo 2024 12:00:42 GMT",
            "Thu, 29 Feb 2024 25:00:42 GMT",
            "Thu, 29 Feb 2024 12:00 GMT",
            ", ",
            "a, b c d e f g",
        ] {
            check(Some(absurd), None);
        }
        check(None, None);
    }

    #[test]
    fn dates_count_leap_days() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2024, 2, 29), 19_782);
        assert_eq!(
            http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777_000)
        );
    }
}
