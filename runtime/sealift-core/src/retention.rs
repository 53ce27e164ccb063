//! Checks of a RetentionPolicy. What it keeps is decided where the snapshots are.

use crate::plan::Retention;

/// Why a policy is refused; `field` is relative to `spec.retentionPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// A negative number.
    #[error("{value} is negative")]
    Negative {
        /// The rule.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// More than a policy can count.
    #[error("{value} is more than {}", u32::MAX)]
    Large {
        /// The rule.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// An empty tag matches nothing and would be taken for "no tag" by restic.
    #[error("an empty tag")]
    EmptyTag {
        /// `keepTags`.
        field: &'static str,
    },
}

impl RetentionError {
    /// Where, relative to `spec.retentionPolicy`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Negative { field, .. } | Self::Large { field, .. } | Self::EmptyTag { field } => {
                field
            }
        }
    }
}

/// One number of a policy.
///
/// # Errors
/// It is negative or too large. Absent is 0, which means: no such rule.
pub fn count(field: &'static str, value: Option<i64>) -> Result<u32, RetentionError> {
    let value = value.unwrap_or(0);
    if value < 0 {
        return Err(RetentionError::Negative { field, value });
    }
    u32::try_from(value).map_err(|_| RetentionError::Large { field, value })
}

/// Tags of a policy.
///
/// # Errors
/// One is empty.
pub fn check_tags(tags: &[String]) -> Result<(), RetentionError> {
    match tags.iter().any(|tag| tag.split(',').any(|part| part.trim().is_empty())) {
        true => Err(RetentionError::EmptyTag { field: "keepTags" }),
        false => Ok(()),
    }
}

/// Whether the policy has no keep rule at all: then everything is kept.
#[must_use]
pub fn keeps_everything(policy: &Retention) -> bool {
    let numbers = [
        policy.keep_last,
        policy.keep_hourly,
        policy.keep_daily,
        policy.keep_weekly,
        policy.keep_monthly,
        policy.keep_yearly,
    ];
    numbers.iter().all(|number| *number == 0) && policy.keep_tags.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_numbers_are_refused() {
        assert_eq!(count("keepLast", Some(5)), Ok(5));
        assert_eq!(count("keepLast", None), Ok(0));
        assert_eq!(
            count("keepLast", Some(-1)),
            Err(RetentionError::Negative { field: "keepLast", value: -1 })
        );
        assert!(count("keepLast", Some(i64::MAX)).is_err());
    }

    #[test]
    fn an_empty_tag_is_refused() {
        assert!(check_tags(&["a".into(), "a,b".into()]).is_ok());
        assert!(check_tags(&["".into()]).is_err());
        assert!(check_tags(&["a,".into()]).is_err());
    }

    #[test]
    fn a_policy_without_rule_keeps_everything() {
        assert!(keeps_everything(&Retention { prune: true, ..Retention::default() }));
        assert!(!keeps_everything(&Retention { keep_last: 1, ..Retention::default() }));
        assert!(!keeps_everything(&Retention {
            keep_tags: vec!["x".into()],
            ..Retention::default()
        }));
    }
}
