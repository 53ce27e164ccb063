//! Substitution of `${VAR}` in one string field, as Tasks and Functions of the Stash API use it.
//!
//! It works on one string at a time, so a value can never reach into a neighbouring field.
//! Which strings of an object are substituted, and with which variables, is `resolution`'s.
//! The oracle is `tests/data/cases/envsubst.tsv`, recorded from the library of the original.
//!
//! Not supported on purpose: `:?` and `:+`, which the original silently takes for a default.

use std::collections::BTreeMap;

use crate::expression::{Expression, Node, Operation, Parser, Replace};
use crate::glob::Glob;

/// Variables by name. Set but empty is a value.
pub type Variables = BTreeMap<String, String>;

/// The longest result of one field. A whole object of the API server has at most 1.5 MiB.
pub const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// The longest value a pattern is tried on; matching costs the square of it.
const MAX_PATTERN_VALUE_BYTES: usize = 4096;

/// Why a field cannot be substituted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubstitutionError {
    /// A variable has neither value nor default.
    #[error("input/default value not found for key {0}")]
    Missing(String),
    /// `${` without a name behind it.
    #[error("unable to parse variable name in {0:?}")]
    Name(String),
    /// The name is followed by something that is no operator and no closing brace.
    #[error("missing closing brace in {0:?}")]
    ClosingBrace(String),
    /// An operator's argument never ends.
    #[error("unable to parse substitution within function in {0:?}")]
    Argument(String),
    /// A replacement without its second slash.
    #[error("bad substitution in {0:?}: a replacement is written ${{name/pattern/text}}")]
    Replacement(String),
    /// `:?` and `:+` of bash.
    #[error("operator {operator} is not supported in {expression:?}")]
    Operator {
        /// `:?` or `:+`.
        operator: &'static str,
        /// The expression.
        expression: String,
    },
    /// A cut before the start, or inside a character.
    #[error("cannot cut {expression:?}: {reason}")]
    Cut {
        /// The expression.
        expression: String,
        /// What is wrong with the numbers.
        reason: &'static str,
    },
    /// Expressions nested too deeply.
    #[error("expressions are nested more than {0} deep")]
    Depth(usize),
    /// The result, or a value a pattern is tried on, is too long.
    #[error("the text is longer than {0} bytes")]
    Length(usize),
}

/// Replaces every `${…}` of `text`.
///
/// # Errors
/// A variable without value and default, or a malformed expression; nothing is replaced then.
pub fn substitute(text: &str, variables: &Variables) -> Result<String, SubstitutionError> {
    // Most fields hold no expression at all.
    if !text.contains('$') {
        return Ok(text.to_owned());
    }
    evaluate(&Parser::new(text).parse()?, variables)
}

fn evaluate(nodes: &[Node], variables: &Variables) -> Result<String, SubstitutionError> {
    let mut output = String::new();
    for node in nodes {
        match node {
            Node::Text(text) => output.push_str(text),
            Node::Expression(expression) => output.push_str(&value_of(expression, variables)?),
        }
        if output.len() > MAX_OUTPUT_BYTES {
            return Err(SubstitutionError::Length(MAX_OUTPUT_BYTES));
        }
    }
    Ok(output)
}

fn value_of(expression: &Expression, variables: &Variables) -> Result<String, SubstitutionError> {
    // Arguments are evaluated first, used or not: that is how the original finds a nested
    // variable without value even where the outer one is set.
    let arguments = expression
        .operation
        .arguments()
        .into_iter()
        .map(|nodes| evaluate(nodes, variables))
        .collect::<Result<Vec<_>, _>>()?;
    let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
    let Some(value) = variables.get(&expression.name) else {
        return match expression.operation {
            Operation::Default(_) => Ok(argument(0).to_owned()),
            _ => Err(SubstitutionError::Missing(expression.name.clone())),
        };
    };
    Ok(match &expression.operation {
        Operation::None | Operation::Default(_) => value.clone(),
        Operation::Unsupported(operator, _) => {
            return Err(SubstitutionError::Operator {
                operator,
                expression: expression.source.clone(),
            });
        }
        Operation::Length => value.len().to_string(),
        Operation::UpperFirst => map_first(value, upper),
        Operation::UpperAll => value.chars().map(upper).collect(),
        Operation::LowerFirst => map_first(value, lower),
        Operation::LowerAll => value.chars().map(lower).collect(),
        Operation::Substring { length, .. } => {
            cut(value, argument(0), length.as_ref().map(|_| argument(1)), &expression.source)?
        }
        Operation::Replace { mode, .. } => replace(value, *mode, argument(0), argument(1)),
        Operation::Trim { suffix, longest, .. } => {
            if value.len() > MAX_PATTERN_VALUE_BYTES {
                return Err(SubstitutionError::Length(MAX_PATTERN_VALUE_BYTES));
            }
            trim(value, argument(0), *suffix, *longest)
        }
    })
}

/// One character to one character, as Go does it: `ß` has no single upper-case form and stays.
fn upper(character: char) -> char {
    single(character.to_uppercase()).unwrap_or(character)
}

fn lower(character: char) -> char {
    single(character.to_lowercase()).unwrap_or(character)
}

fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    mapped.next().is_none().then_some(first)
}

fn map_first(value: &str, map: fn(char) -> char) -> String {
    let mut characters = value.chars();
    match characters.next() {
        Some(first) => std::iter::once(map(first)).chain(characters).collect(),
        None => String::new(),
    }
}

/// Bytes `start..start + length`. What is no number leaves the value whole, as the original does.
fn cut(
    value: &str,
    start: &str,
    length: Option<&str>,
    source: &str,
) -> Result<String, SubstitutionError> {
    let error = |reason| SubstitutionError::Cut { expression: source.to_owned(), reason };
    let Ok(start) = start.parse::<i64>() else {
        return Ok(value.to_owned());
    };
    let length = match length.map(str::parse::<i64>) {
        None => None,
        Some(Ok(length)) => Some(length),
        Some(Err(_)) => return Ok(value.to_owned()),
    };
    let start = usize::try_from(start).map_err(|_| error("the start is negative"))?;
    let end = match length {
        None => value.len(),
        Some(length) => {
            let length = usize::try_from(length).map_err(|_| error("the length is negative"))?;
            start.saturating_add(length).min(value.len())
        }
    };
    if start >= value.len() {
        return Ok(String::new());
    }
    value.get(start..end).map(str::to_owned).ok_or_else(|| error("it would cut inside a character"))
}

fn replace(value: &str, mode: Replace, pattern: &str, text: &str) -> String {
    match mode {
        Replace::First => value.replacen(pattern, text, 1),
        Replace::All => value.replace(pattern, text),
        Replace::Prefix => match value.strip_prefix(pattern) {
            Some(rest) => format!("{text}{rest}"),
            None => value.to_owned(),
        },
        Replace::Suffix => match value.strip_suffix(pattern) {
            Some(rest) => format!("{rest}{text}"),
            None => value.to_owned(),
        },
    }
}

/// Removes the shortest or longest non-empty match. The suffix form works on the reversed
/// value with the reversed pattern text, so a character class does not work there, as in the
/// original. A malformed pattern leaves the value as it is.
fn trim(value: &str, pattern: &str, suffix: bool, longest: bool) -> String {
    if suffix {
        let reversed = |text: &str| text.chars().rev().collect::<String>();
        return reversed(&trim(&reversed(value), &reversed(pattern), false, longest));
    }
    let Some(glob) = Glob::parse(pattern) else {
        return value.to_owned();
    };
    let characters: Vec<char> = value.chars().collect();
    let mut lengths = 1..=characters.len();
    let matches = |length: &usize| characters.get(..*length).is_some_and(|head| glob.matches(head));
    let matched = if longest { lengths.rfind(matches) } else { lengths.find(matches) };
    characters.into_iter().skip(matched.unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests;
