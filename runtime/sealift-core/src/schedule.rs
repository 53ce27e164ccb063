//! Cron schedules: whether one is valid. When it is due is the CronJob's business.

use croner::parser::{CronParser, Seconds, Year};

/// A schedule that is none.
#[derive(Debug, thiserror::Error)]
#[error("{schedule:?} is not a cron schedule of five fields")]
pub struct ScheduleError {
    /// The schedule, cut.
    pub schedule: String,
    /// What the parser says.
    #[source]
    source: Option<croner::errors::CronError>,
}

/// The shorthands Kubernetes knows.
const SHORTHANDS: [&str; 7] =
    ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// The words a field may hold.
const WORDS: [&str; 19] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", "SUN",
    "MON", "TUE", "WED", "THU", "FRI", "SAT",
];

/// Checks `spec.schedule` as a CronJob understands it: five fields, or a shorthand.
///
/// # Errors
/// It is no such schedule.
pub fn check_schedule(schedule: &str) -> Result<(), ScheduleError> {
    let error = |source| ScheduleError { schedule: schedule.chars().take(60).collect(), source };
    let text = schedule.trim();
    if SHORTHANDS.contains(&text) {
        return Ok(());
    }
    // The parser knows more than a CronJob does: `L`, `W`, `#`, and time zones.
    let plain =
        |character: char| character.is_ascii_alphanumeric() || " \t*,-/?".contains(character);
    let words = text.split(|character: char| !character.is_ascii_alphabetic());
    let known = |word: &str| word.is_empty() || WORDS.contains(&word.to_ascii_uppercase().as_str());
    if !text.chars().all(plain) || !words.into_iter().all(known) {
        return Err(error(None));
    }
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(text)
        .map(|_| ())
        .map_err(|source| error(Some(source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_of_manifests_are_valid() {
        for schedule in
            ["*/5 * * * *", "* * * * *", "0 2 * * *", "0 0 1,15 * MON-FRI", "@daily", "15 3 ? * 0"]
        {
            assert!(check_schedule(schedule).is_ok(), "{schedule}");
        }
    }

    #[test]
    fn what_a_cronjob_refuses_is_refused() {
        for schedule in [
            "",
            "61 * * * *",
            "* * * *",
            "* * * * * *",
            "every day",
            "@reboot",
            "* 24 * * *",
            "CRON_TZ=UTC 0 2 * * *",
            "0 0 L * *",
            "0 0 * * 5#2",
            "0 0 32 * *",
        ] {
            assert!(check_schedule(schedule).is_err(), "{schedule:?}");
        }
    }
}
