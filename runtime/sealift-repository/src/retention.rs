//! What a retention policy keeps: restic's rules, pure.
//!
//! Written against what restic 0.19.1 does (`tests/data/cases/forget.json`): snapshots of a group
//! are looked at from the newest to the oldest, every rule has its own count and its own buckets,
//! a bucket is the wall clock of the offset a snapshot was written with, weeks are ISO weeks, and
//! a rule with places left keeps the oldest snapshot too. rustic's own rules differ (a week across
//! the turn of a year). Ours beyond restic's: what lies in the future is kept and takes no place.

use jiff::civil::Date;
use jiff::{Span, Timestamp, Zoned};

/// How many a rule keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// The newest this many; 0 = no rule.
    Newest(u32),
    /// All.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "manifests cannot ask for it, restic's cases do")
    )]
    All,
}

/// When two snapshots are in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    /// Never: each is its own.
    Last,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Period {
    fn reason(self) -> &'static str {
        match self {
            Self::Last => "last snapshot",
            Self::Hour => "hourly snapshot",
            Self::Day => "daily snapshot",
            Self::Week => "weekly snapshot",
            Self::Month => "monthly snapshot",
            Self::Year => "yearly snapshot",
        }
    }

    /// The bucket a snapshot falls into; `nth` tells snapshots apart.
    fn bucket(self, time: &Zoned, nth: usize) -> i64 {
        let date: Date = time.date();
        let (year, month, day) =
            (i64::from(date.year()), i64::from(date.month()), i64::from(date.day()));
        match self {
            Self::Last => nth as i64,
            Self::Hour => ((year * 100 + month) * 100 + day) * 100 + i64::from(time.hour()),
            Self::Day => (year * 100 + month) * 100 + day,
            Self::Week => {
                let week = date.iso_week_date();
                i64::from(week.year()) * 100 + i64::from(week.week())
            }
            Self::Month => year * 100 + month,
            Self::Year => year,
        }
    }
}

/// The keep rules of a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// One count per period.
    pub(crate) counts: Vec<(Period, Count)>,
    /// One span per period: one of each bucket younger than that.
    pub(crate) within: Vec<(Period, Span)>,
    /// Snapshots that have all tags of one of these lists.
    pub(crate) tags: Vec<Vec<String>>,
}

impl Rules {
    /// Whether there is any rule; without one restic refuses and Sealift keeps everything.
    pub(crate) fn any(&self) -> bool {
        self.counts.iter().any(|(_, count)| *count != Count::Newest(0))
            || !self.within.is_empty()
            || !self.tags.is_empty()
    }
}

/// What the rules look at.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) time: Zoned,
    /// The user's tags.
    pub(crate) tags: Vec<String>,
}

/// The verdict on each subject of one group, in their order: why it is kept, empty = it is not.
pub(crate) fn judge(subjects: &[Subject], rules: &Rules, now: Timestamp) -> Vec<Vec<&'static str>> {
    let mut verdicts = apply(subjects, rules, now, |_| true);
    let in_future: Vec<bool> =
        subjects.iter().map(|subject| subject.time.timestamp() > now).collect();
    if in_future.contains(&true) {
        // A wrong clock must not push out today's backup: the rules once more without it.
        let without = apply(subjects, rules, now, |nth| in_future.get(nth) == Some(&false));
        for ((verdict, other), future) in verdicts.iter_mut().zip(without).zip(in_future) {
            if verdict.is_empty() {
                *verdict = other;
            }
            if future {
                verdict.push("in the future");
            }
        }
    }
    verdicts
}

fn apply(
    subjects: &[Subject],
    rules: &Rules,
    now: Timestamp,
    counted: impl Fn(usize) -> bool,
) -> Vec<Vec<&'static str>> {
    let mut verdicts = vec![Vec::new(); subjects.len()];
    let mut order: Vec<usize> = (0..subjects.len()).filter(|nth| counted(*nth)).collect();
    // Newest first; of equal times the one that came later in the list, so that it is defined.
    order.sort_by_key(|nth| {
        std::cmp::Reverse((subjects.get(*nth).map(|s| s.time.timestamp()), *nth))
    });
    // Spans count from the newest snapshot that is not in the future.
    let latest = order
        .iter()
        .filter_map(|nth| subjects.get(*nth))
        .find(|subject| subject.time.timestamp() <= now)
        .map(|subject| subject.time.clone());
    let mut counts: Vec<(Period, Count, Option<i64>)> =
        rules.counts.iter().map(|(period, count)| (*period, *count, None)).collect();
    let mut within: Vec<(Period, Option<Timestamp>, Option<i64>)> = rules
        .within
        .iter()
        .map(|(period, span)| {
            let since = latest.as_ref().and_then(|latest| latest.checked_sub(*span).ok());
            (*period, since.map(|since| since.timestamp()), None)
        })
        .collect();
    for (position, nth) in order.iter().enumerate() {
        let (Some(subject), Some(verdict)) = (subjects.get(*nth), verdicts.get_mut(*nth)) else {
            continue;
        };
        let oldest = position + 1 == order.len();
        if rules.tags.iter().any(|all| all.iter().all(|tag| subject.tags.contains(tag))) {
            verdict.push("has tags");
        }
        for (period, count, last) in &mut counts {
            if *count == Count::Newest(0) {
                continue;
            }
            let bucket = period.bucket(&subject.time, position);
            if *last != Some(bucket) || oldest {
                verdict.push(period.reason());
                *last = Some(bucket);
                if let Count::Newest(left) = count {
                    *left -= 1;
                }
            }
        }
        for (period, since, last) in &mut within {
            let bucket = period.bucket(&subject.time, position);
            let young = since.is_some_and(|since| subject.time.timestamp() > since);
            if young && (*last != Some(bucket) || oldest) {
                verdict.push("within");
                *last = Some(bucket);
            }
        }
    }
    verdicts
}
