//! What a session is told that waits: for another one, or for a free place. Pure.

use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;
use sealift_api::condition::Condition;

use crate::condition::{self, Statement, Type};

const FOR_PLACE: &str = "WaitingForPlace";
/// Who ends wakes those who wait; should that be missed, they look by themselves.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// And later for each that is ahead: thousands that look every 30 s would keep a core busy.
const LOOK_LATER: Duration = Duration::from_millis(200);

/// It waits for another session, or for its invoker.
pub(crate) fn for_other(other: &impl Display) -> Statement {
    Statement::yes(Type::Queued, "WaitingForSession", format!("Waiting for {other}."))
}

/// It waits until others have ended.
pub(crate) fn for_place(position: usize, waiting: usize, running: usize, kept: bool) -> Statement {
    let kept = match kept {
        true => " The places that are free are kept for other namespaces.",
        false => "",
    };
    let text = format!(
        "Waiting for a free place: number {position} of {waiting}, while {running} sessions run.{kept}"
    );
    Statement::yes(Type::Queued, FOR_PLACE, text)
}

/// When to look again from this place in the queue.
pub(crate) fn look_again(position: usize) -> Duration {
    LOOK_AGAIN + LOOK_LATER.saturating_mul(u32::try_from(position).unwrap_or(u32::MAX))
}

/// Says it, if it is news. Being told a new place in the queue whenever somebody ahead ends
/// would cost more writes than the sessions themselves: a place is told again once it is a
/// quarter of what was told.
pub(crate) fn tell(conditions: &mut Vec<Condition>, said: &Statement, now: Timestamp) {
    if is_news(conditions, said) {
        condition::set(conditions, said, None, now);
    }
}

fn is_news(conditions: &[Condition], said: &Statement) -> bool {
    let Some(told) = condition::find(conditions, Type::Queued) else { return true };
    let number = |text: &str| -> Option<usize> {
        text.split_once("number ")?.1.split(' ').next()?.parse().ok()
    };
    let old = told.message.as_deref().unwrap_or_default();
    let same = told.reason.as_deref() == Some(said.reason);
    match (same && said.reason == FOR_PLACE, number(old), number(&said.message)) {
        (true, Some(old), Some(new)) => new * 4 <= old,
        _ => !same || old != said.message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_queue_is_told_again_only_when_it_is_much_better() {
        let mut conditions = Vec::new();
        let mut told = 0;
        for number in (1..=800).rev() {
            let said = for_place(number, 900, 10, false);
            told += usize::from(is_news(&conditions, &said));
            tell(&mut conditions, &said, Timestamp::UNIX_EPOCH);
        }
        assert_eq!(told, 5);
        // Whoever is waited for is always news, whatever it is called.
        for other in ["demo/number 8", "demo/number 7"] {
            assert!(is_news(&conditions, &for_other(&other)));
            tell(&mut conditions, &for_other(&other), Timestamp::UNIX_EPOCH);
            assert!(!is_news(&conditions, &for_other(&other)));
        }
    }
}
