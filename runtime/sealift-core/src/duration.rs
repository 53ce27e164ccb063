//! Durations as Kubernetes objects write them (`2h`, `1h30m`, `500ms`), in Go's syntax.

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not in Go's syntax.
    #[error("{0:?} is not a duration such as 30s, 15m or 2h")]
    Syntax(String),
    /// Zero or less.
    #[error("{0:?} is not a time span greater than zero")]
    Sign(String),
}

/// Whole seconds of a positive duration, rounded up.
///
/// # Errors
/// Another syntax (days are unknown to Go), or nothing greater than zero.
pub fn parse_seconds(text: &str) -> Result<u64, DurationError> {
    let error = || DurationError::Syntax(text.chars().take(40).collect());
    let sign = || DurationError::Sign(text.chars().take(40).collect());
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Some(negative) = unsigned.strip_prefix('-') {
        return Err(if nanoseconds(negative).is_some() { sign() } else { error() });
    }
    match nanoseconds(unsigned).ok_or_else(error)? {
        0 => Err(sign()),
        found => u64::try_from(found.div_ceil(1_000_000_000)).map_err(|_| error()),
    }
}

fn nanoseconds(text: &str) -> Option<u128> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end =
            rest.find(|character: char| character != '.' && !character.is_ascii_digit())?;
        let (number, behind) = rest.split_at(number_end);
        let unit_end = behind
            .find(|character: char| character == '.' || character.is_ascii_digit())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(scaled(number, unit)?)?;
        rest = behind;
    }
    Some(total)
}

/// `number × unit`; digits of a fraction beyond the nanosecond are dropped.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(unit)?;
    let mut share = unit;
    for digit in fraction.chars() {
        share /= 10;
        total = total.checked_add(u128::from(digit.to_digit(10)?).checked_mul(share)?)?;
    }
    Some(total)
}

/// A duration as Go prints it, without fractions: `39s`, `2m5s`, `1h0m0s`.
#[must_use]
pub fn format_seconds(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_manifests_are_read() {
        for (text, seconds) in [
            ("2h", 7200),
            ("30m", 1800),
            ("1h30m", 5400),
            ("10s", 10),
            ("1.5h", 5400),
            ("500ms", 1),
            ("1m0.5s", 61),
            ("+1s", 1),
            (".5m", 30),
            ("1ns", 1),
        ] {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_span_is_refused() {
        for text in [
            "",
            "2",
            "2d",
            "1w",
            "h",
            "-",
            "1h-3m",
            "2 h",
            "1..5s",
            ".s",
            "1e3s",
            "99999999999999999999999999999999999999999h",
        ] {
            assert!(matches!(parse_seconds(text), Err(DurationError::Syntax(_))), "{text}");
        }
        for text in ["0", "0s", "-1s", "-2h30m"] {
            assert!(matches!(parse_seconds(text), Err(DurationError::Sign(_))), "{text}");
        }
    }

    #[test]
    fn a_duration_is_printed_as_go_does() {
        assert_eq!(format_seconds(39), "39s");
        assert_eq!(format_seconds(125), "2m5s");
        assert_eq!(format_seconds(3600), "1h0m0s");
    }
}
