//! Cron schedules: whether one is valid, and in which time zone. When it is due is the CronJob's
//! business.

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

/// The time zone a schedule names, and the rest of it. `CRON_TZ=Europe/Berlin 0 2 * * *` is how
/// cron writes it; a CronJob of today has a field for it. Without one the time is that of the
/// cluster's controller manager, which in most clusters is UTC: as the original has it.
#[must_use]
pub fn time_zone(schedule: &str) -> (Option<&str>, &str) {
    let text = schedule.trim();
    let zoned = text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ="));
    match zoned {
        None => (None, text),
        Some(zoned) => {
            let (zone, rest) = zoned.split_once(char::is_whitespace).unwrap_or((zoned, ""));
            (Some(zone), rest.trim_start())
        }
    }
}

/// Checks `spec.schedule` as a CronJob understands it: five fields, or a shorthand; a time zone
/// may stand before them. Whether there is such a zone is known to the API server.
///
/// # Errors
/// It is no such schedule.
pub fn check_schedule(schedule: &str) -> Result<(), ScheduleError> {
    let error = |source| ScheduleError { schedule: schedule.chars().take(60).collect(), source };
    let (zone, text) = time_zone(schedule);
    let of_zone = |character: char| character.is_ascii_alphanumeric() || "/_+-".contains(character);
    if zone.is_some_and(|zone| zone.is_empty() || !zone.chars().all(of_zone)) {
        return Err(error(None));
    }
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
            assert_eq!(time_zone(schedule), (None, schedule));
        }
    }

    #[test]
    fn a_time_zone_stands_before_the_fields() {
        for schedule in ["CRON_TZ=Europe/Berlin 0 2 * * *", " TZ=Europe/Berlin  0 2 * * * "] {
            assert!(check_schedule(schedule).is_ok(), "{schedule}");
            assert_eq!(time_zone(schedule).0, Some("Europe/Berlin"), "{schedule}");
            assert_eq!(time_zone(schedule).1.trim_end(), "0 2 * * *", "{schedule}");
        }
        assert!(check_schedule("CRON_TZ=Etc/GMT+3 @daily").is_ok());
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
            "CRON_TZ=UTC",
            "CRON_TZ= 0 2 * * *",
            "CRON_TZ=\"UTC\" 0 2 * * *",
            "CRON_TZ=UTC TZ=UTC 0 2 * * *",
            "0 0 L * *",
            "0 0 * * 5#2",
            "0 0 32 * *",
        ] {
            assert!(check_schedule(schedule).is_err(), "{schedule:?}");
        }
    }
}
