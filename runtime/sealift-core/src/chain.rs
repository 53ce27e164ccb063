//! Steps of a Task to a chain: source, transforms, sink, then observers.
//!
//! What is missing is named, so that the caller can fill it with `restic-upload`,
//! `restic-download` or `pushgateway-push`: so the original's two-step Tasks and an author's
//! one-step Task work. Nothing is run or loaded here.

use crate::plan::Kind;

/// Whether bytes flow into the repository or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Into it: a missing sink is `restic-upload`.
    Backup,
    /// Out of it: a missing source is `restic-download`.
    Restore,
}

/// The steps in the order of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arranged<T> {
    /// Source, transforms, sink.
    pub stages: Vec<Slot<T>>,
    /// Observers.
    pub observers: Vec<Slot<T>>,
}

/// A place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot<T> {
    /// A step of the Task.
    Step(T),
    /// Nothing of the Task; this Function belongs here.
    Missing {
        /// Its name.
        function: &'static str,
        /// What it has to be.
        kind: Kind,
    },
}

/// Why steps do not make a chain. Positions count the Task's steps from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Two sources, or two sinks.
    #[error("steps {first} and {second} are both of kind {kind}; a chain has one")]
    Twice {
        /// `source` or `sink`.
        kind: &'static str,
        /// Position.
        first: usize,
        /// Position.
        second: usize,
    },
    /// A step stands where its kind does not belong.
    #[error(
        "step {position} is of kind {kind} and stands after one of kind {before}; the order is source, transform, sink, observer"
    )]
    Order {
        /// Position.
        position: usize,
        /// Kind of the step.
        kind: &'static str,
        /// Kind of the one before.
        before: &'static str,
    },
    /// A backup without source, or a restore without sink.
    #[error("no step is of kind {0}")]
    Missing(&'static str),
    /// No steps at all.
    #[error("there are no steps")]
    Empty,
}

/// Puts steps, in the order of the Task, into a chain.
///
/// # Errors
/// The rule they break.
pub fn arrange<T>(flow: Flow, steps: Vec<(T, Kind)>) -> Result<Arranged<T>, ChainError> {
    if steps.is_empty() {
        return Err(ChainError::Empty);
    }
    let kinds: Vec<Kind> = steps.iter().map(|(_, kind)| *kind).collect();
    let position = |wanted: Kind| kinds.iter().position(|kind| *kind == wanted);
    let mut before: Option<(usize, Kind)> = None;
    for (index, kind) in kinds.iter().copied().enumerate() {
        if matches!(kind, Kind::Source | Kind::Sink)
            && let Some(first) = position(kind).filter(|first| *first < index)
        {
            return Err(ChainError::Twice { kind: kind.as_str(), first, second: index });
        }
        if let Some((_, earlier)) = before.filter(|(_, earlier)| rank(*earlier) > rank(kind)) {
            return Err(ChainError::Order {
                position: index,
                kind: kind.as_str(),
                before: earlier.as_str(),
            });
        }
        before = Some((index, kind));
    }
    match flow {
        Flow::Backup if position(Kind::Source).is_none() => {
            return Err(ChainError::Missing(Kind::Source.as_str()));
        }
        Flow::Restore if position(Kind::Sink).is_none() => {
            return Err(ChainError::Missing(Kind::Sink.as_str()));
        }
        _ => {}
    }
    let no_source = position(Kind::Source).is_none();
    let no_sink = position(Kind::Sink).is_none();
    let mut stages = Vec::new();
    let mut observers = Vec::new();
    if no_source {
        stages.push(Slot::Missing { function: "restic-download", kind: Kind::Source });
    }
    for (step, kind) in steps {
        match kind {
            Kind::Observer => observers.push(Slot::Step(step)),
            _ => stages.push(Slot::Step(step)),
        }
    }
    if no_sink {
        stages.push(Slot::Missing { function: "restic-upload", kind: Kind::Sink });
    }
    if observers.is_empty() {
        observers.push(Slot::Missing { function: "pushgateway-push", kind: Kind::Observer });
    }
    Ok(Arranged { stages, observers })
}

fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Source => 0,
        Kind::Transform => 1,
        Kind::Sink => 2,
        Kind::Observer => 3,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::plan::Kind::{Observer, Sink, Source, Transform};

    fn names(flow: Flow, kinds: &[Kind]) -> Result<(Vec<String>, Vec<String>), ChainError> {
        let steps = kinds.iter().enumerate().map(|(index, kind)| (index.to_string(), *kind));
        let text = |slots: Vec<Slot<String>>| {
            slots
                .into_iter()
                .map(|slot| match slot {
                    Slot::Step(step) => step,
                    Slot::Missing { function, .. } => function.to_owned(),
                })
                .collect()
        };
        let arranged = arrange(flow, steps.collect())?;
        Ok((text(arranged.stages), text(arranged.observers)))
    }

    fn check(flow: Flow, kinds: &[Kind], stages: &[&str], observers: &[&str]) {
        let text = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(flow, kinds), Ok((text(stages), text(observers))));
    }

    #[test]
    fn what_is_missing_is_filled() {
        check(Flow::Backup, &[Source, Sink, Observer], &["0", "1"], &["2"]);
        check(Flow::Backup, &[Source, Observer], &["0", "restic-upload"], &["1"]);
        check(Flow::Backup, &[Source], &["0", "restic-upload"], &["pushgateway-push"]);
        check(
            Flow::Backup,
            &[Source, Transform, Transform],
            &["0", "1", "2", "restic-upload"],
            &["pushgateway-push"],
        );
        check(Flow::Restore, &[Sink, Observer], &["restic-download", "0"], &["1"]);
        check(
            Flow::Restore,
            &[Transform, Sink],
            &["restic-download", "0", "1"],
            &["pushgateway-push"],
        );
        check(Flow::Restore, &[Source, Sink, Observer, Observer], &["0", "1"], &["2", "3"]);
    }

    #[test]
    fn a_chain_has_one_source_and_one_sink() {
        let twice = |kind, first, second| Err(ChainError::Twice { kind, first, second });
        assert_eq!(names(Flow::Backup, &[Source, Source]), twice("source", 0, 1));
        assert_eq!(names(Flow::Restore, &[Source, Sink, Sink]), twice("sink", 1, 2));
        assert_eq!(names(Flow::Backup, &[Observer]), Err(ChainError::Missing("source")));
        assert_eq!(names(Flow::Backup, &[Transform, Sink]), Err(ChainError::Missing("source")));
        assert_eq!(names(Flow::Restore, &[Source, Observer]), Err(ChainError::Missing("sink")));
        assert_eq!(names(Flow::Restore, &[]), Err(ChainError::Empty));
    }

    #[test]
    fn every_other_order_is_refused() {
        for kinds in [
            vec![Observer, Source],
            vec![Source, Observer, Sink],
            vec![Sink, Source],
            vec![Transform, Source],
            vec![Source, Sink, Transform],
        ] {
            let found = names(Flow::Backup, &kinds);
            assert!(matches!(found, Err(ChainError::Order { .. })), "{kinds:?}: {found:?}");
        }
    }
}
