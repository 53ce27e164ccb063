//! Whether backups come as often as they should: the figures an alarm needs, per
//! BackupConfiguration. Pure; `server` tells them.
//!
//! An alarm needs them most while backups fail, and then the sessions that succeeded are removed. So
//! the last success is remembered at the BackupConfiguration itself (`backup_session::success`).

use std::collections::BTreeMap;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::{BackupSession, BackupSessionPhase};
use sealift_core::schedule::time_zone;
use sealift_kube::watch::Key;

use crate::cluster::Stores;
use crate::metrics::Gauge;
use crate::{labels, planning};

/// How far apart, in seconds, the next two starts of a schedule are. None = it has none.
#[must_use]
pub fn interval_seconds(schedule: &str, now: Timestamp) -> Option<i64> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    // Hours of a time zone are as long as those of another.
    let (_, schedule) = time_zone(schedule);
    let schedule = parser.parse(schedule).ok()?;
    let now = now.to_zoned(TimeZone::UTC);
    let next = schedule.find_next_occurrence(&now, false).ok()?;
    let after = schedule.find_next_occurrence(&next, false).ok()?;
    Some(after.timestamp().as_second() - next.timestamp().as_second())
}

/// When the last successful backup of a BackupConfiguration began, as is remembered at it. What
/// cannot be read, or has not been yet, is not known.
#[must_use]
pub fn remembered(configuration: &ObjectMeta, now: Timestamp) -> Option<Timestamp> {
    let text = labels::annotation(configuration, labels::LAST_SUCCESS)?;
    text.parse().ok().filter(|success| *success <= now)
}

/// Of every BackupConfiguration with a schedule that is not paused: how often it should succeed,
/// and how long ago it last did. For one that never did, its own age is told: without a figure an
/// alarm would be silent.
#[must_use]
pub fn gauges(stores: &Stores, now: Timestamp) -> Vec<Gauge> {
    let succeeded = last_successes(stores);
    let configurations = stores.configurations.select(|found| found.spec.paused != Some(true));
    let labels = |key: &Key| format!("namespace=\"{}\",name=\"{}\"", key.namespace, key.name);
    // Thousands have the same few schedules, and a schedule costs more than all else here.
    let mut of_schedule: BTreeMap<&str, Option<i64>> = BTreeMap::new();
    let mut intervals = Vec::new();
    let mut ages = Vec::new();
    for configuration in &configurations {
        let Some(schedule) = configuration.spec.schedule.as_deref() else { continue };
        let key = Key::of(&**configuration);
        let interval = of_schedule.entry(schedule);
        if let Some(interval) = *interval.or_insert_with(|| interval_seconds(schedule, now)) {
            intervals.push(Gauge {
                name: "sealift_backup_expected_interval_seconds",
                help: "Seconds between two starts of the schedule.",
                labels: labels(&key),
                value: number(interval),
            });
        }
        let meta = &configuration.metadata;
        let last = [
            remembered(meta, now),
            succeeded.get(&key).copied(),
            of_repository(stores, configuration),
        ];
        let made = meta.creation_timestamp.as_ref().map(|time| time.0);
        if let Some(since) = last.into_iter().flatten().max().or(made) {
            ages.push(Gauge {
                name: "sealift_backup_last_success_age_seconds",
                help: "Seconds since the last successful backup began, or since the BackupConfiguration was made if none has succeeded.",
                labels: labels(&key),
                value: number(now.as_second().saturating_sub(since.as_second()).max(0)),
            });
        }
    }
    intervals.extend(ages);
    intervals
}

fn last_successes(stores: &Stores) -> BTreeMap<Key, Timestamp> {
    let mut last: BTreeMap<Key, Timestamp> = BTreeMap::new();
    let good = |session: &BackupSession| {
        session.status.as_ref().and_then(|status| status.phase)
            == Some(BackupSessionPhase::Succeeded)
    };
    for session in stores.sessions.select(good) {
        let created = session.metadata.creation_timestamp.as_ref().map(|time| time.0);
        if let (Some(invoker), Some(created)) = (&session.spec.invoker, created) {
            let entry = last.entry(Key::new(session.namespace(), &invoker.name)).or_insert(created);
            *entry = (*entry).max(created);
        }
    }
    last
}

/// Backups from before anything was remembered: a Repository with one user knows its last one.
fn of_repository(stores: &Stores, configuration: &BackupConfiguration) -> Option<Timestamp> {
    let named = configuration.spec.repository.as_ref();
    let key = planning::repository_key(configuration.namespace(), named)?;
    let repository = stores.repositories.find(&key)?;
    let status = repository.status.as_ref().filter(|status| status.references.len() == 1)?;
    status.last_backup_time.as_ref().map(|time| time.0)
}

#[expect(clippy::cast_precision_loss, reason = "seconds between two times of this century")]
fn number(seconds: i64) -> f64 {
    seconds as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_remembered_is_believed_if_it_can_be_true() {
        let now = "2026-01-02T00:00:00Z".parse().unwrap();
        let of = |text: &str| {
            let annotations = [(labels::LAST_SUCCESS.to_owned(), text.to_owned())];
            let annotations = Some(annotations.into_iter().collect());
            remembered(&ObjectMeta { annotations, ..ObjectMeta::default() }, now)
        };
        let then: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(of(&then.to_string()), Some(then));
        assert_eq!(of("2026-01-03T00:00:00Z"), None);
        assert_eq!(of("yesterday"), None);
        assert_eq!(remembered(&ObjectMeta::default(), now), None);
    }

    #[test]
    fn the_interval_is_that_of_the_next_two_starts() {
        let now = "2026-01-01T00:00:30Z".parse().unwrap();
        for (schedule, seconds) in [
            ("*/5 * * * *", Some(300)),
            ("0 2 * * *", Some(86_400)),
            ("@daily", Some(86_400)),
            ("0 0 1 * *", Some(28 * 86_400)),
            ("no", None),
        ] {
            assert_eq!(interval_seconds(schedule, now), seconds, "{schedule}");
        }
    }
}
